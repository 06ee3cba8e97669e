"""Small months for planning: channels with every kind of fee, forecasts, and drawn ones."""

from datetime import UTC, date, datetime

from hypothesis import strategies as st

from policies.facts import ChannelFacts, Cycle, HealthView
from policies.fees import Commitment, Fee, MonthUse, Tier
from policies.plan.classes import PayoutClass
from policies.plan.forecast import Forecast, Volume, days_until, shares_of
from policies.policy import Parameters

JUNE = days_until(date(2026, 6, 1), date(2026, 7, 1))
START = datetime(2026, 5, 31, 16, tzinfo=UTC)
"""Midnight of 1 June 2026 in Shanghai, a Monday."""
PARAMETERS = Parameters(fail_penalty_minor=0, unknown_penalty_minor=0, explore_ppm=0)
SOUND = HealthView(success_ppm=1_000_000)
NOW, T1, T3 = Cycle(instant=True), Cycle(1, "cn_statutory"), Cycle(3, "cn_statutory")
SMALL, LARGE = PayoutClass("bank_card", "standard", 2), PayoutClass("bank_card", "standard", 10)
HASTY = PayoutClass("bank_card", "instant", 5)


def channel(name: str, fee: Fee, cycle: Cycle = NOW, **changes: object) -> ChannelFacts:
    """A healthy channel to bank cards."""
    facts: dict[str, object] = {"rails": frozenset({"bank_card"}), "health": SOUND} | changes
    return ChannelFacts(name=name, currency="CNY", fee=fee, cycle=cycle, **facts)  # type: ignore[arg-type]  # names checked by the class


def cliff(floor: int, above: int = 200, below: int = 80, **changes: object) -> Fee:
    """Flat fees, and from `floor` payouts on all units at the lower one."""
    return Fee(tiers=(Tier(0, above), Tier(floor, below)), scheme="all_units", **changes)  # type: ignore[arg-type]  # names checked by the class


def forecast(
    volumes: dict[PayoutClass, Volume], spread_ppm: int = 0, days: tuple[date, ...] = JUNE
) -> Forecast:
    """Volumes spread evenly over days."""
    shares = shares_of([1] * len(days))
    return Forecast(
        tuple(sorted(volumes.items())), tuple(zip(days, shares, strict=True)), spread_ppm
    )


MONTH = forecast({SMALL: Volume(6_000, 150_000_000), LARGE: Volume(3_000, 600_000_000)})


def fees() -> st.SearchStrategy[Fee]:
    """Flat or rate fees, all-units cliffs with and without commitment, incremental tiers."""
    flat = st.integers(0, 300)
    plain = st.builds(Fee, flat, st.integers(0, 2_000))
    steps = st.builds(
        lambda floor, first, less, least: Fee(
            tiers=(Tier(0, first), Tier(floor, max(0, first - less))),
            scheme="all_units",
            commitment=Commitment(least, 50) if least else None,
        ),
        st.integers(100, 4_000),
        st.integers(50, 300),
        st.integers(1, 150),
        st.sampled_from([0, 0, 500, 3_000]),
    )
    parts = st.builds(
        lambda floor, first, less: Fee(tiers=(Tier(0, first), Tier(floor, max(0, first - less)))),
        st.integers(100, 4_000),
        st.integers(50, 300),
        st.integers(1, 150),
    )
    return st.one_of(plain, steps, parts)


@st.composite
def months(draw: st.DrawFn) -> tuple[Forecast, tuple[ChannelFacts, ...]]:
    """A forecast of a few days and classes, and two to four channels that may carry it."""
    days = JUNE[: draw(st.integers(1, 6))]
    kinds = draw(st.sets(st.sampled_from([SMALL, LARGE, HASTY]), min_size=1))
    volumes = {}
    for kind in sorted(kinds):
        count = draw(st.integers(1, 3_000))
        volumes[kind] = Volume(count, count * draw(st.integers(1, 5)) * kind.floor_minor)
    channels = [
        channel(
            name,
            draw(fees()),
            draw(st.sampled_from([NOW, T1, T3])),
            day_cap_minor=draw(st.sampled_from([None, None, 50_000_000, 400_000_000])),
            month=MonthUse(used := draw(st.sampled_from([0, 0, 300, 2_500])), used * 50_000),
            max_minor=draw(st.sampled_from([None, None, 200_000])),
        )
        for name in ("a", "b", "c", "d")[: draw(st.integers(2, 4))]
    ]
    return forecast(volumes, draw(st.sampled_from([0, 100_000])), days), tuple(channels)
