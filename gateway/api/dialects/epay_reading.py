"""Epay's requests: fields as a form, and the order they ask for. Pure.

Facts: dialects.md §2. A value that could be read as two fields is refused: `name=…&out_biz_no=…`
is signed as the two fields are, and without its number it would be another order. No genuine caller
sends one.
"""

import hashlib
import re
from collections.abc import Mapping

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Instrument,
    WechatWallet,
)
from channels.money import Currency, Money, MoneyError
from gateway.api.dialects.epay_signing import string_to_sign
from gateway.api.dialects.order import Order
from gateway.api.dialects.wire import Ask, RefusedError, form, plain, posing
from gateway.domain.dialect import NUMBER_CHARS_MAX

Fields = Mapping[str, str]

BUSINESS, NO_FIELDS = -1, -4
REMARK_CHARS_MAX = 32
PURPOSE = "转账"
"""What the payee reads when the caller says nothing."""
KNOWN = frozenset(
    (
        *("pid", "timestamp", "sign", "sign_type", "type", "account", "name", "money", "remark"),
        *("out_biz_no", "bookid", "biz_no"),
    )
)
_ALIPAY_ID = re.compile(r"2088[0-9]{12}", re.ASCII)
_OPENID = re.compile(r"[A-Za-z0-9_-]{6,128}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{8,32}", re.ASCII)


def fields_of(ask: Ask) -> Fields:
    """What was sent. Raises `RefusedError` for what is no form, or says not who asks."""
    fields = form(ask.body) if ask.method == "POST" else None
    if not fields or "pid" not in fields:
        raise RefusedError(NO_FIELDS, "未传入任何参数")
    return fields


def text(fields: Fields, name: str) -> str:
    """A field without blanks around it; empty when it is not there. Raises `RefusedError`."""
    found = plain(fields.get(name, ""))
    if found is None:
        raise RefusedError(BUSINESS, f"参数 {name} 须为 UTF-8 编码且不含控制字符")
    return found


def order_of(fields: Fields) -> Order:
    """What to pay. Raises `RefusedError` with the field at fault."""
    if (name := posing(fields, KNOWN)) is not None:
        raise RefusedError(BUSINESS, f"参数 {name} 不能含有“&参数名=”形式的内容")
    kind = text(fields, "type")
    try:
        amount = Money.parse(text(fields, "money"), Currency.CNY)
    except MoneyError:
        raise RefusedError(BUSINESS, "转账金额格式错误，最多两位小数") from None
    if amount.minor <= 0:
        raise RefusedError(BUSINESS, "转账金额必须大于0")
    remark = text(fields, "remark")
    if len(remark) > REMARK_CHARS_MAX:
        raise RefusedError(BUSINESS, f"转账备注不能超过{REMARK_CHARS_MAX}个字")
    number = text(fields, "out_biz_no")
    if len(number) > NUMBER_CHARS_MAX:
        raise RefusedError(BUSINESS, f"交易号不能超过{NUMBER_CHARS_MAX}个字符")
    book = text(fields, "bookid")
    return Order(
        # Without a number the signed bytes are what makes it the same order.
        number=number or _number_of(fields),
        amount=amount,
        instrument=_instrument(kind, text(fields, "account"), text(fields, "name")),
        purpose=remark or PURPOSE,
        metadata={"bookid": book} if book else {},
    )


def question_of(fields: Fields) -> tuple[str, bool]:
    """Which order is asked about, and whether by our number. Raises `RefusedError`."""
    own, theirs = text(fields, "biz_no"), text(fields, "out_biz_no")
    if not own and not theirs:
        raise RefusedError(BUSINESS, "交易号不能为空")
    return own or theirs, bool(own)


def _instrument(kind: str, account: str, name: str) -> Instrument:
    if not account:
        raise RefusedError(BUSINESS, "收款账号不能为空")
    if len(account) > 128 or len(name) > 64:
        raise RefusedError(BUSINESS, "收款账号或姓名过长")
    match kind:
        case "alipay" if _ALIPAY_ID.fullmatch(account):
            return AlipayAccount(account, AlipayIdentity.USER_ID, name or None)
        case "alipay":
            _require_name(name)
            return AlipayAccount(account, AlipayIdentity.LOGON_ID, name)
        case "wxpay":
            if _OPENID.fullmatch(account) is None:
                raise RefusedError(BUSINESS, "微信收款账号须为 openid")
            return WechatWallet(account, None, name or None)
        case "bank":
            number = account.replace(" ", "")
            if _DIGITS.fullmatch(number) is None:
                raise RefusedError(BUSINESS, "银行卡号格式错误")
            _require_name(name)
            return BankCard(number, name)
        case "qqpay":
            raise RefusedError(BUSINESS, "未开启此转账方式")
        case _:
            raise RefusedError(BUSINESS, "转账方式参数错误")


def _require_name(name: str) -> None:
    if not name:
        raise RefusedError(BUSINESS, "收款人姓名不能为空")


def _number_of(fields: Fields) -> str:
    signed = hashlib.sha256(string_to_sign(fields)).digest()
    return str(10**18 + int.from_bytes(signed) % (9 * 10**18))
