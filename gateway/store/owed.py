"""What a commit has owed in webhooks, as far as this process can know: for whoever delivers in it.

Where nobody else writes and what a merchant's endpoints want is known for certain, it is all there;
elsewhere it is a hint that a look may find something.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

from gateway.domain.payout import MerchantId, PayoutId
from gateway.ports import Delivery, DeliveryState, Owed
from gateway.store.codec import moment
from gateway.store.database import Unit
from gateway.store.queries import Params

OWING = frozenset({"insert_split_deliveries", "owe_notice", "owe_notice_of_retries"})
"""Statements that may owe something, whatever endpoints there are."""
_QUOTES = len('%"')

Wanted = tuple[str, tuple[str, ...]]
"""An active endpoint's id, and the kinds of events it wants; all where none is named."""


def owed_by(
    unit: Unit, wanted: Callable[[MerchantId], Sequence[Wanted] | None], *, is_certain: bool
) -> Iterator[Owed]:
    """What the unit owed, by payout.

    `wanted` tells a merchant's endpoints, None while they are not known; `is_certain`: they were
    just these when the unit was committed.
    """
    events: dict[PayoutId, list[Params]] = {}
    owing: dict[PayoutId, list[Params]] = {}
    may_be_any = False
    for step in unit.steps:
        name = step.query.name
        if name == "insert_event":
            events.setdefault(PayoutId(str(step.params["payout_id"])), []).append(step.params)
        elif name == "insert_deliveries":
            owing.setdefault(PayoutId(str(step.params["payout_id"])), []).append(step.params)
        elif name in OWING:
            may_be_any = True
    for payout_id, happened in events.items():
        told = owing.get(payout_id, ())
        endpoints = wanted(MerchantId(str(happened[0]["merchant_id"]))) if told else ()
        if endpoints is not None and (is_certain or not told):
            first, last = _seq(happened[0]), _seq(happened[-1])
            found = (_delivery(one, event) for event in told for one in _takers(endpoints, event))
            yield Owed(payout_id, first, last, tuple(found))
        elif endpoints is None or any(_takers(endpoints, event) for event in told):
            yield Owed(payout_id)
    if may_be_any:
        yield Owed(None)


def takers(endpoints: Sequence[Wanted], kind: str) -> list[str]:
    """Whom `insert_deliveries` finds for a kind of event."""
    return [
        endpoint_id
        for endpoint_id, kinds in endpoints
        if not kinds or kind in kinds or f"payout.{kind}" in kinds
    ]


def _takers(endpoints: Sequence[Wanted], event: Params) -> list[str]:
    return takers(endpoints, str(event["kind_quoted"])[_QUOTES:-_QUOTES])


def _delivery(endpoint_id: str, event: Params) -> Delivery:
    """The row that `insert_deliveries` has written."""
    at = moment(cast("int", event["at"]))
    return Delivery(
        id=f"{event['stem']}{endpoint_id}",
        endpoint_id=endpoint_id,
        merchant_id=MerchantId(str(event["merchant_id"])),
        payout_id=PayoutId(str(event["payout_id"])),
        seq=_seq(event),
        payload=cast("bytes", event["payload"]),
        state=DeliveryState.DUE,
        tries=0,
        due_at=at,
        created_at=at,
        may_be_followed=False,
    )


def _seq(event: Params) -> int:
    return cast("int", event["seq"])
