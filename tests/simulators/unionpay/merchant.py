"""A merchant of the UnionPay simulator: signs, asks the pure core, and verifies what comes back.

Written apart from both the simulator's and the adapter's code, straight from the message rules.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from simulators.faults import FaultRule, Faults
from simulators.kernel import Answer, Push, Reply, Request
from simulators.unionpay.certificates import UNIONPAY, authority, leaf, merchant_name, pem
from simulators.unionpay.core import UnionpaySimulator, build
from tests.simulators.keys import pair

START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""
MER_ID = "777290058110097"
PAYOUT = "/gateway/api/backTransReq.do"
QUERY = "/gateway/api/queryTrans.do"
FILES = "/"


@cache
def root_pem() -> str:
    """The authority's own certificate."""
    return pem(authority("root", pair("unionpay-root").key))


@cache
def middle_pem() -> str:
    """The intermediate's certificate."""
    root = pair("unionpay-root").key
    return pem(authority("middle", pair("unionpay-middle").key, ("root", root)))


@cache
def certified(name: str, common_name: str) -> str:
    """A certificate over the key called `name`, issued by the intermediate."""
    issuer = ("middle", pair("unionpay-middle").key)
    return pem(leaf(common_name, pair(name).key, issuer))


def signing_pem() -> str:
    """UnionPay's own, that goes along with replies."""
    return certified("unionpay-signing", UNIONPAY)


def encrypt_pem() -> str:
    """UnionPay's own, for sensitive fields."""
    return certified("unionpay-encrypt", UNIONPAY)


def merchant_pem(key: str = "unionpay-merchant") -> str:
    """A merchant's."""
    return certified(key, merchant_name(MER_ID))


def serial(certificate_pem: str) -> str:
    """The decimal serial of a certificate."""
    return str(x509.load_pem_x509_certificate(certificate_pem.encode()).serial_number)


def account(**changes: object) -> dict[str, object]:
    """One account's configuration."""
    return {
        "account": "unionpay-1",
        "mer_id": MER_ID,
        "certificate": merchant_pem(),
        "balance_fen": 1_000_000,
    } | changes


def config(*accounts: Mapping[str, object], **changes: object) -> dict[str, object]:
    """A simulator's configuration."""
    return {
        "name": "unionpay",
        "kind": "unionpay",
        "signing_private_key": pair("unionpay-signing").private_pem,
        "signing_certificate": signing_pem(),
        "encrypt_private_key": pair("unionpay-encrypt").private_pem,
        "encrypt_certificate": encrypt_pem(),
        "accounts": [dict(a) for a in accounts] or [account()],
    } | changes


def customer_info(**inner: str) -> str:
    """`{k=v&…}`, packed."""
    text = "&".join(f"{name}={value}" for name, value in inner.items())
    return base64.b64encode(f"{{{text}}}".encode()).decode()


