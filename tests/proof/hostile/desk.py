"""What stands behind a dialect's door here: nothing is stored, what would be is kept for the judge.

Whatever a dialect stores goes through `Orders.take`; every other way to the store is away.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from gateway.api.dialects.dialect import Counter, Who
from gateway.api.dialects.order import Order, Shown
from gateway.api.dialects.orders import Orders
from gateway.api.dialects.registry import DIALECTS
from gateway.api.dialects.wire import Ask, Said
from gateway.domain.dialect import DialectAccount, KeySet, Switches
from gateway.domain.errors import AbsenceError
from gateway.ports import Merchant, StoreError
from tests import builders
from tests.proof.hostile.aims import Input
from tests.proof.hostile.mutate import Fields, Spoiler

METHOD, PATH, QUERY, TYPE = ":method", ":path", ":query", ":type"
"""Under which names an input's headers hold the rest of a request."""
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(frozen=True, slots=True)
class Taken:
    """A payout would have been stored."""

    order: Order
    said: Said


@dataclass(frozen=True, slots=True)
class Turned:
    """Nothing would have been stored."""

    said: Said


class _Away:
    """A store that answers nobody."""

    def __getattr__(self, name: str) -> Any:
        async def away(*_: object, **__: object) -> None:
            raise StoreError(name)

        return away


class _Taking:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[Order] = []

    async def take(
        self, account: DialectAccount, merchant: Merchant, order: Order, digits: int
    ) -> Shown:
        """As one that nobody can show yet."""
        self.taken.append(order)
        return Shown(order.number, "1" * digits, None)

    async def find(self, *_: object, **__: object) -> Shown:
        """There was none before."""
        raise AbsenceError("order_not_found", "none", zh="无")


class _Entropy:
    """Bytes enough to mint keys with."""

    def bytes(self, count: int) -> bytes:
        """The same ones always."""
        return bytes(range(1, count + 1))

    def ppm(self) -> int:
        """Nothing is drawn."""
        return 0


class Desk(Counter):
    """Knows one account in each dialect, whatever it is called if that could be its name."""

    def __init__(self, account: DialectAccount, *, anybody: bool = False) -> None:
        """`anybody`: whoever asks is this account, so that only its keys keep strangers out."""
        self._who = (account, builders.merchant())
        self._anybody = anybody
        self.taking = _Taking()
        gateway = SimpleNamespace(
            clock=SimpleNamespace(now=lambda: builders.NOW),
            entropy=_Entropy(),
            observer=SimpleNamespace(alarm=_hear, defect=_defect),
            store=_Away(),
            halted=None,
        )
        super().__init__(
            *(cast("Any", gateway), cast("Orders", self.taking), cast("Any", None)),
            check_url=lambda _: None,
        )

    async def who(self, dialect: str, public_id: str) -> Who | None:
        """The one account there is."""
        known = self._anybody or public_id == self._who[0].public_id
        return self._who if known else None


def _hear(*_: object, **__: object) -> None:
    """Alarms are nobody's business here."""


def _defect(event: str, error: Exception, **_: object) -> None:
    raise AssertionError(event) from error


def account(dialect: str, public_id: str, keys: KeySet) -> DialectAccount:
    """Of the one merchant there is."""
    keys_of = (keys,)
    return DialectAccount(
        "da_1", builders.MERCHANT, dialect, public_id, keys_of, Switches(), builders.NOW
    )


@cache
def _loop() -> asyncio.Runner:
    return asyncio.Runner()


def ask(dialect: str, desk: Desk, given: Input) -> Taken | Turned:
    """Put the request to the door."""
    desk.taking.taken.clear()
    request = Ask(
        method=given.headers.get(METHOD, "POST"),
        path=given.headers.get(PATH, "/"),
        content_type=given.headers.get(TYPE, FORM),
        query=given.headers.get(QUERY, ""),
        body=given.body,
        remote="192.0.2.1",
    )
    said = _loop().run(DIALECTS[dialect].answer(desk, request))
    taken = desk.taking.taken
    if len(taken) > 1:
        raise AssertionError("one request made two payouts")
    return Taken(taken[0], said) if taken else Turned(said)


# --- Anybody -------------------------------------------------------------------------------------

