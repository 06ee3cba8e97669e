"""A merchant of the Epay simulator: signs, asks the pure core, and verifies what comes back.

Written apart from both the simulator's and the adapter's code, straight from the rules of signing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from simulators.epay.core import EpaySimulator, build
from simulators.faults import FaultRule, Faults
from simulators.kernel import Answer, Request
from tests.simulators.keys import pair

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""
NUMBER = "1000000000000000001"
MD5_KEY = "89unJUB8HZ54Hj7x4nUj56HN4nUzUJ8i"


def account(**changes: object) -> dict[str, object]:
    """One merchant's configuration."""
    return {
        "account": "epay-1",
        "pid": "1001",
        "public_key": pair("app").public_pem,
        "balance_fen": 1_000_000,
    } | changes


def config(*accounts: Mapping[str, object], **changes: object) -> dict[str, object]:
    """A site's configuration."""
    return {
        "name": "epay",
        "kind": "epay",
        "platform_private_key": pair("platform").private_pem,
        "accounts": [dict(a) for a in accounts] or [account()],
    } | changes


def transfer(number: str = NUMBER, money: str = "12.34", **changes: str) -> dict[str, str]:
    """The fields of a transfer to an Alipay account."""
    return {
        "type": "alipay",
        "account": "li@example.test",
        "name": "李雷",
        "money": money,
        "remark": "佣金",
        "out_biz_no": number,
    } | changes


def to_card(number: str = NUMBER, money: str = "12.34", **changes: str) -> dict[str, str]:
    """The fields of a transfer to a bank card."""
    card = {"type": "bank", "account": "6217000000000009", "name": "韩梅梅"}
    return transfer(number, money, **(card | changes))


def signed_text(fields: Mapping[str, object]) -> bytes:
    """The rules by hand: leave out sign, sign_type, blanks; sort; join."""
    lines = [
        f"{name}={value}"
        for name, value in sorted(fields.items())
        if name not in ("sign", "sign_type") and value is not None and str(value).strip()
    ]
    return "&".join(lines).encode()


@dataclass
class Merchant:
    """One merchant talking to one site at a time that the test moves."""

    simulator: EpaySimulator
    faults: Faults
    now: datetime = START
    pid: str = "1001"
    key: str = "app"
    md5_key: str | None = None
    last: Answer = field(default_factory=lambda: Answer(None))

    def fields(self, given: Mapping[str, str], /, **changes: str) -> dict[str, str]:
        """Signed fields; a change to `sign` replaces the true signature."""
        signed = dict(given) | {"pid": self.pid, "timestamp": str(int(self.now.timestamp()))}
        signed |= {"sign_type": "RSA" if self.md5_key is None else "MD5"} | changes
        text = signed_text(signed)
        if self.md5_key is None:
            raw = pair(self.key).key.sign(text, PKCS1v15(), hashes.SHA256())
            signed.setdefault("sign", base64.b64encode(raw).decode())
        else:
            digest = hashlib.md5(text + self.md5_key.encode(), usedforsecurity=False)
            signed.setdefault("sign", digest.hexdigest())
        return signed

    def request(self, action: str, fields: Mapping[str, str]) -> Request:
        """Everything in the body, as the stock client does."""
        kind = {"host": "sim.test", "content-type": "application/x-www-form-urlencoded"}
        return Request("POST", f"/api/transfer/{action}", kind, urlencode(fields).encode())

    def call(self, action: str, given: Mapping[str, str], /, **changes: str) -> dict[str, Any]:
        """Ask and return the reply, unverified."""
        request = self.request(action, self.fields(given, **changes))
        self.last = self.simulator.handle(request, self.now)
        assert self.last.reply is not None
        said: dict[str, Any] = json.loads(self.last.reply.body)
        return said

    def ask(self, action: str, given: Mapping[str, str], /, **changes: str) -> dict[str, Any]:
        """Ask and return the verified reply."""
        said = self.call(action, given, **changes)
        assert is_verified(said), said
        return said

    def query(self, number: str = NUMBER) -> dict[str, Any]:
        """Ask about an order by the merchant's number."""
        return self.call("query", {"out_biz_no": number})

    def wait(self, length: timedelta) -> None:
        """Let time pass, stopping wherever the simulator wants to act."""
        target = self.now + length
        while (at := self.simulator.next_tick_at()) is not None and at <= target:
            self.now = max(at, self.now)
            assert self.simulator.tick(self.now) == ()
        self.now = target
        self.simulator.tick(self.now)

    def add(self, action: str, /, **rule: Any) -> None:
        """Add a fault rule."""
        self.faults.add(FaultRule.model_validate({"action": action, **rule}))

    def moved(self) -> list[tuple[str, str, int]]:
        """What really left and came back: kind, reference, fen."""
        truth = self.simulator.truth()
        return [
            (m.kind, m.reference, m.amount_minor) for m in truth if m.kind in ("payout", "return")
        ]

    def held(self) -> Mapping[str, object]:
        """The first account as the administrator sees it."""
        return self.simulator.accounts()[0]


def merchant(*accounts: Mapping[str, object], seed: int = 1, **changes: object) -> Merchant:
    """A merchant with a site of its own."""
    faults = Faults()
    return Merchant(build(config(*accounts, **changes), seed=seed, faults=faults), faults)


def is_verified(said: Mapping[str, object]) -> bool:
    """Whether a reply carries the site's RSA signature over its values as they stand."""
    if "sign" not in said:
        return False
    pair("platform").key.public_key().verify(
        base64.b64decode(str(said["sign"])), signed_text(said), PKCS1v15(), hashes.SHA256()
    )
    return True
