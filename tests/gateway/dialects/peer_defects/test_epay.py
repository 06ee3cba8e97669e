"""Defects 1 to 5: Epay (彩虹易支付)."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from channels.contract import Outcome, Paid, Pending, Reason, Rejected
from gateway.domain.errors import ConflictError
from gateway.domain.ledger import Book
from gateway.domain.payout import PayoutState, Source
from gateway.engine import operate
from gateway.engine.dispatch import settle
from gateway.engine.gateway import Told
from gateway.engine.worker import advance
from tests.builders import NOW
from tests.gateway.api.desk import ACME
from tests.gateway.dialects.conftest import Site
from tests.gateway.dialects.peer_defects.shop import TO_ZHANG, open_shop
from tests.gateway.engine.rig import A, B, running, seat, until

MUTE = seat(A, account={"notify_url": None})
CONTENT = [
    ("reset_after", {}),
    ("reset_mid", {}),
    ("bad_signature", {}),
    ("unsigned", {}),
    ("http_error", {"status": 502, "executed": True}),
    ("http_error", {"status": 500, "executed": True}),
    ("garbage", {}),
    ("reject", {"code": "SYSTEM_ERROR", "executed": True}),
    ("unknown_code", {}),
    ("unknown_status", {}),
]


async def test_01_killed_between_send_and_commit_pays_once(url: str) -> None:
    """Epay called the channel inside a transaction and kept no row when the process died."""
    async with running(url, (MUTE, B), started=False) as rig:
        shop = await open_shop(rig)
        assert (await shop.submit("A")).ok
        (payout,) = await shop.payouts()
        rig.fault("slow", A, fixed="1s")
        sending = asyncio.create_task(advance(rig.gateway, Told(payout.id)))
        await until(lambda: bool(rig.moved()))
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await rig.reopen()
        shop.reconnect()

        again = await shop.submit("A")
        await rig.start()
        await rig.quiet()

        assert (again.ok, again.status) == (True, 0)
        assert await shop.status("A") == 1
        assert len(rig.submitted()) == 1
        assert rig.moved() == [(A.name, 12_345)]


async def test_01_killed_before_the_answer_keeps_the_order(url: str) -> None:
    """The row is there before anything else: money that may go out is never without one."""
    async with running(url, (A, B), started=False) as rig:
        shop = await open_shop(rig)
        await shop.submit("A")
        before = await shop.balances()
        await rig.reopen()
        shop.reconnect()

        assert await shop.status("A") == 0
        assert await shop.balances() == before
        assert before[1] == 12_345 + 30
        await rig.start()
        await rig.quiet()
        assert rig.moved() == [(A.name, 12_345)]


async def test_02_fifty_identical_submits_are_one_order_at_the_channel(url: str) -> None:
    """Epay checked, then inserted, over an index that is not unique."""
    async with running(url, (A, B)) as rig:
        shop = await open_shop(rig)
        told = await asyncio.gather(*(shop.plugin.submit("A", **TO_ZHANG) for _ in range(50)))
        await shop.taken_in()
        await rig.quiet()

        assert {one.ok for one in told} == {True}
        assert len({one.reply["biz_no"] for one in told}) == 1
        assert len(await shop.payouts()) == 1
        assert rig.moved() == [(A.name, 12_345)]
        assert len(rig.submitted()) == 1


@pytest.mark.parametrize(("action", "rule"), CONTENT, ids=lambda one: str(one)[:40])
async def test_03_an_exception_after_the_debit_is_no_failure(
    url: str, action: str, rule: dict[str, Any]
) -> None:
    """Epay's Alipay plugin turned network errors and bad signatures into failures."""
    async with running(url, (MUTE, B)) as rig:
        shop = await open_shop(rig)
        rig.fault(action, A, **rule)
        rig.fault("not_found_window", A, seconds="60s")

        told = await shop.submit("A")
        at_once = await shop.status("A")
        held = (await shop.balances())[1]
        await rig.pass_time(minutes=30)

        assert (told.ok, told.status, at_once) == (True, 0, 0)
        assert held == 12_345 + 30
        assert await shop.status("A") == 1
        assert rig.submitted(B) == []
        assert rig.moved() == [(A.name, 12_345)]


async def test_04_repeated_refunds_give_the_money_back_once(site: Site) -> None:
    """Epay's admin could click "refund" again and again."""
    await site.plugin.submit("first")
    await site.plugin.submit("A")
    held = (await site.payouts())[1]
    assert held.state is PayoutState.HELD
    free = await _available(site)

    clicks = await asyncio.gather(
        *(operate.cancel(site.desk.gateway, held.id, None, f"ops-{n}") for n in range(20)),
        return_exceptions=True,
    )

    won = [one for one in clicks if not isinstance(one, BaseException)]
    assert {one.state for one in won} == {PayoutState.CANCELLED}
    assert await _available(site) == free + held.hold_minor
    kinds = [event.kind for event in await site.desk.store.timeline(held.id)]
    assert kinds.count("cancelled") == 1
    assert await site.desk.store.audit() == []


@pytest.mark.parametrize("outcome", [Paid("till-1", NOW), Pending("till-1", "waiting")])
async def test_04_what_may_be_out_cannot_be_refunded(site: Site, outcome: Outcome) -> None:
    """Epay refunded after success, too."""
    site.desk.till.outcomes.append(outcome)
    await site.plugin.submit("A")
    await site.work()
    (payout,) = await site.payouts()
    before = await _available(site)

    for _ in range(3):
        with pytest.raises(ConflictError):
            await operate.cancel(site.desk.gateway, payout.id, None, "ops")

    assert await _available(site) == before


@pytest.mark.parametrize("table", ["payouts", "entries", "events", "dialect_orders"])
async def test_04_rows_cannot_be_deleted(site: Site, table: str) -> None:
    """In Epay they could; the database itself refuses it here."""
    await site.plugin.submit("A")
    await site.work()

    with (
        closing(sqlite3.connect(site.desk.file)) as database,
        pytest.raises(sqlite3.IntegrityError),
    ):
        database.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours


@pytest.mark.parametrize("seed", range(4))
async def test_05_refresh_and_callback_at_once_release_the_money_once(
    site: Site, seed: int
) -> None:
    """In Epay both read, then updated by id alone: the money came back twice."""
    free = await _available(site)
    site.desk.till.outcomes.append(Pending("till-1", "waiting"))
    await site.plugin.submit("A")
    await site.work()
    (payout,) = await site.payouts()
    refused = Rejected(Reason.PAYEE_DECLINED, "DECLINED", "")

    await asyncio.gather(
        *(
            settle(site.desk.gateway, payout, 1, refused, source)
            for source in [Source.INQUIRY, Source.SEND, Source.STATEMENT][: 2 + seed % 2] * 8
        )
    )
    await site.work()

    assert await _available(site) == free
    kinds = [event.kind for event in await site.desk.store.timeline(payout.id)]
    assert (kinds.count("attempt_dead"), kinds.count("failed")) == (1, 1)
    assert (await site.plugin.query("A"))["status"] == 2


async def _available(site: Site) -> int:
    found = await site.desk.store.balances(Book.AVAILABLE, ACME)
    return sum(one.minor for one in found)
