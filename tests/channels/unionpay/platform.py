"""UnionPay's side of a test: keys and certificates made for tests alone, messages signed as there.

It signs with its own few lines, not with the adapter's.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from channels.contract import BankAccount, BankCard, Inquiry, Instruction, Instrument, Terms
from channels.money import Currency, Money
from channels.unionpay.channel import UnionpayChannel, build
from channels.unionpay.settings import UnionpaySettings
from tests.simulators.keys import pair
from tests.simulators.unionpay.merchant import (
    MER_ID,
    encrypt_pem,
    merchant_pem,
    middle_pem,
    root_pem,
    signing_pem,
)

NOW = datetime(2026, 11, 2, 1, 30, tzinfo=UTC)
"""09:30 in Beijing."""
REFERENCE = "P7K2M9X4Q1A1"
TXN_TIME = "20261102093000"
QUERY_ID = "202611020930001234567"
TERMS = Terms(Currency.CNY, amount_min=1, amount_max=500_000_000)
AMOUNT = Money(12_345, Currency.CNY)
CARD = BankCard("6216261000000000018", "张三丰", "ICBC", "中国工商银行")
CORPORATE = BankAccount(
    "0200004509022100123", "杭州某某科技有限公司", "102100000450", "中国工商银行", "海淀支行"
)
BACK_URL = "http://127.0.0.1:1/notices/unionpay"


@dataclass(frozen=True)
class Files:
    """Where the files are that an operator would be handed."""

    key: Path
    certificate: Path
    middle: Path
    root: Path
    encrypt: Path


def files(folder: Path, key: str, certificate: str) -> Files:
    """Write the files of a merchant."""
    named = Files(*(folder / f"{key}-{name}.pem" for name in Files.__dataclass_fields__))
    named.key.write_text(pair(key).private_pem)
    named.certificate.write_text(certificate)
    named.middle.write_text(middle_pem())
    named.root.write_text(root_pem())
    named.encrypt.write_text(encrypt_pem())
    return named


@cache
def usual() -> Files:
    """The files of the usual merchant, in a folder of their own."""
    return files(Path(mkdtemp(prefix="unionpay-")), "unionpay-merchant", merchant_pem())


def given(written: Files | None = None) -> dict[str, object]:
    """Settings as an operator writes them."""
    here = written or usual()
    return {
        "gateway_url": "http://127.0.0.1:1",
        "file_url": "http://127.0.0.1:1",
        "mer_id": MER_ID,
        "private_key_file": here.key,
        "certificate_file": here.certificate,
        "middle_cert_files": [here.middle],
        "root_cert_files": [here.root],
        "back_url": BACK_URL,
    }


def settings(**changes: object) -> UnionpaySettings:
    """The usual merchant's settings, unless told otherwise."""
    return UnionpaySettings.model_validate(given() | changes)


def channel(**changes: object) -> UnionpayChannel:
    """A channel whose clock stands still."""
    return build("unionpay-test", settings(**changes), TERMS, lambda: NOW)


def instruction(instrument: Instrument = CARD, /, **changes: object) -> Instruction:
    """One try to pay 123.45 yuan."""
    fields: dict[str, object] = {
        "attempt_id": "a1",
        "reference": REFERENCE,
        "amount": AMOUNT,
        "instrument": instrument,
        "purpose": "十月佣金",
    }
    return Instruction(**(fields | changes))  # type: ignore[arg-type] # names are checked at run time


def inquiry(instrument: Instrument = CARD, channel_ref: str | None = None) -> Inquiry:
    """The question about that try."""
    return Inquiry(REFERENCE, AMOUNT, instrument, NOW, channel_ref)


def signature(fields: Mapping[str, str], key: str = "unionpay-signing") -> str:
    """SHA256withRSA over the hex of SHA-256 over all fields but the signature, blank ones too."""
    text = "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if k != "signature")
    digest = hashlib.sha256(text.encode()).hexdigest().encode()
    return base64.b64encode(pair(key).key.sign(digest, PKCS1v15(), hashes.SHA256())).decode()


def signed(
    fields: Mapping[str, str], certificate: str | None = None, key: str = "unionpay-signing"
) -> dict[str, str]:
    """The fields with certificate and signature."""
    complete = {
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        **fields,
        "signPubKeyCert": certificate or signing_pem(),
    }
    return {**complete, "signature": signature(complete, key)}


def row(fields: Mapping[str, str]) -> bytes:
    """A reply: nothing in it is escaped."""
    return "&".join(f"{name}={value}" for name, value in fields.items()).encode()


def reply(**fields: str) -> bytes:
    """A signed reply."""
    return row(signed(fields))


def taken(**changes: str) -> dict[str, str]:
    """Fields of the reply to a payout that was taken in."""
    return {
        "txnType": "12",
        "txnSubType": "00",
        "bizType": "000401",
        "accessType": "0",
        "merId": MER_ID,
        "orderId": REFERENCE,
        "txnTime": TXN_TIME,
        "txnAmt": "12345",
        "currencyCode": "156",
        "queryId": QUERY_ID,
        "respCode": "00",
        "respMsg": "成功[0000000]",
    } | changes


def found(**changes: str) -> dict[str, str]:
    """Fields of a query that found a paid order."""
    return (
        taken(
            txnType="00",
            origRespCode="00",
            origRespMsg="成功[0000000]",
            accNo="621626*********0018",
            settleAmt="12345",
            settleCurrencyCode="156",
            settleDate="1102",
            traceNo="123456",
            traceTime="1102093007",
        )
        | changes
    )


def refused(code: str, **changes: str) -> dict[str, str]:
    """Fields of the reply to a payout that was refused."""
    fields = taken(respCode=code, respMsg=f"[{code}]") | changes
    if "queryId" not in changes:
        del fields["queryId"]
    return fields
