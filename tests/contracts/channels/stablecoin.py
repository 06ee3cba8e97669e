"""Circle Mint payouts by wire: under way first, then paid; nothing is found by our key.

The suite asks by our reference alone. The gateway would also know the institution's id, once a
reply has named it: `_AsTheGateway` keeps that as its books do, across restarts. Where no reply
came, the list shows payouts like ours and cannot prove which: `Unknown`, and the gateway repeats
the request (`Resend.answers`), as tests/gateway/engine/test_mint.py plays through.
"""

import dataclasses
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from channels.contract import (
    Absent,
    Channel,
    Inquiry,
    Notice,
    NoticeRefused,
    Outcome,
    Paid,
    Pending,
    Prepared,
    Unknown,
    UnknownCause,
    WireAccount,
)
from channels.money import Currency
from channels.stablecoin.channel import StablecoinChannel
from channels.stablecoin.signing import idempotency_key
from simulators.books import Movement
from tests.channels.stablecoin import platform
from tests.channels.stablecoin.platform import API_KEY, TERMS
from tests.contracts.channels.rig import Expect, Place, Rig, Wish, world_of
from tests.simulators.stablecoin.customer import OTHER_WIRE_ID, TOPIC, WIRE_ID, account, config

REFERENCES = {idempotency_key(f"PO{n}A1"): f"PO{n}A1" for n in range(1, 20)}
"""Our references by what stands for them on the wire."""


@dataclass(slots=True)
class _Books:
    """What the gateway keeps of each attempt: the institution's id, once it is known."""

    ids: dict[str, str] = field(default_factory=dict)


class _AsTheGateway(StablecoinChannel):
    """Asks, and reads notices, with what the gateway's books hold."""

    books: _Books

    async def send(self, prepared: Prepared) -> Outcome:
        """Keep the id that the reply names."""
        outcome = await super().send(prepared)
        if isinstance(outcome, Pending | Paid) and outcome.channel_ref is not None:
            self.books.ids[prepared.instruction.reference] = outcome.channel_ref
        return outcome

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Ask by the id that is on record."""
        known = inquiry.channel_ref or self.books.ids.get(inquiry.reference)
        return await super().inquire(replace(inquiry, channel_ref=known))

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Find our reference by their id."""
        read = super().read_notice(headers, body, now)
        if isinstance(read, NoticeRefused):
            return read
        ours = (one for one, number in self.books.ids.items() if number == read.channel_ref)
        return replace(read, reference=next(ours, ""))


@dataclass(slots=True)
class _Mint(Place):
    """Its books name our idempotency keys; here they are read as the references they stand for."""

    def truth(self) -> Sequence[Movement]:
        """What money really moved."""
        simulator = self.world.shells[self.simulator].simulator
        return [
            dataclasses.replace(one, reference=REFERENCES.get(one.reference, one.reference))
            for one in simulator.truth()
        ]


@asynccontextmanager
async def _open(wish: Wish) -> AsyncIterator[Place]:
    section = config(account(notify_url=wish.notify_url, fee={"flat_fen": 100}, api_key=API_KEY))
    section["sns_private_key"] = (platform.KEYS / "sns_test_only.pem").read_text()
    books = _Books()
    async with world_of(section, wish.start) as world:
        url = world.shells["stablecoin"].url

        def connect(api_key: str = API_KEY) -> Channel:
            settings = platform.settings(
                base_url=url,
                api_key=api_key,
                sns_topic_arns=[TOPIC],
                sns_origins=[url],
                total_timeout_s=wish.total_timeout_s,
            )
            made = _AsTheGateway("mint-sim", settings, TERMS, world.clock.now)
            made.books = books
            return made

        yield _Mint(world, "stablecoin", connect, lambda: connect("SAND_API_KEY:stranger"))


def _business(prepared: Prepared) -> object:
    return prepared.url, json.loads(prepared.body)


_NO_PROOF = Expect(
    Unknown,
    UnknownCause.CHANNEL_UNSURE,
    why="no reply named its id, and the list shows one like it, which is no proof",
)
_LOST_REPLIES = (
    *("lost_after", "cut", "garbage", "http_502_executed", "unknown_code", "unknown_status"),
    *("unsure_executed", "echo_amount", "echo_payee", "timeout"),
)
_LATER = "a short balance fails the payout after it was taken in"
_UNSIGNED = "replies carry no signature, TLS alone says who speaks"

RIG = Rig(
    kind="stablecoin",
    open=_open,
    payee=WireAccount(WIRE_ID, "Lagos Trading Ltd"),
    other_payee=WireAccount(OTHER_WIRE_ID, "Nairobi Imports Ltd"),
    takes=Pending,
    business=_business,
    secrets=(API_KEY,),
    secret_in_headers="the API key is a bearer token",
    unsure_code="-1",
    fail_reason="invalid_wire_rtn",
    currency=Currency.USD,
    lacks={
        "statement": "there is none, only lists",
        "recall": "no interface cancels a payout",
        "receipt": "the adapter offers no receipts",
        "unsigned": _UNSIGNED,
        "bad_signature": _UNSIGNED,
        "echo_reference": "nothing in a reply repeats our key",
    },
    answers={
        **{f"{name}.look": _NO_PROOF for name in _LOST_REPLIES},
        "short_balance.send": Expect(Pending, why=_LATER),
        "short_balance.look": Expect(Pending, why=_LATER),
    },
)
