"""Making, following and showing plans, on payouts that were really made."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from channels.contract import Tariff, TariffTier
from gateway.engine import outlook
from gateway.engine.following import Following
from gateway.engine.plan import Planner
from gateway.engine.worker import refresh
from gateway.ports import StoreError
from policies.facts import MICRO
from tests.gateway.api.desk import Desk

PLAN, PLANS = "/v1/admin/plan", "/v1/admin/plans"


@pytest.fixture(autouse=True)
def _little_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few payouts a day are enough to plan on."""
    monkeypatch.setattr(outlook, "LEAST_PAYOUTS", 16)


@pytest.fixture
async def old(desk: Desk) -> Desk:
    """Eight days of two payouts each lie behind; only the till can pay."""
    desk.gateway.channels = {"till": desk.till}
    for day in range(8):
        for one in range(2):
            await desk.work(await desk.pay(f"old-{day}-{one}"))
        desk.clock.at += timedelta(days=1)
    return desk


async def test_without_history_there_is_no_plan(desk: Desk) -> None:
    """Asked for one, the gateway says what is missing, in both languages, and goes on by cost."""
    shown = await desk.get(PLAN, key="operator")
    assert (shown.status, shown.code) == (404, "no_plan")
    made = await desk.post(PLAN, {}, key="operator")
    assert (made.status, made.code) == (409, "plan_without_history")
    assert "历史数据不足" in made.json["detail_zh"]
    await desk.api.planner.tick()
    (note, *_) = desk.api.planner.notes
    assert note.code == "plan_without_history"
    shown = await desk.get(PLAN, key="operator")
    assert "history" in shown.json["detail"]
    assert (await desk.get(PLANS, key="operator")).json == {"data": []}


async def test_a_plan_is_made_followed_and_shown(old: Desk) -> None:
    """Once there is history; payouts after it say that they are planned, and are counted."""
    await old.api.planner.tick()
    assert old.api.planner.notes == []
    shown = (await old.get(PLAN, key="operator")).json
    assert (shown["reason"], shown["actor"], shown["currency"]) == ("first", "planner", "CNY")
    (till,) = shown["channels"]
    assert (till["channel"], till["share_ppm"]) == ("till", MICRO)
    (kind,) = shown["classes"]
    assert kind["shares_ppm"] == {"till": MICRO}
    assert kind["floor_minor"] <= 12_345 < kind["end_minor"]
    assert shown["forecast"]["payouts"] > 0
    assert shown["said"][0]["zh"]
    payout_id = await old.pay("new")
    await old.work(payout_id)
    why = (await old.get(f"/v1/payouts/{payout_id}/why")).json
    assert why["data"][0]["decision"]["outcome"] == "planned"
    later = (await old.get(PLAN, key="operator")).json
    assert later["forecast"]["actual_so_far"] == 1
    assert later["channels"][0]["reached"] == till["reached"] + 1
    ages, progress = old.api.planner.measure(old.clock.now() + timedelta(seconds=5))
    assert ages == {"CNY": 5.0}
    assert progress == {}


async def test_people_may_have_one_made(old: Desk) -> None:
    """201; it is the newest of the list, with who asked."""
    await old.api.planner.tick()
    old.clock.at += timedelta(minutes=1)
    made = await old.post(PLAN, {"currency": "CNY"}, key="operator")
    assert made.status == 201
    listed = (await old.get(PLANS, key="operator")).json["data"]
    assert [one["reason"] for one in listed] == ["asked", "first"]
    assert listed[0]["id"] == made.json["id"]
    assert listed[0]["actor"].startswith("key:")


async def test_plans_are_made_anew_when_they_are_due(old: Desk) -> None:
    """After hours, and when a channel goes; not each minute."""
    planner = old.api.planner
    await planner.tick()
    old.clock.at += timedelta(minutes=1)
    await planner.tick()
    assert len(await old.store.plans(9)) == 1
    old.clock.at += timedelta(hours=7)
    await planner.tick()
    assert (await old.store.plans(1))[0].reason in {"timer", "month"}
    other = type(old.till)()
    other.name = "till-2"
    old.gateway.channels = {"till": old.till, "till-2": other}
    old.clock.at += timedelta(minutes=1)
    await planner.tick()
    assert (await old.store.plans(1))[0].reason == "changed"


