"""A backup is put back while institutions remember more: nothing is paid twice, all is known."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from channels.contract import Absent, Reason, Unknown
from gateway.domain.errors import ConflictError
from gateway.domain.payout import Payout, PayoutState
from gateway.engine import dispatch, operate, quarantine, traces
from gateway.engine.accept import Request, accept
from gateway.engine.gateway import Limits
from gateway.engine.quarantine import check_position, go_on, release
from gateway.engine.rebuild import LAG
from gateway.ports import Position
from gateway.store import Vault
from gateway.store.copies import online_backup, put_back
from tests import builders
from tests.gateway.engine.rig import CARD, KEK, LI, SEATS, ZHANG, A, B, Rig, W, process, running


@pytest.fixture
async def rig(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """A payout has at most ten attempts here: that many references are asked about.

    What may not be sent is looked at every hour instead of every other minute.
    """
    monkeypatch.setattr(dispatch, "STOPPED_FOR", timedelta(hours=1))
    async with running(url, limits=Limits(attempts_max=10)) as made:
        yield made


@asynccontextmanager
async def restored(rig: Rig, folder: Path) -> AsyncIterator[None]:
    """Back up now, let the body happen, then forget it: the backup takes the database's place."""
    file, _ = await online_backup(rig.store, folder, rig.now())
    yield
    await rig.stop()
    await rig.store.aclose()
    for channel in rig.gateway.channels.values():
        await channel.aclose()
    path = Path(rig.url.removeprefix("sqlite://"))
    await put_back(file, path, folder, Vault(KEK), rig.world.clock, "test")
    old = rig.gateway
    rig.gateway = await process(
        rig.url, rig.world, rig.seats, rig.witness, old.notify_base, old.limits
    )
    await rig.start()
    await rig.quiet()


async def found_out(rig: Rig) -> None:
    """Everything a quarantine waits for: the lag, the inquiries, the next day's statements."""
    await rig.later(seconds=LAG.total_seconds() + 1)
    assert await go_on(rig.gateway) is not None
    await rig.next_morning()
    await rig.statements()
    # WeChat has no bill for a day without movement.
    for name in (await standing(rig)).awaited:
        for person in ("key:one", "key:two"):
            await release(rig.gateway, name, "no movement, seen in the merchant platform", person)
    assert await go_on(rig.gateway) is None
    await rig.later(hours=1)


async def standing(rig: Rig) -> quarantine.Standing:
    """How far it has come."""
    found = await quarantine.standing(rig.gateway)
    assert found is not None
    return found


def paid_once(rig: Rig, *payouts: Payout) -> bool:
    """The institutions' books show each of these amounts exactly once."""
    amounts = [minor for _, minor in rig.moved()]
    return all(amounts.count(one.amount.minor) == 1 for one in payouts)


async def test_what_was_paid_after_the_backup_is_not_paid_again(rig: Rig, tmp_path: Path) -> None:
    """Waiting, failing over, scheduled: all were sent since, and the record learns it."""
    early = await rig.pay(23_401)
    refused = await rig.refuse(A)
    other = await rig.refuse(B)
    waiting = await rig.accept(23_402)
    later = await rig.accept(23_403, release_at=rig.now() + timedelta(hours=1))
    await rig.quiet()
    async with restored(rig, tmp_path):
        await rig.pass_time(minutes=1)
        await rig.mend(other)
        await rig.pass_time(hours=2)
        assert {(await rig.look(one)).state for one in (waiting, later)} == {PayoutState.PAID}
        numbers = {len((await rig.look(one)).attempts) for one in (waiting, later)}
        await rig.mend(refused)
    truth = rig.moved()
    assert max(numbers) > 1
    assert (await rig.look(waiting)).state is not PayoutState.PAID
    await found_out(rig)
    for one in (early, waiting, later):
        assert (await rig.look(one)).state is PayoutState.SETTLED
    assert paid_once(rig, early, waiting, later)
    assert rig.moved() == truth
    assert rig.witness.alarmed("attempt.adopted") == 2


async def test_an_open_attempt_that_was_settled_meanwhile(rig: Rig, tmp_path: Path) -> None:
    """In doubt in the backup; died, failed over and paid since: the later attempt is found."""
    rig.fault("reset_before", A)
    payout = await rig.pay(23_404)
    assert payout.state is PayoutState.ATTEMPTING
    async with restored(rig, tmp_path):
        attempt = (await rig.look(payout)).live
        assert attempt is not None
        await operate.certify(
            rig.gateway,
            payout.id,
            version=(await rig.look(payout)).version,
            reason=Reason.RAIL_DOWN,
            evidence="call no. 7",
            maker="one",
            checker="two",
        )
        await rig.quiet()
        assert (await rig.states(payout))[-1][1] == "confirmed"
    assert [state for _, state in await rig.states(payout)] == ["in_doubt"]
    await found_out(rig)
    assert (await rig.look(payout)).state is PayoutState.SETTLED
    assert [state for _, state in await rig.states(payout)] == ["dead", "confirmed"]
    assert paid_once(rig, payout)


