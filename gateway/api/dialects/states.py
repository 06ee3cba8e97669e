"""THE table: how a payout's standing reads in each protocol (dialects.md §3.5). Data, in one place.

Nothing that may still be paid is ever shown as failed.
"""

from collections.abc import Mapping

from msgspec import Struct

from gateway.domain.dialect import Standing


class Words(Struct, frozen=True):
    """One standing in each protocol's own words."""

    epay_submit: int
    """A submission that failed is told by the inquiry: there is no word for it here."""
    epay_query: int
    jeepay: int
    xxpay: int
    alipay: str
    """The same after a submission and in an inquiry. `WAIT_PAY` waits for the payer and `CLOSED` is
    an order that nobody paid in time: neither is ever true here."""
    epay_opted: int | None = None
    """For those who want to know that it waits for a person."""


WORDS: Mapping[Standing, Words] = {
    Standing.OPEN: Words(epay_submit=0, epay_query=0, jeepay=1, xxpay=1, alipay="DEALING"),
    Standing.REVIEW: Words(
        epay_submit=0, epay_query=0, jeepay=1, xxpay=0, alipay="DEALING", epay_opted=3
    ),
    Standing.CONFIRMING: Words(epay_submit=0, epay_query=0, jeepay=1, xxpay=1, alipay="DEALING"),
    Standing.PAID: Words(epay_submit=1, epay_query=1, jeepay=2, xxpay=2, alipay="SUCCESS"),
    Standing.FAILED: Words(epay_submit=0, epay_query=2, jeepay=3, xxpay=3, alipay="FAIL"),
    Standing.REJECTED: Words(epay_submit=0, epay_query=2, jeepay=3, xxpay=3, alipay="FAIL"),
    Standing.RETURNED: Words(epay_submit=0, epay_query=2, jeepay=3, xxpay=6, alipay="REFUND"),
}