@dataclass
class Merchant:
    """One merchant talking to one simulator at a time that the test moves."""

    simulator: UnionpaySimulator
    faults: Faults
    now: datetime = START
    key: str = "unionpay-merchant"
    last: Answer = field(default_factory=lambda: Answer(None))

    def stamp(self) -> str:
        """Beijing time, to the second."""
        return (self.now + timedelta(hours=8)).strftime("%Y%m%d%H%M%S")

    def payout(
        self, reference: str = "ORDER0001", fen: int = 1234, /, **changes: str
    ) -> dict[str, str]:
        """The fields of a payout to a card."""
        return {
            "txnType": "12",
            "txnSubType": "00",
            "bizType": "000401",
            "channelType": "07",
            "accessType": "0",
            "merId": MER_ID,
            "orderId": reference,
            "txnTime": self.stamp(),
            "accType": "01",
            "accNo": "6216261000000000018",
            "customerInfo": customer_info(certifTp="01", certifId="1", customerNm="全渠道"),
            "txnAmt": str(fen),
            "currencyCode": "156",
            "backUrl": "http://127.0.0.1:1/notices",
        } | changes

    def query(self, payout: Mapping[str, str], **changes: str) -> dict[str, str]:
        """The fields of a query about a payout."""
        return {
            "txnType": "00",
            "txnSubType": "00",
            "bizType": "000000",
            "accessType": "0",
            "merId": MER_ID,
            "orderId": payout["orderId"],
            "txnTime": payout["txnTime"],
        } | changes

    def files(self, settle_date: str, **changes: str) -> dict[str, str]:
        """The fields of a request for settlement files."""
        return {
            "txnType": "76",
            "txnSubType": "01",
            "bizType": "000000",
            "accessType": "0",
            "fileType": "00",
            "merId": MER_ID,
            "settleDate": settle_date,
            "txnTime": self.stamp(),
        } | changes

    def signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Complete and sign; whatever is given stands, blank fields are left out."""
        given = {
            "version": "5.1.0",
            "encoding": "UTF-8",
            "signMethod": "01",
            "certId": serial(merchant_pem(self.key)),
        } | dict(fields)
        given = {name: value for name, value in given.items() if value}
        given.setdefault("signature", signature(given, self.key))
        return given

    def request(self, path: str, fields: Mapping[str, str]) -> Request:
        """As it stands on the wire."""
        kind = "application/x-www-form-urlencoded; charset=UTF-8"
        return Request("POST", path, {"content-type": kind}, urlencode(fields).encode())

    def send(self, path: str, fields: Mapping[str, str]) -> Answer:
        """Ask without expecting anything of the reply."""
        self.last = self.simulator.handle(self.request(path, self.signed(fields)), self.now)
        return self.last

    def ask(self, path: str, fields: Mapping[str, str]) -> dict[str, str]:
        """Ask and return the verified fields."""
        reply = self.send(path, fields).reply
        assert reply is not None
        return verified(reply)

    def pay(
        self, reference: str = "ORDER0001", fen: int = 1234, /, **changes: str
    ) -> dict[str, str]:
        """Submit a payout."""
        return self.ask(PAYOUT, self.payout(reference, fen, **changes))

    def fate(self, payout: Mapping[str, str]) -> str:
        """The origRespCode of a payout, or the respCode if there is none."""
        said = self.ask(QUERY, self.query(payout))
        return said.get("origRespCode", said["respCode"])

    def wait(self, length: timedelta) -> tuple[Push, ...]:
        """Let time pass, stopping wherever the simulator wants to act."""
        target = self.now + length
        pushes: list[Push] = []
        while (at := self.simulator.next_tick_at()) is not None and at <= target:
            self.now = max(at, self.now)
            pushes += self.simulator.tick(self.now)
        self.now = target
        return (*pushes, *self.simulator.tick(self.now))

    def add(self, action: str, /, **rule: Any) -> None:
        """Add a fault rule."""
        self.faults.add(FaultRule.model_validate({"action": action, **rule}))

    def moved(self) -> list[tuple[str, str, int]]:
        """What really moved: kind, reference, fen."""
        return [(m.kind, m.reference, m.amount_minor) for m in self.simulator.truth()]


def merchant(*accounts: Mapping[str, object], seed: int = 1, **changes: object) -> Merchant:
    """A merchant with a simulator of its own."""
    faults = Faults()
    return Merchant(build(config(*accounts, **changes), seed=seed, faults=faults), faults)


def signature(fields: Mapping[str, str], key: str) -> str:
    """SHA256withRSA over the hex of SHA-256 over the sorted fields."""
    return base64.b64encode(
        pair(key).key.sign(_digest(fields), PKCS1v15(), hashes.SHA256())
    ).decode()


def _digest(fields: Mapping[str, str]) -> bytes:
    text = "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if v and k != "signature")
    return hashlib.sha256(text.encode()).hexdigest().encode()


def split(text: str) -> dict[str, str]:
    """The fields of a reply: no value of this simulator holds an `&`."""
    return dict(part.partition("=")[::2] for part in text.split("&"))


def verified(reply: Reply) -> dict[str, str]:
    """The fields of a reply after checking certificate and signature."""
    fields = split(reply.body.decode())
    check(fields)
    return fields


def heard(push: Push) -> dict[str, str]:
    """The fields of a notice after checking certificate and signature."""
    fields = dict(parse_qsl(push.body.decode(), strict_parsing=True))
    check(fields)
    return fields


def check(fields: Mapping[str, str]) -> None:
    """Raise InvalidSignature unless UnionPay has signed these fields."""
    assert fields["signPubKeyCert"] == signing_pem()
    pair("unionpay-signing").key.public_key().verify(
        base64.b64decode(fields["signature"]), _digest(fields), PKCS1v15(), hashes.SHA256()
    )
