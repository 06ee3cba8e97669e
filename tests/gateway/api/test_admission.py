"""Who is let in while more is asked for than can be stored: soon told, nothing lost, soon over."""

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from statistics import fmean
from threading import Event
from typing import Any

import pytest
from aiohttp import ClientSession, ServerDisconnectedError, TCPConnector

from gateway.api.admission import FEW, QUIET_S, START, Admission, OverloadedError
from gateway.api.dialects.dialect import Dialect
from gateway.api.dialects.registry import DIALECTS
from gateway.api.dialects.wire import Ask
from gateway.observe.redact import ALLOWED
from gateway.store.sqlite import SqliteDatabase
from tests.gateway.api.desk import Answer, Desk, payout_body

CROWD = 200
SUBMISSIONS = {
    "epay": ("api/transfer/submit", b""),
    "jeepay": ("api/transferOrder", b""),
    "xxpay": ("api/agentpay/apply", b""),
    "alipay": ("gateway.do", b"method=alipay.fund.trans.uni.transfer"),
}
QUESTIONS = {
    "epay": ("api/transfer/query", b"pid=1"),
    "jeepay": ("api/transfer/query", b""),
    "xxpay": ("agentPay/queryOrder", b""),
    "alipay": ("gateway.do", b"method=alipay.fund.trans.common.query"),
}


@contextmanager
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk that does not answer until the end of the block."""
    free, commit = Event(), SqliteDatabase._commit

    def waiting(self: SqliteDatabase, units: Any, written: Any) -> Any:
        free.wait()
        return commit(self, units, written)

    monkeypatch.setattr(SqliteDatabase, "_commit", waiting)
    try:
        yield
    finally:
        free.set()


async def ask(desk: Desk, number: int) -> Answer:
    """The same payout each time for the same number."""
    return await desk.post("/v1/payouts", payout_body(merchant_ref=f"o-{number}", amount_minor=100))


async def settled(asked: list["asyncio.Task[Answer]"], count: int) -> list[Answer]:
    """The answers of the first so many that are answered."""
    return [await one for one in islice(asyncio.as_completed(asked, timeout=30), count)]


async def test_a_stuck_store_sheds_early_loses_nothing_and_is_over_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds no room is told at once; whoever comes again is stored, once."""
    async with ClientSession(connector=TCPConnector(limit=0)) as http:
        crowd = replace(desk, http=http)
        await ask(crowd, CROWD)
        with stuck(monkeypatch):
            asked = [asyncio.create_task(ask(crowd, number)) for number in range(CROWD)]
            turned_away = await settled(asked, CROWD - START)
            read = await crowd.get("/v1/payouts")
            probe = await crowd.get("/healthz", key=None)
        answers = await asyncio.gather(*asked)
        again = [await ask(crowd, number) for number in range(CROWD)]

    assert {one.status for one in turned_away} == {503}
    assert (read.status, probe.status) == (200, 200)
    assert sorted(one.status for one in answers) == [201] * START + [503] * (CROWD - START)
    assert {one.status for one in again} == {201}
    assert desk.rows()["payouts"] == CROWD + 1
    first = {one.json["merchant_ref"]: one.json["id"] for one in answers if one.status == 201}
    last = {one.json["merchant_ref"]: one.json["id"] for one in again}
    assert first.items() <= last.items()


async def test_who_is_turned_away_reads_what_to_do(desk: Desk) -> None:
    """A problem document in both languages, retryable, with `Retry-After`."""
    with full(desk.api.admission):
        told = await desk.post("/v1/payouts", b"{ not even JSON")
        split = await desk.post("/v1/splits", {})

    assert (told.status, told.code, split.code) == (503, "overloaded", "overloaded")
    assert told.headers["Retry-After"] == "1"
    assert told.json["retryable"] is True
    assert "same key" in told.json["detail"]
    assert "幂等键" in told.json["detail_zh"]


async def test_acts_of_people_and_questions_find_room(desk: Desk) -> None:
    """Reads, probes, cancellations and operators' switches are never turned away."""
    waits = await desk.pay("later", release_after="2026-03-20T10:00:00+08:00")
    with full(desk.api.admission):
        seen = [
            await desk.get(f"/v1/payouts/{waits}"),
            await desk.get("/readyz", key=None),
            await desk.get("/metrics", key=None),
            await desk.post(f"/v1/payouts/{waits}/cancel"),
            await desk.post("/v1/admin/channels/till/pause", {"reason": "x"}, key="operator"),
        ]

    assert 503 not in {one.status for one in seen}


@pytest.mark.parametrize("name", DIALECTS)
async def test_another_platforms_order_without_room_is_met_with_silence(
    desk: Desk, name: str
) -> None:
    """No stock word says "not stored, come again": an error could be read as "not paid"."""
    path, body = SUBMISSIONS[name]
    with full(desk.api.admission), pytest.raises(ServerDisconnectedError):
        await desk.post(f"/d/{name}/{path}", body, key=None)


