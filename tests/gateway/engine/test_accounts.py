"""Several accounts of one kind: each has its own terms, float, health and limits."""

from collections.abc import AsyncIterator

import pytest

from gateway.domain.ledger import Book
from gateway.engine.switches import kill
from policies.health import WHOLE
from tests.gateway.engine.rig import BALANCE_FEN, PAID, Rig, Seat, running

SMALL = Seat("alipay-small", flat_fen=10, terms={"amount_max": 50_000})
CAPPED = Seat("alipay-capped", flat_fen=20, terms={"day_cap_minor": 100_000})
WIDE = Seat("alipay-wide", flat_fen=30)
NAMES = (SMALL.name, CAPPED.name, WIDE.name)


@pytest.fixture
async def three(url: str) -> AsyncIterator[Rig]:
    """Three Alipay accounts, the one with the narrowest terms the cheapest."""
    async with running(url, (SMALL, CAPPED, WIDE)) as rig:
        yield rig


async def carried(rig: Rig, fen: int) -> str:
    """Which account pays such an amount now."""
    payout = await rig.pay(fen)
    assert payout.state is PAID
    return payout.attempts[-1].channel


async def test_each_keeps_to_its_own_limits(three: Rig) -> None:
    """Its amounts and its day cap: what one may not carry, the next one does."""
    assert await carried(three, 12_345) == SMALL.name
    assert await carried(three, 60_000) == CAPPED.name
    assert await carried(three, 60_000) == WIDE.name
    assert await carried(three, 40_000) == SMALL.name


async def test_each_charges_its_own_fee(three: Rig) -> None:
    """Booked to the account that was used."""
    for fen, seat in ((12_345, SMALL), (60_000, CAPPED), (70_000, WIDE)):
        assert await carried(three, fen) == seat.name
        assert await three.balance(Book.CHANNEL_FEE, seat.name) == seat.flat_fen


async def test_each_has_a_float_of_its_own(three: Rig) -> None:
    """A payout debits one account; the others hold what they held."""
    await carried(three, 60_000)
    floats = [await three.balance(Book.FLOAT, name) for name in NAMES]
    assert floats == [BALANCE_FEN, BALANCE_FEN - 60_000 - CAPPED.flat_fen, BALANCE_FEN]
    assert [three.held_there(one) for one in (SMALL, CAPPED, WIDE)] == floats


async def test_each_has_a_health_of_its_own(three: Rig) -> None:
    """What refuses connections is avoided; its sisters at the same institution are not blamed."""
    await three.refuse(SMALL)
    assert [await carried(three, 12_345) for _ in range(3)] == [CAPPED.name] * 3
    views = three.gateway.health.views(NAMES, WHOLE, three.now())
    assert views[CAPPED.name].success_ppm > views[SMALL.name].success_ppm
    assert views[WIDE.name].observations == 0


async def test_each_is_killed_alone(three: Rig) -> None:
    """A kill names one account, and only that one stops."""
    await kill(three.gateway, SMALL.name, "its key leaked", "key:1")
    assert await carried(three, 12_345) == CAPPED.name
