"""Alipay's fund transfer messages: what is asked, and what a verified answer means for a payout.

Pure. Fields follow wire-protocols.md §1.3 (alipay.fund.trans.uni.transfer), §1.4 (common.query) and
§1.7 (the order.changed notice). An answer counts only if it names our number and, where it names
them, our amount and the order we know; otherwise it is about something else and proves nothing.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from channels.alipay import codes
from channels.alipay.codes import Step
from channels.alipay.envelope import BEIJING, Node
from channels.alipay.settings import PRODUCTS, AlipaySettings
from channels.contract import (
    Absent,
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    Evidence,
    Inquiry,
    Instruction,
    Instrument,
    Outcome,
    Paid,
    Pending,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money, MoneyError

TRANSFER = "alipay.fund.trans.uni.transfer"
QUERY = "alipay.fund.trans.common.query"
BALANCE = "alipay.fund.account.query"
BILL_ADDRESS = "alipay.data.dataservice.bill.downloadurl.query"
ORDER_CHANGED = "alipay.fund.trans.order.changed"

SCENE = "DIRECT_TRANSFER"
IDENTITY_TYPES: Mapping[AlipayIdentity, str] = {
    AlipayIdentity.USER_ID: "ALIPAY_USER_ID",
    AlipayIdentity.LOGON_ID: "ALIPAY_LOGON_ID",
    AlipayIdentity.OPEN_ID: "ALIPAY_OPEN_ID",
}
ACCOUNT_MIN_FEN = 10
"""§1.3 trans_amount: 0.1 yuan is the least TRANS_ACCOUNT_NO_PWD carries."""
AMOUNT_MAX_FEN = 10_000_000_000
"""§1.3 trans_amount: 100000000 yuan."""
REMARK_FROM_FEN = 5_000_000
"""§1.8 MEMO_REQUIRED_IN_TRANSFER_ERROR: from 50000 yuan a remark is mandatory."""
TITLE_CHARS_MAX = 128
"""Length of order_title on the product page; the remark may be longer."""

AMOUNTS = ("amount", "trans_amount")
"""Names under which an answer may repeat the amount (§1.3, §1.4)."""
UNREADABLE_AMOUNT = Money(-1, Currency.CNY)

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)


# --- Asking ----------------------------------------------------------------------------------


def transfer(instruction: Instruction, settings: AlipaySettings) -> Mapping[str, object]:
    """Ask to pay; the same instruction always makes the same content."""
    content: dict[str, object] = {
        "out_biz_no": instruction.reference,
        "trans_amount": str(instruction.amount),
        "product_code": settings.products[instruction.instrument.rail],
        "biz_scene": SCENE,
        "payee_info": _payee(instruction.instrument),
    }
    if instruction.purpose:
        content["order_title"] = content["remark"] = instruction.purpose
    if settings.transfer_scene_name is not None:
        content["transfer_scene_name"] = settings.transfer_scene_name
        content["transfer_scene_report_infos"] = [
            info.model_dump() for info in settings.transfer_scene_report_infos
        ]
    return content


def query(asked: Inquiry) -> Mapping[str, object]:
    """Ask what became of an order: by the platform's number if known, else by ours (§1.4)."""
    if asked.channel_ref is not None:
        return {"order_id": asked.channel_ref}
    return {
        "out_biz_no": asked.reference,
        "product_code": PRODUCTS[asked.instrument.rail],
        "biz_scene": SCENE,
    }


def _payee(instrument: Instrument) -> Mapping[str, object]:
    match instrument:
        case AlipayAccount(identity, identity_type, name):
            payee = {"identity": identity, "identity_type": IDENTITY_TYPES[identity_type]}
            return payee | ({"name": name} if name else {})
        case BankCard(number, name):
            # Our `bank_code` is a short code such as ICBC, theirs a line number: it stays out.
            bank = {"account_type": "2", "inst_name": instrument.bank_name}
        case BankAccount(number, name):
            bank = {
                "account_type": "1",
                "bank_code": instrument.bank_code,
                "inst_name": instrument.bank_name,
                "inst_branch_name": instrument.branch_name,
                "inst_province": instrument.province,
                "inst_city": instrument.city,
            }
        case _:
            raise ValueError(f"no Alipay product reaches {instrument.rail}")
    return {
        "identity": number,
        "identity_type": "BANKCARD_ACCOUNT",
        "name": name,
        "bankcard_ext_info": {key: value for key, value in bank.items() if value},
    }


