"""Logs and metrics: canonical lines, the observer's counts, and nothing secret in either."""

import asyncio
import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.observe import (
    EVENTS,
    Log,
    Metrics,
    Observe,
    adopt_standard_logging,
    make_log,
    redact,
    request_line,
    scan,
)
from gateway.ports import ChannelUse, Observer
from tests import builders

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


class _Clock:
    def now(self) -> datetime:
        return NOW


class _Lines:
    """A log and what it wrote."""

    def __init__(self, level: str = "info") -> None:
        self.stream = io.StringIO()
        self.log: Log = make_log(_Clock(), self.stream, level=level)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def all(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def lines() -> _Lines:
    """A fresh JSON log."""
    return _Lines()


@pytest.fixture
def observe(lines: _Lines) -> Observe:
    """An observer over a fresh log and fresh metrics."""
    return Observe(lines.log, Metrics("1.2.3"))


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by name and label values, as a scraper reads it."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def fail(text: str) -> None:
    """Raise, so that there is a traceback."""
    raise ValueError(text)


def failure(text: str) -> ValueError:
    """An error that was raised."""
    with pytest.raises(ValueError, match=text) as caught:
        fail(text)
    return caught.value


# --- Redaction -------------------------------------------------------------------------------

PATTERNS = (
    *(redact._PEM, redact._WEBHOOK_SECRET, redact._CREDENTIAL, redact._USER_INFO, redact._EMAIL),
    *(redact._PHONE, redact._IBAN, redact._RESIDENT, redact._CARD),
)
SECRETS = {
    "card": "6222021234567890128",
    "card in groups": "4111 1111 1111 1111",
    "iban": "DE89370400440532013000",
    "iban in groups": "GB82 WEST 1234 5698 7654 32",
    "phone": "13812345678",
    "phone abroad": "+86 138-1234-5678",
    "resident": "11010519491231002X",
    "mail": "zhang.san@example.com",
    "pem": "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----",
    "cut pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ",
    "webhook secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "bearer": "Bearer hd_live_0123456789",
    "basic": "basic dXNlcjpwYXNz",
    "url password": "//pay:hunter2@db:5432",
}


@pytest.mark.parametrize("name", SECRETS)
def test_the_scanner_masks_in_the_middle_of_a_sentence(name: str) -> None:
    """Each kind of secret goes, the words around it stay."""
    secret = SECRETS[name]
    masked = scan(f"before postgresql:{secret} after" if "url" in name else f"x: {secret} after")
    assert "[masked]" in masked
    assert not any(part in masked for part in (secret, "MIIEvQ", "hunter2", "dXNlcjpwYXNz"))


@pytest.mark.parametrize(
    "text",
    [
        "po_0d5u6v2k8c1g4m7p0r3t6w9y",
        "2026-03-02T02:00:00.000+00:00",
        "6222021234567890123",  # fails the checksum
        "20260302110070001506530023456789",  # an institution's own number, longer than a card's
        "DE89370400440532013001",  # fails the checksum
        "110105194912310021",  # fails the checksum
        "12812345678",  # no mobile number begins with 12
    ],
)
def test_the_scanner_leaves_ids_and_times_alone(text: str) -> None:
    """What an operator searches for must stay readable."""
    assert scan(text) == text


PIECES = (
    "6222",
    "138",
    "0",
    "GB",
    "82",
    "X",
    "x",
    "a",
    "_",
    "-",
    " ",
    "@",
    "://",
    "whsec_",
    "basic ",
)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("GB8200001380000")
@example("62220138622201386")
@example("13800006222")
@example("a_11010519491231002x")
@example("whsec_a")
def test_what_a_look_finds_plain_has_nothing_to_mask(text: str) -> None:
    """Law: where the short way leaves text alone, no single pattern finds anything in it."""
    assume(redact._PLAIN.fullmatch(text) and "whsec_" not in text)
    assert not any(pattern.search(text) for pattern in PATTERNS)


def test_a_field_not_on_the_list_is_masked(lines: _Lines) -> None:
    """Whoever logs a new field must decide that it is harmless."""
    lines.log.info("process.started", payout_id="po_1", beneficiary="张三")
    assert lines.all() == [
        {
            "at": "2026-03-02T02:00:00.000+00:00",
            "level": "info",
            "event": "process.started",
            "payout_id": "po_1",
            "beneficiary": "[masked]",
        }
    ]


def test_an_allowed_field_is_scanned_whatever_its_type(lines: _Lines) -> None:
    """Numbers and nested values are scanned like text; plain amounts stay numbers."""
    lines.log.info(
        "process.started",
        reason=["4111111111111111"],
        count=4111111111111111,
        amount_minor=10_000,
        code=None,
    )
    [line] = lines.all()
    assert (line["reason"], line["count"]) == ("['[masked]']", "[masked]")
    assert (line["amount_minor"], line["code"]) == (10_000, None)


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_error_is_logged_by_type_and_place_only(form: Any) -> None:
    """The message of an exception may quote a payee, so it appears in neither form."""
    stream = io.StringIO()
    log = make_log(_Clock(), stream, form=form)
    try:
        fail("card 4111111111111111 of canary-name refused")
    except ValueError:
        log.exception("channel.defect")
    log.warning("channel.defect", exc_info=failure("canary-name"))
    assert "canary" not in stream.getvalue()
    assert "4111111111111111" not in stream.getvalue()
    assert stream.getvalue().count("ValueError") == 2
    assert stream.getvalue().count("test_observe.py") >= 2


@pytest.fixture
def adopted(lines: _Lines) -> Iterator[_Lines]:
    """The standard library's root logger writes to our log; put back afterwards."""
    handlers, level = logging.root.handlers, logging.root.level
    adopt_standard_logging(lines.log)
    yield lines
    logging.root.handlers = handlers
    logging.root.setLevel(level)


def test_a_librarys_log_lines_are_adopted_and_redacted(adopted: _Lines) -> None:
    """They come out in our form, at their level, scanned like ours."""
    logging.getLogger("aiohttp.server").warning("bad request for %s", "4111111111111111")
    [line] = adopted.all()
    assert line["event"] == "log.foreign"
    assert (line["level"], line["logger"]) == ("warning", "aiohttp.server")
    assert line["traced"] == "bad request for [masked]"


def test_a_librarys_exception_keeps_its_place_only(adopted: _Lines) -> None:
    """`logging.exception` of a library does not write the traceback's texts."""
    error = failure("canary")
    logging.getLogger("asyncio").critical("task %s failed", "canary", exc_info=error)
    [line] = adopted.all()
    assert (line["error_type"], line["traced"]) == ("ValueError", "task %s failed")
    assert "canary" not in adopted.text


# --- Lines -----------------------------------------------------------------------------------


def test_a_request_has_one_canonical_line(lines: _Lines) -> None:
    """Everything about a request in one line; what is not known is left out."""
    who = {"request_id": "req_1", "merchant_id": "m_acme", "code": None}
    request_line(lines.log, "POST", "/v1/payouts", 201, 0.0123456789, who)
    assert lines.all() == [
        {
            "at": "2026-03-02T02:00:00.000+00:00",
            "level": "info",
            "event": "http.request",
            "request_id": "req_1",
            "method": "POST",
            "route": "/v1/payouts",
            "status": 201,
            "seconds": 0.012346,
            "merchant_id": "m_acme",
        }
    ]


def test_a_failed_request_is_a_warning(lines: _Lines) -> None:
    """Our own faults stand out."""
    request_line(lines.log, "GET", "/readyz", 503, 0.001, {"request_id": "r"})
    assert lines.all()[0]["level"] == "warning"


def test_an_attempt_has_one_line_when_it_closes(observe: Observe, lines: _Lines) -> None:
    """Arming writes nothing at info; the confirmation writes the whole story."""
    payout = builders.payout(merchant_ref="order-1")
    arm = builders.change(payout, builders.armed())
    observe.moved(arm)
    assert lines.all() == []
    observe.moved(builders.change(arm.after, builders.confirmed(fee_minor=8)))
    [line] = lines.all()
    assert line["event"] == "attempt.closed"
    assert (line["payout_id"], line["channel"]) == (payout.id, "alipay-main")
    assert (line["outcome"], line["fee_minor"], line["sends"]) == ("confirmed", 8, 1)
    assert "张三" not in lines.text
    assert "[masked]" not in lines.text


def test_a_dead_attempts_line_names_its_certificate(observe: Observe, lines: _Lines) -> None:
    """Why the next attempt was allowed can be read from the log alone."""
    arm = builders.change(builders.payout(), builders.armed())
    observe.moved(builders.change(arm.after, builders.died()))
    [line] = lines.all()
    assert (line["outcome"], line["certificate"], line["reason"], line["code"]) == (
        *("dead", "C1", "payee_not_found", "PAYEE_NOT_EXIST"),
    )


def test_certificates_are_counted_by_kind_and_a_freeze_is_shown(observe: Observe) -> None:
    """Per channel: how its attempts were proven dead, and whether its failover is frozen."""
    arm = builders.change(builders.payout(), builders.armed())
    observe.moved(builders.change(arm.after, builders.died()))
    observe.metrics.freeze(["alipay-main", "other"], {"alipay-main"})
    shown = observe.metrics.render().decode()
    assert 'hangdao_certificates_total{channel="alipay-main",kind="C1"} 1.0' in shown
    assert 'hangdao_failover_frozen{channel="alipay-main"} 1.0' in shown
    assert 'hangdao_failover_frozen{channel="other"} 0.0' in shown


def test_every_event_of_a_payout_is_a_debug_line() -> None:
    """With level debug the timeline can be followed in the log, numbered like the feed."""
    lines = _Lines("debug")
    observe = Observe(lines.log, Metrics("1"))
    arm = builders.change(builders.payout(), builders.armed())
    observe.moved(arm)
    [line] = lines.all()
    assert (line["event"], line["seq"]) == ("payout.armed", arm.after.version)
    assert line["event"] in EVENTS


def test_an_alarm_is_a_warning_and_a_count(observe: Observe, lines: _Lines) -> None:
    """Alerts can be built on the log or on the metric."""
    observe.alarm("notice.refused", channel="alipay-main", cause="bad_signature")
    [line] = lines.all()
    assert (line["level"], line["event"], line["cause"]) == (
        *("warning", "notice.refused", "bad_signature"),
    )
    assert samples(observe.metrics)["hangdao_alarms_total", ("notice.refused",)] == 1


def test_what_a_certificate_that_ends_is_told_with_is_shown(
    observe: Observe, lines: _Lines
) -> None:
    """Which one, when, and in Chinese too: nobody could act on a masked line."""
    facts = {
        "channel": "alipay-main",
        "setting": "app_cert_file",
        "days_left": 7,
        "ends_at": "2026-03-09T02:00:00+00:00",
        "problem": "ends soon",
        "problem_zh": "即将过期",
    }
    observe.alarm("channel.credential_expiring", **facts)
    [line] = lines.all()
    assert facts.items() <= line.items()


def test_a_defect_is_an_error_without_its_message(observe: Observe, lines: _Lines) -> None:
    """Type and place are enough to find the bug."""
    observe.defect("channel.defect", failure("canary-name"), channel="alipay-main")
    [line] = lines.all()
    assert (line["level"], line["error_type"]) == ("error", "ValueError")
    assert "test_observe.py" in line["error_at"]
    assert "canary" not in lines.text


# --- Metrics ---------------------------------------------------------------------------------


def test_moves_are_counted_by_the_state_they_reach(observe: Observe) -> None:
    """A payout and its attempt are counted once per state, the time to paid once."""
    payout = builders.payout()
    arm = builders.change(payout, builders.armed())
    observe.moved(arm)
    observe.moved(builders.change(arm.after, builders.confirmed()))
    found = samples(observe.metrics)
    assert found["hangdao_payouts_total", ("attempting",)] == 1
    assert found["hangdao_payouts_total", ("paid",)] == 1
    assert found["hangdao_attempts_total", ("alipay-main", "armed")] == 1
    assert found["hangdao_attempts_total", ("alipay-main", "confirmed")] == 1
    assert found["hangdao_payout_to_paid_seconds_count", ()] == 1


def test_calls_decisions_deliveries_and_requests_are_measured(observe: Observe) -> None:
    """Each kind of work has its histogram or counter."""
    observe.called("wechat-main", "send", "paid", 0.2)
    observe.decided(0.0001)
    observe.delivered("retry")
    observe.metrics.request("/v1/payouts", "POST", 201, 0.01)
    found = samples(observe.metrics)
    assert found["hangdao_channel_call_seconds_count", ("wechat-main", "send")] == 1
    assert found["hangdao_channel_answers_total", ("wechat-main", "send", "paid")] == 1
    assert found["hangdao_route_seconds_count", ()] == 1
    assert found["hangdao_webhook_deliveries_total", ("retry",)] == 1
    assert found["hangdao_http_request_seconds_count", ("POST", "/v1/payouts", "201")] == 1
    assert found["hangdao_build_info", ("1.2.3",)] == 1


def test_gauges_take_over_what_the_store_counts(observe: Observe) -> None:
    """In doubt is one number, in flight and float go by channel."""
    observe.metrics.carry(
        {
            "a": ChannelUse("a", inflight=3, in_doubt=1, day_used_minor=0, float_minor=500),
            "b": ChannelUse("b", inflight=2, in_doubt=2, day_used_minor=0, float_minor=0),
        },
        {"a": "CNY"},
    )
    observe.metrics.believe({"a": 990_000})
    found = samples(observe.metrics)
    assert found["hangdao_in_doubt", ()] == 3
    assert found["hangdao_inflight", ("b",)] == 2
    assert found["hangdao_float_minor", ("a", "CNY")] == 500
    assert found["hangdao_channel_success_ratio", ("a",)] == 0.99


def test_every_metric_has_the_prefix_and_no_id_as_a_label(observe: Observe) -> None:
    """The number of series stays bounded, and a dashboard finds all of them."""
    arm = builders.change(builders.payout(), builders.armed())
    observe.moved(arm)
    text = observe.metrics.render().decode()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert all(name.startswith("hangdao_") for name in names)
    assert not any(mark in text for mark in ("po_", "m_acme", arm.after.attempts[0].reference))


def test_two_processes_worth_of_metrics_do_not_touch(observe: Observe) -> None:
    """There is no global registry."""
    observe.delivered("delivered")
    other = samples(Metrics("2"))
    assert ("hangdao_webhook_deliveries_total", ("delivered",)) not in other


def test_the_observer_never_raises_and_counts_what_it_lost(observe: Observe, lines: _Lines) -> None:
    """A log that cannot be written may cost a line, never a payout."""
    observer: Observer = observe
    lines.stream.close()
    observer.alarm("notice.refused")
    assert samples(observe.metrics)["hangdao_unobserved_total", ()] == 1


async def test_one_turn_of_the_loop_writes_its_lines_at_once() -> None:
    """Requests that end together cost one write; a warning brings out what came before it."""
    written: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    log = make_log(_Clock(), Stream())
    log.info("process.started")
    log.info("process.stopping")
    assert written == []
    await asyncio.sleep(0)
    assert [text.count("\n") for text in written] == [2]

    log.info("process.started")
    log.warning("store.broken")
    assert [text.count("\n") for text in written] == [2, 2]
    assert orjson.loads(written[1].splitlines()[1])["event"] == "store.broken"
    await asyncio.sleep(0)
    assert len(written) == 2
