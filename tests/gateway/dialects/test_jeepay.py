"""Jeepay's door as the stock Java SDK meets it: signatures, fields, states, texts."""

import asyncio
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from channels.contract import PayeeAction, Pending, Reason, Rejected
from channels.keyed_md5 import signature
from gateway.api.dialects.jeepay import Jeepay
from gateway.domain.dialect import KeySet
from gateway.domain.payout import PayoutState
from gateway.engine import operate
from gateway.ports import CommitUnknownError, StoreError
from tests.builders import NOW, after
from tests.gateway.dialects.jeepay_callers import CARD, order
from tests.gateway.dialects.jeepay_shop import APP_ID, MCH_NO, Shop

VECTOR = {
    "amount": 100,
    "appId": APP_ID,
    "mchNo": MCH_NO,
    "reqTime": "1700000000123",
    "signType": "MD5",
    "version": "1.0",
}


async def form(shop: Shop, fields: dict[str, Any], path: str = "api/transferOrder") -> Any:
    """A form instead of JSON."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with shop.desk.http.post(
        shop.sdk.base + path, data=urlencode(fields), headers=kind
    ) as response:
        return json.loads(await response.read())


def test_the_caller_signs_as_published(shop: Shop) -> None:
    """The SDK's own vectors, so that what it proves here is worth something."""
    sdk = replace(shop.sdk, key="offline-test-key")
    commons = {name: VECTOR[name] for name in ("reqTime", "signType", "version")}
    tied = {**commons, "a": "z", "A": "a", "a0": "prefix"}

    assert sdk.get_sign(VECTOR) == "CE76B1B36C5B683AD2F8FB0FCA95055B"
    assert sdk.get_sign(tied) == "BA9AF3B13F07EC35495DCC96D8171C56"
    assert signature(VECTOR, sdk.key) == sdk.get_sign(VECTOR)


async def test_a_submission_says_what_stock_says(shop: Shop) -> None:
    """Signed data with what was asked for, under way, and not a word about errors."""
    said = await shop.sdk.transfer()

    assert (said["code"], said["msg"]) == (0, "SUCCESS")
    data = said["data"]
    assert len(data.pop("transferId")) <= 32
    assert data == {
        "mchOrderNo": "M-1",
        "amount": 1230,
        "accountNo": CARD,
        "accountName": "王小五",
        "bankName": "中国工商银行",
        "state": 1,
    }


async def test_a_query_says_all_of_it_by_either_number(shop: Shop) -> None:
    """Extras are shown as they were sent; moments in milliseconds."""
    extras = {"extParam": "uid=1&lvl=2", "channelExtra": '{"transferSceneId": "1000"}'}
    made = (await shop.sdk.transfer(**extras))["data"]
    await shop.work()

    first = await shop.sdk.query(mchOrderNo="M-1")
    second = await shop.sdk.query(transferId=made["transferId"])

    assert first["data"] == second["data"]
    data = first["data"]
    assert data["channelOrderNo"]
    assert data == {
        **made,
        **extras,
        "state": 2,
        "channelOrderNo": data["channelOrderNo"],
        "mchNo": MCH_NO,
        "appId": APP_ID,
        "ifCode": "bank",
        "entryType": "BANK_CARD",
        "currency": "cny",
        "transferDesc": "十月佣金",
        "createdAt": int(NOW.timestamp() * 1000),
        "successTime": data["successTime"],
    }


async def test_queries_come_by_get_as_well(shop: Shop) -> None:
    """All fields in the query string."""
    await shop.sdk.transfer()
    asked = urlencode(shop.sdk.signed({"mchOrderNo": "M-1"}))

    async with shop.desk.http.get(f"{shop.sdk.base}api/transfer/query?{asked}") as response:
        said = json.loads(await response.read())

    assert said["data"]["mchOrderNo"] == "M-1"
    async with shop.desk.http.get(f"{shop.sdk.base}api/transferOrder?{asked}") as response:
        assert json.loads(await response.read())["code"] == 10


async def test_forms_and_json_are_the_same_order(shop: Shop) -> None:
    """Amounts as text or number, signed alike."""
    first = await shop.sdk.transfer()
    again = await form(shop, shop.sdk.signed(order()))
    as_text = await shop.sdk.transfer(amount="1230")

    assert first["data"] == again["data"] == as_text["data"]
    assert len(await shop.payouts()) == 1


async def test_an_old_request_sent_again_is_the_same_order(shop: Shop) -> None:
    """Stock does not look at `reqTime`: whoever repeats a signed request changes nothing."""
    asked = shop.sdk.signed({**order(), "reqTime": "1500000000000"})
    first = await shop.sdk.post("api/transferOrder", asked)
    shop.desk.clock.at = after(30 * 86_400)

    again = await shop.sdk.post("api/transferOrder", asked)

    assert first["data"] == again["data"]
    assert len(await shop.payouts()) == 1


