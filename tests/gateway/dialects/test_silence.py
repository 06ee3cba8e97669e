"""When a refusal may be said, and when nothing at all: "not paid" must stay true for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ServerDisconnectedError
from aiohttp.test_utils import TestServer

from channels.contract import Reason, Rejected
from gateway.api.app import build_app
from gateway.api.dialects.orders import Order, Orders
from gateway.domain.errors import UnavailableError, UnfundedError
from gateway.engine import accept as accepting
from gateway.ports import Intake, Merchant, StoreError
from tests.builders import bank_card, cny
from tests.gateway.dialects.conftest import Site
from tests.gateway.dialects.epayn import Epayn

ASKED_OF = ("search", "allot_number", "claim_payee", "dialect_orders", "accept", "drop_claim")
"""What a submission asks the store for once its caller is proven."""


async def away(*_: object, **__: object) -> Any:
    """A store that does not answer."""
    raise StoreError("away")


@asynccontextmanager
async def elsewhere(site: Site) -> AsyncIterator[Epayn]:
    """The same installation through another process, which knows nobody yet."""
    server = TestServer(build_app(site.desk.api, body_max=65_536))
    await server.start_server(access_log=None)
    try:
        yield replace(site.plugin, appurl=str(server.make_url("/d/epay/")))
    finally:
        await server.close()


@pytest.mark.parametrize("path", ["api/transfer/submit", "api/transfer/query"])
async def test_first_contact_while_the_store_is_away_is_met_with_silence(
    site: Site, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Another process may have stored that very order: not one byte is said of it."""
    await site.plugin.submit("A")
    monkeypatch.setattr(type(site.desk.store), "dialect_account", away)

    async with elsewhere(site) as there:
        with pytest.raises(ServerDisconnectedError):
            await there.ask(path, out_biz_no="A")
        told = await there.submit("A")
        here = await site.plugin.submit("A")

    assert (told.ok, told.reply) == (False, {})
    assert (here.ok, here.status) == (True, 0)


async def test_a_pid_that_nobody_has_is_still_refused(site: Site) -> None:
    """That is certain: accounts are never deleted."""
    async with elsewhere(site) as there:
        told = await replace(there, appid="99999").submit("A")

    assert told.reply == {"code": -1, "msg": "商户不存在"}


@pytest.mark.parametrize("method", ASKED_OF)
async def test_a_stored_order_is_never_called_unpaid(
    site: Site, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Whichever question the store leaves unanswered, here or in another process."""
    await site.plugin.submit("A")
    await site.work()
    async with elsewhere(site) as there:
        await there.query("A")
        monkeypatch.setattr(type(site.desk.store), method, away)
        told = [await one.submit("A") for one in (site.plugin, there)]
        found = [await one.query("A") for one in (site.plugin, there)]

    assert {one.reply["code"] for one in told} == {0}
    assert {one["code"] for one in found} == {0}


@pytest.mark.parametrize("method", ASKED_OF)
async def test_what_was_called_unpaid_is_never_stored(
    site: Site, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A fresh number that was refused stands for nothing, then and later."""
    async with elsewhere(site) as there:
        await asyncio.gather(site.plugin.query("none"), there.query("none"))
        with monkeypatch.context() as patch:
            patch.setattr(type(site.desk.store), method, away)
            told = await asyncio.gather(*(one.submit("A") for one in (site.plugin, there)))
        await asyncio.sleep(0)

    stored = {one.merchant_ref for one in await site.payouts()}
    assert -1 not in {one.reply.get("code") for one in told} or stored == set()


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
    """A failure after a try never becomes a refusal of the submission, in any process."""
    site.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    await site.plugin.submit("A")
    await site.work()

    async with elsewhere(site) as there:
        told, found = await there.submit("A"), await there.query("A")

    assert (told.ok, told.status) == (True, 0)
    assert found["status"] == 2
