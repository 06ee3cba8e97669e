"""A bank by ISO 20022 files over HTTPS: an upload is received; the bank's files tell the rest."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from channels.bank.channel import build
from channels.contract import (
    BankAccount,
    BankCard,
    Channel,
    Pending,
    Prepared,
    StatementBrokenError,
    Unknown,
    UnknownCause,
)
from tests.channels.bank import house
from tests.contracts.channels.rig import Expect, Place, Rig, Wish, world_of

_TIME = re.compile(rb"<CreDtTm>[^<]*</CreDtTm>")


@asynccontextmanager
async def _open(wish: Wish) -> AsyncIterator[Place]:
    section = house.section(notify_url=wish.notify_url)
    async with world_of(section, wish.start) as world:

        def connect(**changes: object) -> Channel:
            given = {
                "base_url": world.shells["bank"].url,
                "total_timeout_s": wish.total_timeout_s,
            }
            settings = house.settings(**given, **changes)
            return build("bank-main", settings, house.TERMS, world.clock.now)

        yield Place(world, "bank", connect, lambda: connect(customer_id="STRANGER"))


def _business(prepared: Prepared) -> object:
    return prepared.url, prepared.headers, _TIME.sub(b"", prepared.body)


_RECEIVED = "the upload is answered by a receipt; what became of it stands in files"
_AGAIN = "a repeated file is received like any other, and refused in a file (DU01)"
_TAKEN = Expect(Pending, why=_RECEIVED)
_REFUSED = Expect(Pending, why=_AGAIN)
_BROKEN = Expect(
    StatementBrokenError, why="the closing balance is what is truly there: the equation breaks"
)
_FILES_STAY = "a file once made stays as it is; its answers cannot be spoilt later"
_UNSIGNED = "files carry no signature: the connection vouches for them"
_UNSURE = Expect(
    Unknown,
    UnknownCause.CHANNEL_UNSURE,
    why="a refusal stands in a file, and is doubted as its reason wants it",
)

RIG = Rig(
    kind="bank",
    open=_open,
    payee=BankCard("6222020200112233445", "张三丰", "ICBC", "中国工商银行"),
    other_payee=BankAccount("0200004509022100777", "李四光贸易公司", "102100000450", "工商银行"),
    takes=Pending,
    business=_business,
    secrets=(house.NOTICE_SECRET,),
    unsure_code="AB06",
    fail_reason="AC04",
    statement_ops=("inquire", "download"),
    ops={"balance": "inquire"},
    lacks={
        "recall": "camt.055 is offered by few banks and not by this adapter",
        "receipt": "the adapter offers no receipts",
        "unsigned": _UNSIGNED,
        "bad_signature": _UNSIGNED,
        "ask_unknown_code": _FILES_STAY,
        "ask_unsure": _FILES_STAY,
        "ask_unknown_status": _FILES_STAY,
        "ask_echo_amount": _FILES_STAY,
        "ask_echo_reference": _FILES_STAY,
        "ask_echo_payee": _FILES_STAY,
    },
    answers={
        "unknown_code.send": _TAKEN,
        "unknown_status.send": _TAKEN,
        "unsure_executed.send": _TAKEN,
        "unsure_not_executed.send": _TAKEN,
        "unsure_not_executed.look": _UNSURE,
        "echo_amount.send": _TAKEN,
        "echo_reference.send": _TAKEN,
        "echo_payee.send": _TAKEN,
        "short_balance.send": _TAKEN,
        "short_balance.look": _UNSURE,
        "maintenance.send": Expect(
            Unknown, UnknownCause.UNREADABLE, why="an HTTP status is no answer, whoever sets it"
        ),
        "stranger.send": Expect(
            Unknown, UnknownCause.UNREADABLE, why="an HTTP status is no answer, whoever sets it"
        ),
        "resend.again": _REFUSED,
        "other_amount.again": _REFUSED,
        "other_payee.again": _REFUSED,
        "statement_missing.read": _BROKEN,
        "statement_extra.read": _BROKEN,
        "statement_twice.read": _BROKEN,
        "statement_one_fen_off.read": _BROKEN,
    },
)
