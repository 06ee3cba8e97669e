"""What UnionPay's silence may prove: nothing.

No page names a time after which an old txnTime is refused, 34 (not found) is among the codes that
the official cadence keeps asking on (wire-protocols.md §3.5), and the settlement file carries no
totals that would prove it complete (§3.7): C5 and C6 are forbidden, only C1-C3 and people (C7) end
a doubt here.
"""

from channels.contract import Profile

REFUSAL_LAG_S = 300
"""Assumed: the official cadence asks first after three minutes and then for another one (§3.5); a
query that late should show an order that was refused and carried out all the same."""

PROFILE = Profile(
    # An accepted payout that the issuer does not decide on is decided by the next day's file; how
    # long that may take no page says (§3.8).
    dwell_s=24 * 3600,
    visibility_lag_s=3600,
    refusal_lag_s=REFUSAL_LAG_S,
)
