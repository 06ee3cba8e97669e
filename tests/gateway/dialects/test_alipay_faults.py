"""An Alipay caller's daily life against lost replies, a failing store, failing channels and malice.

It keeps its numbers, as the documents tell it. Whatever goes wrong, a number is paid once at most,
and nothing is believed "not paid" for which money moved.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.contract import (
    AlipayAccount,
    Outcome,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from gateway.api.dialects.alipay import Alipay
from gateway.api.dialects.orders import DOUBT, Orders
from gateway.api.dialects.wire import Ask
from gateway.domain.payout import Payout, PayoutState
from gateway.engine import accept as accepting
from gateway.engine.gateway import Halt
from gateway.ports import CommitUnknownError, Intake, Merchant, StoreError
from tests.builders import after
from tests.gateway.dialects.alipay_app import QUERY, TRANSFER, transfer
from tests.gateway.dialects.conftest import OpenPlatform

PAID = {PayoutState.PAID, PayoutState.SETTLED}
OUTCOMES: tuple[Outcome, ...] = (
    Unknown(UnknownCause.TIMEOUT),
    Pending("till-x", "waiting"),
    Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""),
    Rejected(Reason.PAYEE_NOT_FOUND, "NOBODY", ""),
    Rejected(Reason.RAIL_DOWN, "DOWN", ""),
)


def sends(platform: OpenPlatform) -> Counter[str]:
    """How often the channel was asked to pay each account, refusals included."""
    return Counter(
        one.instruction.instrument.identity
        for one in platform.desk.till.sent
        if isinstance(one.instruction.instrument, AlipayAccount)
    )


@pytest.mark.parametrize("seed", range(6))
async def test_a_day_of_lost_replies_and_failing_channels(
    platform: OpenPlatform, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the caller ends up believing is what became of the money."""
    await platform.set(soft_dedupe_minutes=0)
    dice, till = random.Random(seed), platform.desk.till
    store = type(platform.desk.store)
    real = store.accept

    async def shaky(self: Any, *rest: Any) -> Payout:
        match dice.random():
            case chance if chance < 0.15:
                raise StoreError("nothing written")
            case chance if chance < 0.3:
                await real(self, *rest)
                raise CommitUnknownError("no acknowledgement")
        return await real(self, *rest)

    monkeypatch.setattr(store, "accept", shaky)
    beliefs: dict[str, str] = {}
    numbers = [f"{seed}-{n}" for n in range(8)]
    for round_ in range(4):
        for number in numbers:
            if beliefs.get(number, "open") != "open":
                continue
            if dice.random() < 0.5:
                till.outcomes.append(dice.choice(OUTCOMES))
            payee = {**transfer(number)["payee_info"], "identity": f"{number}@example.com"}
            beliefs[number] = await platform.app.settle(
                number, 3, lose=lambda: dice.random() < 0.4, payee_info=payee
            )
            if dice.random() < 0.7:
                await platform.work()
        platform.desk.clock.at = after(700 * (round_ + 1))
    monkeypatch.setattr(store, "accept", real)
    await platform.work()

    payouts = {one.merchant_ref.removeprefix("da_1:"): one for one in await platform.payouts()}
    assert {"paid"} <= set(beliefs.values())
    for number, belief in beliefs.items():
        known = payouts.get(number)
        if belief == "paid":
            assert known is not None
            assert known.state in PAID
        if belief == "not paid":
            assert known is None or known.live is None
    sent = sends(platform)
    for number, known in payouts.items():
        assert sent[f"{number}@example.com"] == len(known.attempts)
        assert sum(one.certificate is None for one in known.attempts) <= 1


