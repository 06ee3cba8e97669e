"""Who is let in while more payouts are asked for than can be stored in time; others come again.

Only requests that would make payouts are ever turned away, before they are read: reads, probes,
people's acts and questions about orders are not. What is let in is bounded by how many are in
flight, and the bound follows how long answers take, as in TCP Vegas and Netflix's
concurrency-limits: while answers take longer than allowed, it shrinks by as much as they are too
late (half at most, every tenth of a second); while they do not, it grows by its square root. By
Little's law the wait is then what is allowed, whatever the store can do.

"Allowed" is `delay_s`, or half as much again as answers take while at most `FEW` are in flight: a
slow disk is no overload. While others are turned away that is learnt slowly, in a minute or two, so
that an overload does not become normal. `FEW` have room however late answers are: callers who come
one by one hardly notice somebody's flood, and a store that hangs is seen to be back by them.

The loop's own turns bound what is let in as well (`pressure`), together with all that is under way
after the answer: a payout costs the process ten times what its acceptance does. Whatever is under
way, one who asks while nobody else does is let in.

Other platforms' callers cannot be told to come again (their protocols have no word for it, and some
read silence as a refusal), so they find twice as much room as those who can.
"""

from collections.abc import Callable
from math import sqrt
from time import monotonic
from typing import Protocol

from gateway.api.pressure import Pressure
from gateway.domain.errors import UnavailableError
from gateway.engine.standby import Note

FEW = 4
"""The bound on answers never falls below; that on all under way has a least of its own."""
START = 128
"""The bound of a quiet gateway: what may come in one burst."""
WINDOW_S = 0.1
SAMPLES = 10
FORGET_S = 5.0
"""After so long without an answer to measure, what was learnt about a crowd says nothing."""
QUIET_S = 10.0
"""An episode is over once nobody was turned away for so long."""
TOLERANCE = 1.5
NORMAL_S = 0.01
"""Taken for normal before anything was measured."""
NORMAL_MAX_S = 1.0
"""Whatever is slower than that is not normal."""
LEARN = 0.1
LEARN_LATE = 0.005

OVERLOADED = Note(
    "overloaded",
    "more payouts are asked for than can be stored in time: some callers were told to come again a "
    "second later (503, nothing stored); look at the disk, the database and who asks for so many",
    "代付请求超过可及时保存的数量：部分请求被要求稍后重试（503，未保存任何内容）；"
    "请检查磁盘、数据库及请求来源",
)


class OverloadedError(UnavailableError):
    """Turned away before anything was read; the same request is welcome in a moment."""

    def __init__(self) -> None:
        """The same words each time."""
        super().__init__(
            "overloaded",
            "too many payouts are asked for at this moment; nothing was stored: send the same "
            "request with the same key again after Retry-After seconds",
            zh="当前请求过多，未保存任何内容：请按 Retry-After 等待后以相同幂等键重试",
        )


class Alarms(Protocol):
    """Who tells people; `ports.Observer` does."""

    def alarm(self, event: str, **facts: object) -> None:
        """Something a person should see."""


class _Nobody:
    def alarm(self, event: str, **facts: object) -> None:
        """Nobody is there to be told."""


class Admission:
    """The bound on requests in flight; one for the process, used on its event loop alone."""

    def __init__(
        self,
        *,
        delay_s: float,
        most: int,
        enabled: bool = True,
        alarms: Alarms | None = None,
        pressure: Pressure | None = None,
        soon: Callable[[Callable[[], None]], object] | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        """The bound never grows above `most`. `alarms` hear once when an episode begins or ends.

        `soon` has something done in the loop's next turn; without it turns are not measured.
        """
        self._delay_s, self._most, self._enabled = delay_s, max(most, FEW), enabled
        self._alarms: Alarms = alarms or _Nobody()
        self._now, self._soon = now, soon
        self.pressure = pressure or Pressure(now=now)
        self._turning_since: float | None = None
        self._start = float(min(START, self._most))
        self.limit = self._start
        self.in_flight = 0
        self.shed = 0
        """Turned away since the start."""
        self._normal_s = min(NORMAL_S, delay_s)
        self._since = now()
        self._took_s, self._count, self._peak, self._full = 0.0, 0, 0, False
        self._shed_at: float | None = None
        """When somebody was last turned away, in the episode that goes on."""

    @property
    def note(self) -> Note | None:
        """For operators, while an episode goes on."""
        self._look(self._now())
        return None if self._shed_at is None else OVERLOADED

    def enter(self, *, can_repeat: bool = True) -> float:
        """Let a request in; give what is returned to `leave`. Raises `OverloadedError`."""
        now = self._now()
        if now - self._since >= FORGET_S:
            self.limit = max(self.limit, self._start)
            self._begin(now)
        self._look(now)
        self._measure_turn(now)
        if self._enabled and not self._has_room(1 if can_repeat else 2):
            self._turn_away(now)
            raise OverloadedError
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)
        return now

    def leave(self, entered: float) -> None:
        """A request that was let in has its answer."""
        now = self._now()
        self.in_flight -= 1
        self._took_s += now - entered
        self._count += 1
        if self._count >= SAMPLES and now - self._since >= WINDOW_S:
            self._learn(self._took_s / self._count)
            self._begin(now)

    def _has_room(self, times: int) -> bool:
        if self.in_flight >= times * self.limit:
            return False
        # A batch may keep the house full for hours: who asks alone comes in all the same.
        return self.pressure.has_room(self.in_flight, times) or not self.in_flight

    def _measure_turn(self, now: float) -> None:
        """See how long it takes until the loop comes to what follows now."""
        if self._soon is not None and self._turning_since is None:
            self._turning_since = now
            self._soon(self._turned)

    def _turned(self) -> None:
        if self._turning_since is not None:
            self.pressure.turned(self._now() - self._turning_since)
            self._turning_since = None

    def _learn(self, took_s: float) -> None:
        """Move the bound by how long the answers of a window took on average."""
        if self._peak <= FEW:
            drift = (min(took_s, NORMAL_MAX_S) - self._normal_s) * (
                LEARN_LATE if self._full else LEARN
            )
            self._normal_s += drift
        allowed_s = max(self._delay_s, TOLERANCE * self._normal_s)
        more = sqrt(self.limit)
        if took_s > allowed_s:
            # A bound that was not used says nothing: what was in flight was too much.
            fits = max(0.5, allowed_s / took_s)
            self.limit = max(min(self.limit, self._peak) * fits, FEW)
            if fits > 0.5:
                self.limit += more
        elif self._peak > self.limit / 2:
            self.limit = min(self.limit + more, self._most)
        elif self.limit < self._start:
            self.limit = min(self.limit + more, self._start)

    def _begin(self, now: float) -> None:
        self._since, self._took_s, self._count = now, 0.0, 0
        self._peak, self._full = self.in_flight, False

    def _turn_away(self, now: float) -> None:
        self.shed += 1
        self._full = True
        if self._shed_at is None:
            facts = {"in_flight": self.in_flight, "limit": int(self.limit)}
            self._alarms.alarm(
                "intake.shedding", **facts, problem=OVERLOADED.en, problem_zh=OVERLOADED.zh
            )
        self._shed_at = now

    def _look(self, now: float) -> None:
        """Whether the episode is over."""
        if self._shed_at is not None and now - self._shed_at >= QUIET_S:
            self._shed_at = None
            self._alarms.alarm("intake.steady", shed=self.shed)
