"""What WeChat Pay's silence may prove: nothing on inquiry, something on complete statements.

"Not found" means still under way, or never landed, and the documentation forbids reading it as a
failure (reliability.md §2): C5 is forbidden although the acceptance window is known. The fund-flow
bill is announced with its digest and checked against it (wire-protocols.md §2.6): C6 is allowed.
"""

from channels.contract import Finality, Profile

ACCEPTANCE_WINDOW_S = 300
"""§2.1: the platform refuses a request signed more than five minutes ago."""
CONFIRMATION_S = 24 * 3600
"""§2.2: so long the payee may take to confirm; only then money moves."""
REFUSAL_LAG_S = 120
"""§2.2 asks for a look "minutes later" after a refusal; two looks so far apart span them."""

PROFILE = Profile(
    acceptance_window_s=ACCEPTANCE_WINDOW_S,
    dwell_s=CONFIRMATION_S,
    # §2.2 advises to look again after minutes; a published failure was settled within days by
    # other means than the query, so the lag assumed here is hours.
    visibility_lag_s=6 * 3600,
    # The window tolerates a clock that is wrong by as much again.
    skew_s=ACCEPTANCE_WINDOW_S,
    absence_proves=False,
    finality=Finality(),
    refusal_lag_s=REFUSAL_LAG_S,
)
