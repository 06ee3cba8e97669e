"""What all machines share: one store a process, names of their own, both sides asked alike.

All examples of a process share one database, as opening one takes longer than fifty steps; each has
merchants, channels and a day of its own, and puts to rest at its end what it left open.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from channels.money import Currency
from gateway.domain import ledger
from gateway.domain.errors import ConflictError, UnfundedError
from gateway.domain.ledger import Account, Book
from gateway.domain.payout import MerchantId, Payout
from gateway.ports import Change, FloatShortError, Intake, StaleError
from gateway.store import SqlStore, Vault, open_store
from tests import builders as build
from tests.contracts.store.conftest import KEK, SettableClock
from tests.proof.laws.model import Model

NEVER = datetime(2190, 1, 1, tzinfo=build.NOW.tzinfo)
LEASE_S = 600
CLOSED = (StaleError, FloatShortError, ConflictError, UnfundedError)
NUMBERS = st.integers(0, 3)
SIDES = st.integers(0, 1)

T = TypeVar("T")
_examples = itertools.count(1)


def heard(work: Callable[[], Any]) -> tuple[Any, type[Exception] | None]:
    """What it answers, or with which of the port's refusals."""
    try:
        return work(), None
    except CLOSED as error:
        return None, type(error)


class Counted:
    """How many steps all machines of this process have made."""

    steps = 0


class Shared:
    """The one store of this process."""

    url: ClassVar[str] = ""
    loop: ClassVar[asyncio.AbstractEventLoop | None] = None
    store: ClassVar[SqlStore | None] = None
    clock: ClassVar[SettableClock] = SettableClock()
    workers: ClassVar[list[SqlStore]] = []
    """Two more stores on the same database, each a worker; once somebody asks for them."""

    @classmethod
    def begin(cls, url: str) -> None:
        """Open it."""
        cls.url, cls.loop = url, asyncio.new_event_loop()
        cls.reopen()

    @classmethod
    def reopen(cls) -> None:
        """As a process that starts anew."""
        if cls.store is not None:
            cls.run(cls.store.aclose())
        cls.store = cls.run(open_store(cls.url, Vault(KEK), cls.clock, migrate=True))

    @classmethod
    def end(cls) -> None:
        """Close it."""
        if cls.store is not None and cls.loop is not None:
            for one in (*cls.workers, cls.store):
                cls.run(one.aclose())
            cls.loop.close()
        cls.workers = []
        cls.store = cls.loop = None

    @classmethod
    def crew(cls) -> list[SqlStore]:
        """Two workers of this database (PostgreSQL)."""
        while len(cls.workers) < 2:
            cls.workers.append(cls.run(_joined(cls.url, cls.clock)))
        return cls.workers

    @classmethod
    def replace(cls, side: int) -> None:
        """One of them leaves, and another comes."""
        cls.run(cls.workers[side].aclose())
        cls.workers[side] = cls.run(_joined(cls.url, cls.clock))

    @classmethod
    def run(cls, work: Coroutine[Any, Any, T]) -> T:
        """Do something with it."""
        if cls.loop is None:
            raise RuntimeError("not begun")
        return cls.loop.run_until_complete(work)


async def _joined(url: str, clock: SettableClock) -> SqlStore:
    """One more worker, whose lease outlasts any pause of the tests."""
    store = await open_store(url, Vault(KEK), clock, migrate=False, lease_s=LEASE_S)
    await store.join(lambda _: None)
    return store


class OnStore(RuleBasedStateMachine):
    """What both machines on a store have in common: two merchants, two channels, a day."""

    def __init__(self) -> None:
        """Fresh names on the shared store."""
        super().__init__()
        number = next(_examples)
        self.model = Model()
        self.name = f"{number:06d}"
        self.merchants = [MerchantId(f"m{self.name}{letter}") for letter in "ab"]
        self.channels = [f"c{self.name}{letter}" for letter in "ab"]
        Shared.clock.at = build.NOW + timedelta(days=number % 20_000)
        self.start = Shared.clock.at
        self.fresh = itertools.count(1)

    @property
    def store(self) -> SqlStore:
        """The one."""
        if Shared.store is None:
            raise RuntimeError("not begun")
        return Shared.store

    @invariant()
    def count(self) -> None:
        """One more step."""
        Counted.steps += 1

    def both(self, ours: Coroutine[Any, Any, T], wanted: Callable[[], Any]) -> None:
        """Do it to store and model; the same answer, or the same refusal."""
        expected, refused = heard(wanted)
        got, refusal = heard(lambda: Shared.run(ours))
        assert refusal is refused, f"{refusal}, the model says {refused}"
        if expected is not None:
            assert (got.id if isinstance(got, Payout) else got) == expected

    def is_short(self, change: Change) -> bool:
        """Whether the merchant could not cover it now."""
        available = Account(Book.AVAILABLE, change.after.merchant_id, Currency.CNY)
        return self.model.balances[available] < change.after.hold_minor

    def taken(self) -> set[tuple[MerchantId, str]]:
        """Keys and references that are used."""
        return {*self.model.keys, *self.model.refs}

    def was_short(self, change: Change, intake: Intake, taken: set[tuple[MerchantId, str]]) -> bool:
        """Whether, of requests at one moment, it may have been refused for money before another
        one took its key: balances only fall meanwhile, so it must be short at the end."""
        merchant = change.after.merchant_id
        names = {(merchant, intake.idempotency_key), (merchant, change.after.merchant_ref)}
        return not names & taken and self.is_short(change)

    def fund(self, merchant: MerchantId, minor: int, key: str) -> None:
        """Deposit once per key."""
        posting = ledger.funded(merchant, Currency.CNY, minor)
        name = f"{self.name}-{key}"
        self.both(
            self.store.post(posting, "deposit", name, "ops"), lambda: self.model.post(posting, name)
        )

    def top_up(self, channel: str, minor: int, key: str) -> None:
        """Raise a channel's float once per key."""
        posting = ledger.topped_up(channel, Currency.CNY, minor)
        name = f"{self.name}-{key}"
        self.both(
            self.store.post(posting, "float", name, "ops"), lambda: self.model.post(posting, name)
        )

    def read_balances(self) -> None:
        """What every account of this example holds."""
        owners = (*self.merchants, *self.channels)
        for owner in owners:
            kept = {one.account: one.minor for one in Shared.run(self.store.balances(None, owner))}
            wanted = {a: m for a, m in self.model.balances.items() if a.owner == owner}
            assert kept.items() >= {k: v for k, v in wanted.items() if v}.items()
            assert all(minor == wanted.get(account, 0) for account, minor in kept.items())
            if owner in self.merchants:
                assert wanted.get(Account(Book.AVAILABLE, owner, Currency.CNY), 0) >= 0

    def teardown(self) -> None:
        """Look once more, and leave nothing due."""
        try:
            self.read_balances()
        finally:
            Shared.run(self._rest())

    async def _rest(self) -> None:
        for known in self.model.payouts.values():
            if known.due_at is not None:
                await self.store.postpone(known, NEVER, None)
        for one in self.model.owed.values():
            if one.state == "due":
                await self.store.delivered(one.id, 200, self.start)