# --- Understanding ---------------------------------------------------------------------------


def read_submission(node: Node, asked: Inquiry, seen: Evidence) -> Outcome:
    """What a verified answer to a transfer means.

    It may leave the amount out: the platform refuses one number with two amounts
    (PAYMENT_INFO_INCONSISTENCY), so there our number stands for the amount. A FAIL is believed
    once an inquiry has said the same, for the table of codes does not speak of it.
    """
    if node.code == codes.OK:
        outcome = _read_order(node, asked, seen)
        return replace(outcome, confirm=True) if isinstance(outcome, Rejected) else outcome
    row = codes.submission_error(node.code, node.sub_code)
    if isinstance(row.means, UnknownCause):
        return Unknown(row.means, seen)
    if node.get("out_biz_no") not in {None, asked.reference}:
        return Unknown(UnknownCause.MISMATCH, seen)
    return Rejected(row.means, node.sub_code, node.message, confirm=row.confirm)


def read_inquiry(node: Node, asked: Inquiry, seen: Evidence) -> Outcome | Absent:
    """What a verified answer to a query means; a failed query says nothing about the payout.

    Paid or returned it is only if the amount is named and ours.
    """
    if node.code == codes.OK:
        outcome = _read_order(node, asked, seen)
        if isinstance(outcome, Paid | Returned) and node.get("trans_amount") is None:
            return Unknown(UnknownCause.MISMATCH, seen)
        return outcome
    if (node.code, node.sub_code) != (codes.BUSINESS_FAILURE, codes.NOT_FOUND):
        return Unknown(codes.inquiry_error(node.code, node.sub_code), seen)
    if node.get("out_biz_no") not in {None, asked.reference}:
        return Unknown(UnknownCause.MISMATCH, seen)
    return Absent(seen)


def _read_order(node: Node, asked: Inquiry, seen: Evidence) -> Outcome:
    order_id = node.get("order_id")
    if (
        node.get("out_biz_no") != asked.reference
        or (asked.channel_ref and order_id not in {None, asked.channel_ref})
        or any(_amount(node, name) not in {None, asked.amount} for name in AMOUNTS)
    ):
        return Unknown(UnknownCause.MISMATCH, seen)
    status = node.get("status") or ""
    match codes.STATUSES.get(status):
        case None:
            return Unknown(UnknownCause.UNKNOWN_STATE, replace(seen, code=status))
        case Step.PENDING:
            return Pending(order_id, node.get("sub_status") or status)
        case Step.FAILED:
            code = node.get("error_code") or node.sub_code
            return Rejected(
                codes.failure_reason(code),
                code or status,
                node.get("fail_reason") or node.get("sub_msg") or "",
                channel_ref=order_id,
            )
        case Step.PAID:
            at = _time(node, "pay_date", "trans_date")
            if at is None or order_id is None:
                return Unknown(UnknownCause.UNREADABLE, seen)
            return Paid(order_id, at, _fee(node, asked.amount.currency))
        case Step.RETURNED:
            # A query names no day of return; the statement books the true one.
            at = _time(node, "refund_date", "pay_date", "trans_date")
            if at is None:
                return Unknown(UnknownCause.UNREADABLE, seen)
            return Returned(order_id, at, asked.amount)


def _amount(node: Node, name: str) -> Money | None:
    """Read an amount; one that cannot be read equals no other."""
    text = node.get(name)
    if text is None:
        return None
    try:
        return Money.parse(text, Currency.CNY)
    except MoneyError:
        return UNREADABLE_AMOUNT


def _fee(node: Node, currency: Currency) -> Money | None:
    fee = _amount(node, "order_fee")
    return None if fee == UNREADABLE_AMOUNT or currency is not Currency.CNY else fee


def _time(node: Node, *names: str) -> datetime | None:
    """Read the first of these times that is given; the platform writes Beijing time (§1.1)."""
    text = next((value for name in names if (value := node.get(name))), "")
    return moment(text)


def moment(text: str) -> datetime | None:
    """Read `yyyy-MM-dd HH:mm:ss` as Beijing time; None if it is not one."""
    if _TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=BEIJING).astimezone(UTC)
    except ValueError:
        return None
