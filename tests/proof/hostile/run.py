"""L6: spoilt messages by the hundred thousand, over the processes there are; then the controls."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.proof.hostile import (
    alipay,
    bank,
    doors,
    epay,
    jeepay,
    stablecoin,
    unionpay,
    wechat_pay,
    xxpay,
)
from tests.proof.hostile.aims import Aim, Input
from tests.proof.hostile.controls import CONTROLS
from tests.proof.hostile.mutate import Spoiler

AIMS: tuple[Aim, ...] = (
    *alipay.AIMS,
    *wechat_pay.AIMS,
    *unionpay.AIMS,
    *epay.AIMS,
    *jeepay.AIMS,
    *xxpay.AIMS,
    *bank.AIMS,
    *stablecoin.AIMS,
    *doors.AIMS,
)
PER_TASK = 1_000
CONTROL_INPUTS = 4_000

Say = Callable[[str], None]


@dataclass(slots=True)
class Result:
    """Figures of one run."""

    inputs: int = 0
    believed: int = 0
    """Inputs that proved something: dead, paid, returned, absent, a line, a balance, a notice; or
    that were taken in as an order."""
    by_aim: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    """How often each kind of answer was given."""
    violations: list[str] = field(default_factory=list)
    controls: int = 0
    controls_caught: int = 0
    inputs_per_s: int = 0
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing was found, and the controls prove that something would have been."""
        return not self.violations and self.controls == self.controls_caught and self.inputs > 0


def run(inputs: int, seed: int, say: Say, *, processes: int = 2) -> Result:
    """Try at least so many inputs from `seed` on; tell on the way."""
    began = time.monotonic()
    result = Result()
    tasks = [(aim.name, seed, start) for start, aim in _plan(inputs)]
    told = began
    for found in _tried(tasks, processes):
        _add(result, found)
        for one in found.violations:
            say(one)
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            say(
                f"hostile inputs {result.inputs:,} of {len(tasks) * PER_TASK:,}, believed "
                f"{result.believed:,}, wrongly {len(result.violations)}, "
                f"{result.inputs / (told - began):,.0f} a second"
            )
    result.seconds = round(time.monotonic() - began, 1)
    result.inputs_per_s = round(result.inputs / max(time.monotonic() - began, 0.001))
    for name in CONTROLS:
        result.controls += 1
        caught = control(name, seed)
        result.controls_caught += caught is not None
        say(f"control {name!r}: {caught or 'NOT found out'}")
    return result


def _plan(inputs: int) -> Iterator[tuple[int, Aim]]:
    rounds = max(1, -(-inputs // (PER_TASK * len(AIMS))))
    for number in range(rounds):
        for aim in AIMS:
            yield number * PER_TASK, aim


def _tried(tasks: list[tuple[str, int, int]], processes: int) -> Iterator[Result]:
    if processes == 1:
        yield from (attempt(*task) for task in tasks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(attempt, *task) for task in tasks]):
            yield future.result()


def attempt(name: str, seed: int, start: int, count: int = PER_TASK) -> Result:
    """A stretch of inputs for one aim, in this process."""
    aim = next(one for one in AIMS if one.name == name)
    result = Result(inputs=count, by_aim={name: count})
    for number in range(start, start + count):
        kind, objection, given = once(aim, seed, number)
        result.answers[kind] = result.answers.get(kind, 0) + 1
        result.believed += kind not in {"Unknown", "NoticeRefused", "ChannelError", "Turned"} and (
            "Broken" not in kind and "NotReady" not in kind
        )
        if objection is not None:
            result.violations.append(
                f"{name} {seed}/{number}: {objection}; HTTP {given.status}, {given.body[:600]!r}"
            )
    return result


def once(aim: Aim, seed: int, number: int) -> tuple[str, str | None, Input]:
    """One input: the kind of answer, the objection to it, and the input itself."""
    given = aim.spoil(Spoiler(f"{aim.name}/{seed}/{number}", aim.words))
    try:
        answer = aim.read(given)
    except Exception as error:  # noqa: BLE001 - whatever escapes is the finding
        return type(error).__name__, f"{error!r:.300} came out of it", given
    return type(answer).__name__, aim.objection(given, answer), given


def replay(which: str, say: Say) -> bool:
    """Tell one input again, `AIM/SEED/NUMBER`; whether it is read as it must be."""
    name, seed, number = which.rsplit("/", 2)
    kind, objection, given = once(
        next(one for one in AIMS if one.name == name), int(seed), int(number)
    )
    say(f"HTTP {given.status} {given.headers}")
    say(f"{given.body!r:.4000}")
    say(f"{kind}: {objection or 'as it must be'}")
    return objection is None


def control(name: str, seed: int) -> str | None:
    """What a broken parser was found out by, within few inputs."""
    with CONTROLS[name]():
        institution = name.partition(":")[0]
        aims = [aim for aim in AIMS if aim.name.startswith(institution)]
        for number in range(CONTROL_INPUTS):
            aim = aims[number % len(aims)]
            _, objection, _ = once(aim, seed, number)
            if objection is not None:
                return f"found out by input {number}: {objection}"
    return None


def _add(result: Result, more: Result) -> None:
    result.inputs += more.inputs
    result.believed += more.believed
    result.violations += more.violations
    for mine, theirs in ((result.by_aim, more.by_aim), (result.answers, more.answers)):
        for name, count in theirs.items():
            mine[name] = mine.get(name, 0) + count
