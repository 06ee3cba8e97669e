"""What an Epay site's silence may prove: nothing at all.

The site writes its row only after its own channel has said yes (wire-protocols.md §6, hazard 2): a
timeout or an error of that channel leaves no row, and "转账交易号不存在" then stands beside money
that is gone. C5 is forbidden for ever, and there is no statement for C6: only C1-C3 and people
(C7) end a doubt here.
"""

from channels.contract import Profile

ACCEPTANCE_WINDOW_S = 300
"""§6: a request is refused when its timestamp is further off than this; so do clients replies."""
REFUSAL_LAG_S = 60
"""Assumed: the row of a transfer that went through is written within the same request."""

PROFILE = Profile(
    acceptance_window_s=ACCEPTANCE_WINDOW_S,
    # An administrator's queue has no end; a payee's confirmation at WeChat a day.
    dwell_s=24 * 3600,
    visibility_lag_s=3600,
    # The window tolerates a clock that is wrong by as much again.
    skew_s=ACCEPTANCE_WINDOW_S,
    absence_proves=False,
    finality=None,
    refusal_lag_s=REFUSAL_LAG_S,
)
