"""`python -m tests.bench.seed CONFIG --paid N …`: store payouts as the gateway would have.

Through its own store, domain and vault, so that rows, entries, tallies and events are what they are
in life; only faster, since hundreds share a commit and nothing is sent. Of many paid ones in SQLite
the first `PATTERN` are stored so, and the rest are copies of them (`copying`). The gateway must not
run meanwhile.
"""

import argparse
import asyncio
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import orjson
from msgspec.structs import replace

from gateway.clock import SystemClock
from gateway.domain.payout import Payout, PayoutState
from gateway.ports import Change, Store
from gateway.settings import Loaded, load
from gateway.wiring import open_configured_store
from policies.decide import decide
from policies.explain import to_json
from policies.policy import Policy
from tests import builders
from tests.bench.copying import copy, counted
from tests.policies.builders import FRIDAY_NOON
from tests.policies.speed import asked, eight_channels

MERCHANT: Final = "acme"
AT_ONCE: Final = 512
"""Payouts under way at a time: twice what one commit takes."""
PATTERN: Final = 2_000
LOGGED_AT_ONCE: Final = 500
LATER: Final = timedelta(days=1)
"""When payouts that wait are looked at: not while something is measured."""
ACTOR: Final = "gateway"
DECISION: Final = orjson.dumps(
    to_json(decide(asked(), eight_channels()[:1], Policy("bench", "0" * 64), FRIDAY_NOON, 0))
)
"""As long as the real ones, which fill most of the database."""


def numbers(kind: str, count: int, begin: datetime, worker: int) -> Iterator[Payout]:
    """So many payouts as they are accepted, a millisecond apart until `begin`."""
    for number in range(count):
        at = begin - timedelta(milliseconds=count - number)
        made = builders.payout(
            merchant_id=MERCHANT,
            merchant_ref=f"{kind}-{os.getpid()}-{number:08d}",
            amount=builders.cny(20_000 + number % 1000),
            fee=builders.cny(0),
            instruments=(builders.alipay_account(f"2088{number:012d}", "张三丰"),),
            accepted_at=at,
            due_at=at,
        )
        # Where several share a database, whoever takes a payout in works on it.
        yield replace(made, worker=worker, epoch=1) if worker else made


async def paid(store: Store, payout: Payout) -> None:
    """Accepted, armed, paid."""
    armed = await _armed(store, payout)
    await store.record(builders.confirm(armed, at=payout.accepted_at, fee_minor=0))


async def pending(store: Store, payout: Payout) -> None:
    """The channel has it and has not finished."""
    armed = await _armed(store, payout)
    event = builders.pended(channel_ref=f"CH-{payout.merchant_ref}")
    due_at = payout.accepted_at + LATER
    await store.record(builders.change(armed, event, actor=ACTOR, due_at=due_at))


async def scheduled(store: Store, payout: Payout) -> None:
    """Accepted for tomorrow."""
    at = payout.accepted_at + LATER
    waiting = replace(payout, state=PayoutState.SCHEDULED, release_at=at, due_at=at)
    await _accepted(store, waiting)


async def _armed(store: Store, payout: Payout) -> Payout:
    await _accepted(store, payout)
    tried = builders.attempt(
        reference=payout.id.removeprefix("po_"), armed_at=payout.accepted_at, quoted_fee_minor=0
    )
    due_at = payout.accepted_at + LATER
    event = builders.armed(tried)
    change = builders.change(payout, event, actor=ACTOR, decision=DECISION, due_at=due_at)
    await store.record(change)
    return change.after


async def _accepted(store: Store, payout: Payout) -> None:
    change: Change = builders.accepted_change(payout, actor="key:bench")
    await store.accept(change, builders.intake(payout), None)


async def seed(config: Path, counts: dict[str, int]) -> None:
    """Store all of them."""
    loaded, copies = load(config, os.environ), 0
    if loaded.settings.database.is_embedded:
        copies = max(counts["paid"] // PATTERN - 1, 0)
    if copies:
        path = Path(unquote(urlsplit(loaded.settings.database.url.get_secret_value()).path))
        before = counted(path)
        first_id = await _store(loaded, {"paid": PATTERN}, logged=False)
        copy(path, first_id, copies, before)
        counts = counts | {"paid": counts["paid"] % PATTERN}
    await _store(loaded, counts)


async def _store(loaded: Loaded, counts: dict[str, int], *, logged: bool = True) -> str:
    """Through the store, and then into its audit log. Returns the first id."""
    clock, first_id = SystemClock(), ""
    store = await open_configured_store(loaded, clock, migrate=False)
    try:
        await store.join(lambda _: None)
        for kind, count in counts.items():
            making = partial(KINDS[kind], store)
            waiting = numbers(kind, count, clock.now(), store.worker or 0)
            while group := list(islice(waiting, AT_ONCE)):
                first_id = first_id or group[0].id
                await asyncio.gather(*map(making, group))
        while logged and await store.sequence(LOGGED_AT_ONCE):
            pass
    finally:
        await store.aclose()
    return first_id


KINDS: Final = {"paid": paid, "pending": pending, "scheduled": scheduled}


def main() -> None:
    """Read the flags."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("config", type=Path)
    for kind in KINDS:
        flags.add_argument(f"--{kind}", type=int, default=0)
    asked = vars(flags.parse_args())
    asyncio.run(seed(asked.pop("config"), asked))


if __name__ == "__main__":
    main()
