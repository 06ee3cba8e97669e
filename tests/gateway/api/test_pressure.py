"""What is let in while the event loop is late: what was begun is finished, and the wait is short.

A simulated process with a clock of its own: one loop in turns, a disk and a channel that take their
time beside it, workers' slots. Nothing here depends on how fast this machine is.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import pytest

from gateway.api.admission import Admission, OverloadedError
from gateway.api.pressure import LEAST, SAMPLES, START, TURN_S, WAIT_S, WINDOW_S, Pressure

STEPS = (
    (0.00025, 0.001, "disk"),
    (0.00010, 0.0, "answered"),
    (0.00090, 0.001, "disk"),
    (0.00040, 0.003, "channel"),
    (0.00040, 0.001, "disk"),
    (0.00060, 0.0, "done"),
)
"""What a payout needs of the loop, and what it then waits for."""
CAPACITY = 1 / sum(cost for cost, _, _ in STEPS)
REFUSAL_S = 0.0002
LOOK_S = 0.00002
SLOTS = 64
QUICK = 0.25
"""What a step takes on a core four times as fast."""


@dataclass
class Going:
    """A payout on its way."""

    asked_at: float
    entered: float
    step: int = 0


@dataclass
class House:
    """A process; `channel_s` is how long the channel takes, `cost` how slow the core is."""

    channel_s: float = 0.003
    cost: float = 1.0
    worked: float = 0.0
    at: float = 0.0
    took: list[float] = field(default_factory=list)
    finished: int = 0
    done: int = 0
    shed: int = 0
    at_channel: int = 0
    slots_used: int = 0
    queue: deque[Going] = field(default_factory=deque)
    admission: Admission = field(init=False)
    _ready: list[Callable[[], None]] = field(default_factory=list)
    _waiting: list[tuple[float, int, Going]] = field(default_factory=list)
    _order: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.admission = Admission(
            delay_s=0.05,
            most=512,
            pressure=Pressure(follows=self, worked=lambda: self.worked, now=lambda: self.at),
            soon=self._ready_soon,
            now=lambda: self.at,
        )

    @property
    def in_hand(self) -> int:
        """As a worker has it: what waits for a channel is not."""
        return len(self.queue) + self.slots_used - self.at_channel

    @property
    def backlog(self) -> int:
        """Taken in, answered, and not begun."""
        return len(self.queue)

    def run(self, seconds: float, per_s: float) -> None:
        """Callers at an even pace."""
        self.took, self.finished, self.shed = [], 0, 0
        until = self.at + seconds
        coming = deque(self.at + number / per_s for number in range(int(seconds * per_s)))
        while self.at < until:
            if not self._ready:
                nexts = [until, *list(coming)[:1], *(one[0] for one in self._waiting[:1])]
                self.at = max(self.at, min(nexts))
            self._work(LOOK_S)
            while self._waiting and self._waiting[0][0] <= self.at:
                self._back(heapq.heappop(self._waiting)[2])
            while coming and coming[0] <= self.at:
                asked_at = coming.popleft()
                self._ready_soon(partial(self._ask, asked_at))
            turn, self._ready = self._ready, []
            for one in turn:
                one()

    def _work(self, seconds: float) -> None:
        self.at += seconds * self.cost
        self.worked += seconds * self.cost

    def _ready_soon(self, what: Callable[[], None]) -> None:
        self._ready.append(what)

    def _ask(self, asked_at: float) -> None:
        try:
            entered = self.admission.enter()
        except OverloadedError:
            self.shed += 1
            self._work(REFUSAL_S)
            return
        self._go_on(Going(asked_at, entered))

    def _back(self, going: Going) -> None:
        if STEPS[going.step - 1][2] == "channel":
            self.at_channel -= 1
        self._ready_soon(lambda: self._go_on(going))

    def _go_on(self, going: Going) -> None:
        cost_s, wait_s, what = STEPS[going.step]
        self._work(cost_s)
        going.step += 1
        if what == "answered":
            self.admission.leave(going.entered)
            self.took.append(self.at - going.asked_at)
            self.queue.append(going)
            self._hand_out()
        elif what == "done":
            self.finished += 1
            self.done += 1
            self.slots_used -= 1
            self._hand_out()
        else:
            if what == "channel":
                self.at_channel += 1
                wait_s = self.channel_s
            heapq.heappush(self._waiting, (self.at + wait_s, next(self._order), going))

    def _hand_out(self) -> None:
        while self.queue and self.slots_used < SLOTS:
            self.slots_used += 1
            going = self.queue.popleft()
            self._ready_soon(partial(self._go_on, going))

    def waited(self, quantile: float) -> float:
        """How long answers took, in seconds."""
        ordered = sorted(self.took)
        return ordered[int(len(ordered) * quantile)]


@dataclass
class Full:
    """Always as many under way, none of which is ever finished."""

    in_hand: int
    done: int = 0


@pytest.mark.parametrize("times", [1.5, 3.0])
def test_more_than_a_core_can_do_is_turned_away_and_the_rest_is_answered_soon(times: float) -> None:
    """An answer needs a few turns, so it comes in some turns' time, from the first second on."""
    house = House()
    house.run(3, CAPACITY / 2)
    assert house.shed == 0
    house.run(15, CAPACITY * times)

    assert house.waited(0.99) <= 12 * TURN_S
    assert house.backlog == 0
    assert house.slots_used < SLOTS


