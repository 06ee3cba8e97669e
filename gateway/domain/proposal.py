"""Certificate C7 before it is one: what a maker proposes, and who may decide about it.

Keys are not people: each operator's key says whose it is, and two keys of one person are one
person. A proposal is about a payout as it stood when its evidence was looked at: whatever has
happened to it since, a send or an answer, makes it void.
"""

import unicodedata
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from channels.contract import Reason
from channels.unprinted import Unprinted
from gateway.domain.payout import Attempt, AttemptState, MerchantId, Payout, PayoutId


class ProposalState(StrEnum):
    """What became of it."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


class Proposal(Unprinted, frozen=True):
    """One person's request to declare an attempt dead."""

    hidden = frozenset({"evidence"})

    id: str
    payout_id: PayoutId
    merchant_id: MerchantId
    attempt: int
    sends: int
    """How often it had been sent when the evidence was looked at."""
    version: int
    """Of the payout, at that moment."""
    reason: Reason
    evidence: str
    """What proves it, in words; may name the payee, so it is stored sealed."""
    evidence_sha256: str | None
    """Of a document that is kept elsewhere."""
    maker: str
    maker_person: str
    proposed_at: datetime
    state: ProposalState = ProposalState.OPEN
    checker: str | None = None
    checker_person: str | None = None
    decided_at: datetime | None = None
    note: str | None = None


class Approval(Struct, frozen=True):
    """That a second person agreed; committed together with the certificate it makes."""

    proposal_id: str
    checker: str
    checker_person: str
    at: datetime


def same_person(one: str, other: str) -> bool:
    """Whether two labels name one person: case, width and blanks make no difference."""
    return _plain(one) == _plain(other)


def _plain(label: str) -> str:
    return "".join(unicodedata.normalize("NFKC", label).casefold().split())


def open_attempt(payout: Payout) -> Attempt | None:
    """The attempt that people may declare dead: one that somebody has asked about in vain."""
    live = payout.live
    if live is None or live.state not in {AttemptState.PENDING, AttemptState.IN_DOUBT}:
        return None
    return live


def is_current(proposal: Proposal, payout: Payout) -> bool:
    """Whether the evidence is still about what it was collected for."""
    live = open_attempt(payout)
    return live is not None and (live.number, live.sends, payout.version) == (
        proposal.attempt,
        proposal.sends,
        proposal.version,
    )
