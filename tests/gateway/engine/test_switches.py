"""The kill switch and planned maintenance on the running whole: nothing leaves, nothing is lost."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from channels.contract import Instruction, Outcome, Prepared, Unknown, UnknownCause
from gateway.domain.errors import AbsenceError, ConflictError, ForbiddenError, InvalidError
from gateway.domain.payout import CertificateKind
from gateway.engine.operate import switch_channel
from gateway.engine.switches import (
    Sticky,
    cancel_maintenance,
    kill,
    plan_maintenance,
    remember,
    revive,
)
from gateway.engine.worker import refresh
from gateway.ports import Kill, StoreError
from gateway.store.killed import read_kills, write_kills
from policies.maintenance import parse
from tests.gateway.engine.doubles import Around
from tests.gateway.engine.rig import (
    PAID,
    ROUTING,
    A,
    B,
    Rig,
    by_hand,
    running,
    seat,
)

MUTE = seat(A, account={"notify_url": None})


async def test_a_killed_channel_gets_nothing_more(rig: Rig) -> None:
    """Payouts go elsewhere; a person sees who stopped it, and why."""
    await kill(rig.gateway, A.name, "money went missing", "key:1")
    payout = await rig.pay()
    assert await rig.states(payout) == [(B.name, "confirmed")]
    assert rig.gateway.load.kills[A.name].reason == "money went missing"
    assert rig.witness.alarmed("channel.killed") == 1


async def test_all_killed_makes_everything_wait(rig: Rig) -> None:
    """Until a person revives all; what was killed by itself stays so."""
    await kill(rig.gateway, "ALL", "stop", "key:1")
    await kill(rig.gateway, A.name, "this one above all", "key:1")
    payout = await rig.pay()
    assert (payout.state, payout.attempts) == (ROUTING, ())
    await revive(rig.gateway, "ALL", "looked", "key:2", "wang")
    await rig.pass_time(minutes=2)
    assert await rig.states(payout) == [(B.name, "confirmed")]


async def test_only_a_person_revives(rig: Rig) -> None:
    """Not a key without a name, not a resume, not a restart, not the end of a maintenance."""
    await kill(rig.gateway, A.name, "stop", "key:1")
    with pytest.raises(ForbiddenError):
        await revive(rig.gateway, A.name, "fine", "key:1", None)
    with pytest.raises(InvalidError):
        await revive(rig.gateway, A.name, " ", "key:1", "wang")
    await switch_channel(rig.gateway, A.name, "active", "fine", "key:1")
    begin = rig.now()
    until = begin + timedelta(minutes=5)
    await plan_maintenance(rig.gateway, A.name, begin, until, "upgrade", "key:1")
    await rig.pass_time(minutes=10)
    await rig.reopen()
    await refresh(rig.gateway)
    await rig.start()
    assert await rig.states(await rig.pay()) == [(B.name, "confirmed")]
    await revive(rig.gateway, A.name, "fine", "key:1", "wang")
    assert await rig.states(await rig.pay()) == [(A.name, "confirmed")]
    with pytest.raises(ConflictError):
        await revive(rig.gateway, A.name, "fine", "key:1", "wang")


async def test_what_is_not_there_cannot_be_killed(rig: Rig) -> None:
    """A misspelt name must not look as if it had worked."""
    with pytest.raises(AbsenceError):
        await kill(rig.gateway, "alipay-x", "stop", "key:1")
    with pytest.raises(InvalidError):
        await kill(rig.gateway, A.name, "", "key:1")


class Stopping(Around):
    """Has a person kill the channel while a payout is on its way through `prepare`."""

    kills: "list[Kill]"

    def __init__(self, rig: Rig, *, elsewhere: bool) -> None:
        """`elsewhere`: through another process, so that this one has not heard of it."""
        super().__init__(rig.gateway.channels[A.name])
        self._rig = rig
        self._elsewhere = elsewhere
        self._loop = asyncio.get_running_loop()
        self.sent = 0
        self.kills = []

    def prepare(self, instruction: Instruction, now: object) -> Prepared:
        """The kill is committed before this returns; it runs in a thread."""
        if not self.kills:
            asyncio.run_coroutine_threadsafe(self._kill(), self._loop).result(5)
        return self.inside.prepare(instruction, now)  # type: ignore[arg-type]  # passed on

    async def _kill(self) -> None:
        gateway = self._rig.gateway
        self.kills.append(await kill(gateway, A.name, "stop", "key:1"))
        if self._elsewhere:
            gateway.load.kills = {}

    async def send(self, prepared: Prepared) -> Outcome:
        """Count it."""
        self.sent += 1
        return await self.inside.send(prepared)


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_kill_stops_what_was_routed_a_moment_ago(url: str, elsewhere: bool) -> None:
    """Between the decision and the arm: neither is an attempt committed nor does a byte leave, be
    it this process that was told or another one. The next decision goes elsewhere."""
    async with running(url, (A, B), started=False) as rig:
        channel = Stopping(rig, elsewhere=elsewhere)
        rig.replace_channel(channel)
        await rig.start()
        payout = await rig.accept()
        await rig.quiet()
        assert channel.kills
        await rig.pass_time(minutes=2)
        assert channel.sent == 0
        assert rig.submitted(A) == []
        assert await rig.states(payout) == [(B.name, "confirmed")]


async def test_a_kill_between_arm_and_send_keeps_the_bytes_here(url: str) -> None:
    """The attempt is committed and provably never left; the payout goes elsewhere."""
    async with running(url, (A, B), started=False) as rig:
        record = rig.store.record

        async def killed_after(change: object) -> None:
            await record(change)  # type: ignore[arg-type]  # passed on
            if not rig.gateway.load.kills:
                await kill(rig.gateway, A.name, "stop", "key:1")

        rig.store.record = killed_after  # type: ignore[method-assign]  # the same
        payout = await by_hand(rig, await rig.accept())
        assert rig.submitted(A) == []
        assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
        certificate = payout.attempts[0].certificate
        assert certificate is not None
        assert certificate.kind is CertificateKind.NEVER_LEFT


async def test_what_was_sent_before_a_kill_is_asked_about(url: str) -> None:
    """It is found paid; it is not sent again, although the channel would take it."""
    async with running(url, (MUTE,)) as rig:
        rig.fault("reset_after", A)
        payout = await rig.pay()
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        await kill(rig.gateway, A.name, "stop", "key:1")
        await rig.pass_time(minutes=2)
        assert (await rig.look(payout)).state is PAID
        assert len(rig.submitted(A)) == 1


async def test_a_killed_channel_is_not_sent_to_again(url: str) -> None:
    """The channel never got it, and would be sent it once more: only after it is revived."""
    async with running(url, (MUTE,)) as rig:
        rig.fault("reset_before", A)
        payout = await rig.pay()
        await kill(rig.gateway, A.name, "stop", "key:1")
        await rig.pass_time(minutes=30)
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        assert rig.moved() == []
        await revive(rig.gateway, A.name, "fine", "key:1", "wang")
        await rig.pass_time(hours=1)
        assert (await rig.look(payout)).state is PAID


# --- Restores ----------------------------------------------------------------------------------


def sticky(rig: Rig, folder: Path) -> Sticky:
    """As `serving` has it."""
    return Sticky(rig.gateway, partial(read_kills, folder), partial(write_kills, folder))


async def test_a_restore_does_not_forget_a_kill(url: str, tmp_path: Path) -> None:
    """The database of before the kill comes back; the file beside it knows better."""
    folder = tmp_path / "data"
    async with running(url, (A, B)) as rig:
        await kill(rig.gateway, A.name, "stop", "key:1")
        await sticky(rig, folder).look()
    restored = f"sqlite://{tmp_path}/restored.db"
    async with running(restored, (A, B)) as rig:
        look = sticky(rig, folder)
        await look.look()
        assert rig.witness.alarmed("channel.kill_restored") == 1
        assert [one.reason for one in await rig.store.kills(open_only=True)] == ["stop"]
        assert await rig.states(await rig.pay()) == [(B.name, "confirmed")]
        await revive(rig.gateway, A.name, "looked", "key:1", "wang")
        await look.look()
        assert read_kills(folder) == []
        await sticky(rig, folder).look()
        assert rig.gateway.load.kills == {}


async def test_a_kill_that_was_revived_stays_revived(url: str, tmp_path: Path) -> None:
    """The file of a process that was down meanwhile is older than the database."""
    async with running(url, (A,)) as rig:
        await kill(rig.gateway, A.name, "stop", "key:1")
        await sticky(rig, tmp_path).look()
        await revive(rig.gateway, A.name, "fine", "key:1", "wang")
        await sticky(rig, tmp_path).look()
        assert rig.gateway.load.kills == {}
        assert read_kills(tmp_path) == []


async def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Nobody knows what was killed: a person must look before anything is sent."""
    (tmp_path / "killed.json").write_text("[{}]", encoding="ascii")
    with pytest.raises(StoreError, match="channel ls"):
        read_kills(tmp_path)


