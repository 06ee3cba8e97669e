"""What leaves the store about an event: complete, JSON-ready, and silent about people."""

from typing import get_args

import orjson
import pytest

from gateway.domain.payout import Accepted, Adopted, Event, FeeCorrected, PayoutState, Source
from gateway.store.payloads import detail_of, dumped, webhook_payload
from tests import builders as build

CANARY = "canary-张三"

EVENTS: list[Event] = [
    Accepted(PayoutState.ROUTING),
    build.held(),
    build.released(),
    build.cancelled(),
    build.failed(),
    build.armed(build.attempt(arrival_at=build.after(days=1))),
    Adopted(build.attempt(), Source.RECOVERY),
    build.resent(),
    build.pended(action=build.payee_action(CANARY)),
    build.doubted(no=build.refusal(message=CANARY)),
    build.confirmed(),
    build.died(1, build.certificate(message=CANARY)),
    build.came_back(),
    build.settled(),
    FeeCorrected(1, build.TODAY, 3),
    build.contradicted(),
    build.parked(),
    build.unparked(),
]


def test_every_event_is_looked_at() -> None:
    """The list above has one of each."""
    assert {type(event) for event in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_detail_is_json_and_silent_about_people(event: Event) -> None:
    """Dumps and loads, and has neither the channel's words nor the key to its page."""
    text = dumped(detail_of(event)).decode()

    assert isinstance(orjson.loads(text), dict)
    assert CANARY not in text


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_webhooks_name_their_event(event: Event) -> None:
    """Type, number and time are in the envelope; the id is the same for the same event."""
    payout = build.payout(id="po_x", instruments=(build.bank_card("6222000011112222333", CANARY),))

    body = webhook_payload(payout, event, 7, build.NOW)

    told = orjson.loads(body)
    assert (told["type"], told["id"]) == (f"payout.{event.kind}", "evt_x_7")
    assert (told["seq"], told["at"]) == (7, "2026-03-02T02:00:00Z")
    assert CANARY not in body.decode()
    assert "6222000011112222333" not in body.decode()
