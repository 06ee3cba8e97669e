"""Requests as the server reads them: form, query string or one `params` field; then verified.

Source: the interface description of 代付, 代付查询 and 代付余额查询. Every field that was sent is
part of the signature, also those the server does not know; the order of the checks is the server's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from simulators.kernel import Request
from simulators.keyed_md5 import is_signed
from simulators.xxpay.settings import Account, Settings

SUBMIT, INQUIRE, BALANCE = "submit", "inquire", "balance"
PATHS: Mapping[str, str] = {
    "/api/agentpay/apply": SUBMIT,
    "/api/agentpay/query_order": INQUIRE,
    "/api/agentpay/query_balance": BALANCE,
}
_COMPANY = ("province", "city", "bankName", "bankNumber")


class RefusedError(Exception):
    """The request gets a refusal with this text."""

    def __init__(self, message: str, code: str = "FAIL") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Given:
    """The fields of a request as text."""

    op: str
    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """A field, empty when it is not there."""
        return self.fields.get(name, "")

    @property
    def amount(self) -> int | None:
        """Fen, if it is a whole number."""
        return int(self.text("amount")) if _is_digits(self.text("amount")) else None


def read(request: Request, op: str) -> Given:
    """Take the fields out of the request, wherever they stand."""
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    fields = dict(parse_qsl(request.query, keep_blank_values=True)) | form
    if "params" in fields:
        try:
            given = json.loads(fields["params"])
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            raise RefusedError("支付网关系统异常")
        fields = {str(n): v if isinstance(v, str) else json.dumps(v) for n, v in given.items()}
    return Given(op, fields)


def admit(given: Given, accounts: Mapping[str, Account], settings: Settings) -> Account:
    """Whose request it is. Raises RefusedError; the fields come first, the signature last."""
    if not _is_digits(given.text("mchId")):
        raise RefusedError("参数[mchId]必填,且为数值类型.mchId=" + given.text("mchId"))
    account = accounts.get(given.text("mchId"))
    if account is None:
        raise RefusedError("商户不存在.mchId=" + given.text("mchId"))
    if not account.is_enabled:
        raise RefusedError("商户状态不可用.mchId=" + given.text("mchId"))
    if given.op == SUBMIT:
        _check_transfer(given, settings)
    elif given.op == INQUIRE and not (given.text("mchOrderNo") or given.text("agentpayOrderId")):
        raise RefusedError("request params[mchOrderNo or payOrderId] error.")
    if not _is_time(given.text("reqTime")):
        raise RefusedError("参数[reqTime]必填,且格式为yyyyMMddHHmmss")
    signature = given.text("sign")
    if not signature:
        raise RefusedError("参数[sign]必填")
    wrong_case = settings.lower_case and signature != signature.lower()
    if wrong_case or not is_signed(given.fields, account.private_key.get_secret_value()):
        raise RefusedError("验证签名不通过.")
    return account


def _check_transfer(given: Given, settings: Settings) -> None:
    if not given.text("mchOrderNo").strip():
        raise RefusedError("参数[mchOrderNo]必填")
    if given.amount is None:
        raise RefusedError("参数[amount]必填且为数字")
    if given.amount <= 0:
        raise RefusedError("参数[amount]必须大于0")
    if not given.text("accountName").strip():
        raise RefusedError("参数[accountName]必填")
    if not _is_digits(given.text("accountNo")):
        raise RefusedError("参数[accountNo]必填且为数值")
    if given.text("accountAttr") == "1":
        for name in _COMPANY:
            if not given.text(name).strip():
                raise RefusedError(f"对公代付,参数[{name}]必填")
    if not given.text("remark").strip():
        raise RefusedError("参数[remark]必填")
    if settings.needs_sub_amount_from and given.text("subAmountFrom") not in ("1", "2"):
        raise RefusedError("参数[subAmountFrom]必填, 1:从收款账户出款,2:从代付余额账户出款")


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 40


def _is_time(text: str) -> bool:
    if len(text) != 14 or not _is_digits(text):
        return False
    try:
        datetime.strptime(text + "+0800", "%Y%m%d%H%M%S%z")
    except ValueError:
        return False
    return True