async def test_another_process_hears_of_a_kill_from_the_store(rig: Rig) -> None:
    """Within a refresh; the store refuses its arms from the first moment."""
    await kill(rig.gateway, A.name, "stop", "key:1")
    rig.gateway.load.kills = {}
    await refresh(rig.gateway)
    assert rig.gateway.load.is_killed(A.name)
    rig.gateway.load.kills = {}
    await remember(rig.gateway)
    assert rig.gateway.load.is_killed(A.name)


# --- Planned maintenance -----------------------------------------------------------------------


async def test_maintenance_makes_it_wait_until_it_is_over(url: str) -> None:
    """Nothing is sent meanwhile, and it goes on by itself to the minute."""
    async with running(url, (A,)) as rig:
        until = rig.now() + timedelta(hours=2)
        await plan_maintenance(rig.gateway, A.name, rig.now(), until, "upgrade", "key:1")
        payout = await rig.pay()
        assert (payout.state, payout.due_at) == (ROUTING, until)
        await rig.later(minutes=119)
        assert rig.submitted() == []
        await rig.later(minutes=1)
        assert (await rig.look(payout)).state is PAID


async def test_cancelled_maintenance_is_over(url: str) -> None:
    """The next decision does not know of it."""
    async with running(url, (A,)) as rig:
        until = rig.now() + timedelta(hours=2)
        planned = await plan_maintenance(rig.gateway, A.name, rig.now(), until, "x", "key:1")
        await cancel_maintenance(rig.gateway, planned.id, "key:1")
        assert (await rig.pay()).state is PAID
        with pytest.raises(AbsenceError):
            await cancel_maintenance(rig.gateway, planned.id, "key:1")


