"""A merchant of the Alipay simulator: signs, asks the pure core, and verifies what comes back.

Written apart from both the simulator's and the adapter's code, straight from the gateway's rules.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from simulators.alipay.core import AlipaySimulator, build
from simulators.faults import FaultRule, Faults
from simulators.kernel import Answer, Push, Reply, Request
from tests.simulators.keys import pair

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""

TRANSFER = "alipay.fund.trans.uni.transfer"
QUERY = "alipay.fund.trans.common.query"
BALANCE = "alipay.fund.account.query"
BILL = "alipay.data.dataservice.bill.downloadurl.query"
LEDGER = "alipay.data.bill.accountlog.query"

_NODE = re.compile(
    rb'^\{"(\w+)":(.*?)(?:,"alipay_cert_sn":"(\w+)")?,"sign":"([^"]+)"\}$', re.DOTALL
)


def account(**changes: object) -> dict[str, object]:
    """One account's configuration."""
    return {
        "account": "alipay-1",
        "app_id": "2021000000000001",
        "user_id": "2088000000000001",
        "public_key": pair("app").public_pem,
        "balance_fen": 1_000_000,
        "notify_url": "http://127.0.0.1:1/alipay",
    } | changes


def config(*accounts: Mapping[str, object], **changes: object) -> dict[str, object]:
    """A simulator's configuration."""
    return {
        "name": "alipay",
        "kind": "alipay",
        "platform_private_key": pair("platform").private_pem,
        "accounts": [dict(a) for a in accounts] or [account()],
    } | changes


def transfer(reference: str = "po-1", yuan: str = "12.34", **changes: object) -> dict[str, object]:
    """biz_content of a transfer to an Alipay account."""
    return {
        "out_biz_no": reference,
        "trans_amount": yuan,
        "product_code": "TRANS_ACCOUNT_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER",
        "order_title": "佣金",
        "payee_info": {
            "identity": "li@example.test",
            "identity_type": "ALIPAY_LOGON_ID",
            "name": "李雷",
        },
    } | changes


def to_card(
    reference: str = "po-1", yuan: str = "12.34", card: str = "6217000000000009", **changes: object
) -> dict[str, object]:
    """biz_content of a transfer to a bank card."""
    payee = {
        "identity": card,
        "identity_type": "BANKCARD_ACCOUNT",
        "name": "韩梅梅",
        "bankcard_ext_info": {"account_type": "2", "inst_name": "招商银行"},
    }
    return transfer(
        reference, yuan, product_code="TRANS_BANKCARD_NO_PWD", payee_info=payee, **changes
    )


def about(biz: Mapping[str, object]) -> dict[str, object]:
    """biz_content that asks for the order of a transfer."""
    return {name: biz[name] for name in ("out_biz_no", "product_code", "biz_scene")}


@dataclass
class Customer:
    """One application talking to one simulator at a time that the test moves."""

    simulator: AlipaySimulator
    faults: Faults
    now: datetime = START
    app_id: str = "2021000000000001"
    key: str = "app"
    last: Answer = field(default_factory=lambda: Answer(None))

    def parameters(self, method: str, biz: object, /, **changes: str) -> dict[str, str]:
        """Signed parameters; a change to `sign` replaces the true signature."""
        given = {
            "app_id": self.app_id,
            "method": method,
            "format": "json",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": (self.now + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S"),
            "version": "1.0",
            "biz_content": biz if isinstance(biz, str) else json.dumps(biz, ensure_ascii=False),
        } | changes
        text = "&".join(f"{k}={v}" for k, v in sorted(given.items()) if v and k != "sign")
        raw = pair(self.key).key.sign(text.encode(given["charset"]), PKCS1v15(), hashes.SHA256())
        given.setdefault("sign", base64.b64encode(raw).decode())
        return given

    def request(self, parameters: Mapping[str, str], *, by_get: bool = False) -> Request:
        """Common parameters by query, biz_content by form, as the official SDK does."""
        charset = parameters.get("charset", "utf-8")
        if by_get:
            query = urlencode(parameters, encoding=charset)
            return Request("GET", f"/gateway.do?{query}", {"host": "sim.test"}, b"")
        common = {k: v for k, v in parameters.items() if k != "biz_content"}
        form = urlencode({"biz_content": parameters.get("biz_content", "")}, encoding=charset)
        kind = f"application/x-www-form-urlencoded;charset={charset}"
        return Request(
            "POST",
            f"/gateway.do?{urlencode(common, encoding=charset)}",
            {"host": "sim.test", "content-type": kind},
            form.encode(),
        )

    def ask(self, method: str, biz: object, /, **changes: str) -> dict[str, Any]:
        """Ask and return the verified node."""
        self.last = self.simulator.handle(
            self.request(self.parameters(method, biz, **changes)), self.now
        )
        assert self.last.reply is not None
        return verified(self.last.reply)

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


def customer(*accounts: Mapping[str, object], seed: int = 1, **changes: object) -> Customer:
    """A merchant with a simulator of its own."""
    faults = Faults()
    return Customer(build(config(*accounts, **changes), seed=seed, faults=faults), faults)


def parts(reply: Reply) -> tuple[str, bytes, str | None, str]:
    """Node name, node bytes as sent, certificate serial, signature."""
    found = _NODE.match(reply.body)
    assert found, reply.body
    serial = found[3].decode() if found[3] else None
    return found[1].decode(), found[2], serial, found[4].decode()


def verified(reply: Reply) -> dict[str, Any]:
    """The node of a reply after checking the platform's signature over its raw bytes."""
    _, raw, _, signature = parts(reply)
    pair("platform").key.public_key().verify(
        base64.b64decode(signature), raw, PKCS1v15(), hashes.SHA256()
    )
    node: dict[str, Any] = json.loads(raw)
    return node
