"""XxPay's door under whatever may arrive: it answers, proves first, and keeps its secret."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.api.dialects.dialect import Counter, Receipts
from gateway.api.dialects.orders import Orders
from gateway.api.dialects.wire import RAW, Ask
from gateway.api.dialects.xxpay import XxPay
from gateway.domain.dialect import DialectAccount, KeySet, Switches
from gateway.domain.payout import Payout
from gateway.ports import Search
from tests import builders as build
from tests.gateway.api.desk import ACME, Desk, open_desk
from tests.gateway.dialects.xxpay_shop import MCH_ID, XXPAY_KEY
from tests.gateway.dialects.xxpayer import sign

APPLY = "/api/agentpay/apply"
PATHS = st.sampled_from(
    (APPLY, "/api/agentpay/query_order", "/api/agentpay/query_balance", "/agentPay/queryOrder", "/")
)
NAMES = (
    *("mchId", "mchOrderNo", "agentpayOrderId", "amount", "accountAttr", "accountName"),
    *("accountNo", "province", "city", "bankName", "bankNumber", "notifyUrl", "remark"),
    *("extra", "reqTime", "subAmountFrom", "executeNotify", "passageId"),
)
TEXT = st.text(max_size=12) | st.sampled_from(
    ("", "0", "1", "-1", "1e3", "9" * 40, "١٢", " 12", "a&amount=1", "%00", "\x00", "\ud800")
)
VALUE = TEXT | st.integers() | st.booleans() | st.none() | st.lists(st.integers(), max_size=2)
LAW = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(slots=True)
class Door:
    """The dialect over a real gateway, asked without sockets."""

    runner: "asyncio.Runner"
    desk: Desk
    counter: Counter
    count: int = 0

    def ask(self, ask: Ask) -> dict[str, Any]:
        """What it answers: always an object, never with the secret in it."""
        said = self.runner.run(XxPay().answer(self.counter, ask))
        assert XXPAY_KEY.encode() not in said.body
        assert XXPAY_KEY not in self.desk.log.getvalue()
        read = json.loads(said.body)
        assert isinstance(read, dict)
        return read

    def payouts(self) -> list[Payout]:
        """Everything the merchant has."""
        return self.runner.run(self.desk.store.search(Search(ACME, limit=200)))

    def fresh(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """A valid order under a number of its own, and a payee of its own, with changes."""
        self.count += 1
        return {
            "mchId": MCH_ID,
            "mchOrderNo": f"L{self.count}",
            "amount": "1",
            "accountName": "王小五",
            "accountNo": f"62220212345678{self.count:05d}",
            "remark": "提现",
            "reqTime": "20260302100000",
            **changes,
        }


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """With one account that may ask."""
    with asyncio.Runner() as runner:
        opened: AbstractAsyncContextManager[Desk] = open_desk(tmp_path)
        desk = runner.run(_enter(opened))
        account = DialectAccount(
            *("da_x", ACME, "xxpay", MCH_ID, (KeySet("k1", build.NOW, XXPAY_KEY),)),
            Switches(),
            build.NOW,
        )
        runner.run(desk.store.add_dialect_account(account, "test"))
        gateway = desk.gateway
        yield Door(
            runner, desk, Counter(gateway, Orders(gateway), Receipts(gateway), lambda _: None)
        )
        runner.run(_leave(opened))


async def _enter(opened: AbstractAsyncContextManager[Desk]) -> Desk:
    return await opened.__aenter__()


async def _leave(opened: AbstractAsyncContextManager[Desk]) -> None:
    await opened.__aexit__(None, None, None)


def as_form(path: str, fields: Mapping[str, Any], method: str = "POST") -> Ask:
    """Fields as a form; half characters travel as the bytes they stand for."""
    texts = {n: str(v).encode("utf-8", "surrogatepass") for n, v in fields.items() if v is not None}
    return Ask(
        method, path, "application/x-www-form-urlencoded", "", urlencode(texts).encode(), None
    )


def as_params(path: str, fields: Mapping[str, Any]) -> Ask:
    """Fields as one JSON object."""
    body = urlencode({"params": json.dumps(fields)})
    return Ask("POST", path, "application/x-www-form-urlencoded", body, b"", None)


@LAW
@given(
    st.sampled_from(("GET", "POST", "PUT")), PATHS, st.binary(max_size=80), st.binary(max_size=80)
)
def test_bytes_are_answered(door: Door, method: str, path: str, query: bytes, body: bytes) -> None:
    """Whatever they are; nobody is proven by them, and nothing is made."""
    told = door.ask(Ask(method, path, "", query.decode("utf-8", RAW), body, None))

    assert told["retCode"] == "FAIL"
    assert "sign" not in told
    assert door.payouts() == []


@LAW
@given(
    PATHS,
    st.dictionaries(st.sampled_from(NAMES), VALUE, max_size=6),
    st.sampled_from(NAMES),
    VALUE,
    st.booleans(),
)
def test_nothing_is_paid_without_proof(
    door: Door, path: str, said: dict[str, Any], name: str, slipped: object, as_json: bool
) -> None:
    """A request signed with another key, or changed after it was signed, makes nothing."""
    asked = door.fresh(said)
    forged = {**asked, "sign": _sign(asked, "THE-KEY-OF-SOMEBODY-ELSE")}
    changed = {**asked, "sign": _sign(asked, XXPAY_KEY), name: slipped}
    assume(name != "passageId" and str(changed[name] or "") != str(asked.get(name) or ""))
    build_ask = as_params if as_json else as_form

    for each in (forged, changed):
        assert door.ask(build_ask(path, each))["retCode"] == "FAIL"

    assert door.payouts() == []


@LAW
@given(st.dictionaries(st.sampled_from(NAMES[1:]), VALUE, max_size=4), st.booleans())
def test_what_is_signed_is_what_is_paid(door: Door, said: dict[str, Any], as_json: bool) -> None:
    """A proven request gets a signed answer: SUCCESS when an order was taken just as it said."""
    asked = door.fresh(said)
    before = {one.merchant_ref for one in door.payouts()}
    build_ask = as_params if as_json else as_form

    told = door.ask(build_ask(APPLY, {**asked, "sign": _sign(asked, XXPAY_KEY)}))

    made = [one for one in door.payouts() if one.merchant_ref not in before]
    if told["retCode"] == "SUCCESS":
        assert told["sign"] == sign(told, XXPAY_KEY)
        assert len(made) <= 1
        for payout in made:
            instrument: Any = payout.instruments[0]
            assert payout.asked.minor == int(str(asked["amount"]))
            assert instrument.number == str(asked["accountNo"]).strip().replace(" ", "")
    else:
        assert told["retCode"] == "FAIL"
        assert made == []


def _sign(fields: Mapping[str, Any], key: str) -> str:
    """The caller's signature; of what cannot be signed, any."""
    texts = {n: str(v).lower() if isinstance(v, bool) else v for n, v in fields.items()}
    try:
        return sign(texts, key)
    except UnicodeEncodeError:
        return "0" * 32
