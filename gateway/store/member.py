"""This process as one of several on a PostgreSQL: its lock session, its beat, who has gone.

A worker is a row and an advisory lock. The lock is held on a session of its own for as long as the
worker lives; the row's lease is renewed on that very session. Only who gets the lock after the
lease ran out may mark a worker gone, and only then are its payouts anybody's. A stopped process
keeps its lock: nothing of it is taken over, which is safe, if slow.

Once its session is lost, or was not renewed for too long, a process is detached: it arms and sends
nothing, and comes back as another worker. Ids are never given out twice.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import asyncpg

from gateway.ports import Clock, Fence, StoreError
from gateway.store.codec import micros
from gateway.store.postgres_group import LOST, Connection, named
from gateway.store.queries import Params, Queries

WORKER_CLASS = 0x68_77_6B  # "hwk": any number that no other program uses
TURN_CLASS = 0x68_74_6E  # "htn"
TICK_S = 1.0
"""How often somebody looks whether another worker has gone."""
_TIMEOUT_S = 10.0
_BACKOFF_S = (0.1, 0.3, 1.0, 3.0, 5.0)

_SETTINGS = {
    "application_name": "hangdao-worker",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
    # The server gives a lock up soon after its holder's machine or network has gone.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


@dataclass(slots=True)
class _Session:
    """One worker's life."""

    id: int
    connection: Connection
    renewed_s: float
    """When the last acknowledged renewal was asked for."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Member:
    """One per process; not yet a worker until `join`."""

    def __init__(
        self, url: str, queries: Queries, clock: Clock, *, program: str, schema: int, lease_s: int
    ) -> None:
        """Remember who we are. Nothing is connected yet."""
        self._url = url
        self._queries = queries
        self._clock = clock
        self._program = program
        self._schema = schema
        self._lease_s = lease_s
        self._session: _Session | None = None
        self._former: set[int] = set()
        self._held: set[str] = set()
        self._told: Callable[[str], None] = lambda _: None
        self._keeper: asyncio.Task[None] | None = None
        self.is_joined = False
        """Whether this process takes part, attached or not, or took part and left."""
        self._lost = asyncio.Event()

    # --- Without I/O ---

    @property
    def worker(self) -> int | None:
        """The worker's id; None while detached and after `leave`; 0 before `join`."""
        if not self.is_joined:
            return 0
        session = self._session
        if session is None or session.connection.is_closed():
            return None
        # Well before the lease ends, by a clock that goes on while the machine sleeps.
        stale = elapsed_s() - session.renewed_s > self._lease_s * 2 / 3
        return None if stale else session.id

    def fence(self) -> Fence:
        """Who asks for an arm, and when."""
        return Fence(self.worker, elapsed_s())

    def holds(self, fence: Fence) -> bool:
        """Whether what was armed under it may leave: still the same worker, and soon enough.

        Soon enough is a third of the lease, so that nobody can have taken over meanwhile.
        """
        if fence.worker is None or self.worker != fence.worker:
            return False
        return fence.worker == 0 or elapsed_s() - fence.at_s <= self._lease_s / 3

    # --- Coming and going ---

    async def join(self, told: Callable[[str], None]) -> None:
        """Become a worker, and stay one. `told` gets what others say. Raises `StoreError`."""
        self._told = told
        if self.is_joined:
            return
        try:
            await self._attach()
            await self._bury()
        except (asyncpg.PostgresError, *LOST) as error:
            self._detach()
            raise StoreError(f"PostgreSQL cannot be reached: {named(error)}") from error
        self.is_joined = True
        self._keeper = asyncio.create_task(self._keep(), name="worker-keeper")

    async def leave(self) -> None:
        """Give everything back and mark ourselves gone; without an answer others will find out."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        keeper.cancel()
        await asyncio.wait({keeper})
        session = self._session
        if session is not None:
            with contextlib.suppress(StoreError):
                await self.fetch("give_back", {"id": session.id})
                await self.fetch("bury_worker", {"id": session.id, "now": self._now()})
        self._detach()

    # --- On the session ---

    async def fetch(self, name: str, params: Params) -> list[asyncpg.Record]:
        """Run one statement as this worker; its own transaction. Raises `StoreError`."""
        session = self._session
        if session is None:
            raise StoreError("detached: the worker's session is lost")
        try:
            return await self._on(session, name, params)
        except LOST as error:
            self._drop(session)
            raise StoreError(f"the worker's session is lost: {named(error)}") from error
        except asyncpg.PostgresError as error:
            if session.connection.is_closed():
                self._drop(session)
            raise StoreError(f"{name}: {named(error)}") from error

    @asynccontextmanager
    async def turn(self, job: str) -> AsyncIterator[bool]:
        """Whether this process does the job now; no other does until it is left."""
        if job in self._held:
            yield False
            return
        self._held.add(job)
        key = {"class": TURN_CLASS, "key": crc32(job.encode()) - (1 << 31)}
        session, mine = self._session, False
        try:
            if session is not None:
                with contextlib.suppress(StoreError):
                    ((mine,),) = await self.fetch("lock_turn", key)
            yield mine
        finally:
            self._held.discard(job)
            # Another session than the one that has the lock must not unlock; that one is gone.
            if mine and session is self._session:
                with contextlib.suppress(StoreError):
                    await self.fetch("unlock_turn", key)

    async def notify(self, worker: int, message: str) -> None:
        """Tell another worker; it may not hear. Raises `StoreError`."""
        await self.fetch("nudge", {"channel": _channel(worker), "message": message})

    # --- Keeping it ---

    async def _keep(self) -> None:
        failures = 0
        while True:
            session = self._session
            try:
                if session is None or session.connection.is_closed():
                    self._detach()
                    await self._attach()
                elif elapsed_s() - session.renewed_s >= self._lease_s / 3:
                    await self._beat(session)
                await self._bury()
                failures = 0
                wait_s = min(TICK_S, self._lease_s / 6)
            except (StoreError, asyncpg.PostgresError, *LOST):
                if self._session is not None and self.worker is None:
                    self._detach()
                wait_s = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
                failures += 1
            self._lost.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), wait_s)

    async def _attach(self) -> None:
        connection = await asyncpg.connect(
            self._url,
            timeout=_TIMEOUT_S,
            command_timeout=min(_TIMEOUT_S, self._lease_s / 3),
            server_settings=_SETTINGS,
        )
        session = _Session(0, connection, elapsed_s())
        try:
            ((session.id,),) = await self._on(
                session,
                "enrol_worker",
                {
                    "host": here(),
                    "pid": os.getpid(),
                    "program": self._program,
                    "schema_version": self._schema,
                    "lease_s": self._lease_s,
                },
            )
            lock = {"class": WORKER_CLASS, "key": session.id}
            await self._on(session, "hold_lock", lock)
            await self._beat(session)
            await connection.add_listener(_channel(session.id), self._hear)
        except BaseException:
            connection.terminate()
            raise
        connection.add_termination_listener(lambda _: self._lost.set())
        self._session = session

    async def _beat(self, session: _Session) -> None:
        """Renew the lease. Who finds itself marked gone is nobody any more."""
        asked_s = elapsed_s()
        if not await self._on(session, "beat_worker", {"id": session.id}):
            self._drop(session)
            raise StoreError("this worker was marked gone")
        session.renewed_s = asked_s

    async def _bury(self) -> None:
        """Mark gone whoever has let go of its lock and has had its time."""
        session = self._session
        if session is None:
            return
        others = await self._on(session, "other_workers", {"id": session.id})
        for worker, host, pid, is_over in others:
            ended = worker in self._former or (host == here() and not runs(pid))
            if not is_over and not ended:
                continue
            lock = {"class": WORKER_CLASS, "key": worker}
            ((free,),) = await self._on(session, "lock_turn", lock)
            if free:
                await self._on(session, "bury_worker", {"id": worker, "now": self._now()})
                await self._on(session, "unlock_turn", lock)
                self._former.discard(worker)

    async def _on(self, session: _Session, name: str, params: Params) -> list[asyncpg.Record]:
        query = self._queries[name]
        async with session.turn:
            rows: list[asyncpg.Record] = await session.connection.fetch(
                query.numbered, *query.values(params)
            )
        return rows

    def _hear(self, _connection: object, _pid: int, _channel: str, message: object) -> None:
        self._told(str(message))

    def _drop(self, session: _Session) -> None:
        """End a session that cannot be trusted any more; the keeper makes another."""
        session.connection.terminate()
        if self._session is session:
            self._detach()
        self._lost.set()

    def _detach(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._former.add(session.id)
            session.connection.terminate()

    def _now(self) -> int:
        return micros(self._clock.now())


def elapsed_s() -> float:
    """Since the machine started, also while it slept; nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def here() -> str:
    """This machine since it started, and its process numbering: where a pid means something."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    space = Path("/proc/self/ns/pid").stat().st_ino
    return f"{socket.gethostname()}/{boot}/{space}"


def runs(pid: int) -> bool:
    """Whether a process of this machine is there; one of somebody else's counts."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _channel(worker: int) -> str:
    return f"hangdao_worker_{worker}"
