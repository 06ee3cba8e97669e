"""Two channels side by side: what each costs today, and where the cheaper one changes."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from msgspec import Struct

from gateway.domain.errors import AbsenceError, InvalidError
from gateway.domain.pricing import priced
from gateway.engine.gateway import Gateway
from policies.arrivals_seen import arrivals_of
from policies.cost import Spread, price
from policies.crossing import crossing
from policies.facts import MICRO, Arrival, CostParts
from policies.fees import Fee, fee_minor, surcharge_minor
from policies.health import WHOLE

AMOUNTS_MAJOR: Final = (1, 10, 100, 1_000, 10_000, 50_000)


class Side(Struct, frozen=True):
    """One of the two, today."""

    channel: str
    fee: Fee
    arrival: Arrival
    days: Fraction
    """Calendar days that are priced: the mean of those seen, or what its cycle promises."""
    costs: tuple[CostParts, ...]
    """At each of the amounts."""

    @property
    def is_free(self) -> bool:
        """No fee at any amount; its time is what it costs."""
        fee = self.fee
        return not (fee.tiers or fee.flat_minor or fee.rate_ppm or fee.min_minor)


class Comparison(Struct, frozen=True):
    """Both sides, and the amounts from each of which on the other one costs less."""

    currency: str
    amounts_minor: Sequence[int]
    a: Side
    b: Side
    crossings_minor: tuple[int, ...]


def compare(gateway: Gateway, a: str, b: str) -> Comparison:
    """Price both at the same amounts now, by fee, time and risk; the crossing is of fee and time.

    Raises `AbsenceError` for a channel that is not there, `InvalidError` for one without a fee or
    two of different currencies.
    """
    now = gateway.clock.now()
    found = []
    for name, param in ((a, "a"), (b, "b")):
        channel = gateway.channels.get(name)
        if channel is None:
            raise AbsenceError(
                "no_such_channel", f"there is no channel {name}", zh="渠道不存在", param=param
            )
        fee = priced(channel.traits.terms).fee_at(now)
        if fee is None:
            raise InvalidError(
                "channel_no_fee",
                f"{name} has no fee in force",
                zh="渠道没有生效的手续费",
                param=param,
            )
        found.append((channel, fee))
    (first, fee_a), (second, fee_b) = found
    currency = first.traits.terms.currency
    if second.traits.terms.currency is not currency:
        raise InvalidError(
            "currencies_differ", f"{a} and {b} pay different currencies", zh="两个渠道币种不同"
        )
    amounts = [one * 10**currency.exponent for one in AMOUNTS_MAJOR]
    side_a, side_b = _side(gateway, a, fee_a, amounts), _side(gateway, b, fee_b, amounts)
    crossings = crossing(
        *(fee_a, side_a.days, fee_b, side_b.days),
        gateway.policy.parameters.capital_rate_ppm,
        gateway.load.month(a, now),
        gateway.load.month(b, now),
    )
    return Comparison(currency.value, amounts, side_a, side_b, crossings)


def _side(gateway: Gateway, name: str, fee: Fee, amounts: Sequence[int]) -> Side:
    now = gateway.clock.now()
    cycle = priced(gateway.channels[name].traits.terms).cycle
    arrival, spread = arrivals_of(cycle, gateway.load.arrivals.get(name, ()), now, gateway.almanac)
    health = gateway.health.views(gateway.channels, WHOLE, now)[name]
    month = gateway.load.month(name, now)
    costs = tuple(
        price(
            amount,
            (fee_minor(fee, amount, month), surcharge_minor(fee, amount)),
            arrival,
            deadline_at=None,
            health=health,
            parameters=gateway.policy.parameters,
            spread=spread,
        )
        for amount in amounts
    )
    return Side(name, fee, arrival, _mean_days(arrival, spread), costs)


def _mean_days(arrival: Arrival, spread: Spread) -> Fraction:
    if not spread:
        return Fraction(arrival.days_calendar)
    return Fraction(sum(one.days_calendar * ppm for one, ppm in spread), MICRO)
