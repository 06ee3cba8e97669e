"""A merchant of the Jeepay simulator: signs, asks the pure core, and verifies what comes back.

Written apart from both the simulator's and the adapter's code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from simulators.faults import FaultRule, Faults
from simulators.jeepay.core import JeepaySimulator, build
from simulators.kernel import Answer, Push, Request

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""
SECRET = "a-secret-for-simulators-0001"
TRANSFER, QUERY = "/api/transferOrder", "/api/transfer/query"
SCENE = json.dumps(
    {"transferSceneId": "1000", "transferSceneReportInfos": [{"infoType": "a", "infoContent": "b"}]}
)


def account(**changes: object) -> dict[str, object]:
    """One application's configuration."""
    return {
        "account": "jeepay-1",
        "mch_no": "M1",
        "app_id": "A1",
        "app_secret": SECRET,
        "balance_fen": 1_000_000,
        "notify_url": "http://127.0.0.1:1/jeepay",
    } | changes


def alipay(reference: str = "po1", fen: int = 1234, /, **changes: object) -> dict[str, object]:
    """A transfer to an Alipay account."""
    return {
        "mchOrderNo": reference,
        "ifCode": "alipay",
        "entryType": "ALIPAY_CASH",
        "amount": fen,
        "currency": "cny",
        "accountNo": "li@example.test",
        "accountName": "李雷",
        "transferDesc": "佣金",
    } | changes


def wechat(reference: str = "po1", fen: int = 1234, /, **changes: object) -> dict[str, object]:
    """A transfer to a WeChat user, who confirms."""
    given = {"ifCode": "wxpay", "entryType": "WX_CASH", "accountNo": "o1", "channelExtra": SCENE}
    return alipay(reference, fen, **(given | changes))


def card(reference: str = "po1", fen: int = 1234, /, **changes: object) -> dict[str, object]:
    """A transfer to a bank card."""
    given = {"ifCode": "bank", "entryType": "BANK_CARD", "accountNo": "6217000000000009"}
    return alipay(reference, fen, **(given | changes))


def signature(fields: Mapping[str, object], secret: str = SECRET) -> str:
    """MD5 over the sorted fields and the secret; these names sort alike in any case."""
    text = "".join(f"{n}={v}&" for n, v in sorted(fields.items()) if v not in (None, ""))
    return hashlib.md5(f"{text}key={secret}".encode(), usedforsecurity=False).hexdigest().upper()


@dataclass
class Merchant:
    """One application talking to one simulator at a time that the test moves."""

    simulator: JeepaySimulator
    faults: Faults
    now: datetime = START
    last: Answer = field(default_factory=lambda: Answer(None))

    def request(self, path: str, given: Mapping[str, object], *, form: bool = False) -> Request:
        """Common fields and signature added, unless given."""
        fields: dict[str, object] = {
            "mchNo": "M1",
            "appId": "A1",
            "version": "1.0",
            "signType": "MD5",
            "reqTime": str(int(self.now.timestamp() * 1000)),
            **given,
        }
        fields.setdefault("sign", signature(fields))
        if form:
            kind = {"content-type": "application/x-www-form-urlencoded"}
            return Request("POST", path, kind, urlencode(fields).encode())
        body = json.dumps(fields, ensure_ascii=False).encode()
        return Request("POST", path, {"content-type": "application/json"}, body)

    def ask(self, path: str, given: Mapping[str, object]) -> dict[str, Any]:
        """The whole envelope."""
        self.last = self.simulator.handle(self.request(path, given), self.now)
        assert self.last.reply is not None
        said: dict[str, Any] = json.loads(self.last.reply.body)
        return said

    def data(self, path: str, given: Mapping[str, object]) -> dict[str, Any]:
        """The verified data of a success."""
        said = self.ask(path, given)
        assert said["code"] == 0, said
        data: dict[str, Any] = said["data"]
        assert said["sign"] == signature(data)
        return data

    def state(self, reference: str = "po1") -> int:
        """What a query says."""
        state: int = self.data(QUERY, {"mchOrderNo": reference})["state"]
        return state

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
    config = {"name": "jeepay", "kind": "jeepay", "accounts": list(accounts) or [account()]}
    return Merchant(build(config | changes, seed=seed, faults=faults), faults)


def told(push: Push) -> dict[str, str]:
    """The fields of a notice, its signature checked."""
    fields = dict(parse_qsl(push.body.decode(), strict_parsing=True))
    assert fields.pop("sign") == signature(fields)
    return fields
