"""Whose webhooks a commit may have owed: a hint for whoever delivers in this process."""

from collections.abc import Callable

from gateway.domain.payout import PayoutId
from gateway.store.database import Unit

OWING = frozenset({"insert_split_deliveries", "owe_notice", "owe_notice_of_retries"})
"""Statements that may owe something, whatever endpoints there are."""
_QUOTES = len('%"')


def owed_about(unit: Unit, wants: Callable[[str, str], bool]) -> set[PayoutId | None]:
    """Payouts of which a look may find something new, None where any may be meant; else empty.

    `wants` says it of a merchant and a kind of event.
    """
    about: set[PayoutId | None] = set()
    for step in unit.steps:
        name, params = step.query.name, step.params
        if name in OWING:
            about.add(None)
        elif name == "insert_deliveries":
            kind = str(params["kind_quoted"])[_QUOTES:-_QUOTES]
            if wants(str(params["merchant_id"]), kind):
                about.add(PayoutId(str(params["payout_id"])))
    return about