@pytest.mark.parametrize("name", DIALECTS)
async def test_another_platforms_question_always_finds_room(desk: Desk, name: str) -> None:
    """Whatever the answer is, there is one."""
    path, body = QUESTIONS[name]
    with full(desk.api.admission):
        told = await desk.post(f"/d/{name}/{path}", body, key=None)

    assert told.raw


@pytest.mark.parametrize("name", DIALECTS)
def test_submissions_show_before_they_are_read(name: str) -> None:
    """By their path, or by the method that stands in query or body."""
    dialect: Dialect = DIALECTS[name]
    asks = [
        Ask("POST", f"/{path}", "application/x-www-form-urlencoded", "", body, None)
        for path, body in (SUBMISSIONS[name], QUESTIONS[name])
    ]
    assert [dialect.takes_in(one) for one in asks] == [True, False]


@contextmanager
def full(admission: Admission) -> Iterator[None]:
    """No room for anybody, until the end of the block."""
    entered = []
    with suppress(OverloadedError):
        while True:
            entered.append(admission.enter(can_repeat=False))
    yield
    for one in entered:
        admission.leave(one)


@dataclass
class Shop:
    """Callers at an even pace before a till that serves one at a time; its own clock."""

    service_s: float
    at: float = 0.0
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    admission: Admission = field(init=False)
    took: list[float] = field(default_factory=list)
    shed: int = 0
    _free_at: float = 0.0
    _leaving: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.admission = Admission(
            delay_s=0.05,
            most=512,
            alarms=self,
            now=lambda: self.at,
        )

    def alarm(self, event: str, **facts: object) -> None:
        """Remember what people would be told; what the log masks they would not be."""
        assert facts.keys() <= ALLOWED
        self.told.append((event, facts))

    def run(self, seconds: float, per_s: float, *, together: bool = False) -> None:
        """`together`: a group commit, which takes as long for many as for one."""
        self.took, self.shed = [], 0
        until = self.at + seconds
        while (coming := self.at + 1 / per_s) < until:
            while self._leaving and self._leaving[0][0] <= coming:
                self.at, entered = heapq.heappop(self._leaving)
                self.took.append(self.at - entered)
                self.admission.leave(entered)
            self.at = coming
            try:
                entered = self.admission.enter()
            except OverloadedError:
                self.shed += 1
                continue
            begins = self.at if together else max(self.at, self._free_at)
            self._free_at = begins + self.service_s
            heapq.heappush(self._leaving, (self._free_at, entered))


def test_the_wait_stays_near_what_is_allowed_and_the_till_busy() -> None:
    """Three times what can be served: late ones are turned away, and not more than those."""
    shop = Shop(service_s=0.003)
    shop.run(5, per_s=150)
    assert shop.shed == 0
    shop.run(3, per_s=1000)
    shop.run(10, per_s=1000)

    assert len(shop.took) >= 0.95 * 10 / 0.003
    assert fmean(shop.took) <= 0.1
    assert sorted(shop.took)[int(len(shop.took) * 0.99)] <= 0.15


def test_when_the_crowd_has_gone_nobody_is_turned_away() -> None:
    """Not for a second: the bound is no penalty."""
    shop = Shop(service_s=0.003)
    shop.run(5, per_s=150)
    shop.run(10, per_s=1000)
    shop.run(0.3, per_s=150)
    shop.run(5, per_s=150)

    assert shop.shed == 0
    assert shop.admission.limit == START


def test_a_slow_disk_is_no_overload() -> None:
    """Answers that take long without a crowd are normal; all are let in."""
    shop = Shop(service_s=0.4)
    shop.run(60, per_s=10, together=True)
    shop.run(60, per_s=60, together=True)

    assert shop.shed == 0


def test_however_late_answers_are_a_few_are_let_in() -> None:
    """Else nobody would ever see that the store is back."""
    shop = Shop(service_s=2.0)
    shop.run(5, per_s=5)
    shop.run(60, per_s=200)

    assert shop.admission.limit >= FEW
    assert shop.admission.in_flight >= FEW - 1


def test_an_episode_is_told_once_in_both_languages() -> None:
    """When it begins, and when nobody was turned away for a while."""
    shop = Shop(service_s=0.003)
    shop.run(10, per_s=1000)
    assert [event for event, _ in shop.told] == ["intake.shedding"]
    note = shop.admission.note
    assert note is not None
    assert shop.told[0][1]["problem_zh"] == note.zh

    shop.run(QUIET_S + 1, per_s=20)
    assert [event for event, _ in shop.told] == ["intake.shedding", "intake.steady"]
    assert shop.admission.note is None


def test_shedding_can_be_switched_off() -> None:
    """For who would rather wait."""
    admission = Admission(delay_s=0.05, most=FEW, enabled=False)
    for _ in range(10 * FEW):
        admission.enter()

    assert (admission.shed, admission.in_flight) == (0, 10 * FEW)