async def test_configured_maintenance_counts_as_well(url: str) -> None:
    """The rig begins on a Monday at ten in Beijing."""
    async with running(url, (A, B)) as rig:
        rig.gateway.maintenance = {A.name: (parse("Mon 09:00-11:00", "Asia/Shanghai"),)}
        assert await rig.states(await rig.pay()) == [(B.name, "confirmed")]
        await rig.later(hours=1)
        assert await rig.states(await rig.pay()) == [(A.name, "confirmed")]


@pytest.mark.parametrize(("from_h", "to_h"), [(2, 1), (-3, -1), (0, 800)])
async def test_windows_that_make_no_sense_are_refused(rig: Rig, from_h: int, to_h: int) -> None:
    """Backwards, past, or hardly ever over."""
    begin, end = (rig.now() + timedelta(hours=hours) for hours in (from_h, to_h))
    with pytest.raises(InvalidError):
        await plan_maintenance(rig.gateway, A.name, begin, end, "x", "key:1")
    with pytest.raises(AbsenceError):
        await plan_maintenance(rig.gateway, "nobody", begin, end, "x", "key:1")


class Mute(Around):
    """Never answers."""

    async def send(self, _: Prepared) -> Outcome:
        """No word."""
        return Unknown(UnknownCause.TIMEOUT)


async def test_failures_during_maintenance_are_not_learned(url: str) -> None:
    """What was sent just before it began is answered badly: that says nothing about the channel."""
    async with running(url, (MUTE,), started=False) as rig:
        rig.replace_channel(Mute(rig.gateway.channels[A.name]))
        window = (rig.now() + timedelta(seconds=1), rig.now() + timedelta(hours=1))
        await plan_maintenance(rig.gateway, A.name, *window, "x", "key:1")
        advance = rig.world.advance

        class Slow(Mute):
            async def send(self, prepared: Prepared) -> Outcome:
                await advance(timedelta(seconds=2))
                return await super().send(prepared)

        rig.replace_channel(Slow(rig.gateway.channels[A.name]))
        payout = await by_hand(rig, await rig.accept())
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        views = rig.gateway.health.views((A.name,), "", rig.now())
        assert views[A.name].observations == 0
