"""Rounds that take turns: A B A B …, so that a machine's bad minute hits both alike."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, Self

from gateway.sandbox.processes import Child
from tests.bench.instructions import counting
from tests.bench.size import Size
from tests.bench.stage import Floor, Stage, StageError, frozen


@dataclass(frozen=True, slots=True)
class Contestant:
    """A program that takes its turns."""

    name: str
    stage: Stage
    """Whose callers ask it, with whose key, and whose institution it pays through."""
    child: Child
    url: str

    @classmethod
    def gateway(cls, here: Stage, name: str = "gateway") -> Self:
        """A stage's gateway."""
        return cls(name, here, here.gateway, here.url)

    @classmethod
    def floor(cls, here: Stage, floor: Floor) -> Self:
        """A floor program of a stage."""
        return cls("floor", here, floor.child, floor.url)


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of one program."""

    rps: float
    cpu_us: float
    """Of the program alone, all threads, for each payout it finished."""
    instructions_k: float | None
    """Thousands, in user space, of the program alone for each payout; None: nobody can count."""
    busy: float
    """Which part of the time it kept a core busy; clearly below 1, something else was the limit."""
    others_busy: float
    """The same of crowd and institution together."""
    answered_ms: dict[str, float]
    told_ms: dict[str, float]


async def contest(
    size: Size, contestants: Sequence[Contestant], **job: Any
) -> dict[str, list[Round]]:
    """All rounds by name; the others do not run meanwhile."""
    found: dict[str, list[Round]] = {one.name: [] for one in contestants}
    for number in range(size.rounds + 1):
        for one in contestants:
            warming = number == 0
            with_all = {"callers": size.callers, **job}
            seconds = size.warm_s if warming else size.seconds
            async with AsyncExitStack() as stack:
                for other in contestants:
                    if other is not one:
                        stack.enter_context(frozen(other.child))
                turn = await measured(one, seconds=seconds, **with_all)
            if not warming:
                found[one.name].append(turn)
    return found


def went_through(came: dict[str, Any]) -> bool:
    """Whether everybody was let in, or told to come again."""
    return bool(came["taken"] + came["statuses"].get("503", 0) == came["asked"])


async def measured(one: Contestant, **job: Any) -> Round:
    """One turn. Raises `StageError` when anything was answered but acceptances, and to callers who
    came again later."""
    here = one.stage
    meters = (here.meter(one.child), here.meter(here.institution))
    before = [meter.cpu_s() for meter in meters]
    async with counting(meters[0].pids) as count:
        came = await here.crowd.load(one.url, here.key, **job)
    own, institution = (meter.cpu_s() - used for meter, used in zip(meters, before, strict=True))
    if not went_through(came) or came["untold"] or came["refused_webhooks"]:
        fates = await here.fates(came["named"]) if one.child is here.gateway else None
        raise StageError(f"{one.name}: not every payout went through: {came} {fates or ''}")
    seconds, executed = came["seconds"], count.instructions
    taken = max(came["taken"], 1)
    return Round(
        rps=came["rps"],
        cpu_us=own / taken * 1e6,
        instructions_k=None if executed is None else executed / taken / 1_000,
        busy=own / seconds,
        others_busy=(institution + came["crowd_cpu_s"]) / seconds,
        answered_ms=came["answered_ms"],
        told_ms=came["told_ms"],
    )


def middle(rounds: Sequence[Round]) -> dict[str, Any]:
    """Medians over rounds, and how far they lay apart."""
    rates = sorted(one.rps for one in rounds)
    return {
        "rps": round(median(rates), 1),
        "rps_low": round(rates[0], 1),
        "rps_high": round(rates[-1], 1),
        "cpu_us": round(median(one.cpu_us for one in rounds), 1),
        "instructions_k": _instructions_k(rounds),
        "busy": round(median(one.busy for one in rounds), 2),
        "others_busy": round(median(one.others_busy for one in rounds), 2),
        "answered_ms": between([one.answered_ms for one in rounds]),
        "told_ms": between([one.told_ms for one in rounds]),
    }


def _instructions_k(rounds: Sequence[Round]) -> float | None:
    found = [one.instructions_k for one in rounds if one.instructions_k is not None]
    return round(median(found), 1) if len(found) == len(rounds) else None


def shares(bare: Mapping[str, Any], ours: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Of what the floor does: `ratio` by rate, `cpu_ratio` by CPU time, `instructions_ratio` by
    instructions where they were counted."""
    executed = (bare["instructions_k"], ours["instructions_k"])
    counted = {} if None in executed else {"instructions": executed}
    pairs = {"cpu": (bare["cpu_us"], ours["cpu_us"]), **counted}
    return {
        f"{prefix}_ratio": round(ours["rps"] / bare["rps"], 4),
        **{f"{prefix}_{name}_ratio": round(low / high, 4) for name, (low, high) in pairs.items()},
    }


def between(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each quantile."""
    whole = [one for one in found if one]
    return {
        name: round(median(one[name] for one in whole), 2) for name in (whole[0] if whole else ())
    }
