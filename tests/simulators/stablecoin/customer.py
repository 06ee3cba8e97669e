"""A customer of the Circle Mint simulator: asks the pure core and reads what comes back.

Written apart from both the simulator's and the adapter's code, straight from the API reference.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from simulators.faults import FaultRule, Faults
from simulators.kernel import Answer, Push, Request
from simulators.stablecoin.core import Mint, build
from tests.simulators.keys import pair

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
API_KEY = "SAND_API_KEY:1111:2222"
WIRE_ID = "9d1fa351-b24d-442a-8aa5-e717db1ed636"
OTHER_WIRE_ID = "4e0f7c8a-9c1b-4f9f-8a41-0b5d3a6e2f10"
RECIPIENT_ID = "1f0c8e3b-6d0f-4c5b-a2f1-0e7a6f9d1c22"
TOPIC = "arn:aws:sns:us-east-1:000000000000:sim-mint-notifications"
NOTICES = "http://127.0.0.1:1/notices"
FIAT, CRYPTO = "/v1/businessAccount/payouts", "/v1/payouts"


@cache
def notice_key() -> str:
    """A P-256 key, PEM, made once a run."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def account(**changes: object) -> dict[str, object]:
    """One account's configuration."""
    return {
        "account": "mint-1",
        "api_key": API_KEY,
        "client_id": "c60d2d5b-203c-45bb-9f6e-93641d40a599",
        "wallet_id": "1000038499",
        "balance_fen": 1_000_000,
        "notify_url": NOTICES,
        "wires": {WIRE_ID: "Lagos Trading Ltd", OTHER_WIRE_ID: "Nairobi Imports Ltd"},
        "recipients": {RECIPIENT_ID: {"chain": "ETH", "address": "0x00"}},
    } | changes


def config(*accounts: Mapping[str, object], **changes: object) -> dict[str, object]:
    """A simulator's configuration."""
    return {
        "name": "stablecoin",
        "kind": "stablecoin",
        "sns_private_key": pair("sns").private_pem,
        "notice_private_key": notice_key(),
        "accounts": [dict(one) for one in accounts] or [account()],
    } | changes


def key(number: int = 1) -> str:
    """The n-th idempotency key."""
    return str(uuid.UUID(int=number, version=4))


def wire(number: int = 1, amount: str = "123.45", /, **changes: object) -> dict[str, Any]:
    """The body of a fiat payout."""
    return {
        "idempotencyKey": key(number),
        "destination": {"type": "wire", "id": WIRE_ID},
        "amount": {"amount": amount, "currency": "USD"},
    } | changes


def coins(number: int = 1, amount: str = "123.45", /, **changes: object) -> dict[str, Any]:
    """The body of a crypto payout."""
    target = {"type": "address_book", "id": RECIPIENT_ID}
    return wire(number, amount, destination=target) | changes


@dataclass
class Customer:
    """One account talking to one simulator at a time that the test moves."""

    simulator: Mint
    faults: Faults
    now: datetime = START
    api_key: str = API_KEY
    last: Answer = field(default_factory=lambda: Answer(None))

    def ask(
        self, method: str, target: str, body: object = None, /, **query: object
    ) -> tuple[int, dict[str, Any]]:
        """Ask; HTTP status and JSON."""
        asked = target + (f"?{urlencode(query, doseq=True)}" if query else "")
        headers = {"host": "sim.test", "authorization": f"Bearer {self.api_key}"}
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        self.last = self.simulator.handle(Request(method, asked, headers, raw), self.now)
        if self.last.reply is None or not self.last.reply.body.startswith(b"{"):
            return 0, {}
        return self.last.reply.status, json.loads(self.last.reply.body)

    def pay(self, body: Mapping[str, Any] | None = None, path: str = FIAT) -> dict[str, Any]:
        """Submit what is accepted; the payout."""
        status, said = self.ask("POST", path, body or wire())
        assert status == 201, said
        shown: dict[str, Any] = said["data"]
        return shown

    def refused(self, body: object, path: str = FIAT) -> tuple[int, int, str]:
        """Submit what is refused; HTTP status, code, and where the fault lies."""
        status, said = self.ask("POST", path, body)
        assert status >= 400, said
        listed = said.get("errors", [{"location": ""}])
        return status, said["code"], listed[0]["location"]

    def show(self, payout: Mapping[str, Any], path: str = FIAT) -> dict[str, Any]:
        """The payout as it stands now."""
        status, said = self.ask("GET", f"{path}/{payout['id']}")
        assert status == 200, said
        shown: dict[str, Any] = said["data"]
        return shown

    def wait(self, length: timedelta) -> tuple[Push, ...]:
        """Let time pass, stopping wherever the simulator wants to act."""
        target, pushes = self.now + length, list[Push]()
        while (at := self.simulator.next_tick_at()) is not None and at <= target:
            self.now = max(at, self.now)
            pushes += self.simulator.tick(self.now)
        self.now = target
        return (*pushes, *self.simulator.tick(self.now))

    def add(self, action: str, /, **rule: Any) -> None:
        """Add a fault rule."""
        self.faults.add(FaultRule.model_validate({"action": action, **rule}))

    def moved(self) -> list[tuple[str, str, int]]:
        """What really moved: kind, key, cents."""
        return [(m.kind, m.reference, m.amount_minor) for m in self.simulator.truth()]


def customer(*accounts: Mapping[str, object], seed: int = 1, **changes: object) -> Customer:
    """A customer with a simulator of its own."""
    faults = Faults()
    return Customer(build(config(*accounts, **changes), seed=seed, faults=faults), faults)


def sns_message(push: Push, certificate: str) -> dict[str, str]:
    """The fields of an SNS push, after checking its signature with the certificate."""
    fields: dict[str, str] = json.loads(push.body)
    names = {"Message", "MessageId", "Timestamp", "TopicArn", "Type"}
    if fields["Type"] != "Notification":
        names |= {"SubscribeURL", "Token"}
    text = "".join(f"{name}\n{fields[name]}\n" for name in sorted(names))
    public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    assert isinstance(public, RSAPublicKey)
    digest = hashes.SHA1() if fields["SignatureVersion"] == "1" else hashes.SHA256()  # noqa: S303 - SNS v1
    public.verify(base64.b64decode(fields["Signature"]), text.encode(), PKCS1v15(), digest)
    return fields
