"""The platform's side of a test: keys made for tests alone, replies signed as Alipay signs them.

It signs with its own few lines, not with the adapter's.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from channels.alipay.channel import AlipayChannel, build
from channels.alipay.settings import AlipaySettings
from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    Inquiry,
    Instruction,
    Instrument,
    Terms,
)
from channels.money import Currency, Money

WIRE = Path(__file__).parents[2] / "wire" / "alipay"
MERCHANT_KEY = WIRE / "keys" / "merchant.pem"
PLATFORM_KEY = WIRE / "keys" / "platform.pem"

APP_ID = "2021000000000001"
USER_ID = "2088000000000011"
NOW = datetime(2026, 11, 2, 1, 30, tzinfo=UTC)
"""09:30 in Beijing."""
REFERENCE = "P7K2M9X4Q1A1"
ORDER = "20261102110070000006990000000001"
TERMS = Terms(Currency.CNY, amount_min=10, amount_max=500_000_000)
AMOUNT = Money(12_345, Currency.CNY)

ACCOUNT = AlipayAccount("2088123456789012", AlipayIdentity.USER_ID, "张三丰")
LOGON = AlipayAccount("zhang@example.com", AlipayIdentity.LOGON_ID, "张三丰")
CARD = BankCard("6222020200112233445", "张三丰", "ICBC", "中国工商银行")
CORPORATE = BankAccount(
    "0200004509022100123", "杭州某某科技有限公司", "102100000450", "中国工商银行", "海淀支行"
)
ALL_RAILS = {
    "alipay": "TRANS_ACCOUNT_NO_PWD",
    "bank_card": "TRANS_BANKCARD_NO_PWD",
    "bank_account": "TRANS_BANKCARD_NO_PWD",
}


def platform_key() -> RSAPrivateKey:
    """Alipay's own key, as far as these tests are concerned."""
    key = serialization.load_pem_private_key(PLATFORM_KEY.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


PLATFORM = platform_key()
PLATFORM_PUBLIC = (
    PLATFORM.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def settings(**changes: object) -> AlipaySettings:
    """Public-key mode with every rail, unless told otherwise."""
    given: dict[str, object] = {
        "gateway_url": "http://127.0.0.1:1/gateway.do",
        "app_id": APP_ID,
        "user_id": USER_ID,
        "private_key_file": MERCHANT_KEY,
        "alipay_public_key": PLATFORM_PUBLIC,
        "products": ALL_RAILS,
    }
    return AlipaySettings.model_validate(given | changes)


SETTINGS = settings()


def channel(**changes: object) -> AlipayChannel:
    """A channel whose clock stands still."""
    return build("alipay-test", settings(**changes), TERMS, lambda: NOW)


def instruction(instrument: Instrument = ACCOUNT, **changes: object) -> Instruction:
    """One try to pay 123.45 yuan."""
    given: dict[str, object] = {
        "attempt_id": "a1",
        "reference": REFERENCE,
        "amount": AMOUNT,
        "instrument": instrument,
        "purpose": "十月佣金",
    }
    return Instruction(**(given | changes))  # type: ignore[arg-type] # names are checked at run time


def inquiry(instrument: Instrument = ACCOUNT, channel_ref: str | None = None) -> Inquiry:
    """The question about that try."""
    return Inquiry(REFERENCE, AMOUNT, instrument, NOW, channel_ref)


def signature(content: bytes, key: RSAPrivateKey = PLATFORM) -> str:
    """RSA2 over exactly these bytes."""
    return base64.b64encode(key.sign(content, PKCS1v15(), hashes.SHA256())).decode()


def compact(fields: Mapping[str, object]) -> bytes:
    """JSON as the gateway writes it: no spaces, Chinese as it is."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def signed_reply(name: str, node: Mapping[str, object] | bytes) -> bytes:
    """A reply whose node `name` is signed."""
    raw = node if isinstance(node, bytes) else compact(node)
    return b'{"%s":%s,"sign":"%s"}' % (name.encode(), raw, signature(raw).encode())


def transfer_reply(**fields: object) -> bytes:
    """Answer to a transfer."""
    return signed_reply("alipay_fund_trans_uni_transfer_response", fields)


def query_reply(**fields: object) -> bytes:
    """Answer to a query."""
    return signed_reply("alipay_fund_trans_common_query_response", fields)


def paid(**changes: object) -> dict[str, object]:
    """Fields of a successful transfer."""
    return {
        "code": "10000",
        "msg": "Success",
        "out_biz_no": REFERENCE,
        "order_id": ORDER,
        "pay_fund_order_id": "20261102110070001506990000000002",
        "status": "SUCCESS",
        "trans_date": "2026-11-02 09:30:01",
    } | changes


def found(**changes: object) -> dict[str, object]:
    """Fields of a query that found a successful order."""
    return {
        "code": "10000",
        "msg": "Success",
        "out_biz_no": REFERENCE,
        "order_id": ORDER,
        "pay_fund_order_id": "20261102110070001506990000000002",
        "status": "SUCCESS",
        "pay_date": "2026-11-02 09:30:01",
        "trans_amount": "123.45",
        "order_fee": "0.12",
    } | changes


def refused(sub_code: str, code: str = "40004", **changes: object) -> dict[str, object]:
    """Fields of a refusal."""
    return {
        "code": code,
        "msg": "Business Failed",
        "sub_code": sub_code,
        "sub_msg": "业务处理失败",
    } | changes
