"""The gateway's side of a test: answers signed as XxPay signs them, by these few lines alone."""

from collections.abc import Mapping
from urllib.parse import urlencode

from channels.contract import BankAccount, Inquiry, Instruction, Instrument
from channels.xxpay.channel import XxPayChannel, build
from channels.xxpay.settings import XxPaySettings
from tests.channels import resellers
from tests.channels.resellers import AMOUNT, CARD, NOW, REFERENCE, TERMS, compact, reply

__all__ = ["AMOUNT", "CARD", "NOW", "REFERENCE", "TERMS", "compact", "reply"]

MCH_ID = "20000000"
SECRET = "A-SECRET-FOR-TESTS-ALONE-0002"
NUMBER = "G2026110209300000000001"
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
    return resellers.instruction(instrument, **changes)


def inquiry(instrument: Instrument = CARD, channel_ref: str | None = None) -> Inquiry:
    """The question about that try."""
    return resellers.inquiry(instrument, channel_ref)


def signature(fields: Mapping[str, object], secret: str = SECRET) -> str:
    """What the gateway signs with its merchant's secret."""
    return resellers.signature(fields, secret)


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


def _without_none(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
