"""XxPay: answers name either our number or the amount, and status 3 is nobody's proof.

The simulated gateway is a clone where stock servers are silent: it shows returns as 6, and takes
the same card and amount again at once.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import parse_qsl

from channels.contract import BankCard, Channel, Pending, Prepared, Unknown, UnknownCause
from channels.xxpay.channel import build
from tests.channels.xxpay import gateway
from tests.channels.xxpay.gateway import MCH_ID, SECRET
from tests.contracts.channels.rig import Expect, Place, Rig, Wish, world_of


def _section() -> Mapping[str, object]:
    account = {
        "account": "xxpay-1",
        "mch_id": MCH_ID,
        "private_key": SECRET,
        "balance_fen": 1_000_000,
        "fee": {"flat_fen": 100},
    }
    return {
        "name": "xxpay",
        "kind": "xxpay",
        "accounts": [account],
        "same_payee_s": 0,
        "shows_returns": True,
    }


@asynccontextmanager
async def _open(wish: Wish) -> AsyncIterator[Place]:
    async with world_of(_section(), wish.start) as world:
        here = {"base_url": world.shells["xxpay"].url, "total_timeout_s": wish.total_timeout_s}

        def connect(**key: object) -> Channel:
            made = gateway.settings(**here, **key)
            return build("xxpay-main", made, gateway.TERMS, world.clock.now)

        yield Place(world, "xxpay", connect, lambda: connect(private_key="a-stranger's-secret"))


def _business(prepared: Prepared) -> object:
    sent = dict(parse_qsl(prepared.body.decode(), strict_parsing=True))
    return prepared.url, {n: v for n, v in sent.items() if n not in {"reqTime", "sign"}}


def _unsure(why: str) -> Expect:
    return Expect(Unknown, UnknownCause.CHANNEL_UNSURE, why=why)


_BOX = Expect(
    Unknown,
    UnknownCause.UNREADABLE,
    why="the server knows no rate: a box in front of it answers 429",
)
_AGAIN = _unsure("a number that exists is refused with an unsigned text, paid or not")
_REFUSED = _unsure("a refusal is an unsigned free text, and proves nothing")

RIG = Rig(
    kind="xxpay",
    open=_open,
    payee=BankCard("6217000000000009", "张三丰", "CMB", "招商银行"),
    other_payee=BankCard("6217000000000017", "李清照", "CMB", "招商银行"),
    takes=Pending,
    business=_business,
    secrets=(SECRET,),
    unsure_code="FAIL",
    settles=timedelta(minutes=1),
    unseen=_unsure("代付订单不存在 comes unsigned, so it is no verified absence"),
    lacks={
        "statement": "the protocol has no statement",
        "receipt": "the protocol has no receipts",
        "recall": "the protocol has no cancellation",
        "echo_amount": "the answer to a submission does not name the amount",
        "echo_payee": "no answer names the payee",
        "ask_echo_payee": "no answer names the payee",
    },
    answers={
        "throttle.send": _BOX,
        "ask_throttled.ask": _BOX,
        "short_balance.send": _REFUSED,
        "stranger.send": _REFUSED,
        "resend.again": _AGAIN,
        "resend_when_paid.again": _AGAIN,
        "same_bytes.again": _AGAIN,
        "fails_later.look": _unsure("status 3 is also what a paid payout becomes; people judge it"),
    },
)
