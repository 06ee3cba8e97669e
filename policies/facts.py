"""What a routing decision is made from, and what it says: plain immutable values.

The gateway fills the facts from its store, its health view and the adapters; `decide` turns them
into a `Decision`. Nothing here reads a clock, a file or another package of ours. Money is integer
minor units; costs are integer *micro* units (a millionth of a minor unit), because an amount times
a rate in parts per million is then exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Struct

from policies.exclusions import Exclusion
from policies.fees import UNUSED, Fee, MonthUse

Rail: TypeAlias = str
"""How a beneficiary is reached, e.g. `alipay`, `bank_card`; the channels name them."""
CalendarClass: TypeAlias = Literal["natural", "cn_statutory", "cn_no_makeup"]
Speed: TypeAlias = Literal["standard", "fast", "instant"]
Elsewhere: TypeAlias = Literal["never", "other_instrument", "any"]

MICRO = 1_000_000
"""Micro units in a minor unit, and parts in a whole for everything named `_ppm`."""


# --- Terms of a channel: long-lived, checked when made -----------------------------------------


@dataclass(frozen=True, slots=True)
class Cycle:
    """When money given to a channel arrives: `days` after the day it was sent before `cutoff`.

    `natural` counts every day (D+n); the other two count working days (T+n). `instant` means
    within minutes, at any hour, whatever the calendar.
    """

    days: int = 0
    calendar: CalendarClass = "natural"
    cutoff: time = time(23, 59, 59)
    timezone: str = "Asia/Shanghai"
    instant: bool = False

    def __post_init__(self) -> None:
        """Refuse a cycle that cannot be priced."""
        if not 0 <= self.days <= 366:
            raise ValueError("cycle days must be between 0 and 366")
        if self.instant and self.days:
            raise ValueError("an instant cycle has 0 days")
        ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True)
class Hours:
    """Local opening windows `(opens, closes)`; none means always open.

    A window holds `opens` and not `closes`; `closes` at or before `opens` crosses midnight.
    """

    windows: tuple[tuple[time, time], ...] = ()
    timezone: str = "Asia/Shanghai"

    def __post_init__(self) -> None:
        """Refuse an unknown time zone at once rather than on the first payout."""
        ZoneInfo(self.timezone)


# --- Facts of one decision ---------------------------------------------------------------------


class HealthView(Struct, frozen=True):
    """What is believed about a channel now; probabilities in parts per million.

    `success_ppm` is among definite answers, `unknown_ppm` among all sends. `probing` says that a
    quarantined channel may be given one payout to see whether it has recovered.
    """

    success_ppm: int = 990_000
    unknown_ppm: int = 0
    observations: int = 0
    quarantined: bool = False
    probing: bool = False
    latency_ms: int = 1000
    probe_at: datetime | None = None
    """When the next probe is due at the latest, of a quarantined channel or a bank that is down."""
    bank_down: str | None = None
    """The beneficiary's bank, while it is down whichever channel is asked; then `probing` says that
    it may be given one payout."""

    @property
    def ill(self) -> bool:
        """Whether only a probe may go there now."""
        return self.quarantined or self.bank_down is not None


NOTHING: Final[Mapping[int, Any]] = {}
"""Of no instrument; nobody may put anything in."""


class ChannelFacts(Struct, frozen=True):
    """One channel as it stands at the moment of the decision; made anew for each."""

    name: str
    rails: frozenset[Rail]
    currency: str
    fee: Fee | None
    """None: its contract names no price in force, and without one it cannot win."""
    cycle: Cycle
    month: MonthUse = UNUSED
    arrivals: tuple[tuple[int, int], ...] = ()
    """How its money really arrives: `(days, ppm)` in the cycle's own counting, rising, adding up to
    a million (`arrivals_seen.distribution`); empty: as its cycle promises."""
    min_minor: int = 1
    max_minor: int | None = None
    day_cap_minor: int | None = None
    day_used_minor: int = 0
    float_minor: int | None = None
    """What the channel's account can pay now; None when it is not known or not limited."""
    inflight: int = 0
    inflight_max: int = 64
    in_doubt: int = 0
    in_doubt_max: int = 200
    status: Literal["active", "paused", "draining"] = "active"
    killed: bool = False
    """A person has stopped it, and only a person lets it go on."""
    expired: tuple[str, str] | None = None
    """A key or certificate it works with that has ended, and on which day."""
    maintenance_until: datetime | None = None
    """The end of the planned maintenance that is under way."""
    hours: Hours = Hours()
    health: HealthView = HealthView()
    health_of: Mapping[int, HealthView] = NOTHING
    """Views that are finer than `health`, by instrument index (a bank's own segment, say)."""
    problems: Mapping[int, tuple[str, ...]] = NOTHING
    """By instrument index: what the adapter's own check has against it."""


class InstrumentFacts(Struct, frozen=True):
    """One way to reach the beneficiary; `index` is its place in the payout, first preferred."""

    index: int
    rail: Rail
    bank_code: str | None = None


class Tried(Struct, frozen=True):
    """An attempt that is proven to have moved no money, and where another one has a chance.

    `fault` is who caused it (`channel`, `instruction`, `beneficiary`, `operator`). With
    `retry_at`, the same candidate may be tried again from then on: the engine sets it for passing
    troubles such as a refused connection.
    """

    channel: str
    instrument: int
    fault: str
    elsewhere: Elsewhere
    retry_at: datetime | None = None


class Constraints(Struct, frozen=True):
    """What this one request allows; it can only narrow what the merchant's lists allow.

    An empty `only` allows every channel; `prefer` is in order, the first is wanted most.
    """

    only: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    prefer: tuple[str, ...] = ()
    max_attempts: int | None = None


