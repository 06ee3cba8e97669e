"""What is inside of Alipay's calls: `biz_content` in, an order or a question out. Pure.

Fields: wire-protocols.md §1.3 and §1.4. What nobody here uses is let pass, as Alipay does; what
asks for a check that we do not make is refused, for its caller counts on it.
"""

import json
import re
from collections.abc import Mapping

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    Instrument,
)
from channels.money import Currency, Money, MoneyError
from gateway.api.dialects.alipay_codes import INVALID, RefusedError
from gateway.api.dialects.order import Order
from gateway.api.dialects.wire import plain
from gateway.domain.dialect import NUMBER_CHARS_MAX

PURPOSE = "转账"
"""What the payee reads when the caller says nothing."""
AMOUNT_MAX = Money(10_000_000_000, Currency.CNY)
"""§1.3: a hundred million yuan."""
SCENE = "DIRECT_TRANSFER"
PRODUCTS = ("TRANS_ACCOUNT_NO_PWD", "TRANS_BANKCARD_NO_PWD")
UNUSED = frozenset({"business_params", "original_order_id", "sign_data"})
"""Known, of no effect here."""
DECIDING = {
    "payer_info": "付款方为本 app_id 的账户，请去掉该参数",
    "mutiple_currency_detail": "仅支持人民币，请去掉该参数",
}
"""Whose money, and which: not to be passed over. The spelling is the platform's."""
USED = frozenset(
    (
        *("out_biz_no", "trans_amount", "product_code", "biz_scene", "order_title", "payee_info"),
        *("remark", "passback_params", "transfer_scene_name", "transfer_scene_report_infos"),
        *("order_id", "pay_fund_order_id", "account_type", "alipay_user_id", "alipay_open_id"),
        *DECIDING,
    )
)
_IDENTITIES: Mapping[str, AlipayIdentity] = {
    "ALIPAY_USER_ID": AlipayIdentity.USER_ID,
    "ALIPAY_LOGON_ID": AlipayIdentity.LOGON_ID,
    "ALIPAY_OPEN_ID": AlipayIdentity.OPEN_ID,
}
_BANK = (
    *("account_type", "bank_code", "inst_name", "inst_branch_name"),
    *("inst_province", "inst_city"),
)
_USER_ID = re.compile(r"2088[0-9]{12}", re.ASCII)
_CARD = re.compile(r"[0-9]{8,32}", re.ASCII)
_LINE_NUMBER = re.compile(r"[0-9]{12}", re.ASCII)

Content = Mapping[str, object]


def read(text: str) -> Content:
    """The JSON object; numbers stay as they are written. Raises `RefusedError`."""
    try:
        parsed = json.loads(
            text,
            parse_float=str,
            parse_int=str,
            parse_constant=_refuse,
            object_pairs_hook=_unambiguous,
        )
    except (ValueError, RecursionError):
        raise RefusedError(INVALID, "参数有误：biz_content 不是合法的 JSON") from None
    if not isinstance(parsed, dict):
        raise RefusedError(INVALID, "参数有误：biz_content 不是 JSON 对象")
    return parsed


def number_of(content: Content) -> str | None:
    """Under which number it is asked, if that can be read at all."""
    try:
        return _number(content)
    except RefusedError:
        return None


def order_of(content: Content) -> Order:
    """A transfer. Raises `RefusedError` with the field at fault."""
    number, amount = _number(content), _amount(content)
    for name, why in DECIDING.items():
        if content.get(name):
            raise _bad(name, why)
    _expect(content, "biz_scene", SCENE)
    product = _text(content, "product_code", 64)
    if product not in PRODUCTS:
        raise RefusedError("PRODUCT_NOT_SIGN") if product else _bad("product_code", "不能为空")
    title, remark = _text(content, "order_title", 128), _text(content, "remark", 200)
    purpose = title or remark or PURPOSE
    kept = {
        "remark": remark if remark != purpose else "",
        "passback_params": _text(content, "passback_params", 512),
        "transfer_scene_name": _text(content, "transfer_scene_name", 64),
    }
    return Order(
        number=number,
        amount=amount,
        instrument=_payee(content, is_card=product == PRODUCTS[1]),
        purpose=purpose,
        metadata={name: value for name, value in kept.items() if value},
    )


