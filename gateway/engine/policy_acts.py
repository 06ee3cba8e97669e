"""What people do with policies, over the board: each act is checked, written once and put into use.

All raise what `policy_rules` says, `PolicyInvalidError` for a text that cannot be used, and
`StoreError`; then nothing has changed. In file mode all of them are refused.
"""

from collections.abc import Callable
from datetime import datetime

from gateway.domain import policy_rules
from gateway.domain.errors import AbsenceError, InvalidError
from gateway.domain.payout import sortable_id
from gateway.domain.policy_change import (
    Act,
    Change,
    ChangeState,
    Plan,
    ShadowCell,
    Standing,
)
from gateway.domain.policy_rules import Who
from gateway.domain.proposal import same_person
from gateway.engine.policies import Board, as_given


async def propose(board: Board, text: str, plan: Plan, note: str, who: Who) -> Change:
    """Check and store a text, and ask for a second person; what is in use does not change."""
    board.require_writable()
    policy = await board.check(text)
    now = board.now
    change_id = sortable_id("pc_", now, board.gateway.entropy.bytes(10))
    stored = as_given(policy, text, now, who, note)
    await board.act(
        lambda standing: policy_rules.proposed(
            standing, change_id, policy.hash, plan, who, board.now, note
        ),
        stored,
    )
    mine = board.standing.changes.get(change_id)
    if mine is not None:
        return mine
    # It was proposed before, by the same person with the same plan.
    return next(
        one
        for one in board.standing.open
        if one.policy_hash == policy.hash and same_person(one.proposed_person, who.person or "")
    )


async def approve(board: Board, change_id: str, who: Who) -> Change:
    """The second person agrees; what was planned begins."""
    board.require_writable()
    await board.follow()
    change = policy_rules.find(board.standing, change_id)
    if change.state is ChangeState.OPEN:
        # Channels may have gone since it was proposed.
        await board.check((await board.policy(change.policy_hash)).text)
    await board.act(lambda standing: policy_rules.approved(standing, change_id, who, board.now))
    return board.standing.changes[change_id]


async def reject(board: Board, change_id: str, note: str, who: Who) -> Change:
    """No, or a withdrawal."""
    return await _on(
        board,
        change_id,
        lambda standing: policy_rules.rejected(standing, change_id, who, board.now, note),
    )


async def shadow(board: Board, change_id: str, who: Who) -> Change:
    """Decide as well, in vain."""
    await _usable(board, change_id)
    return await _on(
        board,
        change_id,
        lambda standing: policy_rules.shadowed(standing, change_id, who, board.now),
    )


async def canary(board: Board, change_id: str, share_ppm: int, who: Who) -> Change:
    """Decide for a share of what is accepted from now on."""
    await _usable(board, change_id)
    return await _on(
        board,
        change_id,
        lambda standing: policy_rules.canaried(standing, change_id, share_ppm, who, board.now),
    )


async def activate(board: Board, change_id: str, at: datetime | None, who: Who) -> Change:
    """Decide for everybody, now or at a time that lies ahead."""
    if at is not None:
        policy_rules.check_time(at, board.now)
    await _usable(board, change_id)
    if at is not None and at > board.now:
        return await _on(
            board,
            change_id,
            lambda standing: policy_rules.scheduled(standing, change_id, at, who, board.now),
        )
    return await _on(
        board,
        change_id,
        lambda standing: policy_rules.activated(standing, change_id, who, board.now),
    )


async def cancel(board: Board, change_id: str, note: str, who: Who) -> Change:
    """Give up what was agreed to."""
    return await _on(
        board,
        change_id,
        lambda standing: policy_rules.cancelled(standing, change_id, who, board.now, note),
    )


async def roll_back(board: Board, leaving: str, to: str | None, note: str, who: Who) -> Standing:
    """Back to what was active before; by one person, at once."""
    board.require_writable()
    if not note.strip():
        raise InvalidError("reason_missing", "say why", zh="请填写回滚原因", param="reason")
    await board.follow()
    acts = policy_rules.rolled_back(board.standing, leaving, to, who, board.now, note)
    for act in acts:
        board.compiled(await board.policy(act.policy_hash))
    await board.act(
        lambda standing: policy_rules.rolled_back(standing, leaving, to, who, board.now, note)
    )
    return board.standing


async def shadow_report(board: Board, change_id: str | None) -> tuple[Change, list[ShadowCell]]:
    """What the shadow would have chosen; without an id, the one that runs."""
    if change_id is None:
        shadow = board.standing.shadow
        if shadow is None:
            raise AbsenceError("no_shadow", "no shadow runs now", zh="当前没有影子策略")
        change_id = shadow.id
    change = policy_rules.find(board.standing, change_id)
    return change, await board.gateway.store.shadow_cells(change_id)


async def _on(board: Board, change_id: str, decide: Callable[[Standing], list[Act]]) -> Change:
    board.require_writable()
    await board.act(decide)
    return board.standing.changes[change_id]


async def _usable(board: Board, change_id: str) -> None:
    """Refuse what cannot be compiled before anybody relies on it."""
    board.require_writable()
    await board.follow()
    board.compiled(await board.policy(board.change(change_id).policy_hash))
