"""When a refusal may be said, and when nothing at all: "not paid" must stay true for ever."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from channels.contract import Reason, Rejected
from gateway.api.dialects.door import ORDERS
from gateway.api.dialects.order import Order
from gateway.api.dialects.orders import Orders
from gateway.api.dialects.registry import DIALECTS
from gateway.domain.errors import UnavailableError, UnfundedError
from gateway.engine import accept as accepting
from gateway.ports import Intake, Merchant, Search, StoreError
from tests.builders import bank_card, cny
from tests.gateway.api.desk import ACME
from tests.gateway.dialects.conftest import Site
from tests.gateway.dialects.houses import House, open_house

ASKED_OF = ("search", "allot_number", "claim_payee", "dialect_orders", "accept", "drop_claim")
"""What a submission asks the store for once its caller is proven."""


async def away(*_: object, **__: object) -> Any:
    """A store that does not answer."""
    raise StoreError("away")


@pytest.fixture(params=sorted(DIALECTS))
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Each door in turn."""
    async with open_house(request.param, tmp_path) as opened:
        yield opened


async def test_first_contact_while_the_store_is_away_is_met_with_silence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may have stored that very order: not one byte is said of it."""
    await house.here.submit("A")
    await house.stored()
    monkeypatch.setattr(type(house.desk.store), "dialect_account", away)

    there = [await house.there.submit("A"), await house.there.query("A")]
    here = [await house.here.submit("A"), await house.here.query("A")]

    assert there == [None, None]
    assert [house.here.is_taken(one) for one in here] == [True, True]


async def test_an_account_that_nobody_has_is_still_refused(site: Site) -> None:
    """That is certain: accounts are never deleted."""
    told = await dataclasses.replace(site.plugin, appid="99999").submit("A")

    assert told.reply == {"code": -1, "msg": "商户不存在"}


async def test_a_store_that_wrote_nothing_gives_no_verdict(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may be storing it just now: nothing is said, where the protocol has no word
    that sends its callers back with the same number."""
    with monkeypatch.context() as patch:
        patch.setattr(type(house.desk.store), "accept", away)
        told = await house.here.submit("A")
    again = await house.here.submit("A")

    assert (told or {}).get("code") == ("20000" if house.dialect == "alipay" else None)
    assert house.here.is_taken(again)
    assert await house.stored() == {"A"}


