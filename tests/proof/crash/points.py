"""Every boundary at which the gateway can die, named; and death at one of them.

Nothing of the product is changed: its methods are wrapped from outside. A read changes nothing, so
between two writes or sends only one boundary is kept. `tests/proof/report.py` maps the names to the
points P1-P20 of the fault model by their first words.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextvars import ContextVar
from datetime import date, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from aiohttp.http_writer import StreamWriter

from channels.contract import (
    Absent,
    Channel,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    Outcome,
    Prepared,
    StatementLine,
)
from channels.line import Line
from gateway import wiring
from gateway.audit import export
from gateway.engine.worker import Worker
from gateway.ports import Change, Position
from gateway.store import mark
from gateway.store.sqlite import SqliteDatabase
from gateway.store.store import SqlStore
from tests.gateway.engine.doubles import Around

WRITES = (
    "accept",
    "record",
    "postpone",
    "delivered",
    "delivery_failed",
    "keep_notice",
    "notice_done",
    "keep_statement",
    "open_break",
    "claim_watch",
    "watched",
    "keep_checkpoint",
    "begin_quarantine",
    "leap_feed",
    "mark_rebuilt",
    "end_quarantine",
    "sequence",
)

SELDOM_WRITE = frozenset({"sequence"})
"""Asked all the time and nearly always with nothing to write: only their commits are boundaries."""

ANYWHERE = "*"
"""As a name: the n-th boundary of all, whatever it is."""


class Points:
    """Counts boundaries, and kills this process, as kill -9 does, at the chosen one."""

    def __init__(self, name: str | None = None, number: int = 0) -> None:
        """Without a name nothing happens, but all is counted."""
        self._target = (name, number)
        self._counts: Counter[str] = Counter()
        self._turn = Lock()
        self.seen: list[str] = []

    def hit(self, name: str) -> None:
        """This boundary is reached."""
        if self.is_next(name):
            die()

    def is_next(self, name: str) -> bool:
        """Count a boundary; whether it is the chosen one, so that the caller shall `die`."""
        with self._turn:
            self._counts[name] += 1
            self.seen.append(name)
            here = (name, self._counts[name])
            return self._target in {here, (ANYWHERE, len(self.seen))}


def die() -> None:
    """As by kill -9: nothing is flushed, no handler runs."""
    os.kill(os.getpid(), signal.SIGKILL)


_points = Points()
_doing: ContextVar[str] = ContextVar("doing", default="other")
_ours: dict[int, str] = {}
"""What stands at the other end of a connection, by port."""


def begin(points: Points, ports: Mapping[int, str]) -> None:
    """Count with these from now on; `ports` says who listens where."""
    global _points  # noqa: PLW0603 - one process, one life
    _points = points
    _ours.clear()
    _ours.update(ports)


def hit(name: str) -> None:
    """A boundary of whoever runs now."""
    _points.hit(name)


def instrument() -> None:
    """Wrap store, database, worker and wire. Once per process."""
    for name in WRITES:
        _watch_write(name)
    _watch_commits()
    _watch_files()
    _watch_wire()
    recover = Worker._recover

    async def recovering(self: Worker) -> None:
        hit("recovery: before")
        await recover(self)
        hit("recovery: after")

    Worker._recover = recovering  # type: ignore[method-assign]  # the same, watched


def _label(name: str, arguments: Iterable[Any]) -> str:
    if name == "record":
        change = next(iter(arguments))
        return "record " + "+".join(event.kind for event in change.events)
    if name == "accept" and sum(isinstance(one, Change) for one in arguments) > 1:
        return "accept+armed"
    return name


def _watch_write(name: str) -> None:
    original = getattr(SqlStore, name)

    async def watched(self: SqlStore, *arguments: Any, **more: Any) -> Any:
        label = _label(name, (*arguments, *more.values()))
        token = _doing.set(label)
        if name not in SELDOM_WRITE:
            hit(f"{label}: before")
        try:
            answer = await original(self, *arguments, **more)
        finally:
            _doing.reset(token)
        if name not in SELDOM_WRITE:
            hit(f"{label}: acknowledged")
        return answer

    setattr(SqlStore, name, watched)


def _watch_commits() -> None:
    """Around the writer thread's transaction: written, committed, and nobody told yet."""
    write, commit, start = SqliteDatabase.write, SqliteDatabase._commit, SqliteDatabase._start
    prepare = SqliteDatabase._prepare
    labels: dict[int, str] = {}
    running: list[str] = []

    async def writing(self: SqliteDatabase, unit: Any) -> Any:
        labels[id(unit)] = _doing.get()
        return await write(self, unit)

    def committing(self: SqliteDatabase, units: list[Any], written: Any) -> Any:
        running[:] = dict.fromkeys(labels.pop(id(unit), "other") for unit in units)
        outcomes = commit(self, units, written)
        for label in running:
            hit(f"{label}: committed, nobody told")
        return outcomes

    def before_commit() -> bool:
        for label in running:
            hit(f"{label}: written, not committed")
        return False

    def starting(self: SqliteDatabase) -> None:
        self._writer.set_commit_hook(before_commit)
        start(self)

    def preparing(self: SqliteDatabase, migrate: bool) -> None:
        running[:] = ["migration"]
        hit("migration: before")
        self._writer.set_commit_hook(before_commit)
        prepare(self, migrate)
        hit("migration: committed")
        running.clear()

    SqliteDatabase.write = writing  # type: ignore[method-assign]  # the same, watched
    SqliteDatabase._commit = committing  # type: ignore[method-assign]  # the same, watched
    SqliteDatabase._start = starting  # type: ignore[method-assign]  # the same, watched
    SqliteDatabase._prepare = preparing  # type: ignore[method-assign]  # the same, watched


