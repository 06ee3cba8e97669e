"""Probes, metrics and what every answer carries: on the gateway as it is really put together."""

import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from channels.contract import NOTICE_QUERY, Credential, NoticeRefused, NoticeReply
from gateway.ports import CommitUnknownError, StoreBrokenError, StoreError
from gateway.settings import load
from gateway.wiring import Assembly, assemble
from policies.calendars.workdays import PUBLISHED
from tests.builders import EVERY_YEAR
from tests.channels.wechat_pay import platform as wechat
from tests.contracts.store.conftest import KEK, SettableClock
from tests.gateway.api.desk import Answer, Desk, payout_body

CONFIGURATION = """\
data_dir: {folder}
secrets:
  kek: ${{KEK}}
  key_pepper: ${{PEPPER}}
channels:
  - name: wechat-main
    kind: wechat_pay
    credentials:
      base_url: http://127.0.0.1:9
      mchid: "1900000109"
      appid: wx8888888888888888
      serial_no: 5157F09EFDC096DE15EBE81A47057A7232F1B8E1
      private_key_file: {keys}/merchant_test_only.pem
      public_key_file: {keys}/platform_public.pem
      public_key_id: PUB_KEY_ID_0119000001092026030200000001
      apiv3_key: ${{APIV3}}
      transfer_scene_id: "1005"
      transfer_scene_report_infos:
        - {{info_type: 岗位类型, info_content: 外卖员}}
        - {{info_type: 报酬说明, info_content: 三月配送费}}
    terms: {{currency: CNY, amount_min: 10, amount_max: 2000000, fee: {{}}}}
"""


@dataclass(slots=True)
class Process:
    """A gateway put together from a configuration, answering on a socket."""

    assembly: Assembly
    server: TestServer
    http: ClientSession

    async def get(self, path: str) -> Answer:
        """Ask without a key."""
        async with self.http.get(self.server.make_url(path)) as response:
            return Answer(response.status, response.headers, await response.read())


@pytest.fixture
def _own_logging() -> Iterator[None]:
    """The process takes over the standard library's logging; give it back."""
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers = handlers
    logging.root.setLevel(level)


@asynccontextmanager
async def started(folder: Path, text: str) -> AsyncIterator[Process]:
    """Put together and serve what a configuration says."""
    file = folder / "hangdao.yaml"
    file.write_text(text.format(folder=folder, keys=wechat.KEYS), encoding="utf-8")
    env = {"KEK": KEK, "PEPPER": "p" * 32, "APIV3": wechat.APIV3_KEY}
    assembly = await assemble(load(file, env))
    server = TestServer(assembly.app)
    await server.start_server(access_log=None)
    try:
        async with ClientSession() as http:
            yield Process(assembly, server, http)
    finally:
        await server.close()
        await assembly.aclose()


@pytest.fixture
async def process(tmp_path: Path, _own_logging: None) -> AsyncIterator[Process]:
    """One channel, its own database."""
    async with started(tmp_path, CONFIGURATION) as running:
        yield running


async def test_a_healthy_process_is_alive_and_ready(process: Process) -> None:
    """Both probes answer 200 without a key."""
    alive = await process.get("/healthz")
    assert (alive.status, alive.json) == (200, {"status": "ok"})
    process.assembly.gateway.almanac = EVERY_YEAR
    ready = await process.get("/readyz")
    assert (ready.status, ready.json) == (200, {"ready": True, "problems": []})


async def test_a_missing_year_is_noted_from_november_on(process: Process) -> None:
    """Ready all the same, in both languages, and as a gauge; a year that is over is a problem."""
    gateway = process.assembly.gateway
    gateway.clock = clock = SettableClock()
    gateway.almanac = PUBLISHED
    clock.at = datetime(2026, 10, 31, 15, 59, tzinfo=UTC)
    assert "notes" not in (await process.get("/readyz")).json
    clock.at = datetime(2026, 10, 31, 16, 0, tzinfo=UTC)
    ready = await process.get("/readyz")
    (note,) = ready.json["notes"]
    assert (ready.status, note["code"]) == (200, "calendar_missing")
    assert "2027" in note["en"]
    assert "2027" in note["zh"]
    assert "hangdao_calendar_years_ahead 0.0" in (await process.get("/metrics")).raw.decode()
    clock.at = datetime(2027, 1, 1, 0, 0, tzinfo=UTC)
    ready = await process.get("/readyz")
    assert ready.status == 503
    assert ready.json["problems"] == ["the business calendar does not know this year"]
    assert "hangdao_calendar_years_ahead -1.0" in (await process.get("/metrics")).raw.decode()