PATHS = (
    *("/api/transfer/submit", "/api/transfer/query", "/api/transfer/balance", "/gateway.do"),
    *("/api/transferOrder", "/api/transfer/query", "/api/agentpay/apply", "/submit.php", "/"),
    *("/api/agentpay/query_order", "/api/agentpay/query_balance", "/api/merchant/info"),
)
FIELDS: Mapping[str, object] = {
    "pid": "10001",
    "mchNo": "M1",
    "appId": "A1",
    "mchId": "20000000",
    "app_id": "2021000000",
    "out_biz_no": "2026030210000000001",
    "mchOrderNo": "2026030210000000001",
    "money": "1.00",
    "amount": "100",
    "trans_amount": "1.00",
    "type": "alipay",
    "account": "a@example.test",
    "accountNo": "a@example.test",
    "name": "王小五",
    "accountName": "王小五",
    "ifCode": "alipay",
    "entryType": "ALIPAY_CASH",
    "currency": "cny",
    "transferDesc": "x",
    "version": "1.0",
    "reqTime": "20260302100000",
    "timestamp": str(int(builders.NOW.timestamp())),
    "sign_type": "MD5",
    "signType": "MD5",
    "sign": "0" * 32,
    "method": "alipay.fund.trans",
    "charset": "utf-8",
    "format": "JSON",
    "biz_content": '{"out_biz_no":"1"}',
    "remark": "x",
}
OPEN_PLATFORM: Mapping[str, object] = {
    "app_id": "2021000000000001",
    "method": "alipay.fund.trans.uni.transfer",
    "timestamp": "2026-03-02 10:00:00",
    "sign_type": "RSA2",
    "biz_content": (
        '{"out_biz_no":"1","trans_amount":"1.00","product_code":"TRANS_ACCOUNT_NO_PWD",'
        '"biz_scene":"DIRECT_TRANSFER","payee_info":{"identity":"2088000000000001",'
        '"identity_type":"ALIPAY_USER_ID"}}'
    ),
}
"""What Alipay calls otherwise."""
SIGNS = ("", "0" * 32, "F" * 32, "AAAA", "bnVsbA==", "true", "null", "[]")


@dataclass(frozen=True, slots=True)
class Strangers:
    """Requests that nobody signed, to every registered dialect: nothing may ever be taken in."""

    dialect: str
    words: Sequence[str] = (*FIELDS, *map(str, FIELDS.values()), *SIGNS, "RSA", "RSA2", "MD5")

    @property
    def name(self) -> str:
        """Beside the dialect's own aims."""
        return f"door {self.dialect}, strangers"

    def spoil(self, spoiler: Spoiler) -> Input:
        """Some protocol's fields, as a form or as JSON, in the body or in the query."""
        chance = spoiler.random
        as_app = chance.random() < 0.3
        fields = spoiler.fields({**FIELDS, **OPEN_PLATFORM} if as_app else FIELDS, [FIELDS])
        if chance.random() < 0.7:
            fields["sign"] = chance.choice(SIGNS)
        as_json = chance.random() < 0.4
        body = spoiler.json(fields) if as_json else written(fields)
        if chance.random() < 0.1:
            body = spoiler.bytes(body)
        in_query = chance.random() < 0.15
        headers = {
            METHOD: chance.choice(("POST", "POST", "POST", "GET", "PUT")),
            PATH: chance.choice(PATHS),
            TYPE: JSON if as_json else FORM,
            QUERY: body.decode("ascii", "replace") if in_query else "",
        }
        return Input(b"" if in_query and chance.random() < 0.5 else body, headers)

    def read(self, given: Input) -> object:
        """As whatever account it names."""
        return ask(self.dialect, _anybody(self.dialect), given)

    def objection(self, given: Input, answer: object) -> str | None:
        """Nobody signed any of it."""
        return "taken in, and nobody has signed it" if isinstance(answer, Taken) else None


@cache
def _anybody(dialect: str) -> Desk:
    made = DIALECTS[dialect]
    keys = made.mint(_Entropy(), KeySet("k1", builders.NOW)).keys
    public_id = made.new_public_id(_Entropy())
    assert re.fullmatch(made.public_id, public_id)
    return Desk(account(dialect, public_id, keys), anybody=True)


def written(fields: Mapping[str, object], encoding: str = "utf-8") -> bytes:
    """A form, percent-encoded but for what is plain."""
    return b"&".join(
        _percent(str(name), encoding) + b"=" + _percent(str(value), encoding)
        for name, value in fields.items()
    )


def _percent(text: str, encoding: str) -> bytes:
    raw = text.encode(encoding, "replace")
    return b"".join(
        bytes([one]) if chr(one).isascii() and chr(one).isalnum() else b"%%%02X" % one
        for one in raw
    )


def as_form(spoiler: Spoiler, fields: Fields) -> tuple[bytes, str]:
    """Body and query; sometimes a field twice, in both places, or in other bytes."""
    chance = spoiler.random
    draw = chance.random()
    body = written(fields, "utf-8" if chance.random() < 0.95 else "gb18030")
    query = ""
    if draw < 0.1 and fields:
        name = chance.choice(list(fields))
        more = written({name: spoiler.value(fields[name])})
        body = body + b"&" + more if chance.random() < 0.5 else more + b"&" + body
    elif draw < 0.16:
        parts = body.split(b"&")
        at = chance.randrange(len(parts) + 1)
        body, query = b"&".join(parts[at:]), b"&".join(parts[:at]).decode()
    elif draw < 0.2:
        query = written({chance.choice(list(fields)): spoiler.value("1")}).decode()
    elif draw < 0.28:
        body = spoiler.bytes(body)
    return body, query
