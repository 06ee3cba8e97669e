"""THE table: how a payout's standing reads in each protocol (dialects.md §3.5). Data, in one place.

Nothing that may still be paid is ever shown as failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.domain.dialect import ENDED_UNPAID, Standing

__all__ = ["ENDED_UNPAID", "WORDS", "Words"]


@dataclass(frozen=True, slots=True)
class Words:
    """One standing in each protocol's own words."""

    epay_submit: int
    """A submission that failed is told by the inquiry: there is no word for it here."""
    epay_query: int
    jeepay: int
    xxpay: int
    epay_opted: int | None = None
    """For those who want to know that it waits for a person."""


WORDS: Mapping[Standing, Words] = {
    Standing.OPEN: Words(epay_submit=0, epay_query=0, jeepay=1, xxpay=1),
    Standing.REVIEW: Words(epay_submit=0, epay_query=0, jeepay=1, xxpay=0, epay_opted=3),
    Standing.CONFIRMING: Words(epay_submit=0, epay_query=0, jeepay=1, xxpay=1),
    Standing.PAID: Words(epay_submit=1, epay_query=1, jeepay=2, xxpay=2),
    Standing.FAILED: Words(epay_submit=0, epay_query=2, jeepay=3, xxpay=3),
    Standing.REJECTED: Words(epay_submit=0, epay_query=2, jeepay=3, xxpay=3),
    Standing.RETURNED: Words(epay_submit=0, epay_query=2, jeepay=3, xxpay=6),
}
