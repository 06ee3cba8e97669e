"""One event loop for a whole simulated world: seeded order, virtual time, processes that can die.

Every handle belongs to a process (or to the world, which never dies). Within a process handles run
in the order asyncio promises; which process goes next is drawn from the seed. When nobody can run,
time jumps to the next timer. A paused process keeps its handles until it is resumed; a killed one
loses them. There are no threads and no sockets: work for an executor runs at once, in place.
"""

import asyncio
import heapq
import random
from asyncio.events import Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Process:
    """Something that runs, may be stopped for a while, and may die without a word."""

    def __init__(self, name: str) -> None:
        """Born running; `context` is what everything it starts must carry."""
        self.name = name
        self.is_alive = True
        self.is_paused = False
        self.ready: deque[_Timer] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        self.context: Context = copy_context()
        self.context.run(PROCESS.set, self)


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class _Timer(TimerHandle):
    """A handle for now or later, without what asyncio keeps for debugging."""

    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: Any,
        loop: "SeededLoop",
        context: Context,
    ) -> None:
        self._when = when
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = context
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True


class Delay:
    """Await it once to sleep as `asyncio.sleep` does, for a third of the cost.

    It is what a task takes for a future: the timer wakes the task itself.
    """

    __slots__ = ("_asyncio_future_blocking", "_is_cancelled", "_loop", "_seconds", "_timer")

    def __init__(self, loop: "SeededLoop", seconds: float) -> None:
        """Begins when it is awaited."""
        self._asyncio_future_blocking = False
        self._loop = loop
        self._seconds = seconds
        self._is_cancelled = False
        self._timer: _Timer | None = None

    def __await__(self) -> "Generator[Delay, None, None]":
        """Until then."""
        self._asyncio_future_blocking = True
        yield self

    def get_loop(self) -> "SeededLoop":
        """Whose it is."""
        return self._loop

    def add_done_callback(self, wake: Callable[["Delay"], object], *, context: Context) -> None:
        """The task that waits for it."""
        loop = self._loop
        self._timer = loop.call_at(loop.time() + self._seconds, wake, self, context=context)

    def cancel(self, msg: str | None = None) -> bool:
        """Wake the task at once."""
        timer = self._timer
        if self._is_cancelled or timer is None:
            return False
        self._is_cancelled = True
        timer.cancel()
        self._loop.call_soon(timer._callback, self, context=timer._context)
        return True

    def result(self) -> None:
        """What the task asks when it is woken."""
        if self._is_cancelled:
            raise asyncio.CancelledError


class LivelockError(Exception):
    """More steps than any healthy run takes: something spins without time passing usefully."""


class SeededLoop(asyncio.BaseEventLoop):
    """See the module."""

    def __init__(self, chance: random.Random, steps_max: int) -> None:
        """`chance` orders processes; after `steps_max` handles comes a `LivelockError`."""
        super().__init__()
        self._chance = chance
        self._now = 0.0
        self._count = 0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._steps_max = steps_max
        self.world = Process("world")
        self._processes = [self.world]
        self.steps = 0

    # --- Processes ---

    def born(self, name: str) -> Process:
        """A new process."""
        process = self.world.context.copy().run(Process, name)
        self._processes.append(process)
        return process

    def kill(self, process: Process) -> None:
        """End it as kill -9 does: nothing it had begun goes on, and nothing is tidied up."""
        process.is_alive = False
        process.ready.clear()
        self._processes.remove(process)

    def bury(self, process: Process) -> None:
        """After the run: let its coroutines end by cancellation, so that none is left hanging.

        Nothing they do matters any more: their way to the world has been closed before.
        """
        process.is_alive, process.is_paused = True, False
        if process not in self._processes:
            self._processes.append(process)
        for task in process.tasks:
            work = task.get_coro()
            if isinstance(work, CoroutineType) and getcoroutinestate(work) == CORO_CREATED:
                work.close()  # its process was killed before the first step
            task.cancel()

    def start(self, process: Process, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run something inside a process."""
        return process.context.copy().run(self.create_task, work)

    # --- What asyncio asks of a loop ---

    def time(self) -> float:
        """Virtual seconds since the world began."""
        return self._now

    def get_debug(self) -> bool:
        """Never; asked for every handle."""
        return False

    def create_task(self, coro: Any, **more: Any) -> "asyncio.Task[Any]":
        """A task of the process that asks for it."""
        task = super().create_task(coro, **more)
        owner = PROCESS.get() or self.world
        # Whatever becomes of it is judged by the bank and the books, not by a warning.
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own switch
        owner.tasks.append(task)
        if len(owner.tasks) > 256:
            owner.tasks = [one for one in owner.tasks if not one.done()]
        return task

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> _Timer:
        """Queue for the owner; what belongs to the dead is dropped."""
        handle = _Timer(self._now, callback, args, self, context or copy_context())
        self._give(handle)
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> Handle:
        """There is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> _Timer:
        """Queue for later."""
        timer = _Timer(when, callback, args, self, context or copy_context())
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, timer))
        return timer

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> _Timer:
        """Queue for later."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def after(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts
    ) -> TimerHandle:
        """As `call_later`, on behalf of the world: it happens whoever dies meanwhile."""
        return self.call_at(self._now + delay, callback, *args, context=self.world.context)

    def run_in_executor(
        self, executor: Any, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> "asyncio.Future[T]":
        """Run it now, here."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed to whoever awaits it
            future.set_exception(error)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Nothing: what escapes from a callback is raised, a task is asked by who started it."""

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """Cancelled timers are skipped when their time comes."""

    def _write_to_self(self) -> None:
        """Nothing sleeps that would have to be woken."""

    def _run_once(self) -> None:
        """Run until somebody stops the loop; asyncio asks for one round, and asks again."""
        processes = self._processes
        while not self._stopping:  # type: ignore[attr-defined]  # set by `stop`
            runnable = [one for one in processes if one.ready and not one.is_paused]
            if not runnable:
                self._jump()
                continue
            chosen = runnable[0]
            if len(runnable) > 1:
                chosen = runnable[int(self._chance.random() * len(runnable))]
            ready = chosen.ready
            for _ in range(min(len(ready), 4)):
                if not ready:
                    break  # it was killed by what it did
                handle = ready.popleft()
                self.steps += 1
                if not handle._cancelled:
                    handle._context.run(handle._callback, *handle._args)
            if self.steps > self._steps_max:
                self._steps_max *= 2
                raise LivelockError(f"{self.steps} steps, {self._now:.0f} s of virtual time")

    def _jump(self) -> None:
        """Go to the next moment at which something is due."""
        timers = self._timers
        while timers:
            when, _, timer = heapq.heappop(timers)
            if not timer._cancelled:
                self._now = max(self._now, when)
                self._give(timer)
                return
        raise LivelockError("nothing will ever happen again")

    def _give(self, handle: _Timer) -> None:
        owner = handle._context.get(PROCESS) or self.world
        if owner.is_alive:
            owner.ready.append(handle)