async def test_a_forgotten_payout_is_recognised_when_it_is_asked_for_again(
    rig: Rig, tmp_path: Path
) -> None:
    """Accepted and paid after the backup; its merchant repeats it: same references, one payment."""
    request = Request("lost-1", builders.cny(23_405), (ZHANG,), "佣金")
    intake = builders.intake(key="key-lost-000000000001", body="lost")

    async def ask() -> Payout:
        made = (await accept(rig.gateway, rig.merchant, request, intake, "test")).payout
        await rig.quiet()
        return await rig.look(made)

    async with restored(rig, tmp_path):
        first = await ask()
        assert first.state is PayoutState.PAID
    await found_out(rig)
    again = await ask()
    assert again.id != first.id
    assert again.state in {PayoutState.PAID, PayoutState.SETTLED}
    assert [one.reference for one in again.attempts] == [one.reference for one in first.attempts]
    assert paid_once(rig, again)


async def test_nothing_is_sent_before_the_end(rig: Rig, tmp_path: Path) -> None:
    """Payouts are taken in and wait; none is cancelled unseen; afterwards they are paid."""
    async with restored(rig, tmp_path):
        pass
    payout = await rig.pay(23_406, ZHANG, CARD, LI)
    assert payout.state is PayoutState.ROUTING
    with pytest.raises(ConflictError, match="sent already"):
        await operate.cancel(rig.gateway, payout.id, None, "ops")
    await rig.later(minutes=5)
    assert rig.moved() == []
    await found_out(rig)
    assert (await rig.look(payout)).state is PayoutState.PAID
    assert paid_once(rig, payout)


async def test_a_channel_that_cannot_tell_keeps_everything_waiting(
    rig: Rig, tmp_path: Path
) -> None:
    """Unknown is not absent; two different people may vouch, one alone may not."""
    async with restored(rig, tmp_path):
        pass
    payout = await rig.accept(23_407)
    shut = await rig.refuse(B)
    await rig.later(seconds=LAG.total_seconds() + 1)
    await go_on(rig.gateway)
    assert (await standing(rig)).to_rebuild == 1
    await release(rig.gateway, B.name, "closed for good", "key:one")
    with pytest.raises(ConflictError, match="another person"):
        await release(rig.gateway, B.name, "closed for good", "key:one")
    assert (await standing(rig)).waived == frozenset()
    await release(rig.gateway, B.name, "closed for good", "key:two")
    await go_on(rig.gateway)
    assert (await standing(rig)).to_rebuild == 0
    assert set((await standing(rig)).awaited) == {A.name, W.name}
    assert (await rig.look(payout)).state is PayoutState.ROUTING
    await rig.mend(shut)


async def test_an_older_database_is_noticed(rig: Rig, tmp_path: Path) -> None:
    """Without any command: a copied file that is behind its mark, and another database."""
    await rig.pay(23_408)
    mark = await rig.store.position()
    assert await check_position(rig.gateway, mark) == mark
    assert rig.gateway.quarantine is None
    await check_position(rig.gateway, Position(mark.installation, mark.feed + 1, mark.attempts))
    assert rig.gateway.stopped() == "quarantined"
    payout = await rig.pay(23_409)
    (event,) = await rig.timeline(payout)
    assert event.feed > mark.feed + 1000
    assert Position("other", mark.feed, mark.attempts).is_behind(mark)
    assert Position(mark.installation, mark.feed, mark.attempts - 1).is_behind(mark)


async def test_a_second_restore_starts_over(rig: Rig, tmp_path: Path) -> None:
    """What an unfinished quarantine had not found out is still owed by the next one."""
    async with restored(rig, tmp_path):
        pass
    first = await standing(rig)
    await rig.later(minutes=2)
    second = await quarantine.begin(rig.gateway, "again", "test", rig.now())
    assert second.id == first.quarantine.id + 1
    assert second.backup_at == first.quarantine.backup_at


async def test_the_seats_know_nothing_of_what_was_never_sent(rig: Rig) -> None:
    """The question that everything above rests on is answered with "absent" by each channel."""
    payout = await rig.accept(23_410, ZHANG, LI)
    await rig.stop()
    for channel, instrument in traces.takers(rig.gateway, payout):
        answer = await traces.inquire_reference(rig.gateway, payout, 9, channel, instrument)
        assert isinstance(answer, Absent)


async def test_a_channel_that_finds_by_time_cannot_deny_a_forgotten_attempt(rig: Rig) -> None:
    """When it was signed is forgotten along with it, so "not found" is no answer there."""
    payout = await rig.accept(23_411, ZHANG)
    await rig.stop()
    channel, instrument = traces.takers(rig.gateway, payout)[0]
    by_time = replace(channel.traits, inquires_by_time=True)
    with patch.object(type(channel), "traits", by_time):
        answer = await traces.inquire_reference(rig.gateway, payout, 9, channel, instrument)
    assert isinstance(answer, Unknown)


def test_every_seat_is_part_of_it() -> None:
    """The rig has channels of both kinds."""
    assert {seat.kind for seat in SEATS} == {"alipay", "wechat_pay"}
