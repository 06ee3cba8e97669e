"""Callers who ask for payouts: so many in turns, or so many a second whatever the answers are."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from zlib import crc32

from tests.bench.crowd.line import Line

TAKEN: Final = 201
SHED: Final = 503
BROKEN: Final = 0
RETRY_AFTER_S: Final = 1.0
"""What those are told who are turned away; a caller that waits in turn does as it is told."""
NAMED_MAX: Final = 3
"""So many numbers of payouts that were not told are reported."""
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked for."""

    port: int
    key: str
    prefix: str
    """Of the merchant's numbers; no two jobs on one gateway have the same."""
    callers: int = 64
    seconds: float | None = None
    count: int | None = None
    """Ends the job instead of `seconds`, or before."""
    rate: float | None = None
    """Asked a second, in even steps, whether or not earlier ones were answered; else every caller
    asks again as soon as it has what it waits for."""
    told: bool = True
    """Whether a caller waits for the webhook, or for the answer alone."""
    release_after: str | None = None
    patience_s: float = 30.0
    """With an answer."""
    told_patience_s: float = 60.0
    """With a webhook, after the answer."""
    taken_to: str | None = None
    """A file for the numbers whose acceptance was acknowledged."""


@dataclass(slots=True)
class Tally:
    """What came of a job."""

    asked: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    """Requests without an answer: a connection lost, or no patience left."""
    untold: list[str] = field(default_factory=list)
    """Numbers whose webhook nobody waited for any longer."""
    finished: int = 0
    """In time; what came after the end of a timed job is not counted."""
    answered_ms: list[float] = field(default_factory=list)
    told_ms: list[float] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def report(self, seconds: float, took_s: float) -> dict[str, Any]:
        """As JSON-ready figures; `seconds` is the job's own time, `took_s` until the last was done.

        Where nothing was finished in time, the rate is that of all until the last.
        """
        late = (self.statuses[TAKEN] - len(self.untold)) / took_s
        return {
            "asked": self.asked,
            "taken": self.statuses[TAKEN],
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "broken": self.broken,
            "untold": len(self.untold),
            "named": self.untold[:NAMED_MAX],
            "finished": self.finished,
            "seconds": seconds,
            "took_s": took_s,
            "rps": self.finished / seconds if self.finished else late,
            "answered_ms": quantiles(self.answered_ms),
            "told_ms": quantiles(self.told_ms),
        }


def quantiles(values: list[float]) -> dict[str, float]:
    """Nearest-rank quantiles; empty without values."""
    ordered = sorted(values)
    if not ordered:
        return {}
    last = len(ordered) - 1
    return {
        name: round(ordered[min(last, int(q * len(ordered)))], 3) for name, q in QUANTILES.items()
    }


