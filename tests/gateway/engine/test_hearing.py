"""Numbers of institutions that no store keeps: the gateway goes on, and nothing is paid twice."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pytest
from msgspec.structs import replace

from channels.contract import (
    Absent,
    Channel,
    Inquiry,
    Notice,
    NoticeRefused,
    Outcome,
    Paid,
    Pending,
    Prepared,
    StatementLine,
)
from gateway.domain.payout import PayoutState
from gateway.engine.notices import receive, requeue
from tests.gateway.engine.doubles import Around
from tests.gateway.engine.rig import ATTEMPTING, PAID, A, B, Rig, running, seat

MUTE = seat(A, account={"notify_url": None})
ENDLESS = "".join(f"{number:x}" for number in range(4000))
UNFIT = ["7\0", "\ud800", ENDLESS]
"""PostgreSQL takes none of these into an indexed column; SQLite takes no half of a character."""


@dataclass
class Tongue:
    """How an institution writes its numbers from now on; `send`, `inquire`, `notice`, `line`."""

    ends: Mapping[str, str]

    def spoil(self, step: str, number: str | None) -> str | None:
        """What it makes of a number."""
        return (number or "7") + self.ends[step] if step in self.ends else number


class Babbling(Around):
    """A channel whose institution signs numbers with an unfit end."""

    def __init__(self, inside: Channel, tongue: Tongue) -> None:
        """Speak as `tongue` says."""
        super().__init__(inside)
        self._tongue = tongue

    async def send(self, prepared: Prepared) -> Outcome:
        """Spoil the answer."""
        return self._said("send", await self.inside.send(prepared))

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Spoil the answer."""
        found = await self.inside.inquire(inquiry)
        return found if isinstance(found, Absent) else self._said("inquire", found)

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Spoil our own number."""
        read = self.inside.read_notice(headers, body, now)
        if isinstance(read, NoticeRefused):
            return read
        return replace(read, reference=self._tongue.spoil("notice", read.reference) or "")

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Spoil the institution's number of each line."""
        async for line in self.inside.statement(day):
            yield replace(line, channel_ref=self._tongue.spoil("line", line.channel_ref))

    def _said(self, step: str, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Paid | Pending):
            number = self._tongue.spoil(step, outcome.channel_ref)
            return replace(outcome, channel_ref=number or "")
        return outcome


def babble(rig: Rig, **ends: str) -> Tongue:
    """From now on the first channel's institution writes like this."""
    tongue = Tongue(ends)
    rig.replace_channel(Babbling(rig.gateway.channels[A.name], tongue))
    return tongue


@pytest.fixture(params=["sqlite", "postgres"])
async def rig(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Rig]:
    """Two accounts, the first of which sends no notices by itself, on either database."""
    on = url if request.param == "sqlite" else request.getfixturevalue("fresh_postgres_url")
    async with running(on, (MUTE, B)) as made:
        yield made


@pytest.mark.parametrize("end", UNFIT, ids=["nul", "half", "endless"])
async def test_an_answer_nobody_can_keep_is_no_answer(rig: Rig, end: str) -> None:
    """In doubt, asked about, never tried elsewhere; once the number is sane, it is paid."""
    tongue = babble(rig, send=end, inquire=end)
    payout = await rig.pay()
    assert await rig.states(payout) == [(A.name, "in_doubt")]
    await rig.pass_time(minutes=5)
    assert (await rig.look(payout)).state is ATTEMPTING
    asked = rig.witness.asked(A.name)
    assert asked > 1
    assert rig.witness.alarmed("channel.unstorable") == asked + 1
    assert rig.witness.defects == []
    assert rig.submitted(B) == []
    tongue.ends = {}
    await rig.pass_time(hours=1)
    assert (await rig.look(payout)).state is PAID
    assert rig.moved() == [(A.name, 12_345)]


async def test_a_number_that_stays_unfit_is_given_to_a_person(rig: Rig) -> None:
    """It is parked as any doubt is, and stays one payout."""
    babble(rig, send="\0", inquire="\0")
    payout = await rig.pay()
    await rig.pass_time(hours=10)
    assert (await rig.look(payout)).state is PayoutState.PARKED
    assert rig.submitted(B) == []
    assert rig.witness.defects == []


@pytest.mark.parametrize("end", UNFIT, ids=["nul", "half", "endless"])
async def test_a_notice_that_names_such_a_number_is_refused(rig: Rig, end: str) -> None:
    """It is answered, so that it does not come again, and is not kept for the next start."""
    payout = await rig.pay()
    channel = rig.gateway.channels[A.name]

    class Told(Around):
        def read_notice(
            self, headers: Mapping[str, str], body: bytes, now: datetime
        ) -> Notice | NoticeRefused:
            refused = channel.read_notice(headers, body, now)
            return Notice("1", "r" + end, None, "paid", refused.reply)

    rig.replace_channel(Told(channel))
    await receive(rig.gateway, A.name, {}, b"")
    assert rig.witness.alarmed("notice.refused") == 1
    assert await rig.store.notices(10) == []
    assert await requeue(rig.gateway) == 0
    assert (await rig.look(payout)).state is PAID


async def test_a_notice_kept_by_an_older_version_does_not_stop_the_start(rig: Rig) -> None:
    """What was kept before is looked at again as everything else is, and done with."""
    channel = rig.gateway.channels[A.name]

    class Told(Around):
        def read_notice(
            self, headers: Mapping[str, str], body: bytes, now: datetime
        ) -> Notice | NoticeRefused:
            refused = channel.read_notice(headers, body, now)
            return Notice("1", "r\0", None, "paid", refused.reply)

    rig.replace_channel(Told(channel))
    await rig.store.keep_notice(A.name, {}, b"", rig.now())
    assert await requeue(rig.gateway) == 1
    assert await rig.store.notices(10) == []


@pytest.mark.parametrize("end", UNFIT, ids=["nul", "half", "endless"])
async def test_a_statement_with_such_numbers_is_read_to_its_end(rig: Rig, end: str) -> None:
    """Its lines still settle what names our own number; people hear of it."""
    payout = await rig.pay()
    babble(rig, line=end)
    await rig.next_morning()
    await rig.statements()
    assert (await rig.look(payout)).state == "settled"
    assert rig.witness.alarmed("channel.unstorable") == 1
    assert rig.witness.defects == []
