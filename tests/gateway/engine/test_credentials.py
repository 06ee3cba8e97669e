"""Keys that end and keys that change, on the running whole: nobody is paid twice, others go on."""

import dataclasses
from datetime import datetime, timedelta

import orjson
import pytest
from msgspec.structs import replace

from channels.contract import Credential
from gateway.engine import credentials
from gateway.engine.gateway import Gateway
from policies.exclusions import Code
from policies.explain import from_json
from tests.gateway.engine.rig import PAID, A, B, Rig, Seat, running
from tests.simulators.keys import pair

DAY = timedelta(days=1)
SURE = timedelta(minutes=1)


def dated(gateway: Gateway, at: datetime, name: str = "app_cert_file") -> None:
    """Let a certificate of the first channel end then."""
    ours = Credential(name, "ours", "a" * 64, at)
    gateway.credentials = {A.name: (ours,), B.name: (replace(ours, not_after=None),)}


def told(rig: Rig) -> list[tuple[str, object]]:
    """Alarms about keys, with the days that were left."""
    return [
        (event.removeprefix("channel.credential_"), facts["days_left"])
        for event, facts in rig.witness.alarms
        if event.startswith("channel.credential_")
    ]


async def test_a_channel_with_an_ended_certificate_gets_nothing(rig: Rig) -> None:
    """The others go on, and the decision says why."""
    dated(rig.gateway, rig.now() + 1 * DAY)
    before = await rig.pay()
    assert await rig.states(before) == [(A.name, "confirmed")]
    dated(rig.gateway, rig.now())
    after = await rig.pay()
    assert await rig.states(after) == [(B.name, "confirmed")]
    [(_, stored)] = await rig.store.decisions(after.id)
    out = {one.channel: one.reasons for one in from_json(orjson.loads(stored)).excluded}
    assert [one.code for one in out[A.name]] == [Code.CREDENTIAL_EXPIRED]
    assert "app_cert_file" in out[A.name][0].en
    assert "app_cert_file" in out[A.name][0].zh


async def test_open_payouts_of_such_a_channel_are_asked_about(url: str) -> None:
    """Only new ones are kept away: what was sent must not be forgotten."""
    mute = dataclasses.replace(A, account={"notify_url": None})
    async with running(url, (mute, B)) as rig:
        rig.fault("reset_after")
        payout = await rig.pay()
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        dated(rig.gateway, rig.now())
        await rig.pass_time(minutes=2)
        assert await rig.states(payout) == [(A.name, "confirmed")]


async def test_people_are_told_at_each_step_and_daily_at_the_end(rig: Rig) -> None:
    """Once a step, however often it is looked at; a restart tells again where things stand."""
    end = rig.now() + 40 * DAY
    dated(rig.gateway, end)
    await rig.stop()
    for days in (31, 30, 29, 15, 14, 7, 1):
        await rig.later(seconds=(end - days * DAY - rig.now() + SURE).total_seconds())
        credentials.look(rig.gateway)
        credentials.look(rig.gateway)
    assert told(rig) == [("expiring", days) for days in (29, 13, 6, 0)]
    await rig.later(days=1)
    credentials.look(rig.gateway)
    await rig.later(days=1)
    credentials.look(rig.gateway)
    assert told(rig)[4:] == [("expired", 0), ("expired", 0)]
    rig.gateway.credentials_told.clear()
    credentials.look(rig.gateway)
    assert told(rig)[6:] == [("expired", 0)]


async def test_what_is_told_names_channel_and_key_in_both_languages(rig: Rig) -> None:
    """For whoever has to replace it."""
    dated(rig.gateway, rig.now() + 3 * DAY)
    [note] = credentials.notes(rig.gateway)
    assert note.code == "credential_expiring"
    assert f"channel {A.name}: our app_cert_file expires on" in note.en
    assert f"渠道 {A.name}：我方证书 app_cert_file 将于" in note.zh
    assert credentials.seconds_left(rig.gateway) == {(A.name, "app_cert_file"): 3 * 86400}
    dated(rig.gateway, rig.now() - DAY)
    [note] = credentials.notes(rig.gateway)
    assert (note.code, "expired on" in note.en) == ("credential_expired", True)
    dated(rig.gateway, rig.now() + 31 * DAY)
    assert credentials.notes(rig.gateway) == []


@pytest.mark.parametrize("signs", ["before", "after"])
async def test_the_platforms_old_and_new_key_both_prove(signs: str, url: str) -> None:
    """While two are configured, whichever it signs answers and notices with."""
    both = [pair("before").public_pem, pair("after").public_pem]
    seats = (dataclasses.replace(A, settings={"alipay_public_key": both}),)
    institution = {"alipay": {"platform_private_key": pair(signs).private_pem}}
    async with running(url, seats, simulators=institution) as rig:
        payout = await rig.pay()
        assert await rig.states(payout) == [(A.name, "confirmed")]
        await rig.pass_time(minutes=1)
        assert rig.witness.alarmed("notice.refused") == 0


async def test_a_key_that_is_not_configured_proves_nothing(url: str) -> None:
    """A third key is a stranger's: the payout is in doubt, not paid."""
    both = [pair("before").public_pem, pair("after").public_pem]
    seats = (dataclasses.replace(A, settings={"alipay_public_key": both}),)
    async with running(url, seats) as rig:
        payout = await rig.pay()
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        rig.may_disagree.add(A.name)


async def test_our_own_key_is_switched_by_a_restart(url: str) -> None:
    """What the institution refused under the old key is proven dead; the next one is paid."""
    registered = {"public_key": pair("next").public_pem}
    old = Seat(A.name, account=registered, settings={"private_key": pair("app").private_pem})
    async with running(url, (old,)) as rig:
        payout = await rig.pay()
        assert rig.moved("payout") == []
        assert (await rig.look(payout)).state is not PAID
        rig.seats = (dataclasses.replace(old, settings={"private_key": pair("next").private_pem}),)
        await rig.reopen()
        await rig.start()
        await rig.pass_time(hours=1)
        assert await rig.states(payout) == [(A.name, "dead")]
        assert await rig.states(await rig.pay()) == [(A.name, "confirmed")]
        assert len(rig.moved("payout")) == 1
