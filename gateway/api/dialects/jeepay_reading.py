"""Jeepay's requests: fields as JSON, form or query string, who signed them, and the order. Pure.

Facts: dialects.md §1. The signed text does not say where a value ends, so one that holds `&name=`
could be read as two fields: names, numbers and accounts are plain words, and what becomes part of a
payment holds no such text. `extParam` and `channelExtra` are only kept and shown again.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from channels.contract import AlipayAccount, AlipayIdentity, BankCard, Instrument, WechatWallet
from channels.keyed_md5 import SIGN, Secrets, read_object
from channels.money import INT64_MAX, Currency, Money
from gateway.api.dialects.order import NotifyUrl, Order
from gateway.api.dialects.wire import (
    FIELDS_MAX,
    POSES_AS_FIELD,
    AmbiguousError,
    Ask,
    RefusedError,
    plain,
    posing,
    query_and_form,
)
from gateway.domain.dialect import NUMBER_CHARS_MAX, KeySet

Fields = Mapping[str, object]

ALWAYS: Mapping[str, str] = {
    "mchNo": "商户号不能为空",
    "appId": "商户应用ID不能为空",
    "version": "版本号不能为空",
    "signType": "签名类型不能为空",
    "reqTime": "时间戳不能为空",
    SIGN: "签名值不能为空",
}
TRANSFER: Mapping[str, str] = {
    "mchOrderNo": "商户订单号不能为空",
    "ifCode": "支付接口代码不能为空",
    "entryType": "入账方式不能为空",
    "amount": "转账金额不能为空",
    "currency": "货币代码不能为空",
    "accountNo": "收款账号不能为空",
    "transferDesc": "转账备注信息不能为空",
}
"""What must not be blank, with the stock software's own complaints."""
KNOWN = frozenset(
    (
        *(*ALWAYS, *TRANSFER, "transferId"),
        *("accountName", "bankName", "clientIp", "notifyUrl", "channelExtra", "extParam"),
    )
)
KEPT = ("ifCode", "entryType", "channelExtra", "extParam")
"""Kept with the payout as they were sent, to be shown again."""
OPAQUE = frozenset({"channelExtra", "extParam", "notifyUrl"})
"""May hold anything: no field that decides whom, what or which number stands right behind them in
the signed text, or it cannot be done without."""
CURRENCY = "cny"
NAME_CHARS_MAX = 64
ACCOUNT_CHARS_MAX = 128
DESC_CHARS_MAX = 128
BANK_CHARS_MAX = 64
KEPT_CHARS_MAX: Mapping[str, int] = {"channelExtra": 4096, "extParam": 1024}

_WX, _ALIPAY, _BANK = "WX_CASH", "ALIPAY_CASH", "BANK_CARD"
_ENTRIES = frozenset({_WX, _ALIPAY, _BANK})
_ENTRY_OF: Mapping[str, str] = {
    "wxpay": _WX,
    "alipay": _ALIPAY,
    "bank": _BANK,
    "unionpay": _BANK,
    "ysfpay": _BANK,
}
"""Whom an interface pays, for callers whose `entryType` is a word of their own."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_WORD = re.compile(r"[^\s&=]+")
_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,19}", re.ASCII)
_ALIPAY_ID = re.compile(r"2088[0-9]{12}", re.ASCII)
_OPENID = re.compile(r"[A-Za-z0-9_-]{6,64}", re.ASCII)
_CARD = re.compile(r"[0-9]{8,32}", re.ASCII)


def params_error(what: str) -> RefusedError:
    """Code 11: a field is missing or malformed, and nothing was stored."""
    return RefusedError(11, f"参数有误[{what}]")


class Proof(Struct, frozen=True):
    """Which keys a request was signed with."""

    keys: KeySet
    unknown: tuple[str, ...]
    """Names of fields that nobody knows."""


def fields_of(ask: Ask) -> Fields:
    """What was sent. Raises RefusedError for what cannot be read in one way only."""
    braced = "json" in ask.content_type or ask.body.lstrip().startswith(b"{")
    if braced and ask.method == "POST":
        read = read_object(ask.body)
        if read is None or len(read) > FIELDS_MAX:
            raise RefusedError(10, "系统异常[报文转换异常]")
        return read
    try:
        return query_and_form(ask)
    except AmbiguousError as error:
        if error.name is None:
            raise RefusedError(10, "系统异常[报文转换异常]") from None
        raise params_error("同一参数出现两次且内容不一致") from None


def require(fields: Fields, *needed: Mapping[str, str]) -> None:
    """Raise RefusedError, in the stock software's words, for the first field that is blank."""
    for complaints in needed:
        for name, complaint in complaints.items():
            text = _as_text(fields.get(name))
            if not text.strip() or plain(text) == "":
                raise params_error(complaint)