@pytest.mark.parametrize("signed", [True, False])
async def test_fields_nobody_knows_may_be_signed_or_not(shop: Shop, *, signed: bool) -> None:
    """Resellers add some; their names are logged, never what they hold."""
    extra = {"divisionMode": "hidden-value", "z_flag": True}
    asked = shop.sdk.signed({**order(), **extra} if signed else order()) | extra

    said = await shop.sdk.post("api/transferOrder", asked)

    assert said["data"]["state"] == 1
    (line,) = [one for one in shop.desk.log_lines() if one["event"] == "dialect.unknown_fields"]
    assert "divisionMode" in line["problem"]
    assert "hidden-value" not in shop.desk.log.getvalue()


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"mchOrderNo": ""}, 11, "参数有误[商户订单号不能为空]"),
        ({"amount": ""}, 11, "参数有误[转账金额不能为空]"),
        ({"amount": 0}, 11, "参数有误[转账金额不能小于1分]"),
        ({"amount": "12.3"}, 11, "参数有误[转账金额须为整数，单位为分]"),
        ({"amount": 12.5}, 11, "参数有误[转账金额须为整数，单位为分]"),
        ({"amount": -1}, 11, "参数有误[转账金额须为整数，单位为分]"),
        ({"amount": "1e3"}, 11, "参数有误[转账金额须为整数，单位为分]"),
        ({"amount": "９"}, 11, "参数有误[转账金额须为整数，单位为分]"),
        ({"currency": "usd"}, 11, "参数有误[货币代码仅支持 cny]"),
        ({"accountNo": "12"}, 11, "参数有误[银行卡号格式错误]"),
        ({"accountName": ""}, 11, "参数有误[收款人姓名不能为空]"),
        ({"mchOrderNo": "a&b"}, 11, "参数有误[mchOrderNo 最多64个字符，且不能含空白、& 和 =]"),
        (
            {"accountName": "王&accountNo=6"},
            11,
            "参数有误[accountName 最多64个字符，且不能含“&字段=”]",
        ),
        (
            {"entryType": "X", "ifCode": "931"},
            11,
            "参数有误[不支持该入账方式，可用 WX_CASH、ALIPAY_CASH、BANK_CARD]",
        ),
        ({"transferDesc": "a\tb"}, 11, "参数有误[transferDesc 须为 UTF-8 编码且不含控制字符]"),
        ({"extParam": "a\x00"}, 11, "参数有误[extParam 须为 UTF-8 编码且不含控制字符]"),
        ({"amount": 99_999_999_999}, 9999, None),
    ],
)
async def test_what_cannot_be_taken_is_refused_and_not_stored(
    shop: Shop, changes: dict[str, Any], code: int, message: str | None
) -> None:
    """In stable texts; the same number is free for a better try."""
    said = await shop.sdk.transfer(**changes)

    assert said["code"] in ({code} if message else {9999, 11}), said
    assert said["msg"] == (message or said["msg"])
    assert await shop.payouts() == []
    assert (await shop.sdk.transfer())["code"] == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mchNo": "M0"}, "商户或商户应用不存在"),
        ({"appId": "x"}, "商户或商户应用不存在"),
        ({"amount": 1231}, "验签失败"),
        ({"sign": "0" * 32}, "验签失败"),
        ({"sign": "签"}, "验签失败"),
        ({"extra": {"deep": [1]}, "sign": "0" * 32}, "验签失败"),
    ],
)
async def test_nobody_asks_without_proof(shop: Shop, fields: dict[str, Any], message: str) -> None:
    """Unsigned, 9999, nothing stored."""
    said = await shop.sdk.post("api/transferOrder", {**shop.sdk.signed(order()), **fields})

    assert said == {"code": 9999, "msg": message}
    assert await shop.payouts() == []


async def test_the_same_order_is_replayed_and_another_one_is_not(shop: Shop) -> None:
    """A lost reply is asked for again; another content under the same number conflicts."""
    first = await shop.sdk.transfer(notifyUrl="https://shop.example/a")
    again = await shop.sdk.transfer(notifyUrl="https://shop.example/b", clientIp="10.0.0.1")
    other = await shop.sdk.transfer(amount=1231)
    kept = await shop.sdk.transfer(extParam="another")

    assert first["data"] == again["data"]
    for one in (other, kept):
        assert one == {"code": 9999, "msg": "该交易号已存在且内容不同，请更换交易号"}
    assert len(await shop.payouts()) == 1


