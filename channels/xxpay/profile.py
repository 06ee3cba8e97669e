"""What XxPay's silence may prove: nothing.

`reqTime` is only checked for its shape, so no request ever grows too old; "not found" comes
unsigned from stock servers; there is no statement. Its repair job may send a payout on by itself
long after we heard of a failure (dialects.md §5, 9): what rests is for a person.
"""

from channels.contract import Profile

DWELL_S = 24 * 3600
"""Assumed: how long a bank behind the gateway may rest on a payout."""
REFUSAL_LAG_S = 300
"""Assumed: an order that is taken in spite of a refusal is written by then."""

PROFILE = Profile(dwell_s=DWELL_S, refusal_lag_s=REFUSAL_LAG_S)
