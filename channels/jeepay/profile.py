"""What Jeepay's silence may prove: nothing.

Freshness of `reqTime` is not checked (dialects.md §1), so no request ever grows too old to be taken
in; "not found" comes unsigned; there is no statement. Its own repair asks the channel behind it for
24 hours and only about orders in state 1 (§5, 6): what rests longer is for a person.
"""

from channels.contract import Profile

REPAIR_S = 24 * 3600
"""§1, repair job: orders older than this are never asked about again."""
REFUSAL_LAG_S = 300
"""Assumed: an order that is taken in spite of a refusal is written by then."""

PROFILE = Profile(dwell_s=REPAIR_S, refusal_lag_s=REFUSAL_LAG_S)
