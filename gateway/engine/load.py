"""What each channel carries right now, in memory: refreshed from the store, moved by our own acts.

Only routing reads it, so being a second stale costs a detour and never money: the store's own
guards (float, one live attempt) decide when a change commits.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.domain.ledger import FLOAT
from gateway.domain.payout import Adopted, Armed, Attempt, AttemptState, Died
from gateway.domain.pricing import month_start
from gateway.ports import EVERY_CHANNEL
from policies.arrivals_seen import Distribution
from policies.fees import UNUSED, MonthUse
from policies.runway import Runway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.domain.floats import KeptBalance
    from gateway.ports import Change, ChannelStatus, ChannelUse, Kill, Maintenance


BUSINESS_ZONE = ZoneInfo("Asia/Shanghai")
_DAY = timedelta(days=1)


class Load:
    """Sends under way, doubts, use of the day and the month, and float, by channel name."""

    def __init__(self) -> None:
        """Begin knowing nothing; `refresh` before the first decision."""
        self.sending: Counter[str] = Counter()
        self.in_doubt: Counter[str] = Counter()
        self.day_used: Counter[str] = Counter()
        self.float_minor: Counter[str] = Counter()
        self.status: dict[str, ChannelStatus] = {}
        self.arrivals: Mapping[str, Distribution] = {}
        """How each channel's money really arrives (`engine.arrivals` learns it)."""
        self.frozen: Mapping[str, str] = {}
        """Channels whose failover is frozen, by incident; for people only, never decided on."""
        self.kills: Mapping[str, Kill] = {}
        """What a person has stopped, by channel or for all."""
        self.maintenance: Sequence[Maintenance] = ()
        """Planned by people, beyond what is configured."""
        self.balances: Mapping[str, KeptBalance] = {}
        """What institutions said last is on our accounts; for people only, never decided on."""
        self._runways: dict[str, Runway] = {}
        self.uses: Mapping[str, ChannelUse] = {}
        """As the store counted them at the last refresh."""
        self.refreshed_at: datetime | None = None
        self._day: datetime | None = None
        """Start of the business day that `day_used` speaks of."""
        self._months: dict[str, tuple[datetime, MonthUse]] = {}
        """Per channel when its month began, in its own time zone, and what was carried since."""
        self._meanwhile: list[Change] | None = None
        """Committed while the store was counting; None when it is not."""
        self._topped_up: set[str] = set()
        """Channels whose float has grown while the store was counting."""

    def counting(self) -> None:
        """The store begins to count: what is committed from now on it may not see."""
        self._meanwhile = []
        self._topped_up.clear()

    def topped_up(self, channel: str, minor: int) -> None:
        """Count money in that a person has sent to the channel.

        A count that is under way may not have seen it, and payouts that find no float wait for a
        minute: so what is known here stands until the next count.
        """
        self.float_minor[channel] += minor
        self._topped_up.add(channel)

    def refresh(
        self,
        uses: "Mapping[str, ChannelUse]",
        statuses: "Mapping[str, tuple[ChannelStatus, str]]",
        at: datetime,
        months: Mapping[str, datetime] | None = None,
    ) -> None:
        """Take over what the store counts; `months` are the local starts it was asked about.

        What was taken up since `counting` is added once more, though the store may have seen it:
        until the next refresh a cap or a float seems nearer than it is, and is never passed.
        """
        self.uses = uses
        self.in_doubt = Counter({name: use.in_doubt for name, use in uses.items()})
        self.day_used = Counter({name: use.day_used_minor for name, use in uses.items()})
        known = {name: self.float_minor[name] for name in self._topped_up}
        counted = {name: use.float_minor for name, use in uses.items()}
        self.float_minor = Counter(counted | known)
        self._topped_up.clear()
        self.status = {name: status for name, (status, _) in statuses.items()}
        self.refreshed_at = at
        self._day = business_day_start(at)
        for name, start in (months or {}).items():
            use = uses.get(name)
            self._months[name] = (start, UNUSED if use is None else use.month)
        missed, self._meanwhile = self._meanwhile or (), None
        for change in missed:
            self._follow(change, given_back=False)

    def month(self, channel: str, now: datetime) -> MonthUse:
        """What the channel has carried since the first of its local month.

        A month begins with nothing used at once, before any refresh; a clock that goes back keeps
        what is known.
        """
        known = self._months.get(channel)
        if known is None:
            return UNUSED
        start, use = known
        return use if month_start(now, start.tzinfo) <= start else UNUSED

    def used(self, channel: str, now: datetime) -> int:
        """Minor units given to the channel on the business day of `now`.

        At midnight everything waiting for a new day falls due at once, before any refresh: what
        was used until then must not count against it.
        """
        self._turn(now)
        return self.day_used[channel]

    def is_killed(self, channel: str) -> bool:
        """Whether a person has stopped it."""
        return channel in self.kills or EVERY_CHANNEL in self.kills

    def runway(self, channel: str) -> Runway:
        """How long its float lasts."""
        return self._runways.setdefault(channel, Runway())

    @contextmanager
    def sends(self, channel: str) -> "Iterator[None]":
        """Count a send while it is under way."""
        self.sending[channel] += 1
        try:
            yield
        finally:
            self.sending[channel] -= 1

    def moved(self, change: "Change") -> None:
        """Follow a committed change."""
        if self._meanwhile is not None:
            self._meanwhile.append(change)
        self._turn(change.after.updated_at)
        self._follow(change)

    def _follow(self, change: "Change", *, given_back: bool = True) -> None:
        """Count what the change takes up, and unless told otherwise what it gives back."""
        for posting in change.postings:
            for entry in posting:
                if entry.account.book is FLOAT and (given_back or entry.change_minor < 0):
                    self.float_minor[entry.account.owner] += entry.change_minor
        for event in change.events:
            if isinstance(event, Armed | Adopted):
                self._carried(event.attempt, change.after.amount.minor)
            elif isinstance(event, Died) and given_back:
                self._carried(change.after.attempts[event.number - 1], -change.after.amount.minor)
        was = {} if change.before is None else {a.number: a.state for a in change.before.attempts}
        for attempt in change.after.attempts:
            doubted = (attempt.state is AttemptState.IN_DOUBT) - (
                was.get(attempt.number) is AttemptState.IN_DOUBT
            )
            if given_back or doubted > 0:
                self.in_doubt[attempt.channel] += doubted

    def _carried(self, attempt: Attempt, minor: int) -> None:
        """Count an attempt in, or out again, where the store counts it: when it was armed."""
        channel, at = attempt.channel, attempt.armed_at
        if self._day is not None and at >= self._day:
            self.day_used[channel] += minor
        zone = self._months[channel][0].tzinfo if channel in self._months else BUSINESS_ZONE
        armed_in = month_start(at, zone)
        start, use = self._months.get(channel, (armed_in, UNUSED))
        if armed_in > start:
            start, use = armed_in, UNUSED
        if armed_in == start:
            one = 1 if minor > 0 else -1
            use = MonthUse(max(use.payouts + one, 0), max(use.minor + minor, 0))
            self._months[channel] = (start, use)

    def _turn(self, now: datetime) -> None:
        if self._day is None or now >= self._day + _DAY:
            self.day_used.clear()
            self._day = business_day_start(now)


def business_day_start(now: datetime) -> datetime:
    """Midnight of the business day in Asia/Shanghai, which has no daylight saving: UTC+8."""
    shifted = now + timedelta(hours=8)
    return shifted.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=8)
