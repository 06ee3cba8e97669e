"""Alipay fund transfer: an account is paid in the reply, a card takes a while and may return."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from channels.alipay.channel import build
from channels.alipay.settings import AlipaySettings
from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Channel,
    Paid,
    Pending,
    Prepared,
)
from tests.channels.alipay.platform import ALL_RAILS, TERMS
from tests.contracts.channels.rig import Place, Rig, Wish, world_of
from tests.simulators.alipay.customer import account, config
from tests.simulators.keys import pair

_ALIKE = ("timestamp", "sign")


@asynccontextmanager
async def _open(wish: Wish) -> AsyncIterator[Place]:
    paying = account(notify_url=wish.notify_url, fee={"flat_fen": 10})
    async with world_of(config(paying), wish.start) as world:

        def connect(key: str = "app") -> Channel:
            given = {
                "gateway_url": f"{world.shells['alipay'].url}/gateway.do",
                "app_id": account()["app_id"],
                "user_id": account()["user_id"],
                "private_key": pair(key).private_pem,
                "alipay_public_key": pair("platform").public_pem,
                "products": ALL_RAILS,
                "total_timeout_s": wish.total_timeout_s,
            }
            return build("alipay-sim", AlipaySettings.model_validate(given), TERMS, world.clock.now)

        yield Place(world, "alipay", connect, lambda: connect("stranger"))


def _business(prepared: Prepared) -> Mapping[str, list[str]]:
    sent = parse_qs(urlsplit(prepared.url).query) | parse_qs(prepared.body.decode())
    return {name: value for name, value in sent.items() if name not in _ALIKE}


_CARD = BankCard("6222020200112233445", "张三丰", "ICBC", "中国工商银行")

RIG = Rig(
    kind="alipay",
    open=_open,
    payee=AlipayAccount("zhang@example.test", AlipayIdentity.LOGON_ID, "张三丰"),
    other_payee=AlipayAccount("li@example.test", AlipayIdentity.LOGON_ID, "李四光"),
    slow_payee=_CARD,
    takes=Paid,
    business=_business,
    secrets=(pair("app").private_pem,),
    unsure_code="SYSTEM_ERROR",
    dates_within=timedelta(seconds=1),
    fail_reason="PAYEE_CARD_INFO_ERROR",
    lacks={
        "recall": "no interface cancels a transfer that was taken in",
        "echo_payee": "no reply names the payee",
        "ask_echo_payee": "no answer names the payee",
    },
)

CARD = replace(
    RIG,
    payee=_CARD,
    other_payee=BankCard("6222020200112233452", "李四光", "ICBC", "中国工商银行"),
    slow_payee=None,
    takes=Pending,
    settles=timedelta(hours=2),
)
"""The same application paying to cards: the bank answers later."""