async def test_an_unacknowledged_commit_is_dealing_and_not_absent(
    platform: OpenPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was stored nobody knows: for a minute a query does not say that it is not."""
    store = type(platform.desk.store)
    real = store.accept

    async def lost(self: object, *rest: object) -> Payout:
        raise CommitUnknownError("no acknowledgement")

    monkeypatch.setattr(store, "accept", lost)
    first, asked = await platform.app.pay("A"), await platform.app.query("A")
    by_order = await platform.app.call(QUERY, {"order_id": first["order_id"]})
    platform.desk.clock.at = after(DOUBT.total_seconds() + 1)
    later = await platform.app.query("A")
    monkeypatch.setattr(store, "accept", real)
    again = await platform.app.pay("A")

    assert (first["status"], asked["code"], by_order["code"]) == ("DEALING", "20000", "20000")
    assert later["sub_code"] == "ORDER_NOT_EXIST"
    assert (again["status"], again["order_id"]) == ("DEALING", first["order_id"])
    assert len(await platform.payouts()) == 1


async def test_a_slow_store_goes_on_without_its_caller(
    platform: OpenPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query meanwhile hears "ask again" and not that there is no such order."""
    gate, real, orders = asyncio.Event(), accepting.accept, list[Orders]()

    async def slow(
        gateway: Any, merchant: Merchant, request: Any, intake: Intake, actor: str
    ) -> accepting.Acceptance:
        await gate.wait()
        return await real(gateway, merchant, request, intake, actor)

    usual = Orders.take

    async def hasty(self: Orders, *rest: Any) -> Any:
        if not orders:
            self._answer_s = 0.1
        orders.append(self)
        return await usual(self, *rest)

    monkeypatch.setattr("gateway.engine.accept.accept", slow)
    monkeypatch.setattr(Orders, "take", hasty)
    taken = await platform.app.pay("A")
    orders[0]._answer_s = 2.5
    asked = await platform.app.query("A")
    assert await platform.payouts() == []
    gate.set()
    await platform.desk.taken_in()
    again = await platform.app.pay("A")

    assert (taken["status"], asked["code"], asked["sub_code"]) == (
        *("DEALING", "20000", "isp.unknow-error"),
    )
    assert again["order_id"] == taken["order_id"]
    assert len(await platform.payouts()) == 1


async def test_a_store_that_wrote_nothing_says_ask_again(
    platform: OpenPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the query finds nothing, and the same can be sent again."""
    store = type(platform.desk.store)
    real = store.accept

    async def refused(self: object, *rest: object) -> Payout:
        raise StoreError("disk")

    monkeypatch.setattr(store, "accept", refused)
    first, asked = await platform.app.pay("A"), await platform.app.query("A")
    monkeypatch.setattr(store, "accept", real)
    again = await platform.app.pay("A")

    assert (first["code"], first["sub_code"]) == ("20000", "isp.unknow-error")
    assert asked["sub_code"] == "ORDER_NOT_EXIST"
    assert again["status"] == "DEALING"


async def test_a_store_that_does_not_answer(
    platform: OpenPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say that nothing is paid under that number, nor that the app is unknown."""
    await platform.app.pay("A")
    await platform.work()

    async def away(self: object, *rest: object, **named: object) -> object:
        raise StoreError("away")

    for name in ("search", "dialect_account", "dialect_orders", "balances"):
        monkeypatch.setattr(type(platform.desk.store), name, away)
    said = [
        await platform.app.pay("A"),
        await platform.app.query("A"),
        await platform.app.pay("A", trans_amount="x"),
        await platform.app.call("alipay.fund.account.query", {"account_type": "ACCTRANS_ACCOUNT"}),
    ]

    assert said[0]["status"] == "DEALING"
    assert [one["code"] for one in said[1:]] == ["20000", "40004", "20000"]
    assert said[2]["sub_code"] == "PAYMENT_INFO_INCONSISTENCY"


async def test_a_bug_of_ours_is_dealing(
    platform: OpenPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And told to us; where nothing can be stored it is "ask again"."""

    async def broken(*_: object, **__: object) -> accepting.Acceptance:
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.engine.accept.accept", broken)
    told = await platform.app.pay("A")
    monkeypatch.setattr(Orders, "find", broken)
    asked = await platform.app.query("A")

    assert (told["status"], asked["code"]) == ("DEALING", "20000")
    events = [one["event"] for one in platform.desk.log_lines()]
    assert events.count("dialect.defect") == 2


async def test_a_halted_gateway_tells_what_it_knows(platform: OpenPlatform) -> None:
    """And takes nothing in: its caller hears to ask, finds nothing, and sends the same later."""
    await platform.app.pay("A")
    await platform.work()
    platform.desk.gateway.halt(Halt("test", "halted", "停机"))

    known, fresh = await platform.app.pay("A"), await platform.app.pay("B")

    assert (known["status"], fresh["code"]) == ("SUCCESS", "20000")
    assert (await platform.app.query("A"))["status"] == "SUCCESS"
    assert (await platform.app.query("B"))["sub_code"] == "ORDER_NOT_EXIST"
    assert len(await platform.payouts()) == 1


# --- Malice ------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["12.30", "1e9", "TRANS_ACCOUNT_NO_PWD", "\ud800", "\x00", "}", '"'])
    | st.integers(0, 70).map(lambda n: "9" * n),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        *("out_biz_no", "trans_amount", "product_code", "biz_scene", "order_title", "remark"),
        *("payee_info", "passback_params", "order_id", "account_type", "unknown"),
    ]
)
TEXTS = st.one_of(
    st.dictionaries(FIELDS, JSON, max_size=4).map(
        lambda changes: json.dumps({**transfer("A"), **changes})
    ),
    st.dictionaries(
        st.sampled_from(["identity", "identity_type", "name", "bankcard_ext_info"]), JSON
    ).map(lambda payee: json.dumps(transfer("A", payee_info=payee))),
    st.integers(1, 20_000).map(lambda n: "[" * n),
    st.integers(1, 5_000).map(lambda n: '{"a":' * n + "1" + "}" * n),
    st.just('{"out_biz_no":"A","out_biz_no":"B"}'),
    st.integers(4_000, 9_000).map(lambda n: '{"trans_amount":' + "9" * n + "}"),
    st.sampled_from(["NaN", '{"a":NaN}', '{"a":Infinity}', "null", "1", '"x"', "{", "", "{} {}"]),
    JSON.map(json.dumps),
    st.text(max_size=30),
)
COMMON = st.dictionaries(
    st.sampled_from(
        [
            *("charset", "sign_type", "timestamp", "version", "format", "method", "app_id"),
            *("encrypt_type", "app_auth_token", "notify_url", "other", "other[]", "中"),
        ]
    ),
    st.none()
    | st.text(max_size=20)
    | st.sampled_from(["gbk", "GB18030", "utf-7", TRANSFER, QUERY]),
    max_size=2,
)


async def told(platform: OpenPlatform, ask: Ask) -> dict[str, Any]:
    """The node of an answer, which there always is, and no key in it."""
    said = await Alipay().answer(platform.counter, ask)
    read = json.loads(said.body.decode(said.content_type.partition("=")[2]))
    (node,) = [one for name, one in read.items() if name != "sign"]
    assert node["code"] in {"10000", "20000", "20001", "40001", "40002", "40004", "40006"}
    ours = platform.account.keys[0].ours
    assert ours is not None
    assert ours[64:128].encode() not in said.body
    assert "dialect.defect" not in platform.desk.log.getvalue()
    assert isinstance(node, dict)
    return node


def encoded(given_: Mapping[str, str]) -> bytes:
    """A form, whatever is in it."""
    return "&".join(
        quote_plus(name, errors="replace") + "=" + quote_plus(text, errors="surrogatepass")
        for name, text in given_.items()
    ).encode()


LAW = settings(
    max_examples=200,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@LAW
@given(content=TEXTS, common=COMMON)
async def test_a_proven_request_is_stored_or_refused(
    platform: OpenPlatform, content: str, common: dict[str, str | None]
) -> None:
    """Whatever is in it: it is told 10000 only if there is an order, and made only if so told."""
    before = {one.merchant_ref for one in await platform.payouts()}
    signed = platform.app.signed(TRANSFER, content, **common)
    node = await told(platform, Ask("POST", "/gateway.do", "", "", encoded(signed), "127.0.0.1"))

    stored = {one.merchant_ref for one in await platform.payouts()} - before
    assert len(stored) <= 1
    if node["code"] == "10000" and "status" in node:
        number = platform.account.ref_of(node["out_biz_no"])
        assert number in stored | before
    else:
        assert stored == set()


@LAW
@given(
    query=st.text(max_size=60) | st.sampled_from(["app_id=%FF&sign=%00", "a=1&a=2", "&" * 999]),
    body=st.binary(max_size=200) | st.dictionaries(st.text(max_size=9), st.text()).map(encoded),
    sign=st.text(max_size=40) | st.sampled_from(["", "====", "A" * 344, "é", "\udcff"]),
    method=st.sampled_from(["GET", "POST", "PUT"]),
)
async def test_an_unproven_request_stores_nothing(
    platform: OpenPlatform, query: str, body: bytes, sign: str, method: str
) -> None:
    """Bad base64, bytes of no charset, names twice, another's application."""
    rows = platform.desk.rows()
    signed = {**platform.app.signed(TRANSFER, transfer("A")), "sign": sign}
    extended = encoded(signed) + b"&" + body
    asks = [
        Ask(method, "/gateway.do", "", query, body, "127.0.0.1"),
        Ask(method, "/gateway.do", "", query, extended, "127.0.0.1"),
        Ask("GET", "/gateway.do", "", encoded(signed).decode(), b"", None),
    ]
    for ask in asks:
        assert (await told(platform, ask))["code"] != "10000"

    assert platform.desk.rows() == rows
    for secret in (platform.app.private_key[64:128], "zhang@example.com"):
        assert secret not in platform.desk.log.getvalue()