@pytest.mark.parametrize("method", ASKED_OF)
async def test_a_stored_order_is_never_called_unpaid(
    house: House, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Whichever question the store leaves unanswered, here or in another process."""
    await house.here.submit("A")
    await house.work()
    await house.there.query("A")
    monkeypatch.setattr(type(house.desk.store), method, away)
    told = [await one.submit("A") for one in (house.here, house.there)]
    found = [await one.query("A") for one in (house.here, house.there)]

    assert [house.here.is_taken(one) for one in told] == [True, True]
    assert [house.here.is_refused(one) for one in found] == [False, False]


@pytest.mark.parametrize("method", ASKED_OF)
async def test_what_was_called_unpaid_is_never_stored(
    house: House, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A fresh number that was refused stands for nothing, then and later."""
    callers = (house.here, house.there)
    await asyncio.gather(*(one.query("none") for one in callers))
    with monkeypatch.context() as patch:
        patch.setattr(type(house.desk.store), method, away)
        told = await asyncio.gather(*(one.submit("A") for one in callers))
        await house.finish()

    stored = await house.stored()
    assert not any(house.here.is_refused(one) for one in told) or stored == set()


async def test_a_bug_of_ours_is_processing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """And told to us: who knows how far it came."""

    async def broken(*_: object) -> accepting.Acceptance:
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.engine.accept.accept", broken)
    told = await house.here.submit("A")

    assert house.here.is_taken(told)
    assert "dialect.defect" in {one["event"] for one in house.desk.log_lines()}


async def test_a_bug_before_the_caller_is_known_is_met_with_silence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And told to us: an error page would be read as "not paid"."""

    async def broken(*_: object) -> Any:
        raise ZeroDivisionError

    await house.here.submit("A")
    monkeypatch.setattr(type(house.desk.store), "dialect_account", broken)
    told = [await house.here.submit("A"), await house.here.query("A")]

    assert told == [None, None]
    events = [one["event"] for one in house.desk.log_lines()]
    assert events.count("dialect.defect") == 2


@dataclass(slots=True)
class Gate:
    """Lets the first order wait, and all others pass."""

    house: House
    opened: asyncio.Event
    is_taken: bool = False

    async def accept(
        self, gateway: Any, merchant: Merchant, request: Any, intake: Intake, actor: str
    ) -> accepting.Acceptance:
        """As the engine's, later."""
        if not self.is_taken:
            self.is_taken = True
            await self.opened.wait()
        return await REAL_ACCEPT(gateway, merchant, request, intake, actor)


REAL_ACCEPT = accepting.accept


@pytest.fixture
def gate(house: House, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Before the second process, whose callers wait for a moment only."""
    made = Gate(house, asyncio.Event())
    monkeypatch.setattr("gateway.engine.accept.accept", made.accept)
    house.second.app[ORDERS]._answer_s = 0.05
    return made


async def test_another_process_may_call_it_unknown_and_pays_nothing_twice(
    house: House, gate: Gate
) -> None:
    """What is under way is known to its process alone; the number is one order all the same."""
    slow = await house.there.submit("A")
    asked, unknown = await house.there.query("A"), await house.here.query("A")
    again = await house.here.submit("A")
    gate.opened.set()
    await house.work()

    assert house.there.is_taken(slow)
    assert not house.there.is_refused(asked)
    assert house.here.is_refused(unknown)
    assert house.here.is_taken(again)
    assert await house.stored() == {"A"}
    assert len(house.desk.till.sent) == 1


async def test_a_process_that_ends_stores_what_it_called_processing(
    house: House, gate: Gate
) -> None:
    """It waits for what goes on without its caller."""
    told = await house.there.submit("A")
    ending = asyncio.create_task(house.second.close())
    await asyncio.wait({ending}, timeout=0.3)
    waited = not ending.done()
    gate.opened.set()
    await ending

    found = await house.desk.store.search(Search(ACME))
    assert house.there.is_taken(told)
    assert waited
    assert [one.merchant_ref.partition(":")[2] for one in found] == ["A"]


async def test_a_refusal_waits_for_whoever_is_storing_the_same_order(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for twice, one refused and one slow: what may yet be stored is processing."""
    begun, gate, real = asyncio.Event(), asyncio.Event(), accepting.accept

    async def first_is_slow(
        gateway: object, merchant: Merchant, request: object, intake: Intake, actor: str
    ) -> accepting.Acceptance:
        if not begun.is_set():
            begun.set()
            await gate.wait()
            return await real(site.desk.gateway, merchant, request, intake, actor)  # type: ignore[arg-type] # as it was called
        raise UnfundedError("unfunded", "too little", zh="余额不足")

    monkeypatch.setattr("gateway.engine.accept.accept", first_is_slow)
    orders = Orders(site.desk.gateway, answer_s=5)
    merchant = (await site.desk.store.merchants())[0]
    order = Order("A", cny(1230), bank_card(), "提现")
    slow = asyncio.create_task(orders.take(site.account, merchant, order, 19))
    await begun.wait()

    refused = await orders.take(site.account, merchant, order, 19)
    gate.set()
    stored = await slow

    assert refused.payout is None
    assert stored.payout is not None
    with pytest.raises(UnfundedError):
        await orders.take(site.account, merchant, replace(order, number="B"), 19)


async def test_a_refusal_gives_way_to_what_another_process_stored(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look before and the refusal: the order is there, so it is told."""
    real = accepting.accept

    async def beaten(
        gateway: object, merchant: Merchant, request: object, intake: Intake, actor: str
    ) -> accepting.Acceptance:
        await real(site.desk.gateway, merchant, request, intake, actor)  # type: ignore[arg-type] # as it was called
        raise UnfundedError("unfunded", "too little", zh="余额不足")

    monkeypatch.setattr("gateway.engine.accept.accept", beaten)
    told = await site.plugin.submit("A")

    assert (told.ok, told.status) == (True, 0)
    assert len(await site.payouts()) == 1


async def test_a_refusal_that_cannot_be_checked_is_not_said(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store refused and then went away: whether another process stored it nobody knows."""

    async def refused(*_: object) -> accepting.Acceptance:
        monkeypatch.setattr(type(site.desk.store), "search", away)
        raise UnavailableError("later", "not now", zh="稍后")

    monkeypatch.setattr("gateway.engine.accept.accept", refused)
    told = await site.plugin.submit("A")

    assert (told.ok, told.status) == (True, 0)


async def test_an_order_that_failed_is_told_by_what_was_stored(site: Site) -> None:
    """A failure after a try never becomes a refusal of the submission."""
    site.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    await site.plugin.submit("A")
    await site.work()

    told, found = await site.plugin.submit("A"), await site.plugin.query("A")

    assert (told.ok, told.status) == (True, 0)
    assert found["status"] == 2
