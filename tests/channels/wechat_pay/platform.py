"""The far side for these tests: a platform's keys, its signatures, and one builder per noun.

Written apart from the adapter's own signing, so that a shared mistake cannot hide. Every key here
is for tests only and lies in `tests/wire/wechat_pay/keys`.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from channels.contract import Inquiry, Instruction, Tariff, Terms, WechatWallet
from channels.money import Currency, Money
from channels.transport import Reply
from channels.wechat_pay.settings import WechatPaySettings

RECORDINGS = Path(__file__).parents[2] / "wire" / "wechat_pay"
KEYS = RECORDINGS / "keys"

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
MCHID = "1900000109"
APPID = "wx8888888888888888"
SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000001092026030200000001"
CERTIFICATE_SERIAL = "A1B2C3D4E5F60718293A4B5C6D7E8F901234567"
EXPIRED_SERIAL = "1F0E1D0C0B0A09080706050403020100FFEEDDCC"
APIV3_KEY = "0123456789abcdefTESTONLY76543210"
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
NAME = "欧阳娜娜"
REFERENCE = "PO20260302000001A1"
BILL_NO = "1330000071100999991182020050700019480001"
SCHEME = "WECHATPAY2-SHA256-RSA2048"


def private_key(name: str) -> rsa.RSAPrivateKey:
    """A test-only private key by file name, without `_test_only.pem`."""
    pem = (KEYS / f"{name}_test_only.pem").read_bytes()
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(name)
    return key


MERCHANT = private_key("merchant")
PLATFORM = private_key("platform")
CERTIFIED = private_key("platform_certificate")


def raw_settings(**changes: object) -> dict[str, object]:
    """Configuration of one merchant in public-key mode; None takes a key away."""
    given: dict[str, object] = {
        "base_url": "http://127.0.0.1:9",
        "mchid": MCHID,
        "appid": APPID,
        "serial_no": SERIAL,
        "private_key_file": KEYS / "merchant_test_only.pem",
        "public_key_file": KEYS / "platform_public.pem",
        "public_key_id": PUBLIC_KEY_ID,
        "apiv3_key": APIV3_KEY,
        "transfer_scene_id": "1005",
        "transfer_scene_report_infos": [
            {"info_type": "岗位类型", "info_content": "外卖员"},
            {"info_type": "报酬说明", "info_content": "三月配送费"},
        ],
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


def settings(**changes: object) -> WechatPaySettings:
    """The same, validated."""
    return WechatPaySettings.model_validate(raw_settings(**changes))


def certificate_settings(*files: str) -> WechatPaySettings:
    """A merchant in platform-certificate mode."""
    chosen = files or ("platform_certificate.pem",)
    return settings(
        public_key_file=None,
        public_key_id=None,
        platform_certificates=[KEYS / name for name in chosen],
    )


def terms(**changes: int) -> Terms:
    """A contract from 0.10 to 20,000.00 yuan."""
    bounds = {"amount_min": 10, "amount_max": 2_000_000, **changes}
    return Terms(Currency.CNY, bounds["amount_min"], bounds["amount_max"], (Tariff(),))


def instruction(
    *,
    fen: int = 12_34,
    reference: str = REFERENCE,
    openid: str = OPENID,
    appid: str | None = APPID,
    name: str | None = None,
    purpose: str = "三月配送费",
    notify_url: str | None = "https://pay.example.com/notices/wechat-main",
) -> Instruction:
    """12.34 yuan to a wallet, without a name."""
    wallet = WechatWallet(openid, appid, name)
    return Instruction(
        "at_1", reference, Money(fen, Currency.CNY), wallet, purpose, notify_url=notify_url
    )


def inquiry(
    *, fen: int = 12_34, reference: str = REFERENCE, channel_ref: str | None = None
) -> Inquiry:
    """An inquiry about that payout, sent just now."""
    wallet = WechatWallet(OPENID, APPID, NAME)
    return Inquiry(reference, Money(fen, Currency.CNY), wallet, NOW, channel_ref)


def proof(
    body: bytes,
    *,
    at: datetime = NOW,
    key: rsa.RSAPrivateKey = PLATFORM,
    serial: str = PUBLIC_KEY_ID,
    nonce: str = "c5ac7061fccab6bf3e254dcf98995b8c",
) -> dict[str, str]:
    """The five signature headers over a body, lower case."""
    timestamp = str(int(at.timestamp()))
    text = b"\n".join([timestamp.encode(), nonce.encode(), body, b""])
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return {
        "wechatpay-timestamp": timestamp,
        "wechatpay-nonce": nonce,
        "wechatpay-serial": serial,
        "wechatpay-signature": base64.b64encode(signature).decode(),
        "wechatpay-signature-type": SCHEME,
    }


def encoded(message: object) -> bytes:
    """JSON as the platform writes it; bytes stay bytes."""
    if isinstance(message, bytes):
        return message
    return json.dumps(message, ensure_ascii=False).encode()


def reply(status: int, message: object, *, at: datetime = NOW) -> Reply:
    """A properly signed reply."""
    body = encoded(message)
    return Reply(status, {"content-type": "application/json", **proof(body, at=at)}, body)


def taken(**changes: object) -> dict[str, object]:
    """Answer to a submission: waiting for the payee."""
    return _changed(
        {
            "out_bill_no": REFERENCE,
            "transfer_bill_no": BILL_NO,
            "create_time": "2026-03-02T10:00:00+08:00",
            "state": "WAIT_USER_CONFIRM",
            "package_info": "affffddafdfafddffda==",
        },
        changes,
    )


def bill(**changes: object) -> dict[str, object]:
    """Answer to a query: paid 12.34 at 10:05 in Beijing."""
    return _changed(
        {
            "mch_id": MCHID,
            "out_bill_no": REFERENCE,
            "transfer_bill_no": BILL_NO,
            "appid": APPID,
            "state": "SUCCESS",
            "transfer_amount": 12_34,
            "transfer_remark": "三月配送费",
            "openid": OPENID,
            "create_time": "2026-03-02T10:00:00+08:00",
            "update_time": "2026-03-02T10:05:00+08:00",
        },
        changes,
    )


def detail(**changes: object) -> dict[str, object]:
    """Answer to a query for one line of a legacy batch: paid."""
    return _changed(
        {
            "mchid": MCHID,
            "out_batch_no": "B202412",
            "batch_id": "1030000071100999991182020050700019480101",
            "appid": APPID,
            "out_detail_no": "D0001",
            "detail_id": "1040000071100999991182020050700019500100",
            "detail_status": "SUCCESS",
            "transfer_amount": 12_34,
            "transfer_remark": "十二月配送费",
            "openid": OPENID,
            "initiate_time": "2026-03-02T09:00:00+08:00",
            "update_time": "2026-03-02T09:00:05+08:00",
        },
        changes,
    )


def notice_body(
    content: object | None = None,
    *,
    event: str = "MCHTRANSFER.BILL.FINISHED",
    apiv3_key: str = APIV3_KEY,
) -> bytes:
    """An encrypted notice that a payout is finished."""
    plain = encoded(content if content is not None else bill())
    nonce, associated = "fdasfjihihih", "mch_payment"
    sealed = AESGCM(apiv3_key.encode()).encrypt(nonce.encode(), plain, associated.encode())
    return encoded(
        {
            "id": "EV-2018022511223320873",
            "create_time": "2026-03-02T10:05:00+08:00",
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": "商家转账单据终态通知",
            "resource": {
                "original_type": "mch_payment",
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(sealed).decode(),
                "associated_data": associated,
                "nonce": nonce,
            },
        }
    )


HEADER = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,"
    "收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
)
SUMMARY = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"


def row(*cells: str) -> str:
    """One line of a bill: a backtick before every value."""
    return ",".join(f"`{cell}" for cell in cells)


def payout_row(number: int, yuan: str = "12.34", memo: str = "") -> str:
    """A transfer of the second of March 2026."""
    return row(
        *("2026-03-02 10:05:00", f"T{number}", f"F{number}", "商家转账", "商家转账", "支出"),
        *(yuan, "1000.00", f"{MCHID}API", memo, f"PO{number}"),
    )


def announcement(plain: bytes, base_url: str) -> dict[str, str]:
    """Where that bill can be fetched."""
    return {
        "hash_type": "SHA1",
        "hash_value": hashlib.sha1(plain, usedforsecurity=False).hexdigest(),
        "download_url": f"{base_url}/v3/billdownload/file?token=T%2B1",
    }


def later(**delta: int) -> datetime:
    """`NOW` plus a while."""
    return NOW + timedelta(**delta)


def _changed(message: dict[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Replace fields, and drop those set to None."""
    merged = {**message, **changes}
    return {name: value for name, value in merged.items() if value is not None}
