"""Certificate C7: a maker proposes with evidence, a checker who is another person decides.

Approval and certificate are one commit. A proposal speaks of the payout as it was looked at: once
that has moved, by a send or by an answer, the evidence is about something else and it is void.
"""

import re

from channels.contract import Reason
from gateway.domain.errors import AbsenceError, ConflictError, ForbiddenError, InvalidError
from gateway.domain.payout import Payout, PayoutId, sortable_id
from gateway.domain.proposal import (
    Approval,
    Proposal,
    ProposalState,
    is_current,
    open_attempt,
    same_person,
)
from gateway.engine.gateway import Gateway
from gateway.engine.operate import certify, find, nothing_in_doubt

VOID = "void: the payout has moved since it was proposed"

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


async def propose(
    gateway: Gateway,
    payout_id: str,
    *,
    reason: Reason,
    evidence: str,
    evidence_sha256: str | None,
    actor: str,
    person: str | None,
) -> Proposal:
    """Store a proposal to declare the open attempt dead; nothing moves yet.

    `evidence_sha256` names a document that is kept elsewhere.
    """
    who = _someone(person)
    if not evidence.strip():
        raise InvalidError("evidence_missing", "say what proves it", param="evidence")
    if evidence_sha256 is not None and _SHA256.fullmatch(evidence_sha256) is None:
        raise InvalidError(
            "hash_invalid", "64 lower-case hexadecimal digits", param="evidence_sha256"
        )
    payout = await find(gateway, payout_id, None)
    attempt = open_attempt(payout)
    if attempt is None:
        raise nothing_in_doubt(payout_id)
    now = gateway.clock.now()
    for known in await gateway.store.proposals(open_only=True, payout_id=payout.id):
        if not is_current(known, payout):
            await gateway.store.reject_proposal(known.id, now, "gateway", "", VOID)
    proposal = Proposal(
        id=sortable_id("pr_", now, gateway.entropy.bytes(10)),
        payout_id=payout.id,
        merchant_id=payout.merchant_id,
        attempt=attempt.number,
        sends=attempt.sends,
        version=payout.version,
        reason=reason,
        evidence=evidence,
        evidence_sha256=evidence_sha256,
        maker=actor,
        maker_person=who,
        proposed_at=now,
    )
    await gateway.store.propose(proposal)
    gateway.observer.alarm("attempt.proposed", payout_id=payout.id, channel=attempt.channel)
    return proposal


async def approve(gateway: Gateway, payout_id: str, *, actor: str, person: str | None) -> Payout:
    """The second person agrees: the attempt is dead by certificate C7, and the payout goes on."""
    who = _someone(person)
    proposal = await _open(gateway, payout_id)
    if same_person(who, proposal.maker_person):
        raise ForbiddenError(
            "same_person",
            "whoever proposed it cannot approve it, with whatever key",
            zh="经办人与复核人不能是同一人",
        )
    now = gateway.clock.now()
    payout = await find(gateway, payout_id, None)
    if not is_current(proposal, payout):
        await gateway.store.reject_proposal(proposal.id, now, "gateway", "", VOID)
        raise _void(proposal, payout)
    return await certify(
        gateway,
        payout_id,
        version=proposal.version,
        reason=proposal.reason,
        evidence=_with_hash(proposal),
        maker=proposal.maker_person,
        checker=who,
        approval=Approval(proposal.id, actor, who, now),
    )


async def reject(
    gateway: Gateway, payout_id: str, *, note: str, actor: str, person: str | None
) -> Proposal:
    """Close the open proposal without a certificate; its maker may withdraw it so, too."""
    proposal = await _open(gateway, payout_id)
    now = gateway.clock.now()
    if not await gateway.store.reject_proposal(proposal.id, now, actor, person or "", note):
        raise _none(payout_id)
    closed = await gateway.store.proposals(open_only=False, payout_id=proposal.payout_id)
    return next(one for one in closed if one.id == proposal.id)


async def _open(gateway: Gateway, payout_id: str) -> Proposal:
    found = await gateway.store.proposals(open_only=True, payout_id=PayoutId(payout_id))
    if not found or found[0].state is not ProposalState.OPEN:
        raise _none(payout_id)
    return found[0]


def _void(proposal: Proposal, payout: Payout) -> ConflictError:
    live = payout.live
    sends = live.sends if live is not None and live.number == proposal.attempt else 0
    again = (
        f"it was sent {sends - proposal.sends} times more, and " if sends > proposal.sends else ""
    )
    return ConflictError(
        "proposal_void",
        f"the payout has moved since it was proposed: {again}it is at version {payout.version}, "
        f"and both people looked at {proposal.version}; look again and propose anew",
        zh=f"提交后该代付已变化（现版本 {payout.version}，核实时为 {proposal.version}），"
        "请重新核实并提交",
    )


def _none(payout_id: str) -> AbsenceError:
    return AbsenceError(
        "no_such_proposal", f"{payout_id[:40]!r} has no open proposal", zh="没有待复核的申请"
    )


def _someone(person: str | None) -> str:
    if person is None or not person.strip():
        raise ForbiddenError(
            "person_unknown",
            "this key does not say whose it is; make operators' keys with --person",
            zh="该密钥未登记使用人，请用 --person 创建",
        )
    return person.strip()


def _with_hash(proposal: Proposal) -> str:
    if proposal.evidence_sha256 is None:
        return proposal.evidence
    return f"{proposal.evidence} (document sha256 {proposal.evidence_sha256})"
