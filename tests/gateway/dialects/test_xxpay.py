"""XxPay as its callers meet it: requests on the wire, replies they believe."""

import asyncio
import dataclasses

import pytest
from msgspec.structs import replace

from channels.contract import (
    BankAccount,
    BankCard,
    Rail,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from gateway.domain.dialect import KeySet
from gateway.domain.merchant_fee import MerchantFee
from gateway.domain.payout import PayoutState
from gateway.engine import operate, record
from gateway.engine.gateway import Halt
from gateway.ports import CommitUnknownError, Search, StoreError
from policies.fees import Fee
from tests.builders import NOW, after, came_back, contradicted
from tests.gateway.api.desk import ACME
from tests.gateway.dialects.xxpay_shop import XXPAY_KEY, XxShop
from tests.gateway.dialects.xxpayer import Way

NUMBER = "P2026030210000001"
APPLY, QUERY, BALANCE = (
    "api/agentpay/apply",
    "api/agentpay/query_order",
    "api/agentpay/query_balance",
)
COMPANY = {
    "accountAttr": "1",
    "accountName": "某某科技有限公司",
    "accountNo": "0200004509022100123",
    "province": "浙江省",
    "city": "杭州市",
    "bankName": "中国工商银行",
    "bankNumber": "102100000450",
}


@pytest.mark.parametrize("way", ["form", "params", "query", "get"])
async def test_an_order_is_taken_paid_and_found(xxshop: XxShop, way: Way) -> None:
    """Wherever its fields stand, it is processing when submitted, and paid later."""
    xxshop.caller.way = way
    told = await xxshop.caller.apply(NUMBER)
    assert (told.ok, told.status) == (True, 1)
    assert set(told.reply) == {
        *("retCode", "retMsg", "agentpayOrderId", "status", "fee", "transMsg", "extra", "sign"),
    }
    assert (told.reply["fee"], told.reply["extra"]) == (30, f"x-{NUMBER}")
    own = told.reply["agentpayOrderId"]
    assert len(own) <= 30
    await xxshop.work()

    found = await xxshop.caller.query(NUMBER)

    assert {name: found[name] for name in ("retCode", "mchOrderNo", "agentpayOrderId")} == {
        "retCode": "SUCCESS",
        "mchOrderNo": NUMBER,
        "agentpayOrderId": own,
    }
    assert (found["status"], found["amount"], found["fee"]) == ("2", "1230", "30")
    assert found["transMsg"] == ""
    (payout,) = await xxshop.payouts()
    assert payout.merchant_ref == f"da_x:{NUMBER}"
    assert payout.instruments == (BankCard("6222021234567890123", "王小五"),)


async def test_numbers_in_json_are_numbers(xxshop: XxShop) -> None:
    """Some callers put amounts and ids into `params` unquoted."""
    xxshop.caller.way = "params"

    told = await xxshop.caller.apply(NUMBER, amount=1230, accountAttr=0, subAmountFrom=2)

    assert told.ok
    assert (await xxshop.order(NUMBER)).asked.minor == 1230


async def test_a_company_is_paid_at_its_bank(xxshop: XxShop) -> None:
    """With the branch's line number."""
    till = xxshop.desk.till
    till.traits = replace(till.traits, rails=frozenset({Rail.BANK_ACCOUNT}))

    told = await xxshop.caller.apply(NUMBER, **COMPANY)

    assert told.ok
    assert (await xxshop.order(NUMBER)).instruments == (
        BankAccount(
            COMPANY["accountNo"],
            COMPANY["accountName"],
            "102100000450",
            "中国工商银行",
            province="浙江省",
            city="杭州市",
        ),
    )


@pytest.mark.parametrize("missing", ["province", "city", "bankName", "bankNumber"])
async def test_a_company_needs_its_branch(xxshop: XxShop, missing: str) -> None:
    """Each field is demanded by name."""
    told = await xxshop.caller.apply(NUMBER, **{**COMPANY, missing: ""})

    assert told.reply["retMsg"] == f"对公代付,参数[{missing}]必填"
    assert await xxshop.payouts() == []


@pytest.mark.parametrize(
    ("changes", "msg"),
    [
        ({"amount": "12.30"}, "参数[amount]须为整数，单位分"),
        ({"amount": "-1"}, "参数[amount]须为整数，单位分"),
        ({"amount": "１２３"}, "参数[amount]须为整数，单位分"),
        ({"amount": ""}, "参数[amount]必填"),
        ({"amount": "0"}, "参数[amount]必须大于0"),
        ({"amount": "9" * 16}, "参数[amount]过大"),
        ({"mchOrderNo": ""}, "参数[mchOrderNo]必填"),
        ({"mchOrderNo": "9" * 65}, "参数[mchOrderNo]不能超过64个字符"),
        ({"accountName": ""}, "参数[accountName]必填"),
        ({"accountNo": ""}, "参数[accountNo]必填"),
        ({"accountNo": "62x"}, "参数[accountNo]须为8到32位数字"),
        ({"accountAttr": "2"}, "参数[accountAttr]只能为0(对私)或1(对公)"),
        ({"subAmountFrom": "3"}, "参数[subAmountFrom]只能为1(收款账户)或2(代付余额账户)"),
        ({"remark": "长" * 129}, "参数[remark]不能超过128个字符"),
        ({"remark": "a&accountNo=6222"}, "参数[remark]不能含有“&名称=”形式的内容"),
        ({"accountName": "a&b=1"}, "参数[accountName]不能含有“&名称=”形式的内容"),
        ({"extra": "x" * 513}, "参数[extra]不能超过512个字符"),
        ({"remark": "two\nlines"}, "参数[remark]须为 UTF-8 编码且不含控制字符"),
        ({**COMPANY, "bankNumber": "ICBC"}, "参数[bankNumber]须为12位联行号"),
        ({"amount": "9999999900"}, "没有任何已配置渠道可以承接该代付"),
        ({"amount": "100000001"}, "没有任何已配置渠道可以承接该代付"),
        ({"amount": "100000000"}, "代付余额不足"),
    ],
)
async def test_fields_are_refused_with_stable_words(
    xxshop: XxShop, changes: dict[str, str], msg: str
) -> None:
    """Operators search for these texts; they are signed, and nothing is stored."""
    told = await xxshop.caller.apply(**{"number": NUMBER, **changes})

    assert (told.reply["retCode"], told.reply["retMsg"]) == ("FAIL", msg)
    assert xxshop.caller.believes(told.reply)
    assert await xxshop.payouts() == []


@pytest.mark.parametrize(
    "stamp", ["", "20260302100000", "1772416800123", "yesterday", "20991231235959"]
)
async def test_what_reqtime_says_refuses_nobody(xxshop: XxShop, stamp: str) -> None:
    """Nothing depends on it, and a refusal would be read as "not paid"."""
    assert (await xxshop.caller.apply(NUMBER, reqTime=stamp)).ok


@pytest.mark.parametrize("field", ["remark", "accountAttr", "subAmountFrom", "extra"])
async def test_what_can_be_left_out(xxshop: XxShop, field: str) -> None:
    """Older servers and clones omit them."""
    assert (await xxshop.caller.apply(NUMBER, **{field: None})).ok


async def test_errors_before_a_caller_is_proven_are_unsigned(xxshop: XxShop) -> None:
    """Each in words of its own, and none with a secret."""
    caller, good = xxshop.caller, xxshop.caller.signed({"mchOrderNo": NUMBER})
    told = [
        await caller.send(QUERY, {}),
        await caller.send(QUERY, {**good, "mchId": "x"}),
        await caller.send(QUERY, {**good, "mchId": "999"}),
        await caller.send(QUERY, {**good, "mchOrderNo": "other"}),
        await caller.send(QUERY, {**good, "sign": ""}),
        await caller.send(QUERY, dataclasses.replace(caller, key="ANOTHER-KEY").signed({})),
        await caller.send("api/agentpay/cancel", good),
    ]

    assert [one["retMsg"] for one in told] == [
        "未传入任何参数",
        "参数[mchId]必填,且为数值类型",
        "商户不存在",
        *["验证签名不通过"] * 3,
        "请求的接口不存在",
    ]
    assert all(set(one) == {"retCode", "retMsg"} for one in told)


async def test_fields_that_disagree_are_refused(xxshop: XxShop) -> None:
    """In the query string and in the form: which one counts would be a guess."""
    fields = xxshop.caller.signed({"mchOrderNo": NUMBER})

    told = await xxshop.caller.send(f"{QUERY}?mchOrderNo=other", fields)

    assert told["retMsg"] == "参数[mchOrderNo]重复且内容不一致"


async def test_params_must_be_an_object(xxshop: XxShop) -> None:
    """With each field once."""
    for text in ("[]", "{", '{"mchId":"1","mchId":"2"}', "null"):
        told = await xxshop.caller.send(QUERY, {"params": text})
        assert told["retMsg"] == "参数[params]须为一个 JSON 对象"


async def test_the_same_order_again_is_told_as_it_stands(xxshop: XxShop) -> None:
    """As a success, also once it has failed; another content is a conflict."""
    xxshop.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    first = await xxshop.caller.apply(NUMBER)
    await xxshop.work()

    same = await xxshop.caller.apply(NUMBER, reqTime="20260302235959", amount="01230")
    other = await xxshop.caller.apply(NUMBER, amount="1231")

    assert (same.ok, same.status) == (True, 3)
    assert same.reply["transMsg"] == "转账失败：收款人拒绝收款"
    assert same.reply["agentpayOrderId"] == first.reply["agentpayOrderId"]
    assert other.reply["retMsg"] == "该交易号已存在且内容不同，请更换交易号"
    assert len(await xxshop.payouts()) == 1


async def test_replays_can_be_refused_as_stock_does(xxshop: XxShop) -> None:
    """A switch, off by choice only."""
    await xxshop.set(replay_duplicates=False)
    await xxshop.caller.apply(NUMBER)

    assert (await xxshop.caller.apply(NUMBER)).reply["retMsg"] == "该交易号已存在，请更换交易号"


async def test_fifty_at_once_are_one_order(xxshop: XxShop) -> None:
    """All of them hear the same."""
    told = await asyncio.gather(*(xxshop.caller.apply(NUMBER) for _ in range(50)))
    await xxshop.desk.taken_in()

    assert {(one.ok, one.status) for one in told} == {(True, 1)}
    assert len({one.reply["agentpayOrderId"] for one in told}) == 1
    assert len(await xxshop.payouts()) == 1


@pytest.mark.parametrize("number", ["A-1", "订单一", "1" * 22, "9" * 64, "a b"])
async def test_any_number_is_taken_and_found_by_both(xxshop: XxShop, number: str) -> None:
    """Theirs, or ours in our field."""
    told = await xxshop.caller.apply(number)
    own = told.reply["agentpayOrderId"]

    by_theirs = await xxshop.caller.query(number)
    by_own = await xxshop.caller.ask(QUERY, agentpayOrderId=own)

    for found in (by_theirs, by_own):
        assert (found["agentpayOrderId"], found["mchOrderNo"]) == (own, number)


async def test_an_order_that_is_not_there_is_told_signed(xxshop: XxShop) -> None:
    """So that it can be believed; and what it was asked by must be said."""
    absent = await xxshop.caller.query("P0")
    nothing = await xxshop.caller.ask(QUERY)

    assert (absent["retCode"], absent["retMsg"]) == ("FAIL", "代付订单不存在")
    assert nothing["retMsg"] == "参数[mchOrderNo]和[agentpayOrderId]至少填一个"


@pytest.mark.parametrize(
    ("apply_path", "query_path", "balance_path"),
    [
        ("agentPay/apply", "agentPay/queryOrder", "agentPay/queryBalance"),
        (
            "api/unified/agentpay/apply",
            "api/unified/agentpay/query_order",
            "api/unified/agentpay/query_balance",
        ),
    ],
)
async def test_clones_paths_are_the_same_calls(
    xxshop: XxShop, apply_path: str, query_path: str, balance_path: str
) -> None:
    """They moved and renamed what they took over."""
    caller = dataclasses.replace(
        xxshop.caller, apply_path=apply_path, query_path=query_path, balance_path=balance_path
    )

    assert (await caller.apply(NUMBER)).ok
    assert (await caller.query(NUMBER))["status"] == "1"
    assert caller.believes(await caller.ask(balance_path))


async def test_clones_that_sign_in_lower_case_are_answered_so(xxshop: XxShop) -> None:
    """They compare as text."""
    xxshop.caller.lower_case = True

    assert (await xxshop.caller.apply(NUMBER)).ok
    assert (await xxshop.caller.query(NUMBER))["status"] == "1"


async def test_unknown_fields_may_be_signed_or_not(xxshop: XxShop) -> None:
    """Their names are logged once, their values never."""
    fields = {"mchOrderNo": NUMBER, "agentpayOrderId": ""}
    within = xxshop.caller.signed({**fields, "passageId": "s3cret"})
    without = {**xxshop.caller.signed(fields), "cip": "s3cret"}
    await xxshop.caller.apply(NUMBER)

    for each in (within, without, within):
        assert (await xxshop.caller.send(QUERY, each))["retCode"] == "SUCCESS"

    lines = [one for one in xxshop.desk.log_lines() if one["event"] == "dialect.unknown_fields"]
    assert [one["problem"] for one in lines] == ["'passageId'", "'cip'"]
    assert "s3cret" not in xxshop.desk.log.getvalue()
    assert XXPAY_KEY not in xxshop.desk.log.getvalue()


async def test_a_used_field_cannot_hide_from_the_signature(xxshop: XxShop) -> None:
    """Only fields nobody uses may stand outside it."""
    signed = xxshop.caller.signed({"mchOrderNo": NUMBER})

    told = await xxshop.caller.send(QUERY, {**signed, "agentpayOrderId": "slipped-in"})

    assert told["retMsg"] == "验证签名不通过"


async def test_balances_are_told_in_fen(xxshop: XxShop) -> None:
    """What is there, and what of it is free."""
    before = await xxshop.caller.ask(BALANCE)
    await xxshop.caller.apply(NUMBER)
    told = await xxshop.caller.ask(BALANCE)

    assert xxshop.caller.believes(told)
    assert before["agentpayBalance"] == before["availableAgentpayBalance"] == 100_000_000
    assert (told["agentpayBalance"], told["availableAgentpayBalance"]) == (100_000_000, 99_998_740)


async def test_a_deducted_fee_leaves_the_order_what_was_asked_for(xxshop: XxShop) -> None:
    """`amount` is the caller's own, `fee` comes out of it."""
    fee = MerchantFee(Fee(flat_minor=100, mode="deducted"))
    merchant = (await xxshop.desk.store.merchants())[0]
    await xxshop.desk.add_merchant(replace(merchant, id=type(ACME)("m_in"), fee=fee))
    other = replace(xxshop.account, id="da_3", public_id="3", merchant_id=type(ACME)("m_in"))
    await xxshop.desk.store.add_dialect_account(other, "test")
    caller = dataclasses.replace(xxshop.caller, mch_id="3")

    first, again = await caller.apply(NUMBER), await caller.apply(NUMBER)
    told = await caller.query(NUMBER)

    assert first.reply["fee"] == again.reply["fee"] == 100
    assert (told["amount"], told["fee"]) == ("1230", "100")
    stored = (await xxshop.desk.store.search(Search(type(ACME)("m_in"))))[0]
    assert stored.amount.minor == 1130


async def test_callers_outside_the_allow_list_are_refused(xxshop: XxShop) -> None:
    """By network."""
    await xxshop.set(ip_allow=("10.0.0.0/8",))

    told = await xxshop.caller.apply(NUMBER)

    assert told.reply == {"retCode": "FAIL", "retMsg": "请求 IP 不在白名单内"}


async def test_two_keys_work_while_they_are_exchanged(xxshop: XxShop) -> None:
    """Whoever asks with one is answered with the same one."""
    fresh = KeySet("k2", NOW, "THE-KEY-THAT-COMES-NEXT")
    rotated = xxshop.account.rotated(fresh, only=False)
    await xxshop.desk.store.change_dialect_account(rotated, "rotated", "ops")

    assert (await xxshop.caller.apply(NUMBER)).ok
    assert (
        await dataclasses.replace(xxshop.caller, key="THE-KEY-THAT-COMES-NEXT").apply(NUMBER)
    ).ok


async def test_a_review_is_pending(xxshop: XxShop) -> None:
    """Status 0, by the table; nothing is named as an error."""
    await xxshop.caller.apply("A")
    held = await xxshop.caller.apply("B")

    assert (held.ok, held.status, held.reply["transMsg"]) == (True, 0, "")


async def test_what_a_person_stopped_has_failed(xxshop: XxShop) -> None:
    """With a reason."""
    await xxshop.caller.apply("A")
    await xxshop.caller.apply("B")
    held = await xxshop.order("B")
    assert held.state is PayoutState.HELD
    await operate.cancel(xxshop.desk.gateway, held.id, None, "ops")

    found = await xxshop.caller.query("B")

    assert (found["status"], found["transMsg"]) == ("3", "转账已取消")


@pytest.mark.parametrize(("way", "status"), [("returned", "6"), ("failed", "3")])
async def test_what_came_back_is_told_as_the_caller_knows_it(
    xxshop: XxShop, way: str, status: str
) -> None:
    """Clones have a word for it; stock callers know failed."""
    await xxshop.set(returned_as=way)
    await xxshop.caller.apply(NUMBER)
    await xxshop.work()
    (payout,) = await xxshop.payouts()
    back = came_back(1, amount_minor=1230, at=after(1))
    await record.move(xxshop.desk.gateway, payout, [back], actor="test")

    found = await xxshop.caller.query(NUMBER)

    assert (found["status"], found["transMsg"]) == (status, "已退票，款项已退回")


async def test_a_late_success_takes_the_failure_back(xxshop: XxShop) -> None:
    """A channel that contradicts its refusal: nobody may pay by another way."""
    xxshop.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", "王小五 declined"))
    await xxshop.caller.apply(NUMBER)
    await xxshop.work()
    failed = await xxshop.caller.query(NUMBER)
    (payout,) = await xxshop.payouts()
    await record.move(xxshop.desk.gateway, payout, [contradicted(amount_minor=1230)], actor="test")

    late = await xxshop.caller.query(NUMBER)

    assert (failed["status"], failed["transMsg"]) == ("3", "转账失败：收款人拒绝收款")
    assert (late["status"], late["transMsg"]) == ("1", "")


async def test_no_error_is_named_until_it_is_final(xxshop: XxShop) -> None:
    """An outcome that nobody knows is processing."""
    xxshop.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await xxshop.caller.apply(NUMBER)
    await xxshop.work()

    found = await xxshop.caller.query(NUMBER)

    assert (found["retCode"], found["status"], found["transMsg"]) == ("SUCCESS", "1", "")


async def test_an_unacknowledged_commit_is_processing(
    xxshop: XxShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was stored nobody knows: the same number asked again finds out."""
    store = type(xxshop.desk.store)
    real = store.accept

    async def lost(self: object, *rest: object) -> object:
        await real(self, *rest)  # type: ignore[arg-type] # as it was called
        raise CommitUnknownError("no acknowledgement")

    monkeypatch.setattr(store, "accept", lost)
    first = await xxshop.caller.apply(NUMBER)
    monkeypatch.setattr(store, "accept", real)
    again = await xxshop.caller.apply(NUMBER)

    assert (first.ok, first.status, first.reply["fee"]) == (True, 1, 30)
    assert {**first.reply, "sign": ""} == {**again.reply, "sign": ""}
    assert len(await xxshop.payouts()) == 1


async def test_a_store_that_does_not_answer_is_processing(
    xxshop: XxShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say that nothing is paid under that number."""
    first = await xxshop.caller.apply(NUMBER)
    await xxshop.work()
    _take_away(xxshop, monkeypatch)

    told, found = await xxshop.caller.apply(NUMBER), await xxshop.caller.query(NUMBER)

    assert (told.ok, told.status) == (True, 1)
    assert (found["retCode"], found["status"]) == ("SUCCESS", "1")
    assert found["agentpayOrderId"] == first.reply["agentpayOrderId"]
    assert (await xxshop.caller.ask(BALANCE))["retCode"] == "UNKNOWN"


def _take_away(xxshop: XxShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store answer nothing about orders and accounts."""

    async def away(self: object, *rest: object, **named: object) -> object:
        raise StoreError("away")

    for name in ("search", "dialect_account", "dialect_orders", "balances"):
        monkeypatch.setattr(type(xxshop.desk.store), name, away)


async def test_a_halted_gateway_tells_what_it_knows(xxshop: XxShop) -> None:
    """And takes nothing in."""
    await xxshop.caller.apply("A")
    await xxshop.work()
    xxshop.desk.gateway.halt(Halt("test", "halted", "停机"))

    known, fresh = await xxshop.caller.apply("A"), await xxshop.caller.apply("B")

    assert (known.ok, known.status) == (True, 2)
    assert fresh.reply["retMsg"] == "系统维护中，请稍后再试"
    assert len(await xxshop.payouts()) == 1


@pytest.mark.parametrize("path", ["/", "/agentPay/"])
async def test_the_stock_paths_answer_on_a_host_of_their_own(xxshop: XxShop, path: str) -> None:
    """With those that clones use outside of /api."""
    xxshop.desk.api.dialect_hosts = {"127.0.0.1": "xxpay"}
    caller = dataclasses.replace(xxshop.caller, base_url=str(xxshop.desk.server.make_url("/")))
    if path != "/":
        caller.apply_path = "agentPay/apply"

    assert (await caller.apply(NUMBER)).ok
