"""Notices in other platforms' words: their ladder, their acknowledgement, their way out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiohttp import web
from msgspec.structs import replace

from gateway.domain.pace import NOTICE_TAIL_S
from gateway.engine.deliver import Answer, Courier, Notice, Unsaid
from gateway.ports import Delivery, DeliveryState
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import WebhookSender
from tests.builders import NOW, delivery, endpoint
from tests.gateway.webhooks.outbox import FrozenClock, Outbox
from tests.gateway.webhooks.receiver import Receiver, receiver

DUE, DELIVERED, DEAD = DeliveryState.DUE, DeliveryState.DELIVERED, DeliveryState.DEAD
LADDER_S = (0, 30, 60)


@pytest.fixture
async def caller() -> AsyncIterator[Receiver]:
    """The other platform's caller."""
    async with receiver() as listening:
        yield listening


@dataclass(slots=True)
class Plain:
    """Says the same whatever is owed."""

    sender: WebhookSender
    url: str
    unsaid: list[Unsaid] = field(default_factory=list)

    async def make(self, _: Delivery) -> Notice | Unsaid:
        """Unsaid ones first."""
        if self.unsaid:
            return self.unsaid.pop(0)
        form = "application/x-www-form-urlencoded"
        return Notice("shop", self.url, form, b"state=2&sign=X", "SUCCESS", LADDER_S)

    async def send(self, notice: Notice) -> Answer:
        """Past the guard."""
        return await self.sender.post(notice.url, notice.body, notice.content_type)


@dataclass(slots=True)
class Round:
    """An outbox, its courier, and a clock."""

    outbox: Outbox
    notices: Plain
    clock: FrozenClock

    async def turn(self) -> DeliveryState:
        """Send what is due."""
        courier = Courier(
            self.outbox,
            self.notices.sender,
            self.clock,
            limit=100,
            concurrency=16,
            notices=self.notices,
        )
        await courier.start_due()
        await courier.finish()
        return self.outbox.state("n_1")


@pytest.fixture
async def rounds(caller: Receiver) -> AsyncIterator[Round]:
    """One notice owed to a caller on loopback."""
    sender = WebhookSender(Egress(["127.0.0.0/8"]), timeout_s=0.5)
    outbox = Outbox(delivery("n_1", endpoint_id="da_1"))
    yield Round(outbox, Plain(sender, caller.url()), FrozenClock())
    await sender.aclose()


def says(caller: Receiver, text: str, status: int = 200) -> None:
    """What the caller answers from now on."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text)

    caller.behaviours["/hook"] = answer


@pytest.mark.parametrize("word", ["SUCCESS", "success", "Success\r\n", "\ufeffsuccess"])
async def test_the_word_alone_is_enough(caller: Receiver, rounds: Round, word: str) -> None:
    """In any case, with what editors put around it; one POST in the caller's own form."""
    says(caller, word)

    assert await rounds.turn() is DELIVERED
    (heard,) = caller.heard
    assert heard.body == b"state=2&sign=X"
    assert heard.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "webhook-signature" not in heard.headers


@pytest.mark.parametrize(
    ("text", "status"),
    [("", 200), ("ok", 200), ("<html>success</html>", 200), ("success" * 100, 200), ("", 410)],
)
async def test_a_status_alone_is_not(
    caller: Receiver, rounds: Round, text: str, status: int
) -> None:
    """The next try is on the dialect's own ladder; no text of the receiver's is kept."""
    says(caller, text, status)

    assert await rounds.turn() is DUE
    row = rounds.outbox.rows["n_1"]
    assert timedelta(seconds=30) <= row.due_at - NOW <= timedelta(seconds=33)
    assert row.last_error == f"the receiver answered {status} without the word 'SUCCESS' alone"


async def test_the_ladder_is_climbed_to_its_end(caller: Receiver, rounds: Round) -> None:
    """Then it is a dead letter, which somebody may send again."""
    says(caller, "fail")
    fates = []
    for _ in LADDER_S:
        fates.append(await rounds.turn())
        rounds.clock.turn(seconds=200)

    assert fates == [DUE, DUE, DEAD]
    assert len(caller.heard) == len(LADDER_S)
    says(caller, "SUCCESS")
    await rounds.outbox.resend(rounds.outbox.rows["n_1"].merchant_id, "n_1", rounds.clock.now())
    assert await rounds.turn() is DELIVERED


async def test_where_nothing_may_be_sent_nothing_is(caller: Receiver, rounds: Round) -> None:
    """A caller names the address with each order: the guard is the same as for webhooks."""
    rounds.notices.sender = WebhookSender(Egress(), timeout_s=0.5)

    assert await rounds.turn() is DUE
    assert caller.heard == []
    assert "https" in (rounds.outbox.rows["n_1"].last_error or "")
    await rounds.notices.sender.aclose()


async def test_what_is_no_longer_so_is_not_said(caller: Receiver, rounds: Round) -> None:
    """A later commit owes its own notice, which this one does not hold up."""
    says(caller, "SUCCESS")
    rounds.outbox.rows["n_2"] = delivery("n_2", endpoint_id="da_1", seq=2)
    rounds.notices.unsaid.append(Unsaid("the order is open again"))

    assert await rounds.turn() is DEAD
    assert rounds.outbox.state("n_2") is DELIVERED
    assert len(caller.heard) == 1


async def test_what_could_not_be_written_is_tried_again(caller: Receiver, rounds: Round) -> None:
    """A bug of ours loses no notice."""
    says(caller, "SUCCESS")
    rounds.notices.unsaid.append(Unsaid("a bug of ours", again=True))

    assert await rounds.turn() is DUE
    rounds.clock.turn(seconds=10)
    assert await rounds.turn() is DELIVERED


async def test_webhooks_go_their_own_way_beside_them(caller: Receiver, rounds: Round) -> None:
    """A silent caller holds no merchant's webhook up."""
    rounds.notices.url = "http://127.0.0.1:9/none"
    hook = endpoint(url=caller.url())
    rounds.outbox.endpoints[hook.id] = hook
    rounds.outbox.rows["w_1"] = replace(delivery("w_1"), payload=b"{}")

    assert await rounds.turn() is DUE
    assert rounds.outbox.state("w_1") is DELIVERED


def test_our_own_tail_takes_days() -> None:
    """Stock platforms give up after minutes, while a receiver's outage takes a night."""
    assert sum(NOTICE_TAIL_S) >= 2 * 86_400
