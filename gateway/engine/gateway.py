"""Everything a use case needs, put together once by the composition root."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from channels.contract import Channel, Credential
from channels.unprinted import Unprinted
from gateway.domain.credentials import End, expired
from gateway.domain.floats import BalancePace
from gateway.domain.payout import Payout, PayoutId
from gateway.domain.policy_change import Change
from gateway.engine.following import Following
from gateway.engine.load import Load
from gateway.engine.waiting import Waiting, WaitingForMoney
from gateway.ports import (
    Clock,
    Entropy,
    Health,
    Observer,
    Quarantine,
    Store,
    Throttle,
    Watch,
)
from policies.calendars.workdays import PUBLISHED, Almanac
from policies.maintenance import Once, Planned, under_way
from policies.policy import Policy

KNOWN_MAX = 1_000
"""So many payouts wait for the worker whole; more are read again, rather than fill the memory."""


class Limits(Struct, frozen=True):
    """Bounds of the installation."""

    give_up_after: timedelta = timedelta(hours=24)
    """A payout without deadline that no channel will take fails after this long."""
    attempts_max: int = 20
    """After this many proven-dead attempts the payout fails rather than try again."""
    send_grace: timedelta = timedelta(seconds=45)
    """An armed attempt without an answer after this long belongs to a process that died."""
    runway_warn: timedelta = timedelta(hours=4)
    """A float that lasts less long at the present pace is told about."""


class ChannelLabel(Struct, frozen=True):
    """What people call a channel: several accounts of one kind are told apart by it."""

    zh: str
    en: str


class Told(Unprinted, frozen=True):
    """Work for the worker: a payout, and the reference a channel's notice named, if any."""

    hidden = frozenset({"known", "opening"})

    payout_id: PayoutId
    reference: str | None = None
    notice_id: int | None = None
    orphan: bool = False
    """Whoever armed it is gone: the only process there was before, or the worker it is taken
    from."""
    watch: Watch | None = None
    """A dead attempt of it is to be asked about."""
    known: Payout | None = None
    """The payout as it was just committed: what need not be read again."""
    opening: Callable[[], Awaitable[Payout | None]] | None = None
    """What its turn begins with, in place of reading it; None when there is nothing to go on
    with."""


class Halt(Struct, frozen=True):
    """Why nothing is sent or taken in any more; what is stored stays readable."""

    code: str
    en: str
    zh: str


class Unthrottled:
    """A `Throttle` without any limit."""

    async def turn(self, channel: str) -> float | None:
        """It is always now."""
        return None

    def take(self, channel: str) -> bool:
        """Always."""
        return True

    def give_back(self, channel: str) -> None:
        """There is no end of turns."""

    def may_ask(self, channel: str) -> bool:
        """Always."""
        return True


class Hands(Protocol):
    """Who works on payouts in this process, where it may be asked to begin with one at once."""

    def is_free_for(self, payout_id: PayoutId) -> bool:
        """Whether a turn for it would begin now: nobody waits for a hand."""

    def begin(self, told: Told) -> None:
        """Begin its turn; only when free for it."""


class NoHands:
    """This process only takes in."""

    def is_free_for(self, payout_id: PayoutId) -> bool:
        """Never."""
        return False

    def begin(self, told: Told) -> None:
        """A defect of the caller."""
        raise RuntimeError(f"nobody works here on {told.payout_id}")


class Trial(Struct, frozen=True):
    """A policy beside the active one: a canary decides for some payouts, a shadow for none."""

    change: Change
    policy: Policy


def _tell_nobody(_: PayoutId) -> None:
    """There are no other replicas."""


