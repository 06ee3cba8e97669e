"""What Alipay's silence may prove: nothing, as long as no acceptance window is published.

The platform names no time after which it refuses an old timestamp, and SYSTEM_ERROR and
ORDER_NOT_EXIST both may precede a payment (wire-protocols.md §1.4, §1.8): C5 is forbidden. Its
daily file carries its own totals, which `statement.py` checks to the last line, but without a
window no statement is ever late enough for C6: only C1-C3 and people (C7) end a doubt here.
"""

from channels.contract import Finality, Profile

REFUSAL_LAG_S = 60
"""Assumed: no page says how soon a query shows a transfer that was refused and made all the same
(wire-protocols.md §1.4 asks for the query, §1.8 for patience)."""

PROFILE = Profile(
    acceptance_window_s=None,
    # A transfer debits our account when it is taken in; DEALING may last until the bank answers.
    dwell_s=24 * 3600,
    visibility_lag_s=3600,
    absence_proves=False,
    finality=Finality(),
    refusal_lag_s=REFUSAL_LAG_S,
)