def question_of(content: Content) -> tuple[str, bool]:
    """Which order is asked about, and whether by our number; the platform's own order of rank."""
    for name in ("pay_fund_order_id", "order_id"):
        own = _text(content, name, NUMBER_CHARS_MAX)
        if own:
            return own, True
    return _number(content), False


def check_account(content: Content) -> None:
    """Raise `RefusedError` unless the one account that there is is meant."""
    _expect(content, "account_type", "ACCTRANS_ACCOUNT")


def _number(content: Content) -> str:
    given, number = content.get("out_biz_no"), _text(content, "out_biz_no", NUMBER_CHARS_MAX)
    if not number or number != given:
        raise _bad("out_biz_no", f"须为 1 至 {NUMBER_CHARS_MAX} 个字符，首尾不能有空白")
    return number


def _amount(content: Content) -> Money:
    try:
        amount = Money.parse(_text(content, "trans_amount", 24), Currency.CNY)
    except MoneyError:
        raise _bad("trans_amount", "须为以元为单位、最多两位小数的金额") from None
    if amount.minor <= 0:
        raise RefusedError("EXCEED_LIMIT_SM_MIN_AMOUNT")
    if amount > AMOUNT_MAX:
        raise RefusedError("EXCEED_LIMIT_SM_AMOUNT")
    return amount


def _payee(content: Content, *, is_card: bool) -> Instrument:
    info = content.get("payee_info")
    if not isinstance(info, dict):
        raise _bad("payee_info", "须为 JSON 对象")
    for name in ("cert_type", "cert_no"):
        if info.get(name):
            raise _bad(f"payee_info.{name}", "不支持证件校验，请去掉该参数")
    identity = _text(info, "identity", 128, "payee_info.")
    if not identity:
        raise _bad("payee_info.identity", "不能为空")
    name, kind = (_text(info, one, 64, "payee_info.") for one in ("name", "identity_type"))
    if kind == "BANKCARD_ACCOUNT":
        return _card(info, identity, name)
    if kind not in _IDENTITIES or is_card:
        raise _bad("payee_info.identity_type", "不支持或与 product_code 不符")
    if kind == "ALIPAY_USER_ID" and _USER_ID.fullmatch(identity) is None:
        raise _bad("payee_info.identity", "须为 2088 开头的 16 位数字")
    if kind == "ALIPAY_LOGON_ID" and not name:
        raise _bad("payee_info.name", "使用登录号收款时不能为空")
    return AlipayAccount(identity, _IDENTITIES[kind], name or None)


def _card(info: Content, identity: str, name: str) -> Instrument:
    number = identity.replace(" ", "")
    if _CARD.fullmatch(number) is None:
        raise RefusedError("INVALID_CARDNO")
    if not name:
        raise _bad("payee_info.name", "银行卡收款时不能为空")
    place = "payee_info.bankcard_ext_info."
    bank = info.get("bankcard_ext_info", {})
    if not isinstance(bank, dict):
        raise _bad(place.removesuffix("."), "须为 JSON 对象")
    said = {one: _text(bank, one, 128, place) for one in _BANK}
    if said["account_type"] not in {"", "1", "2"}:
        raise _bad(f"{place}account_type", "须为 1（对公）或 2（对私）")
    code = said["bank_code"]
    if code and _LINE_NUMBER.fullmatch(code) is None:
        raise RefusedError("BANKCODE_OR_BRANCHNAME_INFO_ERROR")
    if said["account_type"] != "1":
        # Their bank_code is a line number, ours of a card a short code such as ICBC.
        return BankCard(number, name, None, said["inst_name"] or None)
    if not (code and said["inst_name"]):
        raise RefusedError("BANKCODE_OR_BRANCHNAME_INFO_ERROR")
    return BankAccount(
        number,
        name,
        code,
        said["inst_name"],
        said["inst_branch_name"] or None,
        said["inst_province"] or None,
        said["inst_city"] or None,
    )


def _expect(content: Content, name: str, word: str) -> None:
    if _text(content, name, 64) != word:
        raise _bad(name, f"须为 {word}")


def _text(content: Content, name: str, limit: int, place: str = "") -> str:
    value = content.get(name)
    if value is None:
        return ""
    text = plain(value) if isinstance(value, str) else None
    if text is None or len(text) > limit:
        raise _bad(place + name, f"须为至多 {limit} 个字符的文本，不含控制字符")
    return text


def _bad(name: str, why: str) -> RefusedError:
    return RefusedError(INVALID, f"参数有误：{name} {why}")


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is no JSON")
