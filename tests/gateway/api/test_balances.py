"""Balances at institutions over HTTP: heard last, asked now, beside our float."""

from typing import Any

from channels.contract import Balance, ChannelError
from channels.money import Currency, Money
from tests.gateway.api.desk import Desk
from tests.gateway.api.test_admin import ask, refused
from tests.gateway.api.till import Till

ALL = "/v1/admin/channel-balances"
ONE = "/v1/admin/channels/till/balance"
FLOAT = 100_000_000


class FundedTill(Till):
    """The same till, which knows what is in it."""

    minor: int | ChannelError = FLOAT

    async def balance(self) -> Balance:
        """What the test says."""
        if isinstance(self.minor, ChannelError):
            raise self.minor
        return Balance(Money(self.minor, Currency.CNY), self.at)

    at: Any = None


def funded(desk: Desk, minor: int = FLOAT) -> FundedTill:
    """Put a till that can be asked in the till's place."""
    till = FundedTill()
    till.minor, till.at = minor, desk.clock.now()
    desk.gateway.channels = {**desk.gateway.channels, "till": till}
    return till


async def test_before_anybody_asked_there_is_our_float_alone(desk: Desk) -> None:
    """Every channel is listed, also those that cannot be asked."""
    found = {one["channel"]: one for one in (await ask(desk, "GET", ALL))["data"]}
    assert {name: one["offered"] for name, one in found.items()} == {
        "alipay-main": True,
        "till": False,
        "wechat-main": True,
    }
    assert found["till"]["float_minor"] == found["till"]["usable_minor"] == FLOAT
    assert found["till"]["available_minor"] is found["till"]["age_s"] is None


async def test_a_person_asks_and_sees_the_difference(desk: Desk) -> None:
    """What our books cannot explain, in minor units."""
    funded(desk, FLOAT - 250)
    found = await ask(desk, "POST", ONE)
    assert (found["available_minor"], found["difference_minor"]) == (FLOAT - 250, -250)
    assert (found["low_minor"], found["high_minor"]) == (FLOAT, FLOAT)
    assert found["usable_minor"] == FLOAT - 250
    assert found == await ask(desk, "GET", ONE)
    assert found in (await ask(desk, "GET", ALL))["data"]


async def test_what_was_heard_grows_old_and_stays(desk: Desk) -> None:
    """An answer that failed leaves the last one, with its age and the trouble."""
    till = funded(desk)
    await ask(desk, "POST", ONE)
    desk.clock.advance(seconds=90)
    till.minor = ChannelError("the balance was refused: NO_AUTH")
    found = await ask(desk, "POST", ONE)
    assert (found["available_minor"], found["age_s"], found["failures"]) == (FLOAT, 90, 1)
    assert "NO_AUTH" in found["problem"]


async def test_it_is_for_operators(desk: Desk) -> None:
    """A merchant learns nothing of our accounts."""
    for method, path in (("GET", ALL), ("GET", ONE), ("POST", ONE)):
        answer = await desk.call(method, path)
        assert (answer.status, answer.code) == (403, "scope_missing")


async def test_what_cannot_be_asked_is_said(desk: Desk) -> None:
    """No such channel, or one that offers no such question; nothing is left behind."""
    path = "/v1/admin/channels/nobody/balance"
    assert await refused(desk, "GET", path) == (404, "no_such_channel", None)
    assert await refused(desk, "POST", path) == (404, "no_such_channel", None)
    assert await refused(desk, "POST", ONE) == (409, "balance_not_offered", None)


async def test_metrics_tell_balance_and_age(desk: Desk) -> None:
    """By channel and currency, in minor units and seconds; nothing of what was never heard."""
    funded(desk, 250)
    await ask(desk, "POST", ONE)
    metrics = desk.observe.metrics
    metrics.see(desk.gateway.load.balances, desk.clock.advance(seconds=7))
    shown = [line for line in metrics.render().decode().splitlines() if "channel_balance" in line]
    assert [line for line in shown if line[0] != "#"] == [
        'hangdao_channel_balance_minor{channel="till",currency="CNY"} 250.0',
        'hangdao_channel_balance_age_seconds{channel="till"} 7.0',
    ]