async def test_a_flood_is_drift(old: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far more payouts than expected have a new plan made before its time."""
    monkeypatch.setattr("policies.plan.drift.LEAST_EXPECTED", 10)
    planner = old.api.planner
    await planner.tick()
    for one in range(20):
        await old.work(await old.pay(f"flood-{one}"))
    old.clock.at += timedelta(minutes=31)
    await planner.tick()
    assert [one.reason for one in await old.store.plans(9)] == ["drift", "first"]


async def test_a_failure_keeps_the_old_plan(old: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an alarm and a note; it is tried again later, not each minute."""
    planner = old.api.planner
    await planner.tick()
    before = dict(old.gateway.following.plans)

    tries = []

    def fails(*_: object, **__: object) -> None:
        tries.append(1)
        raise RuntimeError("infeasible")

    monkeypatch.setattr(outlook, "make_plan", fails)
    old.clock.at += timedelta(hours=7)
    await planner.tick()
    await planner.tick()
    assert len(tries) == 1
    assert old.gateway.following.plans == before
    assert [note.code for note in planner.notes] == ["plan_impossible"]
    assert "plan.failed" in old.log.getvalue()
    refused = await old.post(PLAN, {}, key="operator")
    assert (refused.status, refused.code) == (409, "plan_impossible")


async def test_another_replica_follows_the_same_plan(old: Desk) -> None:
    """It reads what one replica made, and what was given since."""
    await old.api.planner.tick()
    await old.work(await old.pay("since"))
    mine, old.gateway.following = old.gateway.following, Following()
    await Planner(old.gateway, mode="on").tick()
    assert old.gateway.following.plans == mine.plans
    assert old.gateway.following.given == mine.given
    assert old.gateway.following.minor == mine.minor
    assert len(await old.store.plans(9)) == 1


async def test_another_month_has_no_plan_until_it_is_made(old: Desk) -> None:
    """At midnight the old shares end; minutes later there is the new month's plan."""
    await old.api.planner.tick()
    plan = old.gateway.following.plans["CNY"]
    first = outlook.midnight((plan.month + timedelta(days=32)).replace(day=1))
    assert old.gateway.following.view("CNY", first - timedelta(seconds=1)) is not None
    assert old.gateway.following.view("CNY", first) is None
    old.clock.at = first + timedelta(minutes=1)
    await old.api.planner.tick()
    assert len(await old.store.plans(9)) == 1
    old.clock.at = first + timedelta(minutes=6)
    await old.api.planner.tick()
    stored = (await old.store.plans(9))[0]
    following = (plan.month + timedelta(days=32)).replace(day=1)
    assert (stored.reason, stored.month) == ("month", following)


async def test_a_tiers_progress_is_counted_and_said(old: Desk) -> None:
    """Where the contract has a cliff within reach, a plan is made by itself and aims at it."""
    tariff = Tariff(tiers=(TariffTier(0, 200), TariffTier(20, 80)), scheme="all_units")
    terms = replace(old.till.traits.terms, tariffs=(tariff,))
    old.till.traits = replace(old.till.traits, terms=terms)
    await refresh(old.gateway)
    planner = old.api.planner = Planner(old.gateway, mode="auto")
    await planner.tick()
    await old.work(await old.pay("one"))
    shown = (await old.get(PLAN, key="operator")).json
    (till,) = shown["channels"]
    use = old.gateway.load.month("till", old.clock.now())
    assert till["reached"] == use.payouts > 1
    assert till["tier"]["floor"] == 20
    assert till["tier"]["progress_ppm"] == use.payouts * MICRO // 20
    assert till["tier"]["margin"] == till["planned"] - 20
    assert planner.measure(old.clock.now())[1] == {"till": use.payouts / 20}


async def test_a_plan_of_another_layout_is_made_anew(old: Desk) -> None:
    """As another version of the program may have left it."""
    await old.api.planner.tick()
    stored = (await old.store.plans(1))[0]
    old.clock.at += timedelta(minutes=1)
    foreign = replace(stored, id="foreign", made_at=old.clock.now(), plan=b'{"layout":99}')
    await old.store.keep_plan(foreign)
    old.gateway.following = Following()
    old.clock.at += timedelta(minutes=1)
    await Planner(old.gateway, mode="on").tick()
    assert [one.reason for one in (await old.store.plans(1))] == ["first"]
    assert "CNY" in old.gateway.following.plans


async def test_an_old_plan_is_told(old: Desk) -> None:
    """Twice its time is too old: something keeps new ones from being made."""
    await old.api.planner.tick()
    old.clock.at += timedelta(hours=12)
    assert old.api.planner.notes == []
    old.clock.at += timedelta(hours=1)
    assert [note.code for note in old.api.planner.notes] == ["plan_stale"]


async def test_off_is_off_and_auto_looks_at_the_terms(old: Desk) -> None:
    """The till has neither tiers nor caps: nothing to plan for."""
    for mode in ("off", "auto"):
        await Planner(old.gateway, mode=mode).tick()
    assert await old.store.plans(9) == []


async def test_a_store_that_is_away_is_not_hidden(
    old: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever calls the planner hears of it; the plan that is followed stays."""
    await old.api.planner.tick()

    async def away(_: str) -> None:
        raise StoreError("away")

    monkeypatch.setattr(old.store, "newest_plan_id", away)
    with pytest.raises(StoreError):
        await old.api.planner.tick()
    assert old.gateway.following.view("CNY", old.clock.now()) is not None
