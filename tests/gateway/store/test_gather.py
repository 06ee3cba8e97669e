"""Who is committed together: whoever asks while the loop is busy, and nobody waits for nobody."""

import asyncio
from time import perf_counter

from gateway.store.database import Unit
from gateway.store.gather import WINDOW_S, Gatherer, Write


def _gatherer(groups: list[list[Unit]], **lengths: float) -> Gatherer:
    def hand_over(gathered: list[Write]) -> None:
        groups.append([write.unit for write in gathered])
        for write in gathered:
            write.future.set_result([])

    return Gatherer(asyncio.get_running_loop(), hand_over, **lengths)


def _work(seconds: float) -> None:
    until = perf_counter() + seconds
    while perf_counter() < until:
        pass


async def test_a_lone_unit_goes_when_the_loop_is_idle() -> None:
    """It does not wait for a window to end."""
    groups: list[list[Unit]] = []
    unit = Unit()

    await asyncio.wait_for(_gatherer(groups, window_s=60.0).add(unit), 10)

    assert groups == [[unit]]


async def test_whoever_asks_while_the_loop_is_busy_comes_along() -> None:
    """Turns that have work to do are waited for."""
    groups: list[list[Unit]] = []
    gatherer = _gatherer(groups, window_s=60.0)
    asked = []

    for _ in range(3):
        asked.append(gatherer.add(Unit()))
        _work(0.001)
        await asyncio.sleep(0)
    await asyncio.gather(*asked)

    assert [len(group) for group in groups] == [3]


async def test_nobody_waits_longer_than_the_window() -> None:
    """A loop that never falls idle hands over all the same."""
    groups: list[list[Unit]] = []
    asked = _gatherer(groups).add(Unit())

    turns = 0
    while not asked.done() and turns < 1_000:
        _work(WINDOW_S / 2)
        await asyncio.sleep(0)
        turns += 1

    assert asked.done()
    assert len(groups) == 1


async def test_a_patient_unit_rides_with_the_next() -> None:
    """In the order in which both were asked for, and long before its own patience ends."""
    groups: list[list[Unit]] = []
    gatherer = _gatherer(groups, patience_s=60.0)
    patient, other = Unit(is_patient=True), Unit()

    first = gatherer.add(patient)
    await asyncio.sleep(0.001)
    assert not first.done()
    await gatherer.add(other)

    assert first.done()
    assert groups == [[patient, other]]


async def test_patience_ends() -> None:
    """Without company it goes alone, and patient units go together."""
    groups: list[list[Unit]] = []
    gatherer = _gatherer(groups, patience_s=0.001)

    await asyncio.gather(*(gatherer.add(Unit(is_patient=True)) for _ in range(2)))

    assert [len(group) for group in groups] == [2]


async def test_flushing_hands_over_what_is_held_once() -> None:
    """What was due later finds nothing left."""
    groups: list[list[Unit]] = []
    gatherer = _gatherer(groups, window_s=60.0, patience_s=0.001)
    asked = [gatherer.add(Unit(is_patient=True)), gatherer.add(Unit())]

    gatherer.flush()
    await asyncio.gather(*asked)
    await asyncio.sleep(0.01)

    assert [len(group) for group in groups] == [2]
