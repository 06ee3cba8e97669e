"""A merchant of the simulated WeChat Pay: keys, a signed request, a verified reply, all written
apart.

Nothing of the simulator's codec is used here, so that a mistake in it cannot hide itself.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from simulators.faults import Faults, read_rule
from simulators.kernel import Answer, Push, Reply, Request
from simulators.wechat_pay.core import WeChatPay, build
from simulators.wechat_pay.signing import pem_of, self_signed

START = datetime(2026, 5, 20, 2, 0, tzinfo=UTC)  # 10:00 in Beijing, a Wednesday
PUBLIC_KEY_ID = "PUB_KEY_ID_0114232134912410000000000000"
CERTIFICATE_SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
APIV3_KEY = "0123456789abcdefghijklmnopqrstuv"
NOTIFY_URL = "http://127.0.0.1:9/notices"
TRANSFERS = "/v3/fund-app/mch-transfer/transfer-bills"
REPORT = [{"info_type": "活动名称", "info_content": "新会员有礼"}]
SHA1 = hashes.SHA1()  # noqa: S303 - the protocol's, not a choice
OAEP = padding.OAEP(mgf=padding.MGF1(SHA1), algorithm=SHA1, label=None)


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """One RSA key per name and process."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(name: str) -> str:
    """The key as PKCS#8 PEM."""
    pem = key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def public_pem(name: str) -> str:
    """Its public half as PEM."""
    public = key(name).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@cache
def certificate_pem() -> str:
    """The platform certificate of these tests."""
    return pem_of(self_signed(key("certificate"), int(CERTIFICATE_SERIAL, 16), "Tenpay"))


def account(number: int = 1, **changes: object) -> dict[str, object]:
    """The configuration of one merchant."""
    return {
        "account": f"wechat-{number}",
        "mchid": f"190000010{number}",
        "appid": f"wxd678efh567hg678{number}",
        "serial_no": f"3775B6A45ACD588826D15E583A95F5DD{number}",
        "public_key": public_pem(f"merchant-{number}"),
        "apiv3_key": APIV3_KEY,
        "balance_fen": 1_000_000,
        "notify_url": NOTIFY_URL,
    } | changes


def config(*accounts: dict[str, object], **changes: object) -> dict[str, object]:
    """The configuration of one simulator; two merchants unless some are given."""
    return {
        "name": "wechat",
        "kind": "wechat_pay",
        "public_key_id": PUBLIC_KEY_ID,
        "platform_private_key": private_pem("platform"),
        "certificate": certificate_pem(),
        "certificate_private_key": private_pem("certificate"),
        "accounts": list(accounts or (account(1), account(2))),
    } | changes


@dataclass(frozen=True)
class Heard:
    """A reply after its signature was checked; `said` is its JSON."""

    reply: Reply
    headers: Mapping[str, str]
    said: dict[str, object]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.reply.status

    def text(self, name: str) -> str:
        """A string of the reply."""
        value = self.said[name]
        assert isinstance(value, str)
        return value


