"""One seed's story: lives of one machine, each ended by a power cut, a kill or a clean stop.

While a life runs, the drive is copied at moments picked by the seed and cut there: every copy is
opened by a fresh store, read whole and held against the journal. The life itself goes on until its
own end, and the next one starts from what that left.
"""

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Literal
from unittest import mock

import apsw

from gateway.domain.errors import GatewayError
from gateway.ports import StoreError
from gateway.store import SqlStore, Vault, sqlite, webhook_payload
from gateway.store.queries import Queries
from tests.proof.power import oracle
from tests.proof.power.disk import Disk
from tests.proof.power.facts import Facts
from tests.proof.power.journal import CURRENT, Journal, Operation, WorkloadError
from tests.proof.power.stepped import Durability, SteppedDatabase
from tests.proof.power.vfs import Call, Machine, PowerVfs
from tests.proof.power.workload import Watch, Workload

CUTS_PER_STORY = 25
KEK = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

_QUERIES = cache(Queries)

_WARM_UP = 8
"""Batches before a story begins, so that payouts stand in many states."""

_FROM_NOTHING = 0.1
"""How often a story begins with an empty drive: cuts while the schema is made."""

_CHANCE: dict[tuple[Call, str], float] = {
    ("open", ""): 0.15,
    ("write", "wal"): 0.006,
    ("write", "db"): 0.015,
    ("write", "journal"): 0.1,
    ("truncate", ""): 0.05,
    ("sync", ""): 0.06,
    ("synced", ""): 0.04,
    ("unlink", ""): 0.15,
}
"""How often a call of a kind is a moment to cut; syncs and checkpoints are where it hurts."""

Ending = Literal["cut", "kill", "stop"]
Verdict = Literal["whole", "lost", "torn"]


@dataclass(slots=True)
class Tale:
    """What one story came to."""

    seed: int
    cuts: int = 0
    lost: int = 0
    """Cuts after which something acknowledged was gone."""
    torn: int = 0
    """Cuts after which something was half there, corrupt, or could not be opened."""
    unarmed: int = 0
    """Cuts after which bytes had gone out for an attempt that is not in the image."""
    points: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    commits: int = 0
    operations: int = 0
    sends: int = 0
    lines: list[str] = field(default_factory=list)
    """What happened, in order; kept for replays and for failures."""


@dataclass(slots=True)
class _Cut:
    """One image to be judged, and what may be found on it."""

    where: str
    disk: Disk
    faults: Counter[str]
    floor: int
    until: int
    sent: int


class Home:
    """Where this process keeps its machines: locks and shared memory, and one finished set-up."""

    def __init__(self) -> None:
        """Make two directories, in memory where the system has such a place."""
        memory = Path("/dev/shm")
        root = tempfile.mkdtemp(prefix="power-", dir=memory if memory.is_dir() else None)
        self._root = Path(root)
        self.vfs = PowerVfs()
        self.live, self.check = self._root / "live", self._root / "check"
        for directory in (self.live, self.check):
            directory.mkdir()
        self.template: tuple[Disk, Facts, datetime] | None = None

    def __enter__(self) -> "Home":
        """Nothing more to do."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the directories away again."""
        self.vfs.unregister()
        shutil.rmtree(self._root)

    async def set_up(self) -> tuple[Disk, Facts, datetime]:
        """A drive after its first hour, and when that was; the same in every process."""
        if self.template is None:
            with _seeded(Random(0)):
                workload, journal = Workload(Random(0)), Journal([{}])
                machine = Machine(Disk())
                async with _store(self, self.live, machine, workload.clock, journal) as opened:
                    for number in range(3 + _WARM_UP):
                        batch = (
                            workload.setup({})[number]
                            if number < 3
                            else workload.batch(journal.now)
                        )
                        await asyncio.gather(
                            *(_ask(opened[0], machine, journal, step) for step in batch)
                        )
                self.template = machine.disk, journal.now, workload.clock.at
        disk, facts, at = self.template
        return disk.copy(), facts, at


