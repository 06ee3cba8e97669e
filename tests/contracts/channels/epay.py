"""A stock Epay site: an account is paid in the reply, a card takes a while, nobody is told."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

from channels.contract import (
    Absent,
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Channel,
    Paid,
    Prepared,
    Terms,
    Unknown,
    UnknownCause,
)
from channels.epay.channel import build
from channels.epay.settings import EpaySettings
from channels.money import Currency
from tests.contracts.channels.rig import Expect, Place, Rig, Wish, world_of
from tests.simulators.epay.merchant import config
from tests.simulators.keys import pair

_ALIKE = ("timestamp", "sign")
_TERMS = Terms(Currency.CNY, amount_min=10, amount_max=500_000_000)


@asynccontextmanager
async def _open(wish: Wish) -> AsyncIterator[Place]:
    section = config(transfer_rate_ppm=6000, queries_name_amount=True)
    async with world_of(section, wish.start) as world:

        def connect(key: str = "app") -> Channel:
            given = {
                "base_url": world.shells["epay"].url,
                "pid": "1001",
                "private_key": pair(key).private_pem,
                "public_key": pair("platform").public_pem,
                "rails": ["alipay", "bank_card"],
                "total_timeout_s": wish.total_timeout_s,
            }
            settings = EpaySettings.model_validate(given)
            return build("epay-sim", settings, _TERMS, world.clock.now)

        yield Place(world, "epay", connect, lambda: connect("stranger"))


def _business(prepared: Prepared) -> Mapping[str, list[str]]:
    sent = parse_qs(prepared.body.decode())
    return {name: value for name, value in sent.items() if name not in _ALIKE}


def _reference(number: int) -> str:
    return str(1_000_000_000_000_000_000 + number)


_CARD = BankCard("6222020200112233445", "张三丰", "ICBC", "中国工商银行")
_TAKEN = "a number that exists is refused, and its order must be looked up"
_FRONT = "the site has no throttle of its own; the web server in front of it answers 503"
_THROWN = "the site throws this error, and thrown errors are not signed"

RIG = Rig(
    kind="epay",
    open=_open,
    payee=AlipayAccount("zhang@example.test", AlipayIdentity.LOGON_ID, "张三丰"),
    other_payee=AlipayAccount("li@example.test", AlipayIdentity.LOGON_ID, "李四光"),
    slow_payee=_CARD,
    takes=Paid,
    business=_business,
    secrets=(pair("app").private_pem,),
    unsure_code="SYSTEM_ERROR",
    fail_reason="PAYEE_CARD_INFO_ERROR",
    reference=_reference,
    lacks={
        "notices": "a site tells nobody what becomes of a transfer",
        "statement": "a site issues no statements",
        "recall": "only the site's administrator can stop a transfer",
        "echo_payee": "no reply names the payee",
        "ask_echo_payee": "no answer names the payee",
    },
    answers={
        "resend.again": Expect(Unknown, UnknownCause.CHANNEL_UNSURE, why=_TAKEN),
        "resend_when_paid.again": Expect(Unknown, UnknownCause.CHANNEL_UNSURE, why=_TAKEN),
        "same_bytes.again": Expect(Unknown, UnknownCause.CHANNEL_UNSURE, why=_TAKEN),
        "throttle.send": Expect(Unknown, UnknownCause.UNREADABLE, why=_FRONT),
        "ask_throttled.ask": Expect(Unknown, UnknownCause.UNREADABLE, why=_FRONT),
        "maintenance.send": Expect(Unknown, UnknownCause.BAD_SIGNATURE, why=_THROWN),
        "stranger.send": Expect(Unknown, UnknownCause.BAD_SIGNATURE, why=_THROWN),
        "unsure_executed.look": Expect(
            Absent, why="paid, and no row was written: only a person can find out"
        ),
    },
)
