"""Requests as the server reads them: JSON or form, known fields only, validated, then verified.

Source: the interface description of 转账 and 转账查单. The server signs the fields of its own
classes, so a signed field that it does not know makes the signature wrong; the order of the checks
(fields first, code 11; merchant and signature then, code 9999) is the server's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from simulators.jeepay.settings import Account
from simulators.kernel import Request
from simulators.keyed_md5 import is_signed

_ALWAYS = {
    "mchNo": "商户号不能为空",
    "appId": "商户应用ID不能为空",
    "version": "版本号不能为空",
    "signType": "签名类型不能为空",
    "reqTime": "时间戳不能为空",
    "sign": "签名值不能为空",
}
_TRANSFER = {
    "mchOrderNo": "商户订单号不能为空",
    "ifCode": "支付接口代码不能为空",
    "entryType": "入账方式不能为空",
    "amount": "转账金额不能为空",
    "currency": "货币代码不能为空",
    "accountNo": "收款账号不能为空",
    "transferDesc": "转账备注信息不能为空",
}
_OPTIONAL = ("accountName", "bankName", "clientIp", "notifyUrl", "channelExtra", "extParam")
_QUERY = ("mchOrderNo", "transferId")

_ENTRIES: Mapping[str, frozenset[str]] = {
    "alipay": frozenset({"ALIPAY_CASH"}),
    "wxpay": frozenset({"WX_CASH", "BANK_CARD"}),
}
"""Which ways of entry the stock interfaces support; others take bank cards."""

SUBMIT, INQUIRE = "submit", "inquire"
PATHS: Mapping[str, str] = {"/api/transferOrder": SUBMIT, "/api/transfer/query": INQUIRE}


class RefusedError(Exception):
    """The request gets an unsigned envelope with this code and text."""

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def params_error(message: str) -> RefusedError:
    """Code 11: a field is missing or malformed."""
    return RefusedError(11, f"参数有误[{message}]")


@dataclass(frozen=True, slots=True)
class Given:
    """The fields of a request that the server knows, as text."""

    op: str
    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """A field, empty when it is not there."""
        return self.fields.get(name, "")

    @property
    def amount(self) -> int | None:
        """Fen, if it is a whole number."""
        text = self.text("amount")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def read(request: Request, op: str) -> Given:
    """Take the fields the server knows out of a JSON or form body, or of the query string."""
    given: Mapping[str, object]
    if "json" in request.headers.get("content-type", ""):
        try:
            parsed = json.loads(request.body)
        except (ValueError, RecursionError):
            raise RefusedError(10, "系统异常[报文转换异常]") from None
        if not isinstance(parsed, dict):
            raise RefusedError(10, "系统异常[报文转换异常]")
        given = parsed
    else:
        text = request.body.decode("utf-8", "replace")
        given = dict(parse_qsl(text)) | dict(parse_qsl(request.query))
    known = (*_ALWAYS, *((*_TRANSFER, *_OPTIONAL) if op == SUBMIT else _QUERY))
    return Given(op, {n: _text(given[n]) for n in known if given.get(n) not in (None, "")})


def admit(given: Given, accounts: Mapping[tuple[str, str], Account]) -> Account:
    """Whose request it is. Raises RefusedError; the shape of the fields comes first."""
    needed = _ALWAYS | (_TRANSFER if given.op == SUBMIT else {})
    for name, complaint in needed.items():
        if not given.text(name).strip():
            raise params_error(complaint)
    if given.op == SUBMIT:
        if given.amount is None:
            raise RefusedError(10, "系统异常[金额格式错误]")
        if given.amount < 1:
            raise params_error("转账金额不能小于1分")
    account = accounts.get((given.text("mchNo"), given.text("appId")))
    if account is None:
        raise RefusedError(9999, "商户或商户应用不存在")
    if not account.is_enabled:
        raise RefusedError(9999, "商户应用不存在或应用状态不可用")
    if not is_signed(given.fields, account.app_secret.get_secret_value()):
        raise RefusedError(9999, "验签失败")
    return account


def check_way(account: Account, given: Given) -> None:
    """What the server checks before it writes an order. Raises RefusedError."""
    url, if_code, entry = given.text("notifyUrl"), given.text("ifCode"), given.text("entryType")
    if url and not url.startswith(("http://", "https://")):
        raise RefusedError(9999, "异步通知地址协议仅支持http:// 或 https:// !")
    if if_code not in account.if_codes:
        raise RefusedError(9999, "应用未开通此接口配置!")
    if entry not in _ENTRIES.get(if_code, {"BANK_CARD"}):
        raise RefusedError(9999, "该接口不支持该入账方式")


def has_scene(text: str) -> bool:
    """Whether channelExtra tells what WeChat wants to know."""
    try:
        extra = json.loads(text)
    except ValueError:
        return False
    reports = extra.get("transferSceneReportInfos") if isinstance(extra, dict) else None
    return (
        isinstance(reports, list)
        and bool(reports)
        and all(isinstance(r, dict) and r.get("infoType") and r.get("infoContent") for r in reports)
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