@dataclass
class World:
    """A simulator, a time that the test moves, and merchants that ask."""

    simulator: WeChatPay
    faults: Faults
    now: datetime = START
    serial: str | None = PUBLIC_KEY_ID  # sent as Wechatpay-Serial
    pushes: list[Push] = field(default_factory=list)

    def fault(self, **rule: object) -> None:
        """Adds a fault rule."""
        self.faults.add(read_rule(rule, self.now))

    def pass_time(self, **span: float) -> tuple[Push, ...]:
        """Moves the time, ticks once, and returns what the platform sends then."""
        self.now += timedelta(**span)
        sent = self.simulator.tick(self.now)
        self.pushes.extend(sent)
        return sent

    def request(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        number: int = 1,
        at: datetime | None = None,
        without: Sequence[str] = (),
        **changes: str,
    ) -> Request:
        """A request signed by merchant `number`; `changes` replace attributes of Authorization."""
        mine = account(number)
        timestamp = str(int((at or self.now).timestamp()))
        nonce = changes.get("nonce_str", "593BEC0C930BF1AFEB40B4A08C8FB242")
        text = f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
        signature = key(f"merchant-{number}").sign(text, padding.PKCS1v15(), hashes.SHA256())
        attributes = {
            "mchid": str(mine["mchid"]),
            "nonce_str": nonce,
            "signature": base64.b64encode(signature).decode(),
            "timestamp": timestamp,
            "serial_no": str(mine["serial_no"]),
        } | changes
        listed = ",".join(f'{name}="{value}"' for name, value in attributes.items())
        headers = {
            "host": "127.0.0.1:8002",
            "accept": "application/json",
            "user-agent": "tests",
            "authorization": f"WECHATPAY2-SHA256-RSA2048 {listed}",
        }
        if body:
            headers["content-type"] = "application/json"
        if self.serial is not None:
            headers["wechatpay-serial"] = self.serial
        kept = {name: value for name, value in headers.items() if name not in without}
        return Request(method, target, kept, body)

    def answer(self, request: Request) -> Answer:
        """The simulator's whole answer."""
        return self.simulator.handle(request, self.now)

    def ask(self, request: Request, *, is_signed: bool = True) -> Heard:
        """Sends a request and checks the reply's signature against the key it must come from."""
        reply = self.answer(request).reply
        assert reply is not None
        headers = dict(reply.headers)
        if is_signed:
            verify(headers, reply.body)
        said = json.loads(reply.body) if "json" in headers["Content-Type"] else {}
        return Heard(reply, headers, said)

    def get(self, target: str, *, number: int = 1, is_signed: bool = True) -> Heard:
        """A signed GET."""
        return self.ask(self.request("GET", target, number=number), is_signed=is_signed)

    def post(self, target: str, said: object, *, number: int = 1) -> Heard:
        """A signed POST of JSON."""
        body = json.dumps(said, ensure_ascii=False).encode()
        return self.ask(self.request("POST", target, body, number=number))

    def submit(self, out_bill_no: str = "payout1", *, number: int = 1, **changes: object) -> Heard:
        """Submits a transfer of 12.34 yuan; None as a change leaves the field out."""
        return self.post(TRANSFERS, self.submission(out_bill_no, number, **changes), number=number)

    @staticmethod
    def submission(
        out_bill_no: str = "payout1", number: int = 1, **changes: object
    ) -> dict[str, object]:
        """The fields of that submission."""
        fields: dict[str, object] = {
            "appid": account(number)["appid"],
            "out_bill_no": out_bill_no,
            "transfer_scene_id": "1000",
            "openid": "o-MYE42l80oelYMDE34nYD456Xoy",
            "transfer_amount": 1234,
            "transfer_remark": "2026年5月报销",
            "transfer_scene_report_infos": REPORT,
        } | changes
        return {name: value for name, value in fields.items() if value is not None}

    def query(self, out_bill_no: str = "payout1", *, number: int = 1) -> Heard:
        """Asks by the merchant's number."""
        return self.get(f"{TRANSFERS}/out-bill-no/{out_bill_no}", number=number)

    def cancel(self, out_bill_no: str = "payout1", *, number: int = 1) -> Heard:
        """Cancels by the merchant's number, without a body."""
        target = f"{TRANSFERS}/out-bill-no/{out_bill_no}/cancel"
        return self.ask(self.request("POST", target, number=number))

    def state(self, out_bill_no: str = "payout1") -> str:
        """The state as a query tells it."""
        return self.query(out_bill_no).text("state")

    def balance(self, number: int = 1) -> tuple[int, int]:
        """Available and frozen fen, from the simulator's own listing."""
        row = self.simulator.accounts()[number - 1]
        available, frozen = row["available_fen"], row["frozen_fen"]
        assert isinstance(available, int)
        assert isinstance(frozen, int)
        return available, frozen

    def moved(self) -> list[tuple[str, str, int]]:
        """Kind, reference and amount of every real movement."""
        return [(m.kind, m.reference, m.amount_minor) for m in self.simulator.truth()]


def make_world(*accounts: dict[str, object], seed: int = 7, **changes: object) -> World:
    """A fresh simulator at 10:00 Beijing time."""
    faults = Faults(seed=seed)
    return World(build(config(*accounts, **changes), seed=seed, faults=faults), faults)


def verify(headers: Mapping[str, str], body: bytes) -> str:
    """Checks the platform's signature on a reply or notice; returns the serial that signed."""
    serial = headers["Wechatpay-Serial"]
    signer = {PUBLIC_KEY_ID: "platform", CERTIFICATE_SERIAL: "certificate"}[serial]
    lines = (headers["Wechatpay-Timestamp"], headers["Wechatpay-Nonce"], body.decode(), "")
    key(signer).public_key().verify(
        base64.b64decode(headers["Wechatpay-Signature"]),
        "\n".join(lines).encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    assert headers["Wechatpay-Signature-Type"] == "WECHATPAY2-SHA256-RSA2048"
    return serial


def seal(text: str, signer: str = "platform") -> str:
    """A sensitive field encrypted to the platform."""
    return base64.b64encode(key(signer).public_key().encrypt(text.encode(), OAEP)).decode()


def unseal(sealed: str, number: int = 1) -> str:
    """A sensitive field decrypted by merchant `number`."""
    return key(f"merchant-{number}").decrypt(base64.b64decode(sealed), OAEP).decode()


def open_resource(resource: Mapping[str, str]) -> bytes:
    """The plain text of an AES-256-GCM resource."""
    return AESGCM(APIV3_KEY.encode()).decrypt(
        resource["nonce"].encode(),
        base64.b64decode(resource["ciphertext"]),
        resource["associated_data"].encode(),
    )
