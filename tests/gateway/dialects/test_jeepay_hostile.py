"""Whatever is sent to Jeepay's door: an answer, no payout without proof, never the secret."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.contract import BankCard
from channels.keyed_md5 import UnsignableError, signature
from gateway.api.dialects.dialect import Counter, Receipts
from gateway.api.dialects.jeepay import Jeepay
from gateway.api.dialects.jeepay_reading import KNOWN, order_of, prove
from gateway.api.dialects.orders import Orders
from gateway.api.dialects.wire import Ask, RefusedError, Said
from gateway.domain.dialect import KeySet
from gateway.webhooks.egress import Egress
from tests.builders import NOW
from tests.gateway.dialects.jeepay_callers import order
from tests.gateway.dialects.jeepay_shop import APP_ID, MCH_NO, SECRET, Shop, open_shop

NAMES = st.one_of(
    st.sampled_from(sorted(KNOWN)), st.text(max_size=12), st.just("accountNo=6222&accountNo")
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(["王&amount=1", "a&b=c", "\x00", "\ud800", "9" * 70, "1e3", " 1 "]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=8)
PATHS = st.sampled_from(["/api/transferOrder", "/api/transfer/query", "/api/x", "/"])
KINDS = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", ""])


@dataclass(slots=True)
class Hall:
    """A shop that outlives examples, and the loop it lives on."""

    loop: asyncio.AbstractEventLoop
    shop: Shop
    counter: Counter

    def ask(self, ask: Ask) -> Said:
        """One request, past the HTTP library, which would refuse some of it."""
        return self.loop.run_until_complete(Jeepay().answer(self.counter, ask))

    def payouts(self) -> int:
        """How many there are."""
        states = self.loop.run_until_complete(self.shop.desk.store.counts())
        return sum(states.values())


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """One for all examples."""
    folder: Path = tmp_path_factory.mktemp("hall")
    loop = asyncio.new_event_loop()
    opened = open_shop(folder)
    shop = loop.run_until_complete(opened.__aenter__())
    gateway = shop.desk.gateway
    counter = Counter(gateway, Orders(gateway), Receipts(gateway), Egress().check_url)
    yield Hall(loop, shop, counter)
    loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.close()


def request(body: bytes, path: str, kind: str, query: str = "", method: str = "POST") -> Ask:
    """From somewhere."""
    return Ask(method, path, kind, query, body, "203.0.113.7")


def dumped(fields: dict[str, Any]) -> bytes:
    """JSON, also where it holds what JSON does not."""
    return json.dumps(fields).encode("utf-8", "surrogatepass")


def holds_no_secret(hall: Hall, said: Said) -> None:
    """Neither in an answer nor in a line of the log."""
    assert SECRET.encode() not in said.body
    assert SECRET not in hall.shop.desk.log.getvalue()


LAW = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LAW
@given(
    st.binary(max_size=200), PATHS, KINDS, st.text(max_size=30), st.sampled_from(["POST", "GET"])
)
def test_any_bytes_are_answered(
    hall: Hall, body: bytes, path: str, kind: str, query: str, method: str
) -> None:
    """With a code that is not 0, and nothing stored."""
    before = hall.payouts()

    said = hall.ask(request(body, path, kind, query, method))

    assert json.loads(said.body)["code"] in {10, 11, 9999}
    assert hall.payouts() == before
    holds_no_secret(hall, said)


@LAW
@given(FIELDS, PATHS, st.booleans())
def test_nothing_is_stored_without_proof(
    hall: Hall, fields: dict[str, Any], path: str, as_form: bool
) -> None:
    """Whatever is changed in a genuine request that is not signed anew."""
    genuine = hall.shop.sdk.signed(order("M-forged"))
    altered = {**genuine, **fields}
    # 1.0 in JSON is signed as "1.0" is.
    if all(str(altered[name]) == str(genuine[name]) for name in genuine):
        altered["amount"] = 1_231
    if as_form:
        text = urlencode({k: str(v) for k, v in altered.items()}, errors="replace")
        ask = request(text.encode(), path, "application/x-www-form-urlencoded")
    else:
        ask = request(dumped(altered), path, "application/json")

    before = hall.payouts()

    said = hall.ask(ask)

    assert json.loads(said.body)["code"] in {10, 11, 9999}
    assert hall.payouts() == before
    holds_no_secret(hall, said)


@LAW
@given(FIELDS)
def test_what_is_signed_is_read_or_refused(fields: dict[str, Any]) -> None:
    """Never anything else; what is read is fit for a payout, and its payee is what was signed."""
    asked = {"mchNo": MCH_NO, "appId": APP_ID, **order(), **fields}

    try:
        made = order_of(asked, None)
    except RefusedError as refused:
        made, code = None, refused.code
    if made is None:
        assert code == 11
        return

    assert 0 < made.amount.minor < 2**63
    assert made.amount.minor == int(str(asked["amount"]).strip())
    assert 0 < len(made.number) <= 64
    assert "&" not in made.number
    assert len(made.fingerprint) == 32
    if isinstance(made.instrument, BankCard):
        assert made.instrument.number == str(asked["accountNo"]).replace(" ", "")


@LAW
@given(FIELDS)
def test_a_proof_covers_every_field_that_is_used(fields: dict[str, Any]) -> None:
    """A signature over other values of the known fields proves nothing."""
    key = KeySet("k1", NOW, SECRET)
    asked = {**order(), **fields, "sign": "0" * 32}

    assert prove(asked, (key,), rsa_only=False) is None


@LAW
@given(FIELDS, st.integers(0, 10**9), st.booleans())
def test_a_genuine_caller_may_send_anything(
    hall: Hall, fields: dict[str, Any], number: int, as_query: bool
) -> None:
    """Taken, or refused before anything is stored: never a bug of ours, never "not paid" for what
    was stored."""
    asked = {"mchNo": MCH_NO, "appId": APP_ID, "version": "1.0", "signType": "MD5", "reqTime": "1"}
    asked |= {**order(f"H-{number}"), **fields}
    try:
        asked["sign"] = signature(asked, SECRET)
    except UnsignableError:
        return
    before = hall.payouts()
    path = "/api/transfer/query" if as_query else "/api/transferOrder"

    said = json.loads(hall.ask(request(dumped(asked), path, "application/json")).body)

    assert said["code"] in {0, 10, 11, 9999}
    if said["code"] != 0:
        assert hall.payouts() == before
    elif said["data"]["state"] == 3:
        assert said["data"]["errMsg"]
    else:
        assert "errMsg" not in said["data"]
    assert "defect" not in hall.shop.desk.log.getvalue()


def test_a_genuine_request_opens_the_same_door(hall: Hall) -> None:
    """Else the laws above would say nothing."""
    fields = hall.shop.sdk.signed(order("M-genuine"))

    said = hall.ask(request(dumped(fields), "/api/transferOrder", "application/json"))

    assert json.loads(said.body)["code"] == 0
    assert hall.payouts() > 0
    assert prove(fields, hall.shop.account.keys, rsa_only=False) is not None
