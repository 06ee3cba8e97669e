"""The one shell around every simulator: sockets, timers and deliveries; no decisions of its own.

It feeds raw bytes to the pure core, obeys the Answer (delay, cut, pushes), wakes the core when
something falls due, and delivers pushes: those of one order in turn, different orders side by side.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime

import aiohttp
from aiohttp import web

from simulators.clock import VirtualClock
from simulators.faults import FaultRule, Faults
from simulators.folders import FolderPair, Folders
from simulators.journal import Journal
from simulators.kernel import Push, Request, Simulator
from simulators.listener import Listener, origin_form, send
from simulators.tls import Tls, with_certificate

_PUSH_TIMEOUT_S = 5.0
_REPLY_LIMIT = 65536
_NAP_S = 0.5
"""Longest sleep on a running clock, so that a moved clock is noticed."""

_log = logging.getLogger(__name__)


class Shell:
    """Serves one simulator on one or several ports."""

    def __init__(
        self,
        simulator: Simulator,
        faults: Faults,
        clock: VirtualClock,
        journal: Journal,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        account_ports: Mapping[str, int] | None = None,
        folders: Mapping[str, FolderPair] | None = None,
        tls: Tls | None = None,
    ) -> None:
        """Bind the ports (0: free ones). Accounts in `account_ports` get a listener of their own,
        which can then refuse alone; the others share `port`. Files of the accounts in `folders`
        are carried as well. Raises OSError, and ValueError for a kind that takes no files."""
        self.simulator = simulator
        self.faults = faults
        self._clock = clock
        self._journal = journal
        self._folders = Folders(simulator, folders or {})
        own = dict(account_ports or {})
        names = [str(row["account"]) for row in simulator.accounts()]
        shared = tuple(name for name in names if name not in own)
        context = None if tls is None else tls.context()
        self._listeners: list[Listener] = []
        try:
            if shared:
                self._listeners.append(Listener(host, port, shared, self._serve, context))
            for name, own_port in own.items():
                self._listeners.append(Listener(host, own_port, (name,), self._serve, context))
        except OSError:
            self.release()
            raise
        self._owed: list[Push] = []
        self._lanes: dict[tuple[str, str], deque[Push]] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._loop_task: asyncio.Task[None] | None = None
        self._client: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """The shared listener's address, or the first account's."""
        return self._listeners[0].url

    def url_of(self, account: str) -> str:
        """Where this account's calls go. Raises LookupError."""
        for listener in self._listeners:
            if account in listener.accounts:
                return listener.url
        raise LookupError(account)

    async def start(self) -> None:
        """Listen, and let time pass."""
        self._client = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_PUSH_TIMEOUT_S), auto_decompress=False
        )
        await self.refresh()
        self._loop_task = asyncio.create_task(self._run(), name=f"sim-{self.simulator.name}")

    async def stop(self) -> None:
        """Stop listening and delivering; undelivered pushes are forgotten."""
        tasks = [t for t in (self._loop_task, *self._deliveries) if t is not None]
        async with self._turn:  # not while a port is half way between open and shut
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listener in self._listeners:
            await listener.close()
        if self._client is not None:
            await self._client.close()

    def release(self) -> None:
        """Give back the ports of a shell that was never started."""
        for listener in self._listeners:
            listener.release()

    def replace(self, simulator: Simulator, faults: Faults) -> None:
        """Start over with fresh books; ports stay, and what was owed is forgotten."""
        self.simulator, self.faults = simulator, faults
        self._owed.clear()
        for waiting in self._lanes.values():
            waiting.clear()
        self._lanes.clear()
        self._wake.set()

    def check(self, rule: FaultRule) -> None:
        """Raise ValueError for a refusal that would hit accounts it does not name."""
        if rule.action != "refuse" or rule.account == "*":
            return
        for listener in self._listeners:
            if rule.account in listener.accounts and len(listener.accounts) > 1:
                others = ", ".join(a for a in listener.accounts if a != rule.account)
                raise ValueError(
                    f"{rule.account} shares its port with {others}: give it a port of its own, "
                    "or refuse account '*'"
                )

    async def refresh(self) -> None:
        """Open and shut ports as the rules say now, and look for work."""
        await self._set_ports()
        self._wake.set()

    # ---- time ----

    def catch_up(self) -> None:
        """Carry out what is due now and begin the deliveries that are due."""
        now = self._clock.now()
        for asked, answer in self._folders.sweep(self.simulator, now):
            self._journal.note_request(self.simulator.name, asked, answer, now)
            self._owed += answer.pushes
        self._owed += self.simulator.tick(now)
        due = sorted((p for p in self._owed if p.due_at <= now), key=lambda p: p.due_at)
        if due:
            self._owed = [p for p in self._owed if p.due_at > now]
            for push in due:
                self._enlane(push)

    def owe(self, pushes: Iterable[Push]) -> None:
        """Take pushes in, to be delivered when they are due."""
        self._owed += pushes
        self._wake.set()

    def next_at(self) -> datetime | None:
        """When something falls due next: a change, a push, or the edge of a refusal."""
        moments = [self.simulator.next_tick_at(), self.faults.next_edge_at(self._clock.now())]
        moments += [push.due_at for push in self._owed]
        return min((at for at in moments if at is not None), default=None)

    async def quiet(self) -> None:
        """Wait until every push that is due has been tried."""
        while self._deliveries:
            await asyncio.wait(self._deliveries)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            await self._set_ports()
            self.catch_up()
            wait_s = _NAP_S
            next_at = self.next_at()
            if next_at is not None and not self._clock.frozen:
                wait_s = min(wait_s, (next_at - self._clock.now()).total_seconds())
            # Not wait_for: before Python 3.12 it can swallow a cancellation that comes together
            # with the event, and then `stop` would wait for ever.
            alarm = loop.call_later(max(wait_s, 0.001), self._wake.set)
            try:
                await self._wake.wait()
            finally:
                alarm.cancel()

    async def _set_ports(self) -> None:
        async with self._turn:
            now = self._clock.now()
            for listener in self._listeners:
                if all(self.faults.refuses(account, now) for account in listener.accounts):
                    await listener.refuse()
                else:
                    await listener.open()

    # ---- requests ----

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers = with_certificate(headers, request.transport)
        asked = Request(request.method, origin_form(request.raw_path), headers, body)
        now = self._clock.now()
        answer = self.simulator.handle(asked, now)
        self._journal.note_request(self.simulator.name, asked, answer, now)
        self.owe(answer.pushes)
        if answer.delay_s > 0:
            await asyncio.sleep(answer.delay_s)
        return await send(request, answer.reply, answer.cut)

    # ---- deliveries ----

    def _enlane(self, push: Push) -> None:
        lane = (push.account, push.reference)
        waiting = self._lanes.get(lane)
        if waiting is not None:
            waiting.append(push)
            return
        self._lanes[lane] = deque([push])
        task = asyncio.create_task(self._deliver_lane(lane, self._lanes[lane]))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _deliver_lane(self, lane: tuple[str, str], waiting: deque[Push]) -> None:
        simulator = self.simulator  # a delivery under way at `replace` is not the new one's affair
        while waiting:
            push = waiting.popleft()
            status, body = await self._deliver(push)
            now = self._clock.now()
            self._journal.note_push(simulator.name, push, status, now)
            simulator.on_push_result(push, status, now, body)
        if self._lanes.get(lane) is waiting:
            del self._lanes[lane]
        self._wake.set()

    async def _deliver(self, push: Push) -> tuple[int | None, bytes]:
        if self._client is None:
            raise RuntimeError("the shell is not started")
        try:
            async with self._client.post(
                push.url, data=push.body, headers=dict(push.headers), allow_redirects=False
            ) as reply:
                return reply.status, await reply.content.read(_REPLY_LIMIT)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
            _log.info("notice not delivered: %s", type(problem).__name__)
            return None, b""