FREE: Final = Constraints()
"""No constraints."""


class PayoutFacts(Struct, frozen=True):
    """What was asked, and what has been tried. `fast` means by the next calendar day.

    `accepted_at` is when it came (None: now). `released` says that a person has let it go, so that
    no rule holds it for review again.
    """

    payout_id: str
    merchant_id: str
    amount_minor: int
    currency: str
    instruments: tuple[InstrumentFacts, ...]
    speed: Speed = "standard"
    deadline_at: datetime | None = None
    max_fee_minor: int | None = None
    tried: tuple[Tried, ...] = ()
    accepted_at: datetime | None = None
    merchant_ref: str | None = None
    constraints: Constraints = FREE
    released: bool = False
    waiting_since: datetime | None = None
    """When it was first found that only illness keeps it from being sent; None: not until now."""


# --- What a decision says ----------------------------------------------------------------------


class Arrival(Struct, frozen=True):
    """When money will be there (by measured arrivals: when 90 % of it is); `at` is the end of the
    local day `on` unless it is instant.

    `days_calendar` counts from the local day of sending. `known` is False when a year without a
    published holiday table was involved: the date is then a cautious guess.
    """

    on: date
    at: datetime
    days_calendar: int
    known: bool


class CostParts(Struct, frozen=True):
    """The expected cost of one candidate, every part in micro units; `fee` alone is the sticker."""

    fee: int
    surcharge: int
    capital: int
    lateness: int
    fail: int
    unknown: int

    @property
    def parts(self) -> tuple[int, int, int, int, int, int]:
        """All of them, in the order of the fields."""
        return self.fee, self.surcharge, self.capital, self.lateness, self.fail, self.unknown

    @property
    def certain(self) -> int:
        """What is paid even if the attempt goes well."""
        return self.fee + self.surcharge + self.capital + self.lateness

    @property
    def total(self) -> int:
        """What the candidate is ranked by."""
        return self.fee + self.surcharge + self.capital + self.lateness + self.fail + self.unknown


UNRANKED: Final = 1_000_000
"""The level of a channel that nobody prefers and nobody avoids."""


class Effect(NamedTuple):
    """What a rule, the merchant's list or the request did to a candidate's place."""

    does: Literal["prefer", "avoid", "split", "weight", "request_prefers", "merchant_prefers"]
    rule: str = ""
    """The rule's name; empty where no rule did it."""
    ppm: int = MICRO
    """A `weight`'s factor, a `split`'s share."""


class Candidate(Struct, frozen=True):
    """A channel and an instrument that may carry the payout now."""

    channel: str
    instrument: int
    rail: Rail
    cost: CostParts
    arrival: Arrival
    success_ppm: int
    unknown_ppm: int
    preferred: bool
    probing: bool
    level: int = UNRANKED
    """Lower goes first whatever it costs; only equals compete by cost x weight."""
    weight_ppm: int = MICRO
    effects: tuple[Effect, ...] = ()
    """What made the level and the weight."""

    @property
    def ranked_by(self) -> int:
        """Its cost as its level's order sees it."""
        return self.cost.total * self.weight_ppm


class Excluded(Struct, frozen=True):
    """A channel and an instrument that may not, with every reason."""

    channel: str
    instrument: int
    reasons: tuple[Exclusion, ...]
    cost: CostParts | None = None
    """What it would have cost; None where it has no price for this payout at all."""


class Decision(Struct, frozen=True):
    """The answer to "which channel, and why"; stored whole with the payout.

    `order` begins with the chosen candidate and goes on as failover would.
    `propensities_ppm`, in the same order, tell how likely each was to be chosen given
    these facts; they add up to a million. Without a candidate, `retry_at` says when asking again
    may help; None means that no waiting will. `forced` says that it was sent to somebody ill, since
    it had waited as long as the policy lets it.
    """

    payout_id: str
    merchant_id: str
    amount_minor: int
    currency: str
    decided_at: datetime
    policy_hash: str
    draw_ppm: int
    outcome: Literal[
        "cheapest", "preferred", "planned", "split", "explored", "probe", "forced", "none"
    ]
    order: tuple[Candidate, ...]
    propensities_ppm: tuple[int, ...]
    excluded: tuple[Excluded, ...]
    retry_at: datetime | None = None
    rules: tuple[str, ...] = ()
    """The rules that applied, in the policy's order."""
    faults: tuple[str, ...] = ()
    """The rules whose condition could not be computed; they did not apply."""
    max_attempts: int | None = None
    review: str | None = None
    """Why a person must release the payout before it is tried."""
    deadline_at: datetime | None = None
    """The deadline that was priced: the payout's own, or an earlier one set by a rule."""
    plan_id: str | None = None
    """The month's plan that it could follow; whether it did, `outcome` says."""

    @property
    def chosen(self) -> Candidate | None:
        """The candidate to try now."""
        return self.order[0] if self.order else None

    @property
    def arrival(self) -> Arrival | None:
        """The promised arrival."""
        return self.order[0].arrival if self.order else None

    @property
    def cheapest_sticker(self) -> Candidate | None:
        """What a router that looks only at the listed fee would have taken."""
        if not self.order:
            return None
        return min(
            self.order, key=lambda one: (one.cost.fee, one.cost.total, one.channel, one.instrument)
        )

    @property
    def capital_saved_micro(self) -> int:
        """Capital cost avoided against the cheapest sticker; negative when time was bought."""
        sticker = self.cheapest_sticker
        return sticker.cost.capital - self.order[0].cost.capital if sticker else 0

    @property
    def saved_micro(self) -> int:
        """Expected all-in cost avoided against the cheapest sticker."""
        sticker = self.cheapest_sticker
        return sticker.cost.total - self.order[0].cost.total if sticker else 0
