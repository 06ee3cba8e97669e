"""What people do to payouts, channels and balances; every act has an actor and leaves a trace."""

from datetime import datetime

from channels.contract import Reason
from channels.money import Currency
from gateway.domain.certify import after_death
from gateway.domain.errors import AbsenceError, ConflictError, InvalidError
from gateway.domain.ledger import funded, topped_up
from gateway.domain.payout import (
    Cancelled,
    Certificate,
    CertificateKind,
    Died,
    Event,
    MerchantId,
    Payout,
    PayoutId,
    PayoutState,
    Released,
    Source,
    Unparked,
)
from gateway.domain.proposal import Approval, open_attempt, same_person
from gateway.engine.gateway import Gateway, Told
from gateway.engine.incidents import held_back_by
from gateway.engine.record import move
from gateway.ports import ChannelStatus, StaleError


async def find(gateway: Gateway, payout_id: str, merchant_id: MerchantId | None) -> Payout:
    """The payout, or the same `AbsenceError` whether it is nobody's or another merchant's."""
    payout = await gateway.store.payout(PayoutId(payout_id), merchant_id)
    if payout is None:
        raise AbsenceError(
            "payout_not_found", f"there is no payout {payout_id[:40]!r}", zh="代付单不存在"
        )
    return payout


async def cancel(
    gateway: Gateway, payout_id: str, merchant_id: MerchantId | None, actor: str
) -> Payout:
    """Stop a payout before it is armed. Repeating it returns the cancelled payout.

    One that is held because a channel contradicts a proof, or has contradicted another one's while
    this rests on its word, can be cancelled by operators only: its money may be out already, and
    cancelling gives the hold back.
    """
    payout = await find(gateway, payout_id, merchant_id)
    if merchant_id is not None and (
        any(one.contradictions for one in payout.attempts)
        or await held_back_by(gateway, payout) is not None
    ):
        raise ConflictError(
            "contradicted",
            "its channel's word is in doubt and money may have moved; operations must look first",
            zh="渠道回执存疑，款项可能已出，需运营人员核实后处理",
        )
    await check_may_cancel(gateway, payout)
    return await _act(
        gateway,
        payout_id,
        merchant_id,
        Cancelled(actor),
        {PayoutState.HELD, PayoutState.SCHEDULED, PayoutState.ROUTING},
        done=PayoutState.CANCELLED,
    )


async def check_may_cancel(gateway: Gateway, payout: Payout) -> None:
    """Raise `ConflictError` where a restored database may have forgotten that it was sent."""
    quarantine = gateway.quarantine
    if gateway.stopped() == "quarantined" and quarantine is not None:
        rebuilt = await gateway.store.is_rebuilt(quarantine.id, payout.id)
        if payout.state is not PayoutState.CANCELLED and not rebuilt:
            raise ConflictError(
                "quarantined",
                "the database was restored, and this payout may have been sent already: "
                "it can be cancelled once the channels have been asked",
                zh="数据库刚恢复，该代付可能已出款，待向渠道核实后才能取消",
            )


async def release(
    gateway: Gateway, payout_id: str, merchant_id: MerchantId | None, actor: str
) -> Payout:
    """Let a held or scheduled payout go now.

    Not while it would leave a frozen channel: then that channel's incident is released first. Not
    before its batch is final either, or it would be paid with the others cancelled; a batch that
    was final when it was asked stays so.
    """
    wanted = await find(gateway, payout_id, merchant_id)
    batch = await gateway.store.open_batch_of(wanted)
    if batch is not None:
        raise ConflictError(
            "batch_not_final",
            f"it belongs to {batch}, of which all rows are paid or none, and that is not decided "
            f"yet; release it once the batch is done (`hangdao batch show {batch}`)",
            zh=f"该代付属于批次 {batch}（全部成功或全部不付），批次尚未最终确定，"
            "请待批次完成后再放行",
        )
    frozen = await held_back_by(gateway, wanted)
    if frozen is not None:
        raise ConflictError(
            "failover_frozen",
            f"its last attempt is dead on the word of {frozen}, whose failover is frozen; "
            "release that channel's incident first (`hangdao incident ls`)",
            zh=f"渠道 {frozen} 的切换已冻结，请先处理并解除对应事件",
        )
    payout = await _act(
        gateway,
        payout_id,
        merchant_id,
        Released(actor),
        {PayoutState.HELD, PayoutState.SCHEDULED},
    )
    gateway.wake(Told(payout.id))
    gateway.announce(payout.id)
    return payout


async def unpark(gateway: Gateway, payout_id: str, actor: str) -> Payout:
    """Hand a parked payout back to the gateway's own inquiries."""
    return await _act(gateway, payout_id, None, Unparked(actor), {PayoutState.PARKED})


