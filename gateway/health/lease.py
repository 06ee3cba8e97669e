"""Who may take from the shared buckets, decided on this process's monotonic clock: pure.

Either a replica holds a lease (it takes from the shared buckets, and Redis counts it among those
who share), or it is alone (it sends its own part of each limit, and the shared buckets leave that
part out), or, between the two, it sends nothing: for at most two seconds nobody can know which of
the two Redis believes. That gap is what keeps the sum of all replicas below the limit when Redis
stops, is cut off, comes back, or carries out late what it was asked before.
"""

from enum import Enum, auto

from msgspec import Struct

LEASE_S = 1.0
LATE_S = 0.25
"""Redis gives no lease that was asked for longer ago than this, by its own clock."""
BEAT_S = 0.25
FIRST_BEATS_S = 0.05
"""While answers come and do not yet suffice."""
GOOD = 3
"""So many prompt answers in a row before a lease is asked for: no flapping."""
MISSES = 2
"""So many missed answers in a row and the lease is left to run out."""
FIRST_CONTACT_S = 2.0
"""At the start nobody knows how many replicas there are: wait for a lease at least so long."""
REMEMBERED_S = 5.0
"""A smaller number of replicas is believed after so long: a flush forgets them all for a moment."""
REPLICAS_MAX = 256
PAUSE_MAX_S = 2.0
"""Between two signs of life while nobody answers."""


class Standing(Enum):
    """What a replica may do now."""

    SHARED = auto()
    ALONE = auto()
    BETWEEN = auto()


class Beat(Struct, frozen=True):
    """Redis's answer to a sign of life."""

    renewed: bool
    server_us: int
    known: int


class Lease:
    """What is known of the lease; times are monotonic seconds."""

    def __init__(self, now: float, replicas_min: int) -> None:
        """Begin between: neither a lease nor the right to go alone."""
        self._replicas_min = replicas_min
        self._shares = False
        self._until = now
        self._quiet_until = now + FIRST_CONTACT_S
        self._good = self._misses = 0
        self._ahead_us: int | None = None
        self._known, self._known_at = 1, now

    @property
    def replicas(self) -> int:
        """How many there are, as last known; never less than configured."""
        return max(self._replicas_min, self._known)

    @property
    def misses(self) -> int:
        """How many answers were missed in a row."""
        return self._misses

    @property
    def pause_s(self) -> float:
        """How long until the next sign of life."""
        if self._misses == 0:
            return FIRST_BEATS_S if self._good <= GOOD else BEAT_S
        doublings = max(0, min(self._misses - 2 * MISSES, 4))
        return min(BEAT_S * (1 << doublings), PAUSE_MAX_S)

    def standing(self, now: float) -> Standing:
        """What may be done now."""
        if self._shares and now < self._until:
            return Standing.SHARED
        self._shares = False
        return Standing.ALONE if now >= self._quiet_until else Standing.BETWEEN

    def wants(self, now: float) -> bool:
        """Whether the next sign of life asks for a lease."""
        if self._ahead_us is None:
            return False
        if self.standing(now) is Standing.SHARED:
            return self._misses < MISSES
        return self._good >= GOOD

    def server_us(self, now: float) -> int:
        """What Redis's clock should say; 0 when that is not known."""
        return 0 if self._ahead_us is None else int(now * 1e6) + self._ahead_us

    def asked(self, now: float) -> None:
        """A lease is being asked for: as long as it could still be given, do not go alone."""
        self._quiet_until = max(self._quiet_until, now + LATE_S + LEASE_S)

    def answered(self, beat: Beat, sent: float, now: float, *, wanted: bool, in_time: bool) -> None:
        """Redis has answered a sign of life that was sent at `sent`."""
        self._ahead_us = beat.server_us - int((sent + now) / 2 * 1e6)
        self._count(min(max(beat.known, 1), REPLICAS_MAX), now)
        if wanted and beat.renewed:
            self._quiet_until = max(self._quiet_until, now + LEASE_S)
        if not in_time or (wanted and not beat.renewed):
            self.missed()
            return
        self._good += 1
        self._misses = 0
        if wanted:
            self._shares, self._until = True, sent + LEASE_S

    def missed(self) -> None:
        """No answer, or too late a one."""
        self._good = 0
        self._misses += 1

    def lost(self) -> None:
        """Redis knows of no lease (it was flushed): ask anew."""
        self._until = 0.0

    def _count(self, known: int, now: float) -> None:
        if known >= self._known or now - self._known_at > REMEMBERED_S:
            self._known, self._known_at = known, now