class Crowd:
    """Runs jobs, one at a time, and hears webhooks."""

    def __init__(self) -> None:
        """Nobody has asked for anything."""
        self._asked: dict[str, tuple[float, asyncio.Future[float]]] = {}
        self.strangers = 0
        """Webhooks of payouts that nobody waits for: repeats, or told after patience ended."""

    def heard(self, reference: str) -> None:
        """A webhook has come."""
        waiting = self._asked.pop(reference, None)
        if waiting is None:
            self.strangers += 1
        elif not waiting[1].done():
            waiting[1].set_result(perf_counter())

    async def run(self, job: Job) -> dict[str, Any]:
        """Do a job to its end; what it brought."""
        lines = [Line("127.0.0.1", job.port) for _ in range(job.callers)]
        tally, started = Tally(), perf_counter()
        ends = started + (job.seconds if job.seconds is not None else float("inf"))
        numbers: Iterator[int] = iter(range(job.count)) if job.count else itertools.count()
        try:
            if job.rate is None:
                await asyncio.gather(
                    *(self._turns(job, one, numbers, tally, ends) for one in lines)
                )
            else:
                await self._steps(job, lines, numbers, tally, ends)
        finally:
            for line in lines:
                line.close()
        took = perf_counter() - started
        # A timed job's last answers come after its end and are not counted; neither is that time.
        seconds = took if job.seconds is None else min(took, job.seconds)
        if job.taken_to is not None:
            text = "".join(f"{one}\n" for one in tally.taken)
            await asyncio.to_thread(Path(job.taken_to).write_text, text, encoding="ascii")
        return tally.report(seconds, took)

    async def _turns(
        self, job: Job, line: Line, numbers: Iterator[int], tally: Tally, ends: float
    ) -> None:
        """One caller: asks, waits, asks again."""
        for number in numbers:
            begun = perf_counter()
            if begun >= ends:
                return
            status = await self._ask(job, line, number, begun, tally, ends)
            if status == BROKEN:
                # Nobody is there: asking again at once would only spin.
                await asyncio.sleep(0.05)
            elif status == SHED:
                await asyncio.sleep(min(RETRY_AFTER_S, max(ends - perf_counter(), 0.0)))

    async def _steps(
        self, job: Job, lines: list[Line], numbers: Iterator[int], tally: Tally, ends: float
    ) -> None:
        """Ask in even steps; time counts from when a step was due, so that waiting for a free
        connection is part of what the caller sees."""
        free: asyncio.LifoQueue[Line] = asyncio.LifoQueue()
        for line in lines:
            free.put_nowait(line)
        running: set[asyncio.Task[None]] = set()

        async def one(number: int, due: float) -> None:
            line = await free.get()
            await self._ask(job, line, number, due, tally, ends, release=free)

        started = perf_counter()
        for number in numbers:
            due = started + number / (job.rate or 1.0)
            if due >= ends:
                break
            wait_s = due - perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            task = asyncio.create_task(one(number, due))
            running.add(task)
            task.add_done_callback(running.discard)
        while running:
            await asyncio.wait(running)

    async def _ask(
        self,
        job: Job,
        line: Line,
        number: int,
        begun: float,
        tally: Tally,
        ends: float,
        release: "asyncio.Queue[Line] | None" = None,
    ) -> int:
        """One payout from question to webhook; the answer's status, `BROKEN` without one."""
        reference = f"{job.prefix}-{number:08d}"
        told: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        if job.told:
            self._asked[reference] = (begun, told)
        tally.asked += 1
        try:
            status, _ = await line.ask(request(job, reference, number), job.patience_s)
        except OSError:  # a lost connection, or patience at its end
            tally.broken += 1
            self._asked.pop(reference, None)
            return BROKEN
        finally:
            if release is not None:
                release.put_nowait(line)
        now = perf_counter()
        tally.statuses[status] += 1
        if status != TAKEN:
            self._asked.pop(reference, None)
            return status
        tally.taken.append(reference)
        tally.answered_ms.append((now - begun) * 1000)
        if job.told:
            try:
                async with asyncio.timeout(job.told_patience_s):
                    now = max(now, await told)
            except TimeoutError:
                tally.untold.append(reference)
                self._asked.pop(reference, None)
                return status
            tally.told_ms.append((now - begun) * 1000)
        if now <= ends:
            tally.finished += 1
        return status


_HEAD: Final = (
    b"POST /v1/payouts HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %b\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
_BODY: Final = (
    '{"merchant_ref":"%s","amount_minor":%d,"currency":"CNY","beneficiary":{"instruments":[{'
    '"rail":"alipay","identity":"2088%012d","identity_type":"user_id","name":"张三丰"}]},'
    '"purpose":"货款结算","metadata":{"order":"20261122-%d"}%s}'
)


def request(job: Job, reference: str, number: int) -> bytes:
    """The bytes of one request: each payout has a beneficiary of its own."""
    later = f',"release_after":"{job.release_after}"' if job.release_after else ""
    payee = crc32(job.prefix.encode()) % 1000 * 10**9 + number
    # From 200.00 on: around 100.00 the institution's magic amounts do what they are there for.
    body = (_BODY % (reference, 20_000 + number % 1000, payee, number, later)).encode()
    return _HEAD % (job.port, job.key.encode(), len(body)) + body
