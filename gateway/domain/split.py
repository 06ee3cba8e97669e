"""Split payouts (分账): one instruction, several beneficiaries; each leg a payout. Pure.

Accepted all or none; from then on each leg goes its own way, with its own attempts. Nothing that
was paid is clawed back because another leg failed: what failed is back in the merchant's balance,
and the merchant decides (pay that leg again in a new payout, or ask the beneficiaries back).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NewType

from msgspec import Struct

from channels.money import Money
from gateway.domain.payout import MerchantId, PayoutState
from policies.fees import PPM

SplitId = NewType("SplitId", str)
LEGS_MAX: Final = 50


class SplitStatus(StrEnum):
    """Where a split stands, by the states of its legs."""

    OPEN = "open"
    """At least one leg may still be paid or fail."""
    PAID = "paid"
    """Every leg is paid or settled."""
    FAILED = "failed"
    """Every leg failed or was cancelled; all money is back."""
    PARTLY_FAILED = "partly_failed"
    """Some legs failed or were cancelled, others were not."""
    RETURNED = "returned"
    """Every leg was paid and came back."""
    PARTLY_RETURNED = "partly_returned"
    """Every leg was paid; some came back."""

    @property
    def is_final(self) -> bool:
        """Whether every leg has come to an end (paid money may still come back)."""
        return self is not SplitStatus.OPEN


LegFate = Literal["open", "paid", "failed", "returned"]


def fate_of(state: PayoutState) -> LegFate:
    """What a leg's state means for its split."""
    match state:
        case PayoutState.PAID | PayoutState.SETTLED:
            return "paid"
        case PayoutState.FAILED | PayoutState.CANCELLED:
            return "failed"
        case PayoutState.RETURNED:
            return "returned"
        case _:
            return "open"


def status_of(states: Iterable[PayoutState]) -> SplitStatus:
    """The status of a split whose legs stand there; the first line that fits counts."""
    fates = {fate_of(state) for state in states}
    if "open" in fates:
        return SplitStatus.OPEN
    if "failed" in fates:
        return SplitStatus.FAILED if fates == {"failed"} else SplitStatus.PARTLY_FAILED
    if "returned" in fates:
        return SplitStatus.RETURNED if fates == {"returned"} else SplitStatus.PARTLY_RETURNED
    return SplitStatus.PAID


class Split(Struct, frozen=True):
    """One instruction over several payouts."""

    id: SplitId
    merchant_id: MerchantId
    merchant_ref: str
    total: Money
    """What all legs ask for together."""
    legs: int
    accepted_at: datetime


def shares_of(total_minor: int, shares_ppm: Sequence[int]) -> tuple[int, ...]:
    """The total by shares, exactly: rounded down, then one more each for the largest remainders.

    Of equal remainders the earlier leg's comes first. Raises ValueError unless the shares are a
    whole million.
    """
    if sum(shares_ppm) != PPM:
        raise ValueError(f"the shares add up to {sum(shares_ppm)} ppm, not to {PPM}")
    parts = [divmod(total_minor * share, PPM) for share in shares_ppm]
    found = [whole for whole, _ in parts]
    left = total_minor - sum(found)
    for leg in sorted(range(len(parts)), key=lambda leg: (-parts[leg][1], leg))[:left]:
        found[leg] += 1
    return tuple(found)
