"""What institutions say is on our accounts, beside our float there."""

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on

from channels.contract import Channel, Funded
from channels.money import Currency
from gateway.api.context import Answer, Call
from gateway.api.views import stamp
from gateway.domain.errors import AbsenceError
from gateway.domain.floats import KeptBalance
from gateway.engine.floats import usable_minor
from gateway.engine.gateway import Gateway


class ChannelBalanceView(TypedDict):
    """An institution's balance and our float there.

    `float_minor` and `in_flight_minor` are our books now. `low_minor` to `high_minor` is what our
    books would have explained when it was said, `difference_minor` by how much the balance lies
    below (negative) or above these; `told_minor`: the difference that an incident was opened for.
    Not `offered`: the institution cannot be asked.
    """

    channel: str
    currency: Currency
    offered: bool
    available_minor: int | None
    said_at: str | None
    age_s: int | None
    float_minor: int
    in_flight_minor: int
    low_minor: int | None
    high_minor: int | None
    difference_minor: int | None
    told_minor: int
    usable_minor: int
    failures: int
    problem: str
    due_at: str | None


class ChannelBalanceList(TypedDict):
    """Every channel's."""

    data: list[ChannelBalanceView]


async def listing(call: Call) -> Answer:
    """GET /v1/admin/channel-balances."""
    gateway = call.gateway
    kept = await gateway.store.channel_balances()
    data = [await _view(gateway, one, kept.get(name)) for name, one in gateway.channels.items()]
    return 200, {"data": data}


async def show(call: Call) -> Answer:
    """GET /v1/admin/channels/{channel}/balance: as it was heard last."""
    name, gateway = call.path("channel"), call.gateway
    channel = gateway.channels.get(name)
    if channel is None:
        raise AbsenceError("no_such_channel", f"there is no channel {name}", zh="渠道不存在")
    return 200, await _view(gateway, channel, (await gateway.store.channel_balances()).get(name))


async def ask(call: Call) -> Answer:
    """POST /v1/admin/channels/{channel}/balance: ask the institution now."""
    name = call.path("channel")
    kept = await call.api.balances.ask(name)
    return 200, await _view(call.gateway, call.gateway.channels[name], kept)


async def _view(gateway: Gateway, channel: Channel, kept: KeptBalance | None) -> ChannelBalanceView:
    name, currency = channel.name, channel.traits.terms.currency
    now = await gateway.store.float_extent(name, currency)
    heard = None if kept is None or kept.said_at is None else kept
    age = None if heard is None or heard.said_at is None else gateway.clock.now() - heard.said_at
    return {
        "channel": name,
        "currency": currency,
        "offered": isinstance(channel, Funded),
        "available_minor": None if heard is None else heard.available_minor,
        "said_at": None if heard is None else stamp(heard.said_at),
        "age_s": None if age is None else max(0, int(age.total_seconds())),
        "float_minor": now.low_minor,
        "in_flight_minor": now.width_minor,
        "low_minor": None if heard is None else heard.extent.low_minor,
        "high_minor": None if heard is None else heard.extent.high_minor,
        "difference_minor": None if heard is None else heard.off_minor,
        "told_minor": 0 if kept is None else kept.told_minor,
        "usable_minor": usable_minor(gateway, name, now.low_minor),
        "failures": 0 if kept is None else kept.failures,
        "problem": "" if kept is None else kept.problem,
        "due_at": None if kept is None else stamp(kept.due_at),
    }
