"""One seed from beginning to end: disturbed hours, then calm days, then judgement."""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest import mock

from channels.money import Currency
from gateway.domain.ledger import funded, topped_up
from gateway.engine import dispatch, inquire, route
from gateway.store import SqlStore, Vault, webhook_payload
from tests.proof.simulation.dice import Dice
from tests.proof.simulation.disturbance import befall
from tests.proof.simulation.loop import LivelockError, SeededLoop
from tests.proof.simulation.people import DEPOSIT_FEN, People
from tests.proof.simulation.plan import RICH_FEN, Plan
from tests.proof.simulation.replica import KEK
from tests.proof.simulation.server import Link
from tests.proof.simulation.story import Story
from tests.proof.simulation.verdict import Verdict
from tests.proof.simulation.world import Violation, World

STEPS_MAX = 400_000
CALM_DAYS = 3
BURIALS_MAX = 100
READ_DAYS = 8
"""Statements of the days before the run are taken as read."""


@dataclass(frozen=True)
class Outcome:
    """What came of one run."""

    plan: Plan
    violations: tuple[Violation, ...]
    story: Story
    faults: Counter[str]
    steps: int
    payouts: int
    hash: int

    @property
    def first(self) -> Violation | None:
        """The first broken promise."""
        return self.violations[0] if self.violations else None


def run_plan(plan: Plan, *, keeps: bool = False) -> Outcome:
    """Run it; deterministic: the same plan gives the same outcome, to the byte."""
    gc.disable()  # a run is short, and most of its garbage is not cyclic
    try:
        return _run(plan, keeps)
    finally:
        gc.enable()


def _run(plan: Plan, keeps: bool) -> Outcome:
    loop = SeededLoop(Dice(plan.seed).rng("order"), STEPS_MAX)
    world = World(plan, loop, keeps=keeps)
    with _virtual_time(loop):
        people = People(world)
        try:
            loop.run_until_complete(loop.start(loop.world, _live(world, people)))
        except LivelockError as error:
            world.broken("stuck", 0, f"livelock: {error}")
        except Exception as error:  # noqa: BLE001 - whatever escapes is a finding, with its seed
            world.broken("defect", 0, f"{error!r}")
        # Before the burial, whose order means nothing.
        outcome = Outcome(
            plan,
            tuple(world.violations),
            world.story,
            Counter(world.story.faults),
            loop.steps,
            len(people.told),
            world.story.hash,
        )
        _bury(world)
    return outcome


@contextmanager
def _virtual_time(loop: SeededLoop) -> Iterator[None]:
    """What the engine measures passes in virtual time, so that no measurement differs."""
    with ExitStack() as stack:
        for module in (dispatch, inquire, route):
            stack.enter_context(mock.patch.object(module, "perf_counter", loop.time))
        yield


async def _live(world: World, people: People) -> None:
    loop, plan = world.loop, world.plan
    await _endow(world, people)
    for replica in world.replicas:
        replica.start()
    befall(world)
    tasks = [loop.create_task(people.want(wish)) for wish in plan.wishes]
    crowd: list[asyncio.Task[Any]] = [
        loop.create_task(people.watch()),
        loop.create_task(people.pause_channels()),
    ]
    await asyncio.sleep(plan.disturbed_s)
    world.calm()
    await people.make_good()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        task.result()
    await asyncio.sleep(_until_evening(world, CALM_DAYS))
    for one in crowd:
        one.cancel()
    await Verdict(world, people).judge()


def _until_evening(world: World, days: int) -> float:
    """Seconds until half past ten in the evening in Beijing, so many days after the start."""
    start = world.plan.start + timedelta(hours=8)
    evening = (start + timedelta(days=days)).replace(hour=22, minute=30)
    return max((evening - timedelta(hours=8) - world.now()).total_seconds(), 0.0)


async def _endow(world: World, people: People) -> None:
    """Merchant, deposit, floats; the statements of the days before have been read."""
    plan = world.plan
    link = Link(world.server, world.loop, world.loop.world, plan, world.story)
    link.is_disturbed = False
    store = SqlStore(link, Vault(KEK), world.replicas[0].clock, webhook_payload)
    await store.prepare()
    merchant = people.merchant
    await store.add_merchant(merchant, "sim")
    await store.post(funded(merchant.id, Currency.CNY, DEPOSIT_FEN), "deposit", "d", "sim")
    if plan.webhooks:
        await store.put_endpoint(people.endpoint, "sim")
    today = (world.now() + timedelta(hours=8)).date()
    for seat in plan.seats:
        posting = topped_up(seat.name, Currency.CNY, seat.balance_fen)
        await store.post(posting, "float", seat.name, "sim")
        if seat.balance_fen < RICH_FEN:
            world.story.fault("short_float", seat.name, 0, str(seat.balance_fen))
        for back in range(1, READ_DAYS + 1):
            day = (today - timedelta(days=back)).isoformat()
            world.server.ask("INSERT INTO statement_days VALUES (?, ?, 0)", (seat.name, day))


def _bury(world: World) -> None:
    """End whatever still runs, living and dead, with every way to the world cut."""
    loop = world.loop
    for replica in world.replicas:
        if replica.process is not None:
            process = replica.process
            replica.kill()
            assert process in world.dead
    world.silence()
    processes = [*world.dead, loop.world]
    for process in processes:
        loop.bury(process)
    for _ in range(BURIALS_MAX):
        left = [task for process in processes for task in process.tasks if not task.done()]
        if not left:
            break
        with suppress(Exception):  # what is said over a grave changes no outcome
            loop.run_until_complete(asyncio.wait(left))
    loop.close()
