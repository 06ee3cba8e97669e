"""What a commit owes, for whoever delivers in this process: to be sent at once, or looked for."""

from collections.abc import Callable, Iterator, Sequence

from gateway.ports import Delivery, DeliveryState
from gateway.store.codec import moment
from gateway.store.database import Returned, Row, Unit

OwedTo = Callable[[Sequence[Delivery], bool], None]
"""Webhooks that may be sent at once, and whether a look would find more."""

OWING = frozenset(
    {"insert_deliveries", "insert_split_deliveries", "owe_notice", "owe_notice_of_retries"}
)
"""Statements that owe something."""
_WAITS = 12
"""The column behind a delivery's own: whether an earlier one of its lane is still due."""


def owed_by(unit: Unit, returned: Returned) -> tuple[list[Delivery], bool]:
    """What a committed unit owes, as `OwedTo` takes it.

    Where the database does not say what a statement inserted, a look may find something.
    """
    rows: Iterator[Sequence[Row]] = iter(returned)
    fresh: list[Delivery] = []
    look = False
    for step in unit.steps:
        query = step.query
        inserted = next(rows) if query.counted else None
        if query.name not in OWING:
            continue
        if inserted is None:
            look = True
            continue
        for row in inserted:
            if row[_WAITS]:
                look = True
            else:
                fresh.append(delivery_of(row))
    return fresh, look


def delivery_of(row: Row) -> Delivery:
    """One delivery, from the columns that every statement about them returns."""
    return Delivery(
        id=row[0],
        endpoint_id=row[1],
        merchant_id=row[2],
        payout_id=row[3],
        seq=row[4],
        payload=bytes(row[5]),
        state=DeliveryState(row[6]),
        tries=row[7],
        due_at=moment(row[8]),
        created_at=moment(row[9]),
        last_status=row[10],
        last_error=row[11],
    )
