"""Channels around real channels, and a wire tap: they watch or disturb, and pass the rest on."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from channels.contract import (
    Absent,
    Channel,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    Outcome,
    Prepared,
    Problem,
    StatementLine,
    Traits,
)
from tests import beside
from tests.channels.faulty import Exchange, FaultServer, fault_server


class Around:
    """A channel that passes everything on to the one inside."""

    def __init__(self, inside: Channel) -> None:
        """Stand before `inside`."""
        self.inside = inside

    @property
    def name(self) -> str:
        """The same name."""
        return self.inside.name

    @property
    def traits(self) -> Traits:
        """The same traits."""
        return self.inside.traits

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """Pass on."""
        return self.inside.check(instruction)

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Pass on."""
        return self.inside.prepare(instruction, now)

    async def send(self, prepared: Prepared) -> Outcome:
        """Pass on."""
        return await self.inside.send(prepared)

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Pass on."""
        return await self.inside.inquire(inquiry)

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Pass on."""
        return self.inside.read_notice(headers, body, now)

    def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Pass on."""
        return self.inside.statement(day)

    async def aclose(self) -> None:
        """Pass on."""
        await self.inside.aclose()


class Recorded(Around):
    """Keeps what was prepared, and counts how many sends are under way at once."""

    def __init__(self, inside: Channel) -> None:
        """Begin with nothing kept."""
        super().__init__(inside)
        self.prepared: list[Prepared] = []
        self.sent = 0
        self.under_way = 0
        self.most = 0

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Keep it."""
        made = self.inside.prepare(instruction, now)
        self.prepared.append(made)
        return made

    async def send(self, prepared: Prepared) -> Outcome:
        """Count it."""
        self.sent += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await self.inside.send(prepared)
        finally:
            self.under_way -= 1


Step = Callable[[str], None]


class Raising(Around):
    """Raises where `when` does, before anything is passed on; `when` gets the method's name."""

    def __init__(self, inside: Channel, when: Step) -> None:
        """Ask `when` at every step."""
        super().__init__(inside)
        self._when = when

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Perhaps raise."""
        self._when("prepare")
        return self.inside.prepare(instruction, now)

    async def send(self, prepared: Prepared) -> Outcome:
        """Perhaps raise."""
        self._when("send")
        return await self.inside.send(prepared)

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Perhaps raise."""
        self._when("inquire")
        return await self.inside.inquire(inquiry)

    def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Perhaps raise."""
        self._when("statement")
        return self.inside.statement(day)


@dataclass(frozen=True, slots=True)
class Row:
    """An attempt as somebody else, who opens the database file, sees it."""

    reference: str
    state: str
    digest: str
    sends: int


def committed(url: str) -> list[Row]:
    """Every attempt that is committed in an SQLite database, read apart from the store."""
    found = beside.read(
        url.removeprefix("sqlite://"), "SELECT reference, state, digest, sends FROM attempts"
    )
    return [Row(*row) for row in found]


@dataclass
class Tap:
    """Stands between adapter and institution; `seen` holds the attempts committed at each byte."""

    server: FaultServer
    seen: list[list[Row]] = field(default_factory=list)
    before_reply: Callable[[], Awaitable[None]] | None = None
    """Runs when the institution has answered and we have not heard it yet."""

    @property
    def url(self) -> str:
        """Where the adapter shall ask."""
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def requests(self) -> list[bytes]:
        """Every request as it stood on the wire."""
        return self.server.requests


@asynccontextmanager
async def tapped(upstream: str, database_url: str) -> AsyncIterator[Tap]:
    """Pass requests on to `upstream`, noting first what is committed at that moment."""
    where = urlsplit(upstream)

    async def pass_on(exchange: Exchange) -> None:
        tap.seen.append(committed(database_url))
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        head, _, body = exchange.request.partition(b"\r\n\r\n")
        writer.write(head + b"\r\nconnection: close\r\n\r\n" + body)
        reply = await reader.read()
        writer.close()
        if tap.before_reply is not None:
            await tap.before_reply()
        await exchange.say(reply)
        exchange.close()

    async with fault_server(pass_on) as server:
        tap = Tap(server)
        yield tap


def digest_on_the_wire(request: bytes, prepared: Prepared) -> str:
    """SHA-256 over address, the headers that were armed, and body, all read from the wire."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    target = first.split(" ")[1]
    said = {}
    for line in lines:
        name, _, value = line.partition(": ")
        said[name.lower()] = value
    where = urlsplit(prepared.url)
    url = f"{where.scheme}://{said['host']}{target}"
    headers = [(name, said[name.lower()]) for name, _ in prepared.headers]
    return hashlib.sha256(armed_text(url, headers, prepared) + body).hexdigest()


def armed_text(url: str, headers: list[tuple[str, str]], prepared: Prepared) -> bytes:
    """What stands before the body in what was hashed; each adapter documents its own layout."""
    if prepared.instruction.instrument.rail == "wechat":
        head = "".join(f"{name}: {value}\n" for name, value in headers)
        return f"{url}\n{head}\n".encode()
    lines = "\n".join((url, *(f"{name}: {value}" for name, value in headers)))
    return f"{lines}\n\n".encode()


class Halted:
    """Runs something and has its task cancelled at its n-th pause, as if the process had died."""

    def __init__(self, work: Coroutine[Any, Any, object], pause: int) -> None:
        """`pause` counts from 1."""
        self._work = work
        self._pause = pause
        self.was_cut = False

    def __await__(self) -> Generator[Any, Any, object]:
        """Pass every pause on, and ask for cancellation right at the chosen one."""
        steps = self._work.__await__()
        paused = 0
        go_on: Callable[[], Any] = partial(steps.send, None)
        while True:
            try:
                waiting = go_on()
            except StopIteration as finished:
                return finished.value
            paused += 1
            if paused == self._pause:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                self.was_cut = True
            try:
                yield waiting
                go_on = partial(steps.send, None)
            except BaseException as error:  # noqa: BLE001 - handed to the one it is meant for
                go_on = partial(steps.throw, error)
