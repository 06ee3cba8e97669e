"""Epay V2 as its callers meet it: requests on the wire, replies they believe."""

import asyncio
import dataclasses
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from channels.contract import (
    PayeeAction,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from gateway.domain.merchant_fee import MerchantFee
from gateway.domain.payout import PayoutState
from gateway.engine import operate, record
from gateway.ports import Search
from policies.fees import Fee
from tests.builders import after, contradicted
from tests.gateway.api.desk import ACME
from tests.gateway.dialects.conftest import Site, pairs

SUBMIT, QUERY = "api/transfer/submit", "api/transfer/query"
NUMBER = "2026030210000012345"


async def test_an_order_is_taken_paid_and_found(site: Site) -> None:
    """Submitted it is processing, later it is paid, with the fee on top."""
    told = await site.plugin.submit(NUMBER)
    assert (told.ok, told.status) == (True, 0)
    assert told.reply["biz_no"] == told.reply["orderid"] == NUMBER
    assert told.reply["cost_money"] == "12.60"
    assert told.reply["paydate"] == ""

    await site.work()

    found = await site.plugin.query(NUMBER)
    assert (found["status"], found["amount"], found["cost_money"]) == (1, "12.30", "12.60")
    assert found["paydate"] == "2026-03-02 10:00:00"
    assert "errmsg" not in found
    (payout,) = await site.payouts()
    assert payout.merchant_ref == f"da_1:{NUMBER}"


async def test_md5_is_answered_with_rsa(site: Site) -> None:
    """A caller with a shared secret verifies replies with the platform's key."""
    told = await site.md5().submit(NUMBER)

    assert told.ok
    assert told.reply["sign_type"] == "RSA"


async def test_md5_can_be_switched_off(site: Site) -> None:
    """Then only RSA proves who asks."""
    await site.set(rsa_only=True)

    refused = await site.md5().submit(NUMBER)
    assert refused.reply["code"] == -3
    assert (await site.plugin.submit(NUMBER)).ok
    assert len(await site.payouts()) == 1


@pytest.mark.parametrize(
    ("changes", "code", "msg"),
    [
        ({"money": "12.30 "}, None, ""),
        ({"money": "12.301"}, -1, "转账金额格式错误，最多两位小数"),
        ({"money": "1e3"}, -1, "转账金额格式错误，最多两位小数"),
        ({"money": "-1"}, -1, "转账金额格式错误，最多两位小数"),
        ({"money": "NaN"}, -1, "转账金额格式错误，最多两位小数"),
        ({"money": "0.00"}, -1, "转账金额必须大于0"),
        ({"account": ""}, -1, "收款账号不能为空"),
        ({"account": "62x"}, -1, "银行卡号格式错误"),
        ({"name": ""}, -1, "收款人姓名不能为空"),
        ({"type": "qqpay"}, -1, "未开启此转账方式"),
        ({"type": "usdt"}, -1, "转账方式参数错误"),
        ({"remark": "长" * 33}, -1, "转账备注不能超过32个字"),
        ({"out_biz_no": "9" * 65}, -1, "交易号不能超过64个字符"),
        ({"money": "99999999.00"}, -1, "没有任何已配置渠道可以承接该代付"),
    ],
)
async def test_fields_are_refused_with_stable_words(
    site: Site, changes: dict[str, str], code: int | None, msg: str
) -> None:
    """Operators search for these texts; nothing is stored."""
    told = await site.plugin.submit(changes.pop("out_biz_no", NUMBER), **changes)

    assert told.ok is (code is None)
    if code is not None:
        assert (told.reply["code"], told.reply["msg"]) == (code, msg)
    assert len(await site.payouts()) == int(code is None)


async def test_a_short_balance_is_refused_in_stock_words(site: Site) -> None:
    """And told signed, as business refusals are."""
    told = await site.plugin.submit(NUMBER, money="1000000.00")

    assert told.reply["msg"] == "需支付金额大于可转账余额"
    assert told.reply["sign_type"] == "RSA"
    assert await site.payouts() == []


async def test_errors_before_a_caller_is_proven_are_unsigned(site: Site) -> None:
    """Each with the stock software's code."""
    plugin = site.plugin
    good = plugin.signed({"out_biz_no": NUMBER})
    stranger = dataclasses.replace(plugin, appsecret=pairs()[2][0])
    late = plugin.signed({"timestamp": str(int(plugin.now()) - 301)})
    told = [
        await plugin.post(QUERY, {}),
        await plugin.post(QUERY, {**good, "pid": "999"}),
        await plugin.post(QUERY, {**good, "out_biz_no": "other"}),
        await plugin.post(QUERY, {**good, "sign": "not base64 at all"}),
        await plugin.post(QUERY, stranger.signed({"out_biz_no": NUMBER})),
        await plugin.post(QUERY, late),
        await plugin.post("api/transfer/cancel", good),
        await plugin.post(QUERY, good),
    ]

    assert [one["code"] for one in told] == [-4, -1, -3, -3, -3, -3, -5, -1]
    assert all(set(one) == {"code", "msg"} for one in told)
    assert told[-1]["msg"] == "转账交易号不存在"


@pytest.mark.parametrize(("skew", "code"), [(-300, 0), (300, 0), (-301, -3), (301, -3)])
async def test_timestamps_count_for_five_minutes(site: Site, skew: int, code: int) -> None:
    """Either way."""
    stamp = str(int(site.plugin.now()) + skew)

    told = await site.plugin.submit(NUMBER, timestamp=stamp)

    assert told.reply["code"] == code


async def test_a_replayed_signature_is_the_idempotent_answer(site: Site) -> None:
    """Also long afterwards; an order that is not known is not made by one."""
    fields = site.plugin.signed(
        {"type": "bank", "account": "6222021234567890123", "name": "王", "money": "1.00"}
        | {"out_biz_no": NUMBER}
    )
    unsent = site.plugin.signed({**fields, "out_biz_no": "another"})
    await site.plugin.post(SUBMIT, fields)
    await site.work()
    site.desk.clock.at = after(days=1)

    again = await site.plugin.post(SUBMIT, fields)
    never = await site.plugin.post(SUBMIT, unsent)

    assert (again["code"], again["status"]) == (0, 1)
    assert never["code"] == -3
    assert len(await site.payouts()) == 1


async def test_the_same_order_again_is_told_as_it_stands(site: Site) -> None:
    """However its amount is written; another content is a conflict."""
    await site.plugin.submit(NUMBER, money="12.3")
    await site.work()

    same = await site.plugin.submit(NUMBER, money="12.30")
    other = await site.plugin.submit(NUMBER, money="12.31")
    renamed = await site.plugin.submit(NUMBER, name="王小六")

    assert (same.ok, same.status) == (True, 1)
    assert other.reply["code"] == renamed.reply["code"] == -1
    assert other.reply["msg"] == "该交易号已存在且内容不同，请更换交易号"
    assert len(await site.payouts()) == 1


async def test_fifty_at_once_are_one_order(site: Site) -> None:
    """Epay's check-then-insert over an index that is not unique let two through."""
    told = await asyncio.gather(*(site.plugin.submit(NUMBER) for _ in range(50)))
    await site.desk.taken_in()

    assert {(one.ok, one.status) for one in told} == {(True, 0)}
    assert len(await site.payouts()) == 1


async def test_replays_can_be_refused_as_stock_does(site: Site) -> None:
    """A switch, off by choice only."""
    await site.set(replay_duplicates=False)
    await site.plugin.submit(NUMBER)

    again = await site.plugin.submit(NUMBER)

    assert again.reply["msg"] == "该交易号已存在，请更换交易号"


@pytest.mark.parametrize("number", ["A-1", "订单一", "a|b_c.d", "1" * 18, "9" * 64, "da 1"])
async def test_any_number_is_taken_and_found_by_both(site: Site, number: str) -> None:
    """Ours has nineteen digits and stays the same; either field takes either number."""
    told = await site.plugin.submit(number)
    own = told.reply["biz_no"]
    assert len(own) == 19
    assert own.isdigit()

    again = await site.plugin.submit(number)
    by_theirs = await site.plugin.query(number)
    by_own = await site.plugin.query(own)
    in_own_field = await site.plugin.ask(QUERY, biz_no=own)

    assert again.reply["biz_no"] == own
    for found in (by_theirs, by_own, in_own_field):
        assert (found["biz_no"], found["out_biz_no"]) == (own, number)


async def test_an_order_without_number_is_made_once_for_its_signature(site: Site) -> None:
    """We give it one, as stock does; the same bytes again are the same order."""
    fields = site.plugin.signed(
        {"type": "bank", "account": "6222021234567890123", "name": "王", "money": "1.00"}
    )
    first = await site.plugin.post(SUBMIT, fields)
    again = await site.plugin.post(SUBMIT, fields)

    assert first["biz_no"] == again["biz_no"]
    assert len(await site.payouts()) == 1


async def test_nobody_sees_another_accounts_orders(site: Site) -> None:
    """Nor is another account's order of the same number the same order."""
    await site.plugin.submit(NUMBER)
    other = replace(site.account, id="da_2", public_id="10002")
    await site.desk.store.add_dialect_account(other, "test")
    plugin = dataclasses.replace(site.plugin, appid="10002")

    assert (await plugin.query(NUMBER))["code"] == -1
    assert (await plugin.submit(NUMBER, money="7.00")).ok
    assert len(await site.payouts()) == 2


async def test_unknown_fields_may_be_signed_or_not(site: Site) -> None:
    """Their names are logged, never their values."""
    plain = {"type": "bank", "account": "6222021234567890123", "name": "王", "money": "1.00"}
    plain["out_biz_no"] = NUMBER
    within = site.plugin.signed({**plain, "channel_hint": "s3cret"})
    without = {**site.plugin.signed(plain), "tracking": "s3cret"}

    assert (await site.plugin.post(SUBMIT, within))["code"] == 0
    assert (await site.plugin.post(SUBMIT, without))["code"] == 0

    lines = [one for one in site.desk.log_lines() if one["event"] == "dialect.unknown_fields"]
    assert [one["problem"] for one in lines] == ["'channel_hint'", "'tracking'"]
    assert "s3cret" not in site.desk.log.getvalue()


async def test_a_used_field_cannot_hide_from_the_signature(site: Site) -> None:
    """Only fields nobody uses may stand outside it."""
    plain = {"type": "bank", "account": "6222021234567890123", "name": "王", "money": "1.00"}
    signed = site.plugin.signed(plain)

    told = await site.plugin.post(SUBMIT, {**signed, "out_biz_no": "slipped-in"})

    assert told["code"] == -3


async def test_callers_outside_the_allow_list_are_refused(site: Site) -> None:
    """By network."""
    await site.set(ip_allow=("10.0.0.0/8",))
    refused = await site.plugin.submit(NUMBER)
    await site.set(ip_allow=("127.0.0.0/8", "10.0.0.0/8"))

    assert refused.reply == {"code": -1, "msg": "请求 IP 不在白名单内"}
    assert (await site.plugin.submit(NUMBER)).ok


async def test_balance_counts_what_can_be_paid_out(site: Site) -> None:
    """In yuan, with the rate in percent, as text."""
    before = await site.plugin.ask("api/transfer/balance")
    await site.plugin.submit(NUMBER)
    told = await site.plugin.ask("api/transfer/balance")

    assert site.plugin.believes(told)
    assert (before["available_money"], told["available_money"]) == ("1000000.00", "999987.40")
    assert told["transfer_rate"] == "0"


async def test_the_rate_is_told_in_percent(site: Site) -> None:
    """0.35 % of ppm, without zeros that say nothing."""
    fee = MerchantFee(Fee(rate_ppm=3500))
    merchant = (await site.desk.store.merchants())[0]
    await site.desk.add_merchant(replace(merchant, id=type(ACME)("m_rate"), fee=fee), funds_minor=0)
    other = replace(site.account, id="da_2", public_id="10002", merchant_id=type(ACME)("m_rate"))
    await site.desk.store.add_dialect_account(other, "test")

    told = await dataclasses.replace(site.plugin, appid="10002").ask("api/transfer/balance")

    assert (told["transfer_rate"], told["available_money"]) == ("0.35", "0.00")


async def test_a_deducted_fee_leaves_the_order_what_was_asked_for(site: Site) -> None:
    """`amount` is the caller's own, `cost_money` what it pays, and the payee gets the rest."""
    fee = MerchantFee(Fee(flat_minor=100, mode="deducted"))
    merchant = (await site.desk.store.merchants())[0]
    await site.desk.add_merchant(replace(merchant, id=type(ACME)("m_in"), fee=fee))
    other = replace(site.account, id="da_3", public_id="10003", merchant_id=type(ACME)("m_in"))
    await site.desk.store.add_dialect_account(other, "test")
    plugin = dataclasses.replace(site.plugin, appid="10003")

    first, again = await plugin.submit(NUMBER), await plugin.submit(NUMBER)
    told = await plugin.ask("api/transfer/query", out_biz_no=NUMBER)

    costs = first.reply["cost_money"], again.reply["cost_money"], told["cost_money"]
    assert costs == ("12.30", "12.30", "12.30") == (told["amount"],) * 3
    stored = (await site.desk.store.search(Search(type(ACME)("m_in"))))[0]
    assert str(stored.amount + stored.fee) == told["amount"]
    assert stored.fee.minor == 100


async def test_the_merchant_is_told_of_itself(site: Site) -> None:
    """Its name, its state and its money."""
    told = await site.plugin.ask("api/merchant/info")

    assert site.plugin.believes(told)
    assert (told["pid"], told["status"], told["money"]) == ("10001", 1, "1000000.00")


async def test_a_receipt_that_is_not_offered_says_so(site: Site) -> None:
    """And is no statement about the payout."""
    await site.plugin.submit(NUMBER)
    open_ = await site.plugin.ask("api/transfer/proof", out_biz_no=NUMBER)
    await site.work()
    told = await site.plugin.ask("api/transfer/proof", out_biz_no=NUMBER)

    assert open_["msg"] == "当前状态 routing，只有已付款的代付才有电子回单"
    assert told["msg"] == "付款渠道不提供电子回单"


async def test_a_payee_who_must_act_is_shown_where(site: Site) -> None:
    """The link comes with the answer to the same order again."""
    link = "https://pay.example.com/confirm/1"
    action = PayeeAction("open_link", link, after(days=1))
    site.desk.till.outcomes.append(Pending("till-1", "waiting", action))
    first = await site.plugin.submit(NUMBER)
    await site.work()

    told = await site.plugin.submit(NUMBER)

    assert "jumpurl" not in first.reply
    assert (told.ok, told.status, told.reply["jumpurl"]) == (True, 0, link)


async def test_wechats_package_becomes_a_page_of_ours(site: Site) -> None:
    """Told with the submission again and with the inquiry, until its day is over."""
    action = PayeeAction("wechat_confirm", "pkg", after(days=1), app_id="wx1", mch_id="19")
    site.desk.till.outcomes.append(Pending("till-1", "WAIT_USER_CONFIRM", action))
    await site.plugin.submit(NUMBER)
    await site.work()
    (payout,) = await site.payouts()
    assert site.desk.api.confirm_links is not None
    page = site.desk.api.confirm_links.url(payout.id)

    again, asked = await site.plugin.submit(NUMBER), await site.plugin.query(NUMBER)
    site.desk.clock.at = after(days=1)
    late = await site.plugin.query(NUMBER)

    assert (again.status, again.reply["jumpurl"], asked["jumpurl"]) == (0, page, page)
    assert "jumpurl" not in late


async def test_a_wechat_payee_is_shown_the_page_at_once(site: Site) -> None:
    """Stock reads `jumpurl` from the first answer only, before a channel was asked."""
    wallet = {"type": "wxpay", "account": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "name": ""}
    told = await site.plugin.submit(NUMBER, **wallet)
    card = await site.plugin.submit("B")
    (payout, _) = await site.payouts()

    assert site.desk.api.confirm_links is not None
    assert told.reply["jumpurl"] == site.desk.api.confirm_links.url(payout.id)
    path = str(told.reply["jumpurl"]).removeprefix("https://pay.example.test")
    page = await site.desk.get(path, key=None)
    assert "转账处理中" in page.raw.decode()
    assert "jumpurl" not in card.reply


async def test_nobody_is_sent_to_a_page_that_has_nothing_to_confirm(site: Site) -> None:
    """Where no channel asks payees, and where a person must look first."""
    wallet = {"type": "wxpay", "account": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "name": ""}
    await site.plugin.submit("A", **wallet)
    held = await site.plugin.submit("B", **wallet)
    gateway = site.desk.gateway
    all_of_them = gateway.channels
    gateway.channels = {"till": site.desk.till}
    none = await site.plugin.query("A")
    gateway.channels = all_of_them

    assert "jumpurl" not in held.reply
    assert "jumpurl" not in none


async def test_a_review_is_processing_unless_the_caller_opted_in(site: Site) -> None:
    """Three, for those who know the word."""
    await site.plugin.submit("A")
    held = await site.plugin.submit("B")
    await site.set(awaiting_review_as="review")
    opted = await site.plugin.submit("B")

    assert (held.status, opted.status) == (0, 3)
    assert (await site.plugin.query("B"))["status"] == 0


async def test_what_a_person_stopped_has_failed(site: Site) -> None:
    """Told by the inquiry with a reason, and by a submission since nothing was ever sent."""
    await site.plugin.submit("A")
    await site.plugin.submit("B")
    held = (await site.payouts())[1]
    assert held.state is PayoutState.HELD
    await operate.cancel(site.desk.gateway, held.id, None, "ops")

    found = await site.plugin.query("B")

    assert (found["status"], found["errmsg"]) == (2, "转账已取消")
    assert (await site.plugin.submit("B")).reply["code"] == -1


async def test_a_closed_account_is_still_told_of_what_it_asked_for(site: Site) -> None:
    """And gets nothing new."""
    await site.plugin.submit("A")
    await site.work()
    closed = replace(site.account, version=2, removed_at=after(1))
    await site.desk.store.change_dialect_account(closed, "removed", "ops")

    known, fresh = await site.plugin.submit("A"), await site.plugin.submit("B")

    assert (known.ok, known.status) == (True, 1)
    assert fresh.reply["msg"] == "商户已被封禁"
    assert len(await site.payouts()) == 1


async def test_two_key_sets_work_while_keys_are_exchanged(site: Site) -> None:
    """Whoever asks with one is answered with the same one's."""
    old = site.plugin
    fresh = replace(site.account.keys[0], id="k2", theirs=pairs()[2][1], ours=pairs()[2][0])
    await site.desk.store.change_dialect_account(
        site.account.rotated(fresh, only=False), "rotated", "ops"
    )
    new = dataclasses.replace(old, appsecret=pairs()[2][0], appkey=pairs()[2][1])

    assert (await old.submit("A")).ok
    assert (await new.submit("A")).ok


async def test_the_stock_paths_answer_on_a_host_of_their_own(site: Site) -> None:
    """On others they do not exist."""
    server = site.desk.server
    site.desk.api.dialect_hosts = {"127.0.0.1": "epay"}
    here = dataclasses.replace(site.plugin, appurl=str(server.make_url("/")))
    assert (await here.submit(NUMBER)).ok

    site.desk.api.dialect_hosts = {"pay.example.com": "epay"}
    body = urlencode(here.signed({}))
    async with site.desk.http.post(server.make_url("/api/transfer/balance"), data=body) as told:
        assert told.status == 404


async def test_a_late_success_takes_the_failure_back(site: Site) -> None:
    """A channel that contradicts its refusal: nobody may pay by another way."""
    site.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", "王小五 declined"))
    await site.plugin.submit(NUMBER)
    await site.work()
    failed = await site.plugin.query(NUMBER)
    (payout,) = await site.payouts()
    await record.move(site.desk.gateway, payout, [contradicted(amount_minor=1230)], actor="test")

    late = await site.plugin.query(NUMBER)

    assert (failed["status"], failed["errmsg"]) == (2, "转账失败：收款人拒绝收款")
    assert late["status"] == 0
    assert "errmsg" not in late


async def test_no_error_is_named_until_it_is_final(site: Site) -> None:
    """A refused try that is followed by another one is nobody's business."""
    site.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await site.plugin.submit(NUMBER)
    await site.work()

    found = await site.plugin.query(NUMBER)

    assert (found["code"], found["status"]) == (0, 0)
    assert "errmsg" not in found


async def test_a_failure_after_a_try_is_told_by_the_inquiry(site: Site) -> None:
    """The submission again stays "processing", so that its caller asks and does not pay anew."""
    site.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    await site.plugin.submit(NUMBER)
    await site.work()

    again = await site.plugin.submit(NUMBER)

    assert (again.ok, again.status) == (True, 0)
    assert (await site.plugin.query(NUMBER))["status"] == 2


@pytest.mark.parametrize("field", ["remark", "name", "account", "bookid", "x-fork"])
async def test_a_value_that_reads_as_two_fields_is_refused(site: Site, field: str) -> None:
    """It is signed as those two are; and says which field it is."""
    told = await site.plugin.submit(NUMBER, **{field: "甲&out_biz_no=2"})

    assert told.reply == {"code": -1, "msg": f"参数 {field} 不能含有“&参数名=”形式的内容"}
    assert await site.payouts() == []


async def test_a_number_hidden_in_the_name_makes_no_second_order(site: Site) -> None:
    """Whoever saw a request could send it on like this: the signature holds, the number is gone."""
    order = {"type": "bank", "account": "6222021234567890123", "money": "12.30", "name": "王小五"}
    sent = site.plugin.signed({**order, "remark": "", "out_biz_no": NUMBER})
    await site.set(soft_dedupe_minutes=0)
    first = await site.plugin.post(SUBMIT, sent)
    number = sent.pop("out_biz_no")

    again = await site.plugin.post(SUBMIT, {**sent, "name": f"王小五&out_biz_no={number}"})
    named = {one: text for one, text in sent.items() if one != "name"}
    odd = await site.plugin.post(SUBMIT, {**named, "name=王小五&out_biz_no": number})

    assert (first["code"], again["code"], odd["code"]) == (0, -1, -1)
    assert len(await site.payouts()) == 1


@pytest.mark.parametrize("remark", ["R&D 提现", "A&B=C", "a=b&c", "name=1"])
async def test_what_people_write_is_no_field(site: Site, remark: str) -> None:
    """An ampersand or an equals sign alone is a text like all others."""
    assert (await site.plugin.submit(NUMBER, remark=remark)).ok
    assert (await site.plugin.query(NUMBER))["remark"] == remark