class Story:
    """A seed and what follows from it."""

    def __init__(
        self,
        seed: int,
        home: Home,
        durability: Durability = Durability.FULL,
        cuts: int = CUTS_PER_STORY,
    ) -> None:
        """Every choice is drawn from one of three streams of the seed."""
        self.tale = Tale(seed)
        self._home = home
        self._durability = durability
        self._cuts = cuts
        self._rng = Random(f"{seed} cuts")
        self._entropy = Random(f"{seed} entropy")
        self._workload = Workload(Random(f"{seed} work"), first=1_000)
        self._journal = Journal([{}])
        self._disk = Disk()
        self._machine = Machine(self._disk)
        self._waiting: list[_Cut] = []
        self._ending: Ending = "stop"
        self._ends_in = 0
        self._at_sync = False
        self._calls = 0

    async def run(self) -> Tale:
        """Live until enough cuts were judged, or one was judged torn."""
        with _seeded(self._entropy):
            if self._rng.random() >= _FROM_NOTHING:
                self._disk, facts, self._workload.clock.at = await self._home.set_up()
                self._journal = Journal([facts])
            else:
                self._say("the drive is empty")
            self._disk.honest = self._durability is not Durability.LYING
            before: Ending | None = None
            while self.tale.cuts < self._cuts and not self.tale.torn:
                before = await self._life(before)
        self.tale.commits = len(self._journal.groups)
        self.tale.operations = sum(self._journal.groups)
        self.tale.sends = len(self._journal.sent)
        return self.tale

    async def _life(self, before: Ending | None) -> Ending:
        rng = self._rng
        self._ending = rng.choices(("cut", "kill", "stop"), (6, 3, 2))[0]
        # A kill in a sync leaves a whole commit in the log that nobody was told of: the next
        # process shows it, and must not vouch for it before it is durable.
        self._at_sync = rng.random() < 0.6
        self._calls, self._ends_in = 0, int(rng.expovariate(1 / rng.choice((60, 300, 900)))) + 1
        pages = rng.choice((1, 4, 10, 30, None))
        self._say(f"the machine starts, checkpoints at {pages or 'the product’s own'} pages")
        machine = self._machine = Machine(self._disk, self._watch)
        try:
            async with _store(
                self._home,
                self._home.live,
                machine,
                self._workload.clock,
                self._journal,
                self._durability,
                pages,
            ) as (store, database):
                if await self._came_back(store, database, before):
                    await self._work(store, after_kill=before == "kill")
                if machine.off and await store.healthy():
                    self._torn("a store whose drive is gone calls itself healthy")
        except (StoreError, apsw.Error) as error:
            # Cut off while opening or closing. With the power on it must not fail.
            if not machine.off:
                self._torn(f"after a {before}, the store does not open: {error}")
        await self._judge_all()
        ended: Ending = self._ending if machine.off else "stop"
        self.tale.endings[ended] += 1
        self._say(f"end of this life: {ended}")
        if ended == "cut":
            faults: Counter[str] = Counter()
            self._disk = self._disk.cut(rng, faults)
            self._count("the end of a life", faults)
        return ended

    async def _came_back(
        self, store: SqlStore, database: SteppedDatabase, before: Ending | None
    ) -> bool:
        """Hold what a life starts from against the journal; false when it cannot go on."""
        facts, wrongs = await _read(store, database)
        if self._machine.off:
            return False
        journal = self._journal
        verdict, index = self._verdict(
            f"start after a {before}", facts, wrongs, journal.floor, len(journal.history), None
        )
        if verdict == "torn":
            return False
        # Cuts while it was opened are of the history so far: what was lost leaves it now.
        await self._judge_all()
        journal.found(index, durable=before == "cut" or verdict == "lost")
        if before == "cut" and verdict != "whole":
            present = oracle.references(facts)
            journal.sent = [pair for pair in journal.sent if pair in present]
        return True

    async def _work(self, store: SqlStore, *, after_kill: bool) -> None:
        if after_kill:
            for batch in self._workload.retries(self._journal.now):
                await self._batch(store, batch)
        for batch in self._workload.setup(self._journal.now):
            await self._batch(store, batch)
        while not self._machine.off and self.tale.cuts < self._cuts and not self.tale.torn:
            await self._batch(store, self._workload.batch(self._journal.now))
            await self._judge_all()
            if self._ending == "stop" and self._calls > self._ends_in:
                return

    async def _batch(self, store: SqlStore, batch: list[Operation]) -> None:
        if batch and not self._machine.off:
            self._say("asked for: " + "; ".join(operation.what for operation in batch))
            floor = self._journal.floor
            await asyncio.gather(
                *(_ask(store, self._machine, self._journal, operation) for operation in batch)
            )
            if self._journal.floor != floor:
                self._say(f"acknowledged up to state {self._journal.floor}")

    # --- Cuts ---

    def _watch(self, call: Call, name: str) -> None:
        """Hear of every call of SQLite that reaches the drive."""
        self._calls += 1
        kind = {"hangdao.db": "db", "hangdao.db-wal": "wal"}.get(name, "journal")
        where = f"{call} {kind}"
        if (
            self._calls >= self._ends_in
            and self._ending != "stop"
            and (call == "sync" or not self._at_sync)
        ):
            self._say(f"{self._ending} at {where}, call {self._calls} of this life")
            self._machine.off = self._journal.stopped = True
            return
        chance = _CHANCE.get((call, kind)) or _CHANCE[call, ""]
        if self._rng.random() < chance:
            for _ in range(self._rng.choice((1, 1, 2, 3))):
                faults: Counter[str] = Counter()
                disk = self._disk.cut(self._rng, faults)
                journal = self._journal
                self._waiting.append(
                    _Cut(
                        where,
                        disk,
                        faults,
                        journal.floor,
                        len(journal.history),
                        len(journal.sent),
                    )
                )

    async def _judge_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for cut in waiting:
            self._count(cut.where, cut.faults)
            facts, wrongs = await self._reopened(cut.disk)
            self._verdict(cut.where, facts, wrongs, cut.floor, cut.until, cut.sent)

    async def _reopened(self, disk: Disk) -> tuple[Facts, list[str]]:
        """Start a fresh machine on what survived; all that is there, and what is wrong with it."""
        machine = Machine(disk)
        try:
            async with _store(self._home, self._home.check, machine, self._workload.clock) as (
                store,
                database,
            ):
                facts, wrongs = await _read(store, database)
                if not await store.healthy():
                    wrongs.append("the store takes no writes")
                # Seen enough: no need to stop in good order.
                machine.off = True
                return facts, wrongs
        except (StoreError, apsw.Error) as error:
            return {}, [f"cannot be opened: {error}"]

    def _verdict(
        self,
        where: str,
        facts: Facts,
        wrongs: list[str],
        floor: int,
        until: int,
        sent: int | None,
    ) -> tuple[Verdict, int]:
        """Which state of the journal was found; counts and tells when it is none of the allowed."""
        history = self._journal.history
        if wrongs:
            self._torn(f"{where}: " + "; ".join(wrongs))
            return "torn", floor
        # In the controls, what went out may be gone with what was acknowledged.
        present = oracle.references(facts)
        missing = [pair for pair in self._journal.sent[:sent] if pair not in present]
        if missing:
            self.tale.unarmed += 1
            self._say(f"{where}: UNARMED: went out, is not stored: {missing}")
        for index in range(until - 1, -1, -1):
            if history[index] == facts:
                if index >= floor:
                    return "whole", index
                self.tale.lost += 1
                self._say(f"{where}: LOST: state {index}, acknowledged were {floor}")
                for line in oracle.difference(history[floor], facts):
                    self._say(f"    {line}")
                return "lost", index
        self._torn(f"{where}: a state nobody was ever in, between {floor} and {until - 1}")
        for line in oracle.difference(history[until - 1], facts):
            self._say(f"    {line}")
        return "torn", floor

    def _count(self, where: str, faults: Counter[str]) -> None:
        self.tale.cuts += 1
        self.tale.points[where] += 1
        self.tale.faults.update(faults)
        tally = ", ".join(f"{count} {name}" for name, count in sorted(faults.items()))
        self._say(f"cut {self.tale.cuts} at {where}: {tally or 'nothing was unsynced'}")

    def _torn(self, line: str) -> None:
        self.tale.torn += 1
        self._say(f"TORN: {line}")

    def _say(self, line: str) -> None:
        self.tale.lines.append(line)


