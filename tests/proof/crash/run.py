"""L3: every scene once alive, to learn its boundaries; then once for each, dying there."""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.proof import scratch
from tests.proof.crash.controls import CONTROLS
from tests.proof.crash.points import ANYWHERE, WRITES
from tests.proof.crash.scenes import SCENES
from tests.proof.crash.town import StuckError, Town, town
from tests.proof.crash.verdict import Verdict, judge

Say = Callable[[str], None]
Point = tuple[str, int]


@dataclass(slots=True)
class Result:
    """Figures of one run."""

    crash_points: int = 0
    """Deaths at a boundary of their own, each followed by a restart and a judgement."""
    second_deaths: int = 0
    """Of these, how often the restarted gateway died too, while it recovered."""
    unreached: int = 0
    """Boundaries that the second telling of a scene did not come to."""
    points: dict[str, int] = field(default_factory=dict)
    """Deaths by name of the boundary."""
    scenes: dict[str, int] = field(default_factory=dict)
    double: int = 0
    lost: int = 0
    stuck: int = 0
    wrong: int = 0
    failures: list[str] = field(default_factory=list)
    controls: int = 0
    controls_caught: int = 0
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing was found, and the controls prove that something would have been."""
        nothing = not (self.double or self.lost or self.stuck or self.wrong)
        return nothing and self.controls_caught == self.controls and self.crash_points > 0


SAME = (": before", ": acknowledged")
"""Names that end so, of a write: the store is as at the neighbour, written or committed."""
COMMON = (
    *("migration", "mark", "recovery", "sequence", "keep_checkpoint", "note:"),
    *("accept", "webhook", "merchant", "delivered"),
)
"""What every scene does in the same way: starting, keeping the log, accepting, telling."""
WHOLE = frozenset({"paid", "first start"})
"""Scenes in which that is died at in any case."""
AGAIN = ("record", "institution: did it")
"""What differs the second time: another attempt, another send."""


def run(
    seed: int,
    say: Say,
    *,
    scenes: tuple[str, ...] = (),
    every: bool = True,
    twice: bool = False,
    processes: int = 2,
) -> Result:
    """Die everywhere, and tell on the way.

    Not `every`: each scene's own kinds of boundary, the first time, and where money may have moved
    meanwhile the last; what all scenes do alike in one of them; and of two boundaries at which the
    store is the same, one.
    `twice`: and die once more, anywhere in the recovery.
    """
    began = time.monotonic()
    names = [name for name in SCENES if not scenes or name in scenes]
    result = asyncio.run(_run(seed, names, every, twice, processes, say))
    result.seconds = round(time.monotonic() - began, 1)
    say(
        f"{result.crash_points} deaths at {len(result.points)} kinds of boundary, "
        f"{result.second_deaths} of them twice; controls caught "
        f"{result.controls_caught} of {result.controls}; {result.seconds} s"
    )
    return result


async def _run(
    seed: int, names: list[str], every: bool, twice: bool, processes: int, say: Say
) -> Result:
    result = Result()
    todo: asyncio.Queue[tuple[str, Point | None, Point | None]] = asyncio.Queue()
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="hangdao-crash-", dir=scratch.folder()) as folder:
        first = Path(folder) / "town-0"
        first.mkdir()
        async with town(first) as here:
            for name in names:
                points = await boundaries(here, name, result.failures)
                for point in points if every else _chief(name, points):
                    second = (ANYWHERE, dice.randrange(1, 40)) if twice else None
                    todo.put_nowait((name, point, second))
            result.wrong += len(result.failures)
            say(f"{todo.qsize()} boundaries in {len(names)} scenes")
            await _controls(here, result, say, [name for name in names if name == "paid"])
            others = [Path(folder) / f"town-{number}" for number in range(1, processes)]
            async with asyncio.TaskGroup() as group:
                group.create_task(_work(here, todo, result, say))
                for other in others:
                    other.mkdir()
                    group.create_task(_work_elsewhere(other, todo, result, say))
    return result


def _chief(scene: str, points: list[Point]) -> list[Point]:
    """Every kind of boundary that the scene has for itself; some the first time and the last."""
    times = Counter(name for name, _ in points)

    def is_chief(name: str, number: int) -> bool:
        if _is_said_already(scene, name):
            return False
        again = scene in WHOLE or name.startswith(AGAIN)
        return number == 1 or (again and number == times[name])

    return [point for point in points if is_chief(*point)]


def _is_said_already(scene: str, name: str) -> bool:
    if name.startswith(COMMON) and scene not in WHOLE:
        return True
    return name.startswith((*WRITES, "mark", "note:")) and name.endswith(SAME)


async def _work_elsewhere(
    folder: Path,
    todo: "asyncio.Queue[tuple[str, Point | None, Point | None]]",
    result: Result,
    say: Say,
) -> None:
    async with town(folder) as there:
        await _work(there, todo, result, say)


async def _work(
    here: Town,
    todo: "asyncio.Queue[tuple[str, Point | None, Point | None]]",
    result: Result,
    say: Say,
) -> None:
    while not todo.empty():
        name, point, second = todo.get_nowait()
        found = await lived(here, name, point, second)
        if here.life.deaths == 0:
            result.unreached += 1
        else:
            result.crash_points += 1
            result.second_deaths += here.life.deaths > 1
            label = point[0] if point else ""
            result.points[label] = result.points.get(label, 0) + 1
            result.scenes[name] = result.scenes.get(name, 0) + 1
        result.double += len(found.double)
        result.lost += len(found.lost)
        result.stuck += len(found.stuck)
        result.wrong += len(found.wrong)
        for problem in found.problems:
            where = f"{name}/{point[0]}/{point[1]}" if point else name
            result.failures.append(
                f"died at {where!r}, then {second}, {here.life.deaths} deaths, "
                f"{here.world.clock.now():%d %H:%M}: {problem}"
            )
            say(result.failures[-1])
        if result.crash_points % 50 == 0:
            say(
                f"deaths {result.crash_points:,}, left {todo.qsize():,}, double {result.double}, "
                f"lost {result.lost}"
            )


async def boundaries(here: Town, name: str, failures: list[str]) -> list[Point]:
    """Every boundary of a scene in which nobody dies, each with its number; judges it too."""
    found = await lived(here, name, None, None)
    failures += [f"{name}, nobody died: {problem}" for problem in found.problems]
    counts: Counter[str] = Counter()
    points: list[Point] = []
    for one in here.life.seen:
        counts[one] += 1
        points.append((one, counts[one]))
    return points


async def lived(
    here: Town, name: str, point: Point | None, second: Point | None, control: str | None = None
) -> Verdict:
    """Play a scene with these deaths, and judge it."""
    scene = SCENES[name]
    here.control = control
    try:
        await here.begin(point, second, empty=scene.empty)
        await scene.play(here)
        await here.repeat()
        await here.until_over()
        await here.sign()
        if point is None:
            here.life.seen = await here.boundaries()
        return judge(here, scene, await here.dump())
    except (StuckError, TimeoutError) as stuck:
        found = Verdict()
        found.stuck.append(str(stuck) or "no answer in time")
        return found
    finally:
        here.control = None
        await here.end()


def replay(which: str, say: Say) -> bool:
    """Die once at `SCENE/BOUNDARY/N`; whether nothing was broken."""
    name, boundary, number = which.split("/", 1)[0], *which.split("/", 1)[1].rsplit("/", 1)

    async def again() -> Verdict:
        with tempfile.TemporaryDirectory(prefix="hangdao-crash-", dir=scratch.folder()) as folder:
            async with town(Path(folder)) as here:
                found = await lived(here, name, (boundary, int(number)), None)
                say(f"{here.life.deaths} deaths; {here.world.clock.now()} in the end")
                return found

    found = asyncio.run(again())
    for problem in found.problems:
        say(problem)
    return not found.problems


async def _controls(here: Town, result: Result, say: Say, scenes: list[str]) -> None:
    """Each broken gateway must be found out by some death."""
    for name, control in CONTROLS.items():
        if control.scene not in scenes:
            continue
        result.controls += 1
        await lived(here, control.scene, None, None, name)
        counts: Counter[str] = Counter()
        points: list[Point] = []
        for one in here.life.seen:
            counts[one] += 1
            points.append((one, counts[one]))
        points.sort(key=lambda point: point[0] != control.at)
        for deaths, point in enumerate(points, 1):
            found = await lived(here, control.scene, point, None, name)
            if found.problems:
                result.controls_caught += 1
                say(f"control {name!r}: found out by death {deaths}: {found.problems[0]}")
                break
        else:
            say(f"control {name!r}: NOT found out in {len(points)} deaths")