async def certify(
    gateway: Gateway,
    payout_id: str,
    *,
    version: int,
    reason: Reason,
    evidence: str,
    maker: str,
    checker: str,
    approval: Approval | None = None,
) -> Payout:
    """Certificate C7: two different people, with evidence, declare the open attempt dead.

    `version` is the payout's when they looked: one that has moved since is refused.
    `engine.propose` is the way here from outside; its proposal is spent in the same commit.
    """
    if not evidence.strip():
        raise InvalidError("evidence_missing", "say what proves it", param="evidence")
    nobody = not maker.strip() or not checker.strip()
    if nobody or same_person(maker, checker):
        raise InvalidError(
            "same_person",
            "maker and checker must be two different people",
            zh="经办人与复核人不能是同一人",
            param="checker",
        )
    payout = await find(gateway, payout_id, None)
    live = open_attempt(payout)
    if live is None:
        raise nothing_in_doubt(payout_id)
    if payout.version != version:
        raise ConflictError(
            "payout_moved",
            f"the payout is at version {payout.version}, and the two people looked at {version}; "
            "look again",
            zh=f"该代付已变化（现版本 {payout.version}，核实时为 {version}），请重新核实",
        )
    proof = Certificate(
        CertificateKind.TWO_PEOPLE, reason, "manual", evidence, gateway.clock.now(), maker, checker
    )
    event = Died(live.number, Source.PERSON, proof)
    events = after_death(payout, (event,))
    moved = await move(gateway, payout, events, actor=f"{maker}+{checker}", approval=approval)
    gateway.observer.alarm("attempt.certified_by_people", payout_id=payout.id)
    gateway.wake(Told(payout.id))
    gateway.announce(payout.id)
    return moved


def nothing_in_doubt(payout_id: str) -> ConflictError:
    """There is no attempt that people could declare dead."""
    return ConflictError(
        "nothing_in_doubt",
        f"{payout_id} has no pending or doubtful attempt to certify",
        zh="该代付没有处理中或状态未知的尝试",
    )


async def switch_channel(
    gateway: Gateway, channel: str, status: ChannelStatus, reason: str, actor: str
) -> None:
    """Pause, drain or resume a channel; effective here at once, elsewhere within a refresh."""
    if channel not in gateway.channels:
        raise AbsenceError("no_such_channel", f"no channel is named {channel!r}", zh="渠道不存在")
    await gateway.store.set_channel_status(channel, status, reason, actor)
    gateway.load.status[channel] = status


async def fund(
    gateway: Gateway, merchant_id: str, currency: Currency, amount_minor: int, key: str, actor: str
) -> bool:
    """Book a merchant's deposit, once per `key`."""
    if await gateway.store.merchant(MerchantId(merchant_id)) is None:
        raise AbsenceError("no_such_merchant", f"there is no merchant {merchant_id!r}")
    posting = funded(MerchantId(merchant_id), currency, amount_minor)
    return await gateway.store.post(posting, f"deposit of {merchant_id}", key, actor)


async def top_up(
    gateway: Gateway, channel: str, currency: Currency, amount_minor: int, key: str, actor: str
) -> bool:
    """Book a transfer of the operator's money to its account at a channel, once per `key`."""
    configured = gateway.channels.get(channel)
    if configured is None:
        raise AbsenceError("no_such_channel", f"no channel is named {channel!r}", zh="渠道不存在")
    if configured.traits.terms.currency is not currency:
        raise InvalidError(
            "currency_mismatch",
            f"{channel} holds {configured.traits.terms.currency}, not {currency}",
            param="currency",
        )
    posting = topped_up(channel, currency, amount_minor)
    booked = await gateway.store.post(posting, f"top-up of {channel}", key, actor)
    if booked:
        gateway.load.topped_up(channel, amount_minor)
    return booked


async def _act(
    gateway: Gateway,
    payout_id: str,
    merchant_id: MerchantId | None,
    event: Event,
    allowed: set[PayoutState],
    *,
    done: PayoutState | None = None,
) -> Payout:
    """Apply a person's event if the state allows it, looking again when it moved meanwhile."""
    actor = getattr(event, "by", "operations")
    for _ in range(8):
        payout = await find(gateway, payout_id, merchant_id)
        if payout.state is done:
            return payout
        if payout.state not in allowed:
            raise ConflictError(
                "state_forbids",
                f"a payout that is {payout.state} cannot be {event.kind}; "
                f"only {', '.join(sorted(allowed))} can",
                zh=f"当前状态 {payout.state} 不允许此操作",
            )
        try:
            return await move(gateway, payout, [event], actor=actor, due_at=_not_before(payout))
        except StaleError:
            continue
    raise ConflictError(
        "busy", f"{payout_id} keeps moving; look again", zh="代付单正在变化，请重试"
    )


def _not_before(payout: Payout) -> datetime | None:
    """A held payout that is let go still waits for its own release time; a scheduled one is let go
    ahead of it on purpose."""
    return payout.release_at if payout.state is PayoutState.HELD else None