async def _read(store: SqlStore, database: SteppedDatabase) -> tuple[Facts, list[str]]:
    """Everything that is there, and what is wrong with it."""
    facts: Facts = {}
    try:
        facts = await oracle.facts_of(store, database)
        return facts, await oracle.wrongs_of(store, database, facts)
    except Exception as error:  # noqa: BLE001 - whatever a damaged image trips over is the damage
        return facts, [f"cannot be read: {type(error).__name__}: {error}"]


async def _ask(store: SqlStore, machine: Machine, journal: Journal, operation: Operation) -> None:
    """Be one caller: ask, wait, and only when answered tell the journal."""
    CURRENT.set(operation)
    try:
        answer = await operation.run(store)
    except (StoreError, GatewayError) as error:
        if machine.off or (operation.refused and isinstance(error, operation.refused)):
            return
        raise WorkloadError(f"{operation.what}: {error!r}") from error
    if machine.off:
        return
    if operation.refused is not None:
        raise WorkloadError(f"{operation.what}: was not refused")
    if operation.answer is not ... and answer != operation.answer:
        raise WorkloadError(f"{operation.what}: answered {answer!r}")
    journal.acknowledge(operation.sends)


@asynccontextmanager
async def _store(
    home: Home,
    directory: Path,
    machine: Machine,
    clock: Watch,
    journal: Journal | None = None,
    durability: Durability = Durability.FULL,
    checkpoint_pages: int | None = None,
) -> AsyncIterator[tuple[SqlStore, SteppedDatabase]]:
    """Start the machine and open the product's store on it."""
    home.vfs.boot(directory, machine)
    async with AsyncExitStack() as undo:
        database = await SteppedDatabase.stepped(
            directory / "hangdao.db",
            durability=durability,
            checkpoint_pages=checkpoint_pages,
            listener=journal,
        )
        undo.push_async_callback(database.aclose)
        store = SqlStore(database, Vault(KEK), clock, webhook_payload)
        await store.prepare()
        yield store, database


@contextmanager
def _seeded(rng: Random) -> Iterator[None]:
    """Keys, nonces and seals from the seed: only so does a seed write the same bytes again.

    The named SQL is read once, not per store, and of the readers, which only ever run one at a time
    here, there is one: both only save time.
    """
    with (
        mock.patch.object(os, "urandom", rng.randbytes),
        mock.patch.object(sqlite, "Queries", _QUERIES),
        mock.patch.object(sqlite, "_READERS", 1),
    ):
        yield
