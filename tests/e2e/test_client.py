"""The Python client before a gateway that is a process of its own, and is killed under it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.client import AlipayAccount, AlipayIdentity, AsyncClient, Limits, PayoutRequest
from tests.e2e.town import Town, payee, town
from tests.gateway.client.cutter import Cutter, cutter

LIMITS = Limits(budget_s=40, backoff_s=0.05, backoff_max_s=0.4)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Town]:
    """A gateway and its institution."""
    async with town(tmp_path) as made:
        yield made


@pytest.fixture
async def line(here: Town) -> AsyncIterator[Cutter]:
    """The line to it."""
    async with cutter(urlsplit(here.installation.url).port or 0) as made:
        yield made


def request(number: int) -> PayoutRequest:
    """Each to a payee of its own."""
    to = AlipayAccount(payee(number), AlipayIdentity.LOGON_ID, "张三丰")
    return PayoutRequest(20_000 + number, to, "货款", "CNY")


async def test_lost_replies_pay_each_payee_once(here: Town, line: Cutter) -> None:
    """Without any number of the caller's own: the client's key is enough."""
    async with AsyncClient(line.url, here.key, limits=LIMITS) as client:
        line.cuts = 12
        made = await asyncio.gather(*(client.payouts.create(request(one)) for one in range(8)))
    assert len(line.passed) == 8 + 12
    assert len({one.payout.id for one in made}) == 8
    assert len(await here.until_paid(8)) == 8
    assert here.paid_out() == {payee(one): 1 for one in range(8)}
    await here.check_books()


async def test_a_call_outlives_the_gateway(here: Town) -> None:
    """Killed and started again while the client asks: every call ends well, each pays once."""
    async with AsyncClient(here.installation.url, here.key, limits=LIMITS) as client:
        asked = [asyncio.create_task(client.payouts.create(request(one))) for one in range(20)]
        await asyncio.sleep(0.02)
        await here.kill()
        await asyncio.sleep(0.3)
        await here.start()
        made = await asyncio.gather(*asked)
    assert len({one.payout.id for one in made}) == 20
    assert len(await here.until_paid(20)) == 20
    assert here.paid_out() == {payee(one): 1 for one in range(20)}
    await here.check_books()
