"""The site's side of a test: keys made for tests alone, replies signed as an Epay site signs them.

The signature is worked out by hand (EMSA-PKCS1-v1_5 and a modular power), so that neither the
adapter's code nor the library beneath it vouches for itself.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Inquiry,
    Instruction,
    Instrument,
    Terms,
    WechatWallet,
)
from channels.epay.channel import EpayChannel, build
from channels.epay.settings import EpaySettings
from channels.money import Currency, Money

WIRE = Path(__file__).parents[2] / "wire" / "epay"
KEYS = WIRE / "keys"
MERCHANT_FILE, PLATFORM_FILE = KEYS / "merchant_test_only.pem", KEYS / "platform_test_only.pem"

PID = "1001"
MD5_KEY = "89unJUB8HZ54Hj7x4nUj56HN4nUzUJ8i"
NOW = datetime(2026, 11, 2, 1, 30, tzinfo=UTC)
"""09:30 in Beijing."""
STAMP = str(int(NOW.timestamp()))
REFERENCE = "4815162342108000001"
TERMS = Terms(Currency.CNY, amount_min=10, amount_max=500_000_000)
AMOUNT = Money(12_345, Currency.CNY)

ACCOUNT = AlipayAccount("zhang@example.com", AlipayIdentity.LOGON_ID, "张三丰")
WALLET = WechatWallet("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", None, "张三丰")
CARD = BankCard("6222020200112233445", "张三丰", "ICBC", "中国工商银行")
ALL_RAILS = ("alipay", "wechat", "bank_card")

_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
"""DigestInfo of SHA-256 up to the digest (RFC 8017, 9.2, note 1)."""


def private_key(file: Path) -> RSAPrivateKey:
    """One of the two keys."""
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def public_pem(key: RSAPrivateKey) -> str:
    """Its public half."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def bare(pem: str) -> str:
    """A PEM as the site's page shows it: base64 in one line."""
    return "".join(line for line in pem.splitlines() if "-----" not in line)


PLATFORM, MERCHANT = private_key(PLATFORM_FILE), private_key(MERCHANT_FILE)
PLATFORM_PUBLIC, MERCHANT_PUBLIC = public_pem(PLATFORM), public_pem(MERCHANT)


def by_hand(content: bytes, key: RSAPrivateKey = PLATFORM) -> str:
    """SHA256withRSA with nothing but integers."""
    numbers = key.private_numbers()
    modulus = numbers.public_numbers.n
    length = (modulus.bit_length() + 7) // 8
    tail = _SHA256 + hashlib.sha256(content).digest()
    block = b"\x00\x01" + b"\xff" * (length - 3 - len(tail)) + b"\x00" + tail
    power = pow(int.from_bytes(block), numbers.d, modulus)
    return base64.b64encode(power.to_bytes(length)).decode()


def content_of(fields: Mapping[str, object]) -> bytes:
    """What is signed of a reply, worked out apart from the adapter."""
    lines = []
    for name in sorted(fields):
        value = fields[name]
        if name in {"sign", "sign_type"} or isinstance(value, list | dict) or value is None:
            continue
        text = {True: "1", False: ""}[value] if isinstance(value, bool) else str(value)
        if text.strip():
            lines.append(f"{name}={text}")
    return "&".join(lines).encode()


def settings(**changes: object) -> EpaySettings:
    """An RSA merchant with every rail, unless told otherwise."""
    given: dict[str, object] = {
        "base_url": "http://127.0.0.1:1/",
        "pid": PID,
        "private_key_file": MERCHANT_FILE,
        "public_key": PLATFORM_PUBLIC,
        "rails": ALL_RAILS,
    }
    return EpaySettings.model_validate(given | changes)


SETTINGS = settings()


def channel(terms: Terms = TERMS, **changes: object) -> EpayChannel:
    """A channel whose clock stands still."""
    return build("epay-test", settings(**changes), terms, lambda: NOW)


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


def inquiry(channel_ref: str | None = None) -> Inquiry:
    """The question about that try."""
    return Inquiry(REFERENCE, AMOUNT, ACCOUNT, NOW, channel_ref)


def encoded(fields: Mapping[str, object]) -> bytes:
    """JSON as the site writes it."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def signed(fields: Mapping[str, object], *, stamp: str = STAMP) -> bytes:
    """A reply the site returns on purpose."""
    full = {**fields, "timestamp": stamp, "sign_type": "RSA"}
    return encoded({**full, "sign": by_hand(content_of(full))})


def thrown(message: str, code: int = -1) -> bytes:
    """An error the site throws: nobody signs it."""
    return encoded({"code": code, "msg": message})


def taken(**changes: object) -> dict[str, object]:
    """Fields of a submission that was paid at once."""
    return {
        "code": 0,
        "status": 1,
        "orderid": "20261102110070001506990000000002",
        "paydate": "2026-11-02 09:30:01",
        "biz_no": REFERENCE,
        "out_biz_no": REFERENCE,
        "cost_money": 124.19,
        "msg": "转账成功！",
    } | changes


def refused(message: str, **changes: object) -> dict[str, object]:
    """Fields of a refusal that the site returns."""
    return {"code": -1, "msg": message} | changes


def found(**changes: object) -> dict[str, object]:
    """Fields of a query that found a paid order."""
    return {
        "code": 0,
        "msg": "转账成功！",
        "biz_no": REFERENCE,
        "out_biz_no": REFERENCE,
        "status": 1,
        "amount": "123.45",
        "cost_money": "124.19",
        "paydate": "2026-11-02 09:30:01",
        "remark": "十月佣金",
    } | changes


def failed(**changes: object) -> dict[str, object]:
    """Fields of a query that found a failed order: its cost is the bare amount."""
    return (
        found(
            status=2,
            cost_money="123.45",
            paydate=None,
            errmsg="[PAYEE_USER_INFO_ERROR]收款人姓名有误",
            msg="转账失败：[PAYEE_USER_INFO_ERROR]收款人姓名有误",
        )
        | changes
    )
