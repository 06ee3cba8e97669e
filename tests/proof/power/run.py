"""Many stories, over the processes there are, and what they came to; the negative controls too."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.proof.power.stepped import Durability
from tests.proof.power.story import CUTS_PER_STORY, Home, Story, Tale

_STORIES_PER_TASK = 8

Say = Callable[[str], None]


@dataclass(slots=True)
class Result:
    """Figures of one run. Lost, torn and unarmed must be 0, every control must have damage."""

    power_cuts: int = 0
    """Survivors of a cut that were opened, read whole and held against the journal."""
    lost: int = 0
    torn: int = 0
    unarmed: int = 0
    control_cuts: int = 0
    control_lost: int = 0
    """Cuts after which `synchronous=NORMAL` had lost something acknowledged."""
    control_torn: int = 0
    off_damaged: int = 0
    """Cuts after which `synchronous=OFF` had lost or torn something."""
    lying_damaged: int = 0
    """The same for the product on a drive that only pretends to sync."""
    cuts_per_s: int = 0
    seconds: float = 0.0
    stories: int = 0
    commits: int = 0
    operations: int = 0
    sends: int = 0
    points: dict[str, int] = field(default_factory=dict)
    """Cuts by the call of SQLite they came in."""
    faults: dict[str, int] = field(default_factory=dict)
    """Unsynced pieces by what became of them."""
    endings: dict[str, int] = field(default_factory=dict)
    failed_seeds: list[int] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the product lost nothing and the controls prove that a loss would be seen."""
        return not (self.lost or self.torn or self.unarmed) and all(
            (self.control_lost, not self.control_torn, self.off_damaged, self.lying_damaged)
        )


class _StepLoop(asyncio.SelectorEventLoop):
    """A loop without other threads: waking it up needs no socket."""

    call_soon_threadsafe = asyncio.SelectorEventLoop.call_soon


def run(cuts: int, seed: int, say: Say, *, processes: int = 2) -> Result:
    """Cut at least `cuts` times from `seed` on, a tenth as often per control; tell on the way."""
    if processes == 1:
        return _run(cuts, seed, say, None)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return _run(cuts, seed, say, pool)


def _run(cuts: int, seed: int, say: Say, pool: ProcessPoolExecutor | None) -> Result:
    result = Result()
    stories = max(1, -(-cuts // CUTS_PER_STORY))
    began = time.monotonic()
    told = began
    for tale in _tales(range(seed, seed + stories), Durability.FULL, pool):
        _count(result, tale)
        if tale.lost or tale.torn or tale.unarmed:
            result.failed_seeds.append(tale.seed)
            say(f"seed {tale.seed}: lost {tale.lost}, torn {tale.torn}, unarmed {tale.unarmed}")
            for line in tale.lines[-40:]:
                say(f"    {line}")
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            say(
                f"power cuts {result.power_cuts:,} of {stories * CUTS_PER_STORY:,}, "
                f"lost {result.lost}, torn {result.torn}, "
                f"{result.power_cuts / (told - began):,.0f} a second"
            )
    result.seconds = round(time.monotonic() - began, 1)
    result.cuts_per_s = round(result.power_cuts / (time.monotonic() - began))
    _controls(result, seed, max(6, stories // 10), pool)
    say(
        f"{result.stories} stories, {result.operations:,} operations in {result.commits:,} "
        f"commits, {result.sends:,} sends; unsynced pieces: {_tally(result.faults)}"
    )
    say(f"cut in: {_tally(result.points)}; lives ended by: {_tally(result.endings)}")
    say(
        f"controls, {result.control_cuts:,} cuts: NORMAL lost {result.control_lost}, "
        f"OFF damaged {result.off_damaged}, a lying drive damaged {result.lying_damaged}"
    )
    return result


def replay(seed: int, say: Say, durability: Durability = Durability.FULL) -> Tale:
    """Live one seed again, call by call, and tell all of it."""
    (tale,) = _told([seed], durability, keep=True)
    for line in tale.lines:
        say(line)
    return tale


def _controls(result: Result, seed: int, stories: int, pool: ProcessPoolExecutor | None) -> None:
    for durability in (Durability.NORMAL, Durability.OFF, Durability.LYING):
        for tale in _tales(range(seed, seed + stories), durability, pool):
            result.control_cuts += tale.cuts
            match durability:
                case Durability.NORMAL:
                    result.control_lost += tale.lost
                    result.control_torn += tale.torn
                case Durability.OFF:
                    result.off_damaged += tale.lost + tale.torn
                case _:
                    result.lying_damaged += tale.lost + tale.torn


def _tales(
    seeds: range, durability: Durability, pool: ProcessPoolExecutor | None
) -> Iterator[Tale]:
    tasks = [
        list(seeds[start : start + _STORIES_PER_TASK])
        for start in range(0, len(seeds), _STORIES_PER_TASK)
    ]
    if pool is None:
        for task in tasks:
            yield from _told(task, durability)
        return
    for future in as_completed([pool.submit(_told, task, durability) for task in tasks]):
        yield from future.result()


def _told(seeds: list[int], durability: Durability, *, keep: bool = False) -> list[Tale]:
    """Live some seeds in this process; the lines of the uneventful ones are let go."""

    async def live() -> list[Tale]:
        tales = []
        with Home() as home:
            for seed in seeds:
                tale = await Story(seed, home, durability).run()
                if not keep and not (tale.lost or tale.torn or tale.unarmed):
                    tale.lines.clear()
                tales.append(tale)
        return tales

    with asyncio.Runner(loop_factory=_StepLoop) as runner:
        return runner.run(live())


def _count(result: Result, tale: Tale) -> None:
    result.stories += 1
    result.power_cuts += tale.cuts
    result.lost += tale.lost
    result.torn += tale.torn
    result.unarmed += tale.unarmed
    result.commits += tale.commits
    result.operations += tale.operations
    result.sends += tale.sends
    for sums, more in (
        (result.points, tale.points),
        (result.faults, tale.faults),
        (result.endings, tale.endings),
    ):
        for name, count in more.items():
            sums[name] = sums.get(name, 0) + count


def _tally(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in Counter(counts).most_common())
