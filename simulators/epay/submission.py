"""The field rules of transfer/submit: what is thrown before anything is looked up.

Source: wire-protocols.md §6, dialects.md §2.1. Account, name and remark are escaped for HTML first,
as a stock site does: it counts, stores and pays the escaped text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from simulators.epay.errors import ThrownError
from simulators.epay.gatekeeper import Call
from simulators.epay.settings import Settings

_NUMBER = re.compile(r"[A-Za-z0-9._|-]+", re.ASCII)
_NINETEEN = re.compile(r"[0-9]{19}", re.ASCII)
_MONEY = re.compile(r"(\d{1,10})(?:\.(\d{1,2})0*)?", re.ASCII)
_ESCAPES = {"&": "&amp;", '"': "&quot;", "'": "&#039;", "<": "&lt;", ">": "&gt;"}
_REMARK_MAX = 32


@dataclass(frozen=True, slots=True)
class Submission:
    """One well-formed transfer. `out_biz_no` is empty where the site is to make a number."""

    type: str
    out_biz_no: str
    payee: str
    name: str
    amount_minor: int
    remark: str


def escaped(text: str) -> str:
    """What PHP's htmlspecialchars makes of it."""
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def is_nineteen(number: str) -> bool:
    """Whether the site takes the merchant's number for its own."""
    return _NINETEEN.fullmatch(number) is not None


def read_amount(text: str) -> int | None:
    """Fen of a positive yuan text; a stock site takes more decimals, a bank does not."""
    found = _MONEY.fullmatch(text)
    if found is None:
        return None
    return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))


def read_submission(call: Call, settings: Settings) -> Submission:
    """Check every field. Raises ThrownError."""
    kind, number = call.get("type"), call.get("out_biz_no")
    payee, name = escaped(call.get("account")), escaped(call.get("name"))
    money, remark = call.get("money"), escaped(call.get("remark"))
    if _empty(kind):
        raise ThrownError("代付方式(type)不能为空")
    if _empty(payee):
        raise ThrownError("收款人账号(account)不能为空")
    if _empty(name) and settings.name_required:
        raise ThrownError("收款人姓名(name)不能为空")
    if _empty(money):
        raise ThrownError("转账金额(money)不能为空")
    rule = _NINETEEN if settings.era == "old" else _NUMBER
    if number and rule.fullmatch(number) is None:
        raise ThrownError("交易号输入不规范")
    if len(remark) > _REMARK_MAX:
        raise ThrownError(f"转账备注最多{_REMARK_MAX}个字")
    amount = read_amount(money)
    if not amount:
        raise ThrownError("转账金额输入不规范")
    return Submission(kind, number, payee, name, amount, remark)


def _empty(text: str) -> bool:
    """PHP's empty()."""
    return text in ("", "0")
