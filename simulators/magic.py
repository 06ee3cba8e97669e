"""THE table of magic payees and amounts, for every simulator; the README shows it, a test compares.

Whoever tries the gateway by hand needs no fault rules: paying one of these payees or amounts makes
one thing go wrong. A row is nothing but a fault rule that is always there and asked last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from simulators.faults import FaultRule
from simulators.kernel import Row


@dataclass(frozen=True, slots=True)
class Magic:
    """One row. Exactly one of `payee` and `amount_fen` is given."""

    action: str
    meaning_zh: str
    meaning_en: str
    payee: str | None = None
    amount_fen: int | None = None
    kinds: tuple[str, ...] = ("alipay", "wechat_pay")
    op: str = "submit"
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    once: bool = False
    """Only the first time for each reference, so that trying again gets through."""


def _payee(kind: str, payee: str, action: str, zh: str, en: str, /, **params: JsonValue) -> Magic:
    return Magic(action, zh, en, payee=payee, kinds=(kind,), params=params)


def _amount(
    fen: int,
    action: str,
    zh: str,
    en: str,
    /,
    *,
    once: bool = False,
    op: str = "submit",
    **params: JsonValue,
) -> Magic:
    return Magic(action, zh, en, amount_fen=fen, op=op, params=params, once=once)


MAGIC: tuple[Magic, ...] = (
    # ---- Alipay accounts (payee_info.identity) ----
    _payee("alipay", "nobody@magic.test", "reject", "账户不存在", "no such account",
           code="PAYEE_NOT_EXIST"),
    _payee("alipay", "frozen@magic.test", "reject", "账户状态异常", "account frozen",
           code="PAYEE_ACCOUNT_STATUS_ERROR"),
    _payee("alipay", "wrong-name@magic.test", "reject", "姓名与账户不符", "name does not match",
           code="PAYEE_USERINFO_ERROR"),
    _payee("alipay", "unverified@magic.test", "reject", "收款方未实名", "payee not verified",
           code="PAYEE_NOT_RELNAME_CERTIFY"),
    _payee("alipay", "over-limit@magic.test", "reject", "收款额度超限", "payee over its limit",
           code="EXCEED_LIMIT_DC_RECEIVED"),
    # ---- bank cards at Alipay (payee_info.identity) ----
    _payee("alipay", "6222000000000001", "reject", "卡号无效", "no such card",
           code="INVALID_CARDNO"),
    _payee("alipay", "6222000000000002", "return_late", "成功后一天退票", "returned after a day",
           after="1d"),
    _payee("alipay", "6222000000000003", "return_late", "成功后三天退票",
           "returned after three days", after="3d"),
    _payee("alipay", "6222000000000004", "settle_fail", "受理后银行拒绝，资金退回",
           "taken, then refused by the bank; money back", reason="PAYEE_CARD_INFO_ERROR"),
    _payee("alipay", "6222000000000005", "settle_late", "次日才到账", "arrives a day later",
           after="1d"),
    _payee("alipay", "6222000000000006", "settle_never", "一直处理中", "stays under way for good"),
    # ---- WeChat users (openid) ----
    _payee("wechat_pay", "magic-never-confirms", "confirm_never",
           "用户不确认，24 小时后关单", "never confirms, closed after 24 hours"),
    _payee("wechat_pay", "magic-confirms-late", "confirm_late", "用户 23 小时后确认",
           "confirms after 23 hours", after="23h"),
    _payee("wechat_pay", "magic-frozen", "settle_fail", "收款账户冻结", "account frozen",
           reason="ACCOUNT_FROZEN"),
    _payee("wechat_pay", "magic-wrong-name", "settle_fail", "姓名不符", "name does not match",
           reason="NAME_NOT_CORRECT"),
    _payee("wechat_pay", "magic-unverified", "settle_fail", "实名校验失败",
           "real-name check failed", reason="REAL_NAME_CHECK_FAIL"),
    _payee("wechat_pay", "magic-over-limit", "settle_fail", "收款额度超限",
           "payee over its limit", reason="DAY_RECEIVED_QUOTA_EXCEED"),
    _payee("wechat_pay", "magic-never-settles", "settle_never", "一直处理中",
           "stays under way for good"),
    # ---- amounts, everywhere ----
    _amount(10001, "reset_before", "未执行，连接重置（仅首次）", "reset, not executed (first time)",
            once=True),
    _amount(10002, "reset_after", "已付款，应答丢失（仅首次）", "paid, reply lost (first time)",
            once=True),
    _amount(10003, "reset_mid", "已付款，应答中断（仅首次）", "paid, reply cut short (first time)",
            once=True),
    _amount(10004, "slow", "应答慢 3 秒", "reply 3 s late", fixed="3s"),
    _amount(10005, "reject", "已付款，却答系统错误（仅首次）",
            "paid, yet answers SYSTEM_ERROR (first time)", once=True,
            code="SYSTEM_ERROR", executed=True),
    _amount(10006, "reject", "未执行，答系统错误（仅首次）",
            "not executed, answers SYSTEM_ERROR (first time)", once=True, code="SYSTEM_ERROR"),
    _amount(10007, "short_balance", "付款账户余额不足", "paying account is short of money"),
    _amount(10008, "bad_signature", "已付款，应答验签失败（仅首次）",
            "paid, reply with a bad signature (first time)", once=True),
    _amount(10009, "garbage", "已付款，应答乱码（仅首次）", "paid, reply is garbage (first time)",
            once=True),
    _amount(10010, "http_error", "已付款，却答 502（仅首次）", "paid, yet answers 502 (first time)",
            once=True, status=502, executed=True),
    _amount(10011, "notice_duplicate", "通知重复两次", "notice comes twice more", op="notice",
            copies=2),
    _amount(10012, "notice_lost", "通知丢失", "notice is lost", op="notice"),
    _amount(10013, "not_found_window", "受理后 30 秒内查无此单", "not found for 30 s",
            seconds="30s"),
    _amount(10014, "unknown_status", "已付款，状态未知（仅首次）",
            "paid, answers an unknown status (first time)", once=True),
    _amount(10015, "wrong_echo", "已付款，应答金额不符（仅首次）",
            "paid, reply echoes another amount (first time)", once=True, field="amount"),
    _amount(10016, "notice_forged", "另有伪造通知", "a forged notice comes as well", op="notice"),
)  # fmt: skip


def rules(kind: str) -> tuple[FaultRule, ...]:
    """The rows of one kind of simulator as rules; their ids start with `magic:`."""
    return tuple(_rule(row) for row in MAGIC if kind in row.kinds)


def rows(kind: str | None = None) -> Sequence[Row]:
    """The table for listing, in its own order."""
    return [
        {
            "payee": row.payee,
            "amount_fen": row.amount_fen,
            "kinds": list(row.kinds),
            "action": row.action,
            "params": dict(row.params),
            "first_time_only": row.once,
            "meaning_zh": row.meaning_zh,
            "meaning_en": row.meaning_en,
        }
        for row in MAGIC
        if kind is None or kind in row.kinds
    ]


def _rule(row: Magic) -> FaultRule:
    return FaultRule(
        id=f"magic:{row.payee or row.amount_fen}",
        op=row.op,
        payee=row.payee,
        min_amount_fen=row.amount_fen,
        max_amount_fen=row.amount_fen,
        action=row.action,
        params=dict(row.params),
        times_each=1 if row.once else None,
    )