def _watch_files() -> None:
    """Around the two files beside the database: how far it had come, and what was signed last."""
    write_mark, sync, write = mark.write_mark, mark.sync_folder, export.write

    def marking(folder: Path, position: Position) -> None:
        hit("mark: before")
        write_mark(folder, position)
        hit("mark: written")

    def syncing(folder: Path) -> None:
        hit("mark: renamed, not synced")
        sync(folder)

    def signing(file: Path, text: str) -> None:
        hit("note: before")
        write(file, text)
        hit("note: written")

    wiring.write_mark = marking  # type: ignore[attr-defined]  # its own name for it
    mark.sync_folder = syncing
    export.write = signing


def _watch_wire() -> None:
    """Before the first byte of every message, and with half of it out of this process."""
    one, many, connected = StreamWriter._write, StreamWriter._writelines, Line._connected

    def write(self: StreamWriter, chunk: Any) -> None:
        _on_the_wire(self.transport, bytes(chunk))
        one(self, chunk)

    def writelines(self: StreamWriter, chunks: Iterable[Any]) -> None:
        pieces = list(chunks)
        _on_the_wire(self.transport, b"".join(pieces))
        many(self, pieces)

    async def connecting(self: Line, destination: Any) -> Any:
        connection, protocol, transport = await connected(self, destination)
        return connection, protocol, _Wire(transport)

    StreamWriter._write = write  # type: ignore[method-assign]  # the same, watched
    StreamWriter._writelines = writelines  # type: ignore[method-assign]  # the same, watched
    Line._connected = connecting  # type: ignore[method-assign]  # the same, watched


class _Wire:
    """What a request is written to."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def write(self, message: bytes) -> None:
        """All of it, in one piece."""
        _on_the_wire(self._transport, message)
        self._transport.write(message)


def _on_the_wire(transport: asyncio.Transport | None, message: bytes) -> None:
    if transport is None:
        return
    peer, own = (transport.get_extra_info(name) for name in ("peername", "sockname"))
    who = _ours.get(peer[1]) or _ours.get(own[1])
    if who is None:
        return
    hit(f"{who}: no byte out")
    if _points.is_next(f"{who}: half of it out"):
        os.write(transport.get_extra_info("socket").fileno(), message[: len(message) // 2])
        die()


class Watched(Around):
    """A channel whose every step is a boundary."""

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Chosen and signed, nothing of it stored."""
        prepared = super().prepare(instruction, now)
        hit("prepare: signed")
        return prepared

    async def send(self, prepared: Prepared) -> Outcome:
        """Armed, no byte out; then answered, nothing of the answer stored."""
        hit("send: before")
        outcome = await super().send(prepared)
        hit(f"send: understood as {type(outcome).__name__.lower()}")
        return outcome

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Asked, and answered."""
        hit("inquire: before")
        outcome = await super().inquire(inquiry)
        hit(f"inquire: understood as {type(outcome).__name__.lower()}")
        return outcome

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Verified, not stored."""
        read = super().read_notice(headers, body, now)
        hit("notice: verified")
        return read

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """In the middle of a statement, and at its end."""
        async for line in super().statement(day):
            hit("statement: in the middle")
            yield line
        hit("statement: read")


def watched(channels: Mapping[str, Channel]) -> dict[str, Channel]:
    """All of them."""
    return {name: Watched(channel) for name, channel in channels.items()}
