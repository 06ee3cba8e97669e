"""What Circle Mint's silence may prove: nothing.

There is no look-up by our key (wire-protocols.md §5.1), no window in which an old request would be
refused, and no statement: only C1-C3 and people (C7) end a doubt here. What ends most doubts is
the same request again, which is answered with the original (§5.3, `Resend.answers`).
"""

from channels.contract import Profile

REFUSAL_LAG_S = 300
"""Assumed: no page says how soon the lists show a new payout."""

PROFILE = Profile(
    acceptance_window_s=None,
    # §5.6: wire business days; a long weekend and a review lie between pending and complete.
    dwell_s=7 * 24 * 3600,
    visibility_lag_s=3600,
    absence_proves=False,
    finality=None,
    refusal_lag_s=REFUSAL_LAG_S,
)