@pytest.mark.parametrize("times", [1.5, 3.0])
def test_a_quick_core_takes_in_no_more_than_it_finishes_soon(times: float) -> None:
    """Slots keep its turns short, so what counts is how long all that follows will take."""
    house = House(cost=QUICK)
    house.run(3, CAPACITY / QUICK / 2)
    assert house.shed == 0
    house.run(15, CAPACITY / QUICK * times)

    assert house.in_hand <= WAIT_S * CAPACITY / QUICK
    assert house.finished >= 0.95 * (15 - house.shed * REFUSAL_S * QUICK) * CAPACITY / QUICK


def test_turning_away_costs_only_what_the_refusals_cost() -> None:
    """Short turns do not leave the core idle: it finishes as many payouts as ever."""
    house = House()
    house.run(15, CAPACITY * 3)

    left_s = 15 - house.shed * REFUSAL_S
    assert house.finished >= 0.95 * left_s * CAPACITY


def test_what_was_let_in_is_finished_soon_after_the_crowd_has_gone() -> None:
    """There is no backlog to work off."""
    house = House()
    house.run(15, CAPACITY * 3)
    house.run(0.5, CAPACITY / 2)
    house.run(3, CAPACITY / 2)

    assert house.shed == 0
    assert house.waited(0.99) <= TURN_S


def test_nearly_as_much_as_a_core_can_do_is_let_in() -> None:
    """Nobody is turned away before it is necessary."""
    house = House()
    house.run(30, CAPACITY * 0.9)

    assert house.shed == 0


@pytest.mark.parametrize("cost", [1.0, QUICK])
def test_a_slow_channel_is_no_reason_to_turn_anybody_away(cost: float) -> None:
    """Its payouts are safe and wait; the loop is idle meanwhile."""
    house = House(channel_s=5.0, cost=cost)
    house.run(30, CAPACITY / cost * 0.4)

    assert house.shed == 0
    assert house.backlog > 10 * START


def test_one_caller_at_a_time_is_always_let_in() -> None:
    """However long turns are, or nobody would see that they are short again."""
    admission = Admission(delay_s=1.0, most=512, pressure=Pressure(follows=Full(10_000)))

    admission.leave(admission.enter())
    entered = admission.enter()
    with pytest.raises(OverloadedError):
        admission.enter()
    admission.leave(entered)


def test_the_bound_keeps_a_least_and_grows_again() -> None:
    """Late turns shrink it, short ones bring it back to where it began."""
    at = [0.0]
    pressure = Pressure(follows=Full(int(LEAST) + 1), now=lambda: at[0])

    def turns(seconds: float, windows: int) -> None:
        for _ in range(windows * SAMPLES):
            at[0] += WINDOW_S / SAMPLES * 1.01
            pressure.has_room(1)
            pressure.turned(seconds)

    turns(10 * TURN_S, 50)
    assert pressure.limit == LEAST
    turns(TURN_S / 10, 50)
    assert pressure.limit == START


def test_a_slow_machine_is_no_overload() -> None:
    """Where turns take long with next to nothing under way, that is what they take."""
    at = [0.0]
    pressure = Pressure(now=lambda: at[0])
    for asking in (1, 30):
        for _ in range(50 * SAMPLES):
            at[0] += WINDOW_S / SAMPLES * 1.01
            pressure.has_room(asking)
            pressure.turned(3 * TURN_S)

    assert pressure.limit >= 30


def test_where_only_answers_are_due_their_own_bound_is_enough() -> None:
    """Payouts for tomorrow: nothing follows them, and a large group is committed at once."""
    at = [0.0]
    pressure = Pressure(now=lambda: at[0])
    for _ in range(50 * SAMPLES):
        at[0] += WINDOW_S / SAMPLES * 1.01
        assert pressure.has_room(100)
        pressure.turned(5 * TURN_S)