@dataclass(slots=True)
class Gateway:
    """The parts; `policy`, `canary` and `shadow` are swapped by `engine.policies.Board` alone."""

    store: Store
    clock: Clock
    entropy: Entropy
    channels: Mapping[str, Channel]
    policy: Policy
    health: Health
    observer: Observer
    load: Load
    notify_base: str | None = None
    """Public base URL for channel notices, e.g. `https://pay.example.com`; None: inquiries only."""
    limits: Limits = field(default_factory=Limits)
    installation: str = ""
    """Of the database; payout ids, and so references, derive from it."""
    following: Following = field(default_factory=Following)
    """The month's plans that are followed."""
    almanac: Almanac = PUBLISHED
    """Working days, with what people said of single days as last read."""
    calendar_mark: tuple[int, int] = (0, 0)
    """Of what `almanac` was made from."""
    calendar_alarmed_on: date | None = None
    """The day on which a missing year was last told."""
    quarantine: Quarantine | None = None
    """The newest one, as last read."""
    halted: Halt | None = None
    credentials: Mapping[str, Sequence[Credential]] = field(default_factory=dict)
    """The keys and certificates that each channel works with."""
    credentials_told: dict[tuple[str, str], str] = field(default_factory=dict)
    """Which step of an ending key was last told, by channel and key."""
    strange_told: set[tuple[str, str, str]] = field(default_factory=set)
    """Words of channels that no table knows and that were told: channel, cause, word."""
    labels: Mapping[str, ChannelLabel] = field(default_factory=dict)
    """Channels' names for people, where they have one."""
    maintenance: Mapping[str, Sequence[Planned]] = field(default_factory=dict)
    """As configured, by channel."""
    balance_paces: Mapping[str, BalancePace] = field(default_factory=dict)
    """How often each channel's balance is asked for, where that was configured."""
    waiting: Waiting = field(default_factory=Waiting)
    """Payouts that wait for somebody to recover."""
    short: WaitingForMoney = field(default_factory=WaitingForMoney)
    """Payouts that wait for a float to grow."""
    throttle: Throttle = field(default_factory=Unthrottled)
    hands: Hands = field(default_factory=NoHands)
    """The worker, while it runs."""
    openings: int = 0
    """How many payouts are being armed in the commit that takes them in."""
    signs_beside: bool = True
    """Requests are signed in a thread: it gains where there is a second core for it."""
    announce: Callable[[PayoutId], None] = _tell_nobody
    """Hint to other replicas that a payout may be due; neither blocks nor raises."""
    nudged: asyncio.Event = field(default_factory=asyncio.Event)
    """Another replica hints that the store may have something due."""
    canary: Trial | None = None
    shadow: Trial | None = None
    queue: "asyncio.Queue[Told]" = field(default_factory=lambda: asyncio.Queue(maxsize=100_000))

    def policy_for(self, payout: Payout) -> Policy:
        """What decides for a payout: the same for all its tries, but for an activation between."""
        canary = self.canary
        if canary is not None and canary.change.takes(payout.id, payout.accepted_at):
            return canary.policy
        return self.policy

    def stopped(self) -> str | None:
        """Why nothing may be armed or sent now: `halted`, `detached`, `quarantined`, or None."""
        if self.halted is not None:
            return "halted"
        if self.store.worker is None:
            return "detached"
        if self.quarantine is not None and self.quarantine.ended_at is None:
            return "quarantined"
        return None

    def maintenance_until(self, channel: str, now: datetime) -> datetime | None:
        """When the planned maintenance that is under way ends; None when none is."""
        planned: list[Planned] = list(self.maintenance.get(channel, ()))
        for one in self.load.maintenance:
            if one.channel == channel:
                planned.append(Once(one.from_at, one.until_at))
        return under_way(planned, now) if planned else None

    def balance_pace(self, channel: str) -> BalancePace:
        """How often the channel is asked for its balance."""
        return self.balance_paces.get(channel) or BalancePace()

    def expired(self, channel: str, now: datetime) -> End | None:
        """The ended key or certificate that keeps the channel from working."""
        return expired(self.credentials.get(channel, ()), now)

    def is_usable(self, channel: str, now: datetime) -> bool:
        """Whether nobody has stopped the channel, its keys are live, and no maintenance goes on."""
        return (
            self.expired(channel, now) is None
            and self.load.status.get(channel, "active") == "active"
            and not self.load.is_killed(channel)
            and self.maintenance_until(channel, now) is None
        )

    def halt(self, why: Halt) -> None:
        """Send nothing and take nothing in from now on; only a new process goes on."""
        if self.halted is None:
            self.halted = why
            self.observer.alarm("gateway.halted", code=why.code, problem=why.en, problem_zh=why.zh)

    def wake(self, told: Told) -> None:
        """Have the worker look at a payout now; when the queue is full its due time will do."""
        if told.known is not None and self.queue.qsize() >= KNOWN_MAX:
            told = replace(told, known=None)
        try:
            self.queue.put_nowait(told)
        except asyncio.QueueFull:
            self.observer.alarm("worker.queue_full", payout_id=told.payout_id)