@pytest.mark.usefixtures("_own_logging")
async def test_a_channel_without_a_fee_is_noted(tmp_path: Path) -> None:
    """It takes nothing, so somebody must learn of it."""
    without = CONFIGURATION.replace(", fee: {{}}", "")
    async with started(tmp_path, without) as running:
        running.assembly.gateway.almanac = EVERY_YEAR
        ready = await running.get("/readyz")
        (note,) = ready.json["notes"]
        assert note["code"] == "channel_no_fee"
        assert "wechat-main" in note["en"]
        assert "手续费" in note["zh"]


async def test_a_certificate_that_ends_is_noted(process: Process) -> None:
    """Ready all the same, in both languages, and as a gauge that falls below zero."""
    gateway = process.assembly.gateway
    gateway.clock = clock = SettableClock()
    gateway.almanac = EVERY_YEAR
    ours = Credential("certificate_file", "ours", "a" * 64, clock.at + timedelta(days=3))
    gateway.credentials = {"wechat-main": (ours,)}
    [note] = (await process.get("/readyz")).json["notes"]
    assert note["code"] == "credential_expiring"
    assert "wechat-main: our certificate_file expires on" in note["en"]
    assert "剩 3 天" in note["zh"]
    gauge = 'credential_expires_seconds{channel="wechat-main",name="certificate_file"}'
    assert f"hangdao_channel_{gauge} 259200.0" in (await process.get("/metrics")).raw.decode()
    clock.at += timedelta(days=4)
    ready = await process.get("/readyz")
    assert (ready.status, ready.json["notes"][0]["code"]) == (200, "credential_expired")
    assert f"hangdao_channel_{gauge} -86400.0" in (await process.get("/metrics")).raw.decode()


async def test_a_stopping_process_is_alive_and_not_ready(process: Process) -> None:
    """A balancer sends no more, while what is under way finishes."""
    process.assembly.stopping.set()
    ready = await process.get("/readyz")
    assert (ready.status, ready.json["ready"]) == (503, False)
    assert ready.json["problems"] == ["the process is stopping"]
    assert (await process.get("/healthz")).status == 200


async def test_a_process_whose_worker_met_a_broken_store_is_not_ready(process: Process) -> None:
    """It takes nothing any more."""
    process.assembly.worker.broken = StoreBrokenError("disk full")
    ready = await process.get("/readyz")
    assert (ready.status, ready.json["problems"]) == (503, ["the store does not take writes"])


async def test_a_process_whose_store_is_gone_is_not_ready(process: Process) -> None:
    """A write is tried for every probe."""
    await process.assembly.store.aclose()
    ready = await process.get("/readyz")
    assert (ready.status, ready.json["ready"]) == (503, False)


@pytest.mark.usefixtures("_own_logging")
async def test_a_process_without_channels_is_not_ready(tmp_path: Path) -> None:
    """It could take payouts and pay none."""
    without = CONFIGURATION[: CONFIGURATION.index("channels:")]
    async with started(tmp_path, without) as running:
        ready = await running.get("/readyz")
        assert (ready.status, ready.json["problems"]) == (503, ["no channel is configured"])


async def test_the_version_is_told(process: Process) -> None:
    """What is installed."""
    told = (await process.get("/version")).json
    assert re.fullmatch(r"\d+(\.\d+)*", told["version"])


async def test_metrics_can_be_scraped(process: Process) -> None:
    """Every line parses, requests are counted by template, and no label holds an id."""
    await process.get("/v1/payouts/po_00000000000000000000000000")
    answer = await process.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {one.name: one for one in text_string_to_metric_families(answer.raw.decode())}
    routes = {sample.labels["route"] for sample in families["hangdao_http_request_seconds"].samples}
    assert routes == {"/v1/payouts/{payout_id}"}
    assert {one.labels["channel"] for one in families["hangdao_channel_success_ratio"].samples} == {
        "wechat-main"
    }
    assert all(name.startswith("hangdao_") for name in families)


# --- What every answer carries -----------------------------------------------------------------


async def test_a_request_id_is_echoed_or_made(desk: Desk) -> None:
    """The caller's own if it is usable, else one of ours; also on errors and probes."""
    given = "req-0123456789"
    echoed = await desk.get("/v1/payouts/po_1", headers={"X-Request-Id": given})
    assert (echoed.headers["X-Request-Id"], echoed.json["request_id"]) == (given, given)
    for unusable in ("short", "x" * 65, "with blank inside", "käse-käse-käse", ""):
        answer = await desk.get("/healthz", key=None, headers={"X-Request-Id": unusable})
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-Id"])


