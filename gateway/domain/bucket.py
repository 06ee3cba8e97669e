"""How fast a channel may be sent to: a token bucket in whole microseconds, pure.

The law: the sends let through within any t seconds are at most `burst` + t / interval. `pace_of`
chooses both so that no second sees more sends than the limit, whichever second one looks at.
"""

from msgspec import Struct

_SECOND_US = 1_000_000


class Pace(Struct, frozen=True):
    """One send every `interval_us`, and up to `burst` at once after a rest."""

    interval_us: int
    burst: int


def pace_of(per_s: int, part: int = 1, of: int = 1) -> Pace:
    """The pace of `part` in `of` of a limit of `per_s` sends a second.

    Nine tenths of it, and a twentieth (at least one) at once: together never above the share in
    one second, and sends bunch up a little between leave and wire. Shares are whole sends, rounded
    down, so that the parts add up to no more than the whole. A share below one send a second holds
    on the average only: the parts cannot know of each other's second.

    `take.lua` computes the same; a test compares them.
    """
    share = per_s * part // of
    if share >= 1:
        return Pace(-(-10 * _SECOND_US // (9 * share)), max(1, share // 20))
    return Pace(-(-10 * _SECOND_US * of // (9 * per_s * part)), 1)


class Bucket:
    """The generic cell rate algorithm: remembers when the sends so far are paid off."""

    def __init__(self, now_us: int) -> None:
        """Begin with a single send free: a process that restarts in a circle gets no bursts."""
        self._paid_off_us = now_us
        self._fresh = True

    def wait_us(self, pace: Pace, now_us: int) -> int:
        """How long until a send is free; 0: now. Changes nothing but an impossible debt."""
        if self._fresh:
            self._paid_off_us = now_us + (pace.burst - 1) * pace.interval_us
            self._fresh = False
        # A clock that went back, or a slower pace before, must not hold sends up for longer than
        # an empty bucket takes to yield one.
        self._paid_off_us = min(self._paid_off_us, now_us + pace.burst * pace.interval_us)
        return max(0, self._paid_off_us - (pace.burst - 1) * pace.interval_us - now_us)

    def take(self, pace: Pace, now_us: int) -> int:
        """Take a send if one is free; returns 0 then, else the microseconds until one is."""
        wait_us = self.wait_us(pace, now_us)
        if wait_us == 0:
            self._paid_off_us = max(self._paid_off_us, now_us) + pace.interval_us
        return wait_us

    def give_back(self, pace: Pace) -> None:
        """What was taken last is not sent."""
        self._paid_off_us -= pace.interval_us
