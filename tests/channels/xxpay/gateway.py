"""The gateway's side of a test: answers signed as XxPay signs them, by these few lines alone."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from channels.contract import BankAccount, BankCard, Inquiry, Instruction, Instrument, Terms
from channels.money import Currency, Money
from channels.transport import Reply
from channels.xxpay.channel import XxPayChannel, build
from channels.xxpay.settings import XxPaySettings

MCH_ID = "20000000"
SECRET = "A-SECRET-FOR-TESTS-ALONE-0002"
NOW = datetime(2026, 11, 2, 1, 30, tzinfo=UTC)
"""09:30 in Beijing."""
REFERENCE = "P7K2M9X4Q1A1"
NUMBER = "G2026110209300000000001"
AMOUNT = Money(12_345, Currency.CNY)
TERMS = Terms(Currency.CNY, amount_min=1, amount_max=500_000_000)
CARD = BankCard("6222020200112233445", "张三丰", "ICBC", "中国工商银行")
COMPANY = BankAccount(
    "0200004509022100123",
    "杭州某某科技有限公司",
    "102100000450",
    "中国工商银行",
    "海淀支行",
    "北京市",
    "北京市",
)


def settings(**changes: object) -> XxPaySettings:
    """Both rails, unless told otherwise."""
    given: dict[str, object] = {
        "base_url": "http://127.0.0.1:1",
        "mch_id": MCH_ID,
        "private_key": SECRET,
    }
    return XxPaySettings.model_validate(given | changes)


def channel(**changes: object) -> XxPayChannel:
    """A channel whose clock stands still."""
    return build("xxpay-test", settings(**changes), TERMS, lambda: NOW)


def instruction(instrument: Instrument = CARD, **changes: object) -> Instruction:
    """One try to pay 123.45 yuan."""
    given: dict[str, object] = {
        "attempt_id": "a1",
        "reference": REFERENCE,
        "amount": AMOUNT,
        "instrument": instrument,
        "purpose": "十月佣金",
    }
    return Instruction(**(given | changes))  # type: ignore[arg-type] # names are checked at run time


def inquiry(instrument: Instrument = CARD, channel_ref: str | None = None) -> Inquiry:
    """The question about that try."""
    return Inquiry(REFERENCE, AMOUNT, instrument, NOW, channel_ref)


def signature(fields: Mapping[str, object], secret: str = SECRET) -> str:
    """The rule, once more: these fields have names that sort alike in any case."""
    text = "".join(f"{n}={v}&" for n, v in sorted(fields.items()) if v not in (None, ""))
    return hashlib.md5(f"{text}key={secret}".encode(), usedforsecurity=False).hexdigest().upper()


def taken(**changes: object) -> dict[str, object]:
    """An answer to a submission; None drops a field."""
    return _without_none(
        {
            "retCode": "SUCCESS",
            "agentpayOrderId": NUMBER,
            "status": 1,
            "fee": 100,
            "extra": REFERENCE,
        }
        | changes
    )


def found(**changes: object) -> dict[str, object]:
    """An answer to a query about a paid order; None drops a field."""
    return _without_none(
        {
            "retCode": "SUCCESS",
            "agentpayOrderId": NUMBER,
            "mchOrderNo": REFERENCE,
            "amount": "12345",
            "fee": "100",
            "status": "2",
            "transMsg": "",
        }
        | changes
    )


def told(**changes: object) -> dict[str, object]:
    """The fields of a notice."""
    return _without_none(
        {
            "agentpayOrderId": NUMBER,
            "status": "2",
            "fee": "100",
            "transMsg": "",
            "extra": REFERENCE,
        }
        | changes
    )


def signed(fields: Mapping[str, object]) -> bytes:
    """These fields with their signature."""
    return compact({**fields, "sign": signature(fields)})


def query(fields: Mapping[str, object]) -> str:
    """A notice's query string."""
    return urlencode({**fields, "sign": signature(fields)})


def refusal(message: str, code: str = "FAIL") -> bytes:
    """What a stock server refuses with: no signature."""
    return compact({"retCode": code, "retMsg": message})


def compact(fields: Mapping[str, object]) -> bytes:
    """JSON as the server writes it."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def reply(body: bytes, status: int = 200) -> Reply:
    """What arrives."""
    return Reply(status, {"content-type": "application/json;charset=UTF-8"}, body)


def _without_none(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