async def test_every_answer_says_how_long_it_took(desk: Desk) -> None:
    """Server-Timing, in milliseconds, on success and refusal."""
    for path in ("/v1/payouts", "/v1/nothing", "/healthz", "/openapi.json"):
        told = (await desk.get(path)).headers["Server-Timing"]
        assert re.fullmatch(r"app;dur=\d+\.\d\d", told)


async def test_a_request_leaves_one_line(desk: Desk) -> None:
    """With route, status, merchant, key and the problem's code."""
    await desk.post("/v1/payouts", payout_body(speed="now"))
    (line,) = [one for one in desk.log_lines() if one["event"] == "http.request"]
    assert (line["method"], line["route"], line["status"]) == ("POST", "/v1/payouts", 422)
    assert (line["merchant_id"], line["code"]) == ("m_acme", "field_invalid")
    assert line["key_id"] in desk.keys["acme"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreError("gone"), "store_unavailable"),
        (CommitUnknownError("perhaps"), "commit_unknown"),
        (StoreBrokenError("disk full"), "store_unavailable"),
    ],
)
async def test_a_store_that_fails_is_told_as_passing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: StoreError, code: str
) -> None:
    """503 with Retry-After; an unknown commit asks for the same key again."""

    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(desk.store._database, "write", fail)
    answer = await desk.post("/v1/payouts", payout_body())
    assert (answer.status, answer.code, answer.json["retryable"]) == (503, code, True)
    assert answer.headers["Retry-After"] == "1"
    assert answer.json["detail_zh"]
    assert "gone" not in answer.json["detail"]


async def test_a_defect_is_a_500_that_gives_nothing_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log has type and place; neither it nor the answer has the message."""

    async def fail(*_: object) -> None:
        raise RuntimeError("canary 6222021234567890123")

    monkeypatch.setattr(desk.store, "search", fail)
    answer = await desk.get("/v1/payouts")
    assert (answer.status, answer.code, answer.json["retryable"]) == (500, "defect", False)
    (line,) = [one for one in desk.log_lines() if one["event"] == "http.defect"]
    assert line["error_type"] == "RuntimeError"
    assert b"canary" not in answer.raw
    assert "canary" not in desk.log.getvalue()


async def test_a_channels_notice_is_answered_in_its_own_words(desk: Desk) -> None:
    """Raw bytes in, the exact reply out; forged ones are refused, unknown channels are a 404."""
    heard = await desk.post("/notices/till", b"R1", key=None, headers={"X-Till": "genuine"})
    assert (heard.status, heard.raw, heard.headers["Content-Type"]) == (
        200,
        b"thanks",
        "text/plain",
    )
    assert desk.rows()["notices"] == 1
    forged = await desk.post("/notices/till", b"R1", key=None)
    assert (forged.status, forged.raw) == (401, b"no")
    assert desk.rows()["notices"] == 1
    nobody = await desk.post("/notices/gone", b"R1", key=None)
    assert (nobody.status, nobody.code) == (404, "no_such_channel")


async def test_whoever_looks_before_telling_finds_somebody(desk: Desk) -> None:
    """HEAD on the address of notices: there, or not; nothing is read or kept."""
    there = await desk.call("HEAD", "/notices/till", key=None)
    assert (there.status, there.raw) == (200, b"")
    nobody = await desk.call("HEAD", "/notices/gone", key=None)
    assert nobody.status == 404
    assert desk.rows()["notices"] == 0


async def test_a_query_string_reaches_the_channel_that_takes_one(desk: Desk) -> None:
    """Raw, under a name that no header can have; for others it stays an error."""
    till = desk.till
    heard: list[str | None] = []

    def read(headers: Mapping[str, str], body: bytes, now: datetime) -> NoticeRefused:
        heard.append(headers.get(NOTICE_QUERY))
        return NoticeRefused("only listening", NoticeReply(200, "text/plain", b"heard"))

    refused = await desk.post("/notices/till?a=%E5%BC%A0&b=1", b"", key=None)
    assert (refused.status, refused.code) == (422, "query_unknown")
    till.traits = replace(till.traits, notices_in_query=True)
    till.read_notice = read  # type: ignore[method-assign]  # it only listens
    taken = await desk.post("/notices/till?a=%E5%BC%A0&b=1", b"", key=None)
    assert (taken.status, taken.raw) == (200, b"heard")
    await desk.post("/notices/till", b"", key=None)
    assert heard == ["a=%E5%BC%A0&b=1", None]
    gone = await desk.post("/notices/gone?a=1", b"", key=None)
    assert (gone.status, gone.code) == (422, "query_unknown")
