"""Whether a commit may have owed webhooks: a hint for whoever delivers in this process."""

from collections.abc import Callable

from gateway.store.database import Unit

OWING = frozenset({"insert_split_deliveries", "owe_notice", "owe_notice_of_retries"})
"""Statements that may owe something, whatever endpoints there are."""
_QUOTES = len('%"')


def may_owe(unit: Unit, wants: Callable[[str, str], bool]) -> bool:
    """Whether a look may find something new; `wants` says it of a merchant and a kind of event."""
    for step in unit.steps:
        name, params = step.query.name, step.params
        if name in OWING:
            return True
        if name == "insert_deliveries":
            kind = str(params["kind_quoted"])[_QUOTES:-_QUOTES]
            if wants(str(params["merchant_id"]), kind):
                return True
    return False
