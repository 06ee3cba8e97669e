"""PR-COST's fast path is the product: the same choices as `decide`, the same costs."""

from datetime import datetime

from msgspec.structs import replace

from policies.decide import decide
from policies.facts import MICRO, InstrumentFacts, PayoutFacts
from policies.plan.follow import view_on
from policies.policy import Policy
from tests.bench.routing.cost import (
    CHANNELS,
    COARSE,
    SHANGHAI,
    Books,
    Planned,
    Priced,
    optimum,
    play,
)
from tests.bench.routing.month import BEFORE, PARAMETERS, RAIL, START, Month, draw

SIZE = 0.004


def small(seed: int) -> tuple[Month, Planned]:
    """A month of 1,200 payouts, planned from another one."""
    month = draw(seed, size=SIZE)
    return month, Planned(Priced(month), draw(seed + 1, BEFORE, START, SIZE).history(), 1)


def test_the_fast_path_decides_as_decide_does() -> None:
    """Payout by payout, with the same plan, month and day so far."""
    month, ours = small(1)
    policy = Policy("test", "0", PARAMETERS)
    differing = []

    def checked(index: int, can: list[int], books: Books) -> int:
        day = 0
        while sum(month.sizes[: day + 1]) <= index:
            day += 1
        on = month.days[day]
        now = datetime(on.year, on.month, on.day, 12, tzinfo=SHANGHAI)
        facts = PayoutFacts(
            "po",
            "m",
            month.amounts[index],
            "CNY",
            (InstrumentFacts(0, RAIL),),
            speed="instant" if month.urgent[index] else "standard",
        )
        channels = [
            replace(one, month=books.use(at), day_used_minor=books.today[at])
            for at, one in enumerate(CHANNELS)
        ]
        assert ours.plan is not None
        decision = decide(facts, channels, policy, now, 0, plan=view_on(ours.plan, on, ours.given))
        found = ours.choose(index, can, books)
        assert decision.order
        chosen = decision.order[0]
        if chosen.channel != CHANNELS[found].name:
            differing.append((index, chosen.channel, CHANNELS[found].name))
        return found

    play(ours.priced, checked, ours.begin)  # type: ignore[arg-type]  # a list is a sequence
    assert not differing


def test_nothing_beats_the_optimum() -> None:
    """Following costs more than the offline division, and less than twice as much."""
    month, ours = small(3)
    cost = play(ours.priced, ours.choose, ours.begin).close()
    best = optimum(month, COARSE, by_day=True)
    assert best * 0.99 < cost < best * 2
    assert cost % MICRO >= 0
