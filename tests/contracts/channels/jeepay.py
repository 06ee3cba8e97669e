"""Jeepay: signed only when things went well, a number once, and its word for a failure is weak."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    Channel,
    Paid,
    Prepared,
    Unknown,
    UnknownCause,
    WechatWallet,
)
from channels.jeepay.channel import build
from tests.channels.jeepay import gateway
from tests.channels.jeepay.gateway import APP_ID, MCH_NO, SECRET
from tests.contracts.channels.rig import Expect, Place, Rig, Wish, world_of


def _section() -> Mapping[str, object]:
    account = {
        "account": "jeepay-1",
        "mch_no": MCH_NO,
        "app_id": APP_ID,
        "app_secret": SECRET,
        "balance_fen": 1_000_000,
    }
    return {"name": "jeepay", "kind": "jeepay", "accounts": [account]}


@asynccontextmanager
async def _open(wish: Wish) -> AsyncIterator[Place]:
    async with world_of(_section(), wish.start) as world:
        here = {"base_url": world.shells["jeepay"].url, "total_timeout_s": wish.total_timeout_s}

        def connect(**key: object) -> Channel:
            made = gateway.settings(**here, **key)
            return build("jeepay-main", made, gateway.TERMS, world.clock.now)

        yield Place(world, "jeepay", connect, lambda: connect(app_secret="a-stranger's-secret"))


def _business(prepared: Prepared) -> object:
    sent = json.loads(prepared.body)
    return prepared.url, {n: v for n, v in sent.items() if n not in {"reqTime", "sign"}}


def _unsure(why: str) -> Expect:
    return Expect(Unknown, UnknownCause.CHANNEL_UNSURE, why=why)


_BOX = Expect(
    Unknown,
    UnknownCause.UNREADABLE,
    why="the server knows no rate: a box in front of it answers 429",
)
_AGAIN = _unsure("a number that exists is refused with an unsigned text, paid or not")
_SHORT = _unsure("the channel behind refuses it, and a payer-side word of state 3 is not believed")

RIG = Rig(
    kind="jeepay",
    open=_open,
    payee=AlipayAccount("zhang@example.test", AlipayIdentity.LOGON_ID, "张三丰"),
    other_payee=AlipayAccount("li@example.test", AlipayIdentity.LOGON_ID, "李清照"),
    slow_payee=WechatWallet("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", None, "欧阳娜娜"),
    takes=Paid,
    business=_business,
    secrets=(SECRET,),
    unsure_code="9999",
    fail_reason="ACCOUNT_FROZEN",
    unseen=_unsure("订单不存在 comes unsigned, so it is no verified absence"),
    lacks={
        "return_late": "stock servers never learn of a return: the order stays paid",
        "statement": "the protocol has no statement",
        "balance": "the protocol has no balance",
        "receipt": "the protocol has no receipts",
        "recall": "the protocol has no cancellation",
    },
    answers={
        "throttle.send": _BOX,
        "ask_throttled.ask": _BOX,
        "short_balance.send": _SHORT,
        "short_balance.look": _SHORT,
        "stranger.send": _unsure("验签失败 is an unsigned text among many"),
        "resend.again": _AGAIN,
        "resend_when_paid.again": _AGAIN,
        "same_bytes.again": _AGAIN,
    },
)
