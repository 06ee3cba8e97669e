"""What a gateway process does beside its worker: webhooks, audit log, and knowing it was restored.

The same rounds as in `gateway.serving`, with the engine's own courier, auditor, watch and rebuild;
as with the worker, a round that would find nothing is left out.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.domain.checkpoint import Checkpoint, Signer
from gateway.engine import quarantine
from gateway.engine.audit import Auditor
from gateway.engine.deliver import Courier
from gateway.engine.gateway import Gateway
from gateway.engine.watch import Watch
from gateway.engine.worker import STORE_BROKEN, Worker
from gateway.ports import Position, StoreBrokenError, StoreError
from tests.proof.simulation.loop import Process
from tests.proof.simulation.worker import NAP_MAX_S

if TYPE_CHECKING:
    from tests.proof.simulation.world import World

ORIGIN = "simulation/audit"
SIGNER = Signer(ORIGIN, bytes(range(32)))
REBUILD_S = 180.0
"""36 times the gateway's own pause: nothing is proven sooner by asking more often."""
LOG_S = 90.0
COURIER_S = 0.5


class Rest:
    """A pause that ends when there is something to do."""

    def __init__(self, world: "World", name: str, idle_s: Callable[[], float], pause_s: float):
        """`idle_s` says how long nothing would be found, as things stand."""
        self._world = world
        self._name = name
        self._idle_s = idle_s
        self._pause_s = pause_s
        self._future: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._until = 0.0
        self._jitter_s = 0.0

    async def __call__(self) -> None:
        """Wait."""
        loop = self._world.loop
        self._future = loop.create_future()
        self._jitter_s = self._pause_s * (0.1 + 0.9 * self._world.dice.next(self._name))
        self._arm(loop.time() + self._idle_s() + self._jitter_s)
        try:
            await self._future
        finally:
            self._future = None
            if self._timer is not None:
                self._timer.cancel()

    def look_again(self) -> None:
        """Things have changed: the pause may have become too long."""
        if self._future is not None:
            until = self._world.loop.time() + self._idle_s() + self._jitter_s
            if until < self._until:
                self._arm(until)

    def _arm(self, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._until = until
        self._timer = self._world.loop.after(until - self._world.loop.time(), self._wake)

    def _wake(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)


class _Courier(Courier):
    """Tells when a lane has ended."""

    ended: Callable[[], None]

    def _ended(self, lane: "tuple[object, str]", task: "asyncio.Task[None]") -> None:
        super()._ended(lane, task)  # type: ignore[arg-type]  # a lane, whatever is in it
        self.ended()

    @property
    def busy(self) -> "set[tuple[str, str]]":
        """Payout and endpoint of what is under way."""
        return set(self._lanes)


class Duties:
    """Everything a process does beside its worker."""

    def __init__(self, world: "World", process: Process, gateway: Gateway, worker: Worker) -> None:
        """Nothing runs yet."""
        self._worker = worker
        self._world = world
        self._process = process
        self._gateway = gateway
        self._rests: list[Rest] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._watch = Watch(gateway, self._read_mark, self._write_mark)

    async def begin(self) -> None:
        """Before the worker: is this the database that was here? Raises `StoreError`."""
        if self._world.plan.restores:
            await self._watch.begin()

    def start(self) -> None:
        """Begin what the plan asks for."""
        plan = self._world.plan
        for wanted, work in (
            (plan.webhooks, self._deliver),
            (plan.audited, self._keep_log),
            (plan.restores, self._rebuild),
        ):
            if wanted:
                self._tasks.append(asyncio.create_task(self._guarded(work)))

    def stop(self) -> None:
        """End all."""
        for task in self._tasks:
            task.cancel()

    def look_again(self) -> None:
        """Something was committed."""
        for rest in self._rests:
            rest.look_again()

    async def _guarded(self, work: Callable[[], object]) -> None:
        try:
            await work()  # type: ignore[misc]  # each is a coroutine function
        except StoreBrokenError:
            # As `serving` does, whoever's write it was: nothing more is sent, the process leaves.
            self._gateway.halt(STORE_BROKEN)
            self._worker.stop()
        except Exception as error:  # noqa: BLE001 - a finding, with its seed
            self._world.broken("defect", 0, f"{self._process.name} {work.__name__}: {error!r}")

    def _rest(self, name: str, idle_s: Callable[[], float], pause_s: float) -> Rest:
        made = Rest(self._world, f"{name}/{self._process.name}", idle_s, pause_s)
        self._rests.append(made)
        return made

    # --- Webhooks ---

    async def _deliver(self) -> None:
        gateway, world = self._gateway, self._world
        sink = world.sink.of(self._process)
        courier = _Courier(gateway.store, sink, gateway.clock, limit=50, concurrency=8)

        def idle_s() -> float:
            due_at = world.server.next_delivery(courier.busy)
            return world.wait_s(due_at, gateway.clock)

        rest = self._rest("courier", idle_s, COURIER_S)
        courier.ended = rest.look_again
        while True:
            with suppress(StoreError):
                await courier.start_due()
            self._unbroken()
            await rest()

    # --- The audit log ---

    async def _keep_log(self) -> None:
        world, logged = self._world, -1
        auditor = Auditor(
            self._gateway.store,
            self._gateway.clock,
            self._gateway.observer,
            SIGNER,
            world.notary,
            [world.notary],
        )
        rest = self._rest(
            "log", lambda: NAP_MAX_S if logged == world.server.commits else 0.0, LOG_S
        )
        while True:
            logged = world.server.commits
            with suppress(StoreError):
                if await auditor.catch_up():
                    logged = world.server.commits
                    await auditor.checkpoint()
            self._unbroken()
            await rest()

    # --- Restored ---

    async def _rebuild(self) -> None:
        gateway = self._gateway
        while True:
            with suppress(StoreError):
                if gateway.stopped() == "quarantined":
                    await quarantine.go_on(gateway)
            self._unbroken()
            quick = self._world.is_disturbed or self._world.is_fresh
            pause_s = REBUILD_S if quick else 10 * REBUILD_S
            await asyncio.sleep(pause_s * (0.5 + self._world.dice.next("rebuild")))

    def _unbroken(self) -> None:
        if self._gateway.store.broken is not None:
            raise StoreBrokenError(self._gateway.store.broken)

    def _read_mark(self) -> Position | None:
        return self._world.mark

    def _write_mark(self, position: Position) -> None:
        self._world.mark = position


class Notary:
    """Keeps what was signed outside the database: the machine's memory and an export."""

    def __init__(self) -> None:
        """Nothing was signed."""
        self.notes: dict[str, str] = {}
        self._last: str | None = None

    def last(self) -> str | None:
        """As `Memory.last`."""
        return self._last

    def remember(self, note: str) -> None:
        """As `Memory.remember`."""
        self._last = note

    async def export(self, checkpoint: Checkpoint, note: str) -> None:
        """As `Export.export`."""
        self.notes[f"export {len(self.notes)} of {checkpoint.size}"] = note

    def forget(self) -> None:
        """The database was put back on purpose: earlier notes speak of another history."""
        self.notes.clear()
        self._last = None
