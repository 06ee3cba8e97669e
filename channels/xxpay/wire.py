"""XxPay's messages, as bytes and as models; what they mean is decided elsewhere.

Fields follow dialects.md §3.1. No answer names the payee, and none names both our number and the
amount: a submission's echoes only `extra`, a query's `mchOrderNo` and `amount`. So our number is
put into `extra` as well, where notices show it, too.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
)

from channels import forms
from channels.contract import BankAccount, BankCard, Instruction
from channels.keyed_md5.fields import Fen, State, Word
from channels.xxpay.settings import XxPaySettings
from channels.xxpay.signing import signed

PURPOSE_CHARS_MAX = 64
NAME_CHARS_MAX = 64
ZONE = ZoneInfo("Asia/Shanghai")
"""§3.1 reqTime: local time of the server."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Order(_Message):
    """An order as a submission, a query or a notice shows it."""

    agentpayOrderId: Word  # noqa: N815 - their name
    status: State
    fee: Fen | None = None
    transMsg: str | None = None  # noqa: N815 - their name
    extra: str | None = None
    mchOrderNo: Word | None = None  # noqa: N815 - their name
    amount: Fen | None = None


class Funds(_Message):
    """Answer to a balance query, in fen."""

    availableAgentpayBalance: Fen  # noqa: N815 - their name


def order(fields: Mapping[str, Any]) -> Order | None:
    """The order in proven fields, or None; empty texts stand for nothing."""
    try:
        return Order.model_validate({name: value for name, value in fields.items() if value != ""})
    except ValidationError:
        return None


def funds(fields: Mapping[str, Any]) -> Funds | None:
    """The balance in proven fields, or None if they do not hold one."""
    try:
        return Funds.model_validate(fields)
    except ValidationError:
        return None


def submission(settings: XxPaySettings, instruction: Instruction, now: datetime) -> bytes:
    """The form of a submission; `check` has found nothing to object to."""
    instrument = instruction.instrument
    if not isinstance(instrument, BankCard | BankAccount):
        raise TypeError("XxPay pays bank cards and bank accounts only")  # `check` refuses others
    fields = {
        "mchId": settings.mch_id,
        "mchOrderNo": instruction.reference,
        "amount": str(instruction.amount.minor),
        "accountAttr": "1" if isinstance(instrument, BankAccount) else "0",
        "accountName": instrument.name,
        "accountNo": instrument.number,
        "remark": instruction.purpose,
        "extra": instruction.reference,
        "reqTime": _time(now),
        "bankName": instrument.bank_name or "",
        "notifyUrl": instruction.notify_url or "",
    }
    if settings.sub_amount_from is not None:
        fields["subAmountFrom"] = str(settings.sub_amount_from)
    if isinstance(instrument, BankAccount):
        fields["province"] = instrument.province or ""
        fields["city"] = instrument.city or ""
        fields["bankNumber"] = instrument.bank_code
    return _form(settings, fields)


def query(settings: XxPaySettings, reference: str, now: datetime) -> bytes:
    """The form of a question about our number."""
    return _form(
        settings, {"mchId": settings.mch_id, "mchOrderNo": reference, "reqTime": _time(now)}
    )


def balance(settings: XxPaySettings, now: datetime) -> bytes:
    """The form of a question about the balance."""
    return _form(settings, {"mchId": settings.mch_id, "reqTime": _time(now)})


def _form(settings: XxPaySettings, fields: Mapping[str, str]) -> bytes:
    given = {name: value for name, value in fields.items() if value}
    lower_case = settings.lower_case_signature
    form = signed(given, settings.secrets, lower_case=lower_case)
    return forms.encoded(form.items()).encode()


def _time(now: datetime) -> str:
    return now.astimezone(ZONE).strftime("%Y%m%d%H%M%S")