async def test_duplicates_are_refused_as_stock_where_the_merchant_wants_it(shop: Shop) -> None:
    """By its switch."""
    await shop.set(replay_duplicates=False)
    await shop.sdk.transfer()

    assert (await shop.sdk.transfer())["code"] == 9999


async def test_many_at_once_are_one(shop: Shop) -> None:
    """Fifty of the same order, one payout, one answer."""
    said = await asyncio.gather(*(shop.sdk.transfer() for _ in range(50)))

    assert len({json.dumps(one["data"], sort_keys=True) for one in said}) == 1
    await shop.work()
    assert len(shop.desk.till.sent) == 1


@pytest.mark.parametrize(
    "switches", [{"ip_allow": ("10.0.0.0/8",)}, {"rsa_only": True}], ids=["ip", "md5"]
)
async def test_switches_close_the_door(shop: Shop, switches: dict[str, Any]) -> None:
    """To addresses, and to MD5."""
    await shop.set(**switches)

    assert (await shop.sdk.transfer())["code"] == 9999


async def test_a_new_secret_works_beside_the_old_one(shop: Shop) -> None:
    """Each is answered with its own."""
    fresh = replace(shop.sdk, key="a" * 64)
    await shop.change(keys=(KeySet("k2", after(1), fresh.key), *shop.account.keys))

    assert (await shop.sdk.transfer())["data"] == (await fresh.transfer())["data"]


async def test_review_and_rejection(shop: Shop) -> None:
    """Held is under way; a person's no is a failure with a text."""
    await shop.sdk.transfer("M-1")
    await shop.sdk.transfer("M-2")
    (held,) = [one for one in await shop.payouts() if one.merchant_ref == "da_1:M-2"]
    assert held.state is PayoutState.HELD
    assert (await shop.sdk.query(mchOrderNo="M-2"))["data"]["state"] == 1

    await operate.cancel(shop.desk.gateway, held.id, None, "operator")

    data = (await shop.sdk.query(mchOrderNo="M-2"))["data"]
    assert (data["state"], data["errCode"], data["errMsg"]) == (3, "REJECTED", "转账已取消")


async def test_a_proven_failure_says_why(shop: Shop) -> None:
    """Once no money can move any more."""
    shop.desk.till.outcomes.append(Rejected(Reason.PAYEE_NOT_FOUND, "X", "王小五 unknown"))
    await shop.sdk.transfer()
    await shop.work()

    data = (await shop.sdk.query(mchOrderNo="M-1"))["data"]
    assert (data["state"], data["errCode"]) == (3, "PAYEE_NOT_FOUND")
    assert data["errMsg"] == "转账失败：收款账号不存在"
    assert "successTime" not in data


OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
CONFIRMED_BY = [
    (PayeeAction("wechat_confirm", "PKG/+=", after(3600)), {"package": "PKG/+="}),
    (
        PayeeAction("wechat_confirm", "PKG/+=", after(3600), app_id="wx1", mch_id="19"),
        {"appId": "wx1", "mchId": "19", "package": "PKG/+=", "userH5ConfirmUrl": "ours"},
    ),
    (PayeeAction("open_link", "https://a/b", after(3600)), {"userH5ConfirmUrl": "https://a/b"}),
]


@pytest.mark.parametrize(("action", "fields"), CONFIRMED_BY)
async def test_the_payee_is_told_what_to_open(
    shop: Shop, action: PayeeAction, fields: dict[str, str]
) -> None:
    """Stock fields: WeChat's package with whose it is, and a page; until its time is over."""
    shop.desk.till.outcomes.append(Pending("c-1", "WAIT_USER_CONFIRM", action))
    await shop.sdk.transfer()
    await shop.work()
    (payout,) = await shop.payouts()
    assert shop.desk.api.confirm_links is not None
    if "appId" in fields:
        fields = {**fields, "userH5ConfirmUrl": shop.desk.api.confirm_links.url(payout.id)}

    again, asked = await shop.sdk.transfer(), await shop.sdk.query(mchOrderNo="M-1")
    shop.desk.clock.at = after(3600)
    late = await shop.sdk.query(mchOrderNo="M-1")

    for one in (again["data"], asked["data"]):
        assert one["state"] == 1
        assert json.loads(one["channelResData"]) == fields
    assert "channelResData" not in late["data"]


async def test_a_wechat_payee_is_given_the_page_with_the_first_answer(shop: Shop) -> None:
    """Before a channel was asked, and only where one will want a confirmation."""
    wallet = {"ifCode": "wxpay", "entryType": "WX_CASH", "accountNo": OPENID, "bankName": None}
    told, card = await shop.sdk.transfer(**wallet), await shop.sdk.transfer("M-2")
    (payout,) = [one for one in await shop.payouts() if one.merchant_ref == "da_1:M-1"]

    assert shop.desk.api.confirm_links is not None
    page = shop.desk.api.confirm_links.url(payout.id)
    assert json.loads(told["data"]["channelResData"]) == {"userH5ConfirmUrl": page}
    assert "channelResData" not in card["data"]