def prove(fields: Fields, keys: tuple[KeySet, ...], *, rsa_only: bool) -> Proof | None:
    """Who signed this; None when nobody did. Unknown fields may be part of it, or may not."""
    if rsa_only:
        return None
    unknown = tuple(sorted(fields.keys() - KNOWN))
    given = fields.get(SIGN)
    readings = [{name: value for name, value in fields.items() if name in KNOWN}]
    if unknown and all(_NAME.fullmatch(name) for name in unknown):
        readings.append(dict(fields))
    for one in keys:
        if one.secret is not None and any(
            Secrets((one.secret,)).proves(reading, given) for reading in readings
        ):
            return Proof(one, unknown)
    return None


def order_of(fields: Fields, notify: NotifyUrl | None) -> Order:
    """The order. Raises RefusedError of code 11 naming the field at fault."""
    require(fields, TRANSFER)
    if word(fields, "currency", 8).lower() != CURRENCY:
        raise params_error("货币代码仅支持 cny")
    desc = _free(fields, "transferDesc", DESC_CHARS_MAX)
    kept = {name: text for name in KEPT if (text := _kept(fields, name))}
    order = Order(
        number=word(fields, "mchOrderNo", NUMBER_CHARS_MAX),
        amount=_amount(fields),
        instrument=_instrument(fields),
        purpose=desc,
        metadata=kept,
        notify=notify,
    )
    if (name := posing(fields, KNOWN, OPAQUE)) is not None:
        raise params_error(f"{name} 不能含“&字段=”")
    return order


def given_text(fields: Fields, name: str) -> str:
    """A field as it was sent; a number as its digits."""
    return _as_text(fields.get(name))


def word(fields: Fields, name: str, chars_max: int) -> str:
    """A number, code or account: nothing in it could be another field."""
    text = _plain(fields, name)
    if len(text) > chars_max or (text and _WORD.fullmatch(text) is None):
        raise params_error(f"{name} 最多{chars_max}个字符，且不能含空白、& 和 =")
    return text


def _amount(fields: Fields) -> Money:
    text = _plain(fields, "amount")
    if _AMOUNT.fullmatch(text) is None or int(text) > INT64_MAX // 4:
        raise params_error("转账金额须为整数，单位为分")
    if int(text) < 1:
        raise params_error("转账金额不能小于1分")
    return Money(int(text), Currency.CNY)


def _instrument(fields: Fields) -> Instrument:
    name = _free(fields, "accountName", NAME_CHARS_MAX)
    match _entry(fields):
        case "WX_CASH":
            openid = word(fields, "accountNo", ACCOUNT_CHARS_MAX)
            if _OPENID.fullmatch(openid) is None:
                raise params_error("微信收款账号须为 openid")
            return WechatWallet(openid, None, name or None)
        case "ALIPAY_CASH":
            account = word(fields, "accountNo", ACCOUNT_CHARS_MAX)
            if _ALIPAY_ID.fullmatch(account):
                return AlipayAccount(account, AlipayIdentity.USER_ID, name or None)
            _require_name(name)
            return AlipayAccount(account, AlipayIdentity.LOGON_ID, name)
        case _:
            number = _plain(fields, "accountNo").replace(" ", "")
            if _CARD.fullmatch(number) is None:
                raise params_error("银行卡号格式错误")
            _require_name(name)
            bank = _free(fields, "bankName", BANK_CHARS_MAX)
            return BankCard(number, name, None, bank or None)


def _entry(fields: Fields) -> str:
    entry, interface = word(fields, "entryType", 32), word(fields, "ifCode", 32)
    if _CODE.fullmatch(entry) is None or _CODE.fullmatch(interface) is None:
        raise params_error("支付接口代码和入账方式须为字母、数字")
    if entry.upper() in _ENTRIES:
        return entry.upper()
    found = _ENTRY_OF.get(interface.lower())
    if found is None:
        raise params_error("不支持该入账方式，可用 WX_CASH、ALIPAY_CASH、BANK_CARD")
    return found


def _require_name(name: str) -> None:
    if not name:
        raise params_error("收款人姓名不能为空")


def _free(fields: Fields, name: str, chars_max: int) -> str:
    """What people write."""
    text = _plain(fields, name)
    if len(text) > chars_max or POSES_AS_FIELD.search(text):
        raise params_error(f"{name} 最多{chars_max}个字符，且不能含“&字段=”")
    return text


def _kept(fields: Fields, name: str) -> str:
    """As it was sent, blanks and line ends included."""
    text = _as_text(fields.get(name))
    chars_max = KEPT_CHARS_MAX.get(name, 32)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _not_text(name) from None
    if "\0" in text:
        raise _not_text(name)
    if len(text) > chars_max:
        raise params_error(f"{name} 最多{chars_max}个字符")
    return text


def _plain(fields: Fields, name: str) -> str:
    text = plain(_as_text(fields.get(name)))
    if text is None:
        raise _not_text(name)
    return text


def _not_text(name: str) -> RefusedError:
    return params_error(f"{name} 须为 UTF-8 编码且不含控制字符")


def _as_text(value: object) -> str:
    """As it was signed; nothing for what nobody could sign."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | str():
            return str(value)
        case _:
            return ""
