"""A merchant of the XxPay simulator: signs, asks the pure core, and verifies what comes back.

Written apart from both the simulator's and the adapter's code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from simulators.faults import FaultRule, Faults
from simulators.kernel import Answer, Push, Request
from simulators.xxpay.core import XxPaySimulator, build

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""
SECRET = "A-SECRET-FOR-SIMULATORS-0002"
APPLY, QUERY = "/api/agentpay/apply", "/api/agentpay/query_order"
BALANCE = "/api/agentpay/query_balance"


def account(**changes: object) -> dict[str, object]:
    """One merchant's configuration."""
    return {
        "account": "xxpay-1",
        "mch_id": "20000000",
        "private_key": SECRET,
        "balance_fen": 1_000_000,
        "fee": {"flat_fen": 7},
        "notify_url": "http://127.0.0.1:1/xxpay",
    } | changes


def payout(reference: str = "po1", fen: int = 1234, /, **changes: str) -> dict[str, str]:
    """An application for a payout to a personal card."""
    return {
        "mchOrderNo": reference,
        "amount": str(fen),
        "accountAttr": "0",
        "accountName": "韩梅梅",
        "accountNo": "6217000000000009",
        "remark": "佣金",
        "extra": reference,
    } | changes


def signature(fields: Mapping[str, object], secret: str = SECRET) -> str:
    """MD5 over the sorted fields and the secret; these names sort alike in any case."""
    text = "".join(f"{n}={v}&" for n, v in sorted(fields.items()) if v not in (None, ""))
    return hashlib.md5(f"{text}key={secret}".encode(), usedforsecurity=False).hexdigest().upper()


@dataclass
class Merchant:
    """One merchant talking to one simulator at a time that the test moves."""

    simulator: XxPaySimulator
    faults: Faults
    now: datetime = START
    last: Answer = field(default_factory=lambda: Answer(None))

    def fields(self, given: Mapping[str, str]) -> dict[str, str]:
        """Common fields and signature added, unless given."""
        fields = {
            "mchId": "20000000",
            "reqTime": (self.now + timedelta(hours=8)).strftime("%Y%m%d%H%M%S"),
            **given,
        }
        fields.setdefault("sign", signature(fields))
        return fields

    def request(self, path: str, given: Mapping[str, str]) -> Request:
        """As a form."""
        return Request("POST", path, {}, urlencode(self.fields(given)).encode())

    def ask(self, path: str, given: Mapping[str, str]) -> dict[str, Any]:
        """The whole answer."""
        self.last = self.simulator.handle(self.request(path, given), self.now)
        assert self.last.reply is not None
        said: dict[str, Any] = json.loads(self.last.reply.body)
        return said

    def proven(self, path: str, given: Mapping[str, str]) -> dict[str, Any]:
        """The verified fields of a success."""
        said = self.ask(path, given)
        assert said["retCode"] in {"SUCCESS", "0"}, said
        assert said.pop("sign").upper() == signature(said)
        return said

    def status(self, reference: str = "po1") -> str:
        """What a query says."""
        return str(self.proven(QUERY, {"mchOrderNo": reference})["status"])

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
    config = {"name": "xxpay", "kind": "xxpay", "accounts": list(accounts) or [account()]}
    return Merchant(build(config | changes, seed=seed, faults=faults), faults)


def told(push: Push) -> dict[str, str]:
    """The fields of a notice, its signature checked."""
    assert push.body == b""
    fields = dict(parse_qsl(urlsplit(push.url).query, keep_blank_values=True))
    assert fields.pop("sign") == signature(fields)
    return fields