async def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    """9999 in stock words; another account's orders are nobody's."""
    for by in ({"mchOrderNo": "M-9"}, {"transferId": "1"}):
        assert await shop.sdk.query(**by) == {"code": 9999, "msg": "订单不存在"}
    assert (await shop.sdk.query())["code"] == 11


async def test_a_failing_store_is_under_way(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """State 1 of code 0, the same order number, no payout twice."""
    await shop.sdk.transfer("M-0", amount=1)

    async def lost(*_: object, **__: object) -> None:
        raise CommitUnknownError("who knows")

    real = shop.desk.store.accept
    monkeypatch.setattr(shop.desk.store, "accept", lost)
    said = await shop.sdk.transfer()
    monkeypatch.setattr(shop.desk.store, "accept", real)
    later = await shop.sdk.transfer()

    assert said["data"] == later["data"]
    assert said["data"]["state"] == 1

    async def away(*_: object, **__: object) -> None:
        raise StoreError("away")

    monkeypatch.setattr(shop.desk.store, "search", away)
    asked = await shop.sdk.query(mchOrderNo="M-1")
    assert asked["data"] == {"mchOrderNo": "M-1", "state": 1}


async def test_an_order_under_way_is_not_unknown(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was told "processing" must not hear "no such order" while it is being stored."""
    gate = asyncio.Event()
    real = shop.desk.store.accept

    async def slow(*args: Any) -> Any:
        await gate.wait()
        return await real(*args)

    monkeypatch.setattr(shop.desk.store, "accept", slow)
    said = await shop.sdk.transfer()
    asked = await shop.sdk.query(mchOrderNo="M-1")
    by_ours = await shop.sdk.query(transferId=said["data"]["transferId"])
    gate.set()

    assert (asked["code"], by_ours["code"]) == (0, 0)
    assert asked["data"]["state"] == by_ours["data"]["state"] == 1
    await shop.desk.taken_in()
    assert (await shop.sdk.query(mchOrderNo="M-1"))["data"]["amount"] == 1230


async def test_a_removed_account_asks_for_nothing_new(shop: Shop) -> None:
    """What it asked for is still told."""
    await shop.sdk.transfer()
    await shop.change(removed_at=NOW)

    assert (await shop.sdk.transfer())["data"]["state"] == 1
    assert await shop.sdk.transfer("M-2") == {"code": 9999, "msg": "商户已被封禁"}
    assert (await shop.sdk.query(mchOrderNo="M-1"))["code"] == 0


async def test_stock_paths_answer_on_a_host_of_their_own(shop: Shop) -> None:
    """A base URL without a prefix."""
    shop.desk.api.dialect_hosts = {"pay.example": "jeepay"}
    body = json.dumps(shop.sdk.signed(order())).encode()
    url = shop.desk.server.make_url("/api/transferOrder")

    async with shop.desk.http.post(
        url, data=body, headers={"Host": "pay.example", "Content-Type": "application/json"}
    ) as response:
        assert json.loads(await response.read())["code"] == 0


async def test_nothing_secret_is_logged_or_said(shop: Shop) -> None:
    """The key, and the payee, whatever happens."""
    await shop.sdk.transfer()
    await replace(shop.sdk, key="b" * 64).transfer()
    await shop.work()
    text = shop.desk.log.getvalue()

    assert shop.sdk.key not in text
    assert CARD not in text


def test_a_new_account_looks_like_stock(shop: Shop) -> None:
    """`mchNo:appId`, and a secret for both ways."""
    dialect, entropy = Jeepay(), shop.desk.api.entropy
    minted = dialect.mint(entropy, KeySet("k1", NOW))

    assert Jeepay.public_id.fullmatch(dialect.new_public_id(entropy))
    assert minted.shown == {"app_secret": minted.keys.secret}
    assert dialect.public_parts(minted.keys) == {}
    assert dialect.check_public_key("x")


async def test_a_payment_that_comes_back_is_a_failure(shop: Shop) -> None:
    """With a text that says so; the first time it was paid."""
    await shop.sdk.transfer()
    await shop.work()
    assert (await shop.sdk.query(mchOrderNo="M-1"))["data"]["state"] == 2

    await shop.come_back()

    data = (await shop.sdk.query(mchOrderNo="M-1"))["data"]
    assert (data["state"], data["errCode"]) == (3, "RETURNED")
    assert data["errMsg"] == "已退票，款项已退回"
