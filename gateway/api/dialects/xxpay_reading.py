"""XxPay's requests: fields wherever they stand, who signed them, and the order they ask for. Pure.

Facts: dialects.md §3.1. Fields come as a form, in the query string, or as one JSON object in
`params`; every field that was sent is signed. The signed text does not say where a value ends, so
one that holds `&name=` could be read as two fields: it is refused where people write freely.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from channels.contract import BankAccount, BankCard, Instrument
from channels.keyed_md5 import SIGN, Secrets, read_object
from channels.money import Currency, Money
from gateway.api.dialects.order import NotifyUrl, Order
from gateway.api.dialects.wire import (
    FIELDS_MAX,
    POSES_AS_FIELD,
    RAW,
    AmbiguousError,
    Ask,
    plain,
    posing,
    query_and_form,
)
from gateway.domain.dialect import NUMBER_CHARS_MAX, KeySet

Fields = Mapping[str, object]

KNOWN = frozenset(
    (
        *("mchId", "mchOrderNo", "agentpayOrderId", "amount", "accountAttr", "accountName"),
        *("accountNo", "province", "city", "bankName", "bankNumber", "notifyUrl", "remark"),
        *("extra", "reqTime", "subAmountFrom", "executeNotify", SIGN),
    )
)
OPAQUE = frozenset({"extra", "notifyUrl"})
"""May hold anything: no field that decides whom, what or which number stands right behind them in
the signed text, or it cannot be done without."""
PURPOSE = "代付"
"""What the payee reads when the caller says nothing."""
NAME_CHARS_MAX = 64
REMARK_CHARS_MAX = 128
EXTRA_CHARS_MAX = 512
AMOUNT_DIGITS_MAX = 15
_COMPANY = ("province", "city", "bankName", "bankNumber")
_WHOLE = re.compile(r"[0-9]+", re.ASCII)
_CARD = re.compile(r"[0-9]{8,32}", re.ASCII)
_LINE_NUMBER = re.compile(r"[0-9]{12}", re.ASCII)


class RefusedError(Exception):
    """A refusal in words that are Chinese and stable."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Proof(Struct, frozen=True):
    """Which keys a request was signed with, and how."""

    keys: KeySet
    unknown: tuple[str, ...]
    """Names of fields that nobody knows."""
    lower_case: bool
    """Some clones sign in lower-case hex, and compare replies so."""


def fields_of(ask: Ask) -> Fields:
    """What was sent. Raises RefusedError for what cannot be read in one way only."""
    if ask.method not in {"GET", "POST"}:
        raise RefusedError("请求方式须为 POST 或 GET")
    given: Fields
    try:
        given = query_and_form(ask)
    except AmbiguousError as error:
        if error.name is None:
            raise RefusedError("参数格式错误") from None
        raise RefusedError(f"参数[{_shown(error.name)}]重复且内容不一致") from None
    if "params" in given:
        read = read_object(str(given["params"]).encode("utf-8", RAW))
        if read is None or len(read) > FIELDS_MAX:
            raise RefusedError("参数[params]须为一个 JSON 对象")
        given = read
    if not given:
        raise RefusedError("未传入任何参数")
    return given


def prove(fields: Fields, keys: tuple[KeySet, ...]) -> Proof | None:
    """Who signed this; None when nobody did. Unknown fields may be part of it, or may not."""
    given = fields.get(SIGN)
    if not isinstance(given, str):
        return None
    given = given.strip()
    unknown = tuple(sorted(fields.keys() - KNOWN))
    candidates: list[Fields] = [fields]
    if unknown:
        candidates.append({name: value for name, value in fields.items() if name in KNOWN})
    for one in keys:
        secrets = None if one.secret is None else Secrets((one.secret,))
        if secrets is not None and any(secrets.proves(each, given) for each in candidates):
            return Proof(one, unknown, given != given.upper())
    return None


def text(fields: Fields, name: str) -> str:
    """A field without blanks around it; empty when it is not there. Raises RefusedError."""
    value = fields.get(name)
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            found = plain(value)
            if found is not None:
                return found
    raise RefusedError(f"参数[{name}]须为 UTF-8 编码且不含控制字符")


def order_of(fields: Fields, notify: NotifyUrl | None) -> Order:
    """What to pay. Raises RefusedError naming the field.

    `reqTime` is signed and not looked at: nothing depends on it, since a number is taken once for
    ever, and a refusal would be read as "not paid". So is `subAmountFrom`: there is one balance.
    """
    if (name := posing(fields, KNOWN, OPAQUE)) is not None:
        raise RefusedError(f"参数[{name}]不能含有“&名称=”形式的内容")
    number = _required(fields, "mchOrderNo")
    if len(number) > NUMBER_CHARS_MAX:
        raise RefusedError(f"参数[mchOrderNo]不能超过{NUMBER_CHARS_MAX}个字符")
    amount = _amount(fields)
    instrument = _instrument(fields)
    remark = _free(fields, "remark", REMARK_CHARS_MAX)
    if text(fields, "subAmountFrom") not in {"", "1", "2"}:
        raise RefusedError("参数[subAmountFrom]只能为1(收款账户)或2(代付余额账户)")
    extra = text(fields, "extra")
    if len(extra) > EXTRA_CHARS_MAX:
        raise RefusedError(f"参数[extra]不能超过{EXTRA_CHARS_MAX}个字符")
    return Order(
        number=number,
        amount=amount,
        instrument=instrument,
        purpose=remark or PURPOSE,
        metadata={"extra": extra} if extra else {},
        notify=notify,
    )


def _amount(fields: Fields) -> Money:
    amount = _required(fields, "amount")
    if _WHOLE.fullmatch(amount) is None:
        raise RefusedError("参数[amount]须为整数，单位分")
    if len(amount) > AMOUNT_DIGITS_MAX:
        raise RefusedError("参数[amount]过大")
    if int(amount) == 0:
        raise RefusedError("参数[amount]必须大于0")
    return Money(int(amount), Currency.CNY)


def _instrument(fields: Fields) -> Instrument:
    kind = text(fields, "accountAttr")
    if kind not in {"", "0", "1"}:
        raise RefusedError("参数[accountAttr]只能为0(对私)或1(对公)")
    name = _free(fields, "accountName", NAME_CHARS_MAX)
    if not name:
        raise RefusedError("参数[accountName]必填")
    number = _required(fields, "accountNo").replace(" ", "")
    if _CARD.fullmatch(number) is None:
        raise RefusedError("参数[accountNo]须为8到32位数字")
    if kind != "1":
        return BankCard(number, name, bank_name=_free(fields, "bankName", NAME_CHARS_MAX) or None)
    province, city, bank, line = (_free(fields, one, NAME_CHARS_MAX) for one in _COMPANY)
    for field, given in zip(_COMPANY, (province, city, bank, line), strict=True):
        if not given:
            raise RefusedError(f"对公代付,参数[{field}]必填")
    if _LINE_NUMBER.fullmatch(line) is None:
        raise RefusedError("参数[bankNumber]须为12位联行号")
    return BankAccount(number, name, line, bank, province=province, city=city)


def _required(fields: Fields, name: str) -> str:
    found = text(fields, name)
    if not found:
        raise RefusedError(f"参数[{name}]必填")
    return found


def _free(fields: Fields, name: str, most: int) -> str:
    found = text(fields, name)
    if len(found) > most:
        raise RefusedError(f"参数[{name}]不能超过{most}个字符")
    if POSES_AS_FIELD.search(found):
        raise RefusedError(f"参数[{name}]不能含有“&名称=”形式的内容")
    return found


def _shown(name: str) -> str:
    return ascii(name[:40])[1:-1]
