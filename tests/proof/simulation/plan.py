"""What one seed means: which accounts, replicas and payouts there are, and what goes wrong.

Swarm testing: each seed switches a random subset of the kinds of fault on, each at a rate of its
own, because a run in which everything fails always reaches the same few states. A plan is a value;
shrinking a failing run is leaving things out of it.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tests.proof.simulation.dice import Dice

FAULTS: Mapping[str, tuple[float, float, str]] = {
    # Processes: per replica and hour of the disturbed phase.
    "crash": (0.5, 12, "a replica dies as by kill -9 and is started again"),
    "pause": (0.5, 8, "a replica stands still (SIGSTOP) for a second to an hour, others go on"),
    "clock_skew": (1, 1, "a replica's clock is wrong by up to an hour all the time"),
    "clock_step": (0.5, 6, "a replica's clock jumps by up to an hour, either way"),
    # The database: per write or read.
    "commit_done_unknown": (0.002, 0.06, "the commit happened, its acknowledgement is lost"),
    "commit_undone_unknown": (0.002, 0.06, "the commit did not happen, nobody is told"),
    "commit_late_unknown": (0.002, 0.06, "nobody is told, and the commit happens later"),
    "write_refused": (0.002, 0.06, "the connection is gone before the commit"),
    "read_refused": (0.001, 0.03, "a read fails"),
    "store_slow": (0.01, 0.2, "the database takes up to ten seconds"),
    "disk_full": (0.001, 0.01, "disk full or I/O error on commit: this process must stop"),
    "restore": (1, 1, "an old copy of the database is put back, once, with all replicas stopped"),
    # The network to the institutions: per request.
    "refused": (0.01, 0.3, "connection refused"),
    "connect_timeout": (0.01, 0.2, "no connection within the time allowed"),
    "request_lost": (0.01, 0.3, "the request never arrives"),
    "request_late": (0.01, 0.3, "it arrives after its sender has given up, up to ten minutes"),
    "request_twice": (0.01, 0.5, "a box on the way asks twice and passes the second reply on"),
    "reset_before": (0.01, 0.3, "reset before the request arrives"),
    "reset_after": (0.01, 0.3, "reset after it was executed"),
    "reply_lost": (0.01, 0.3, "the reply never comes"),
    "reply_late": (0.01, 0.3, "the reply is late, perhaps too late"),
    "reply_crossed": (0.005, 0.1, "the reply to another request comes instead"),
    "net_slow": (0.05, 0.5, "up to five seconds each way"),
    # The institutions: per request, order, notice or statement.
    "paid_502": (0.01, 0.2, "executed, answered 502"),
    "unpaid_502": (0.01, 0.2, "not executed, answered 502"),
    "paid_system_error": (0.01, 0.2, "executed, answered SYSTEM_ERROR"),
    "unpaid_system_error": (0.01, 0.2, "not executed, answered SYSTEM_ERROR"),
    "garbage": (0.01, 0.2, "executed, answered with bytes that are no reply"),
    "bad_signature": (0.01, 0.2, "a true reply whose signature does not fit"),
    "unsigned": (0.01, 0.2, "a true reply without signature"),
    "unknown_code": (0.01, 0.2, "executed, answered with an undocumented code"),
    "unknown_status": (0.01, 0.2, "executed, answered with an undocumented status"),
    "wrong_echo": (0.01, 0.2, "the reply names another amount or reference"),
    "throttled": (0.01, 0.2, "not taken in: too many requests"),
    "refused_definite": (0.01, 0.3, "a definite refusal of what was not taken before"),
    "refused_confirm": (0.01, 0.3, "a refusal that counts only after a look"),
    "refused_executed": (0.01, 0.1, "executed, answered with a refusal that asks for a look"),
    "not_found": (0.02, 0.4, "an order that exists is not found for up to two hours"),
    "settle_late": (0.02, 0.4, "under way for up to thirty hours"),
    "settle_fail": (0.02, 0.4, "taken, and failed later; the money comes back"),
    "return_late": (0.02, 0.4, "paid, and returned up to 36 hours later"),
    "confirm_late": (0.02, 0.4, "the payee confirms up to 23 hours later"),
    "confirm_never": (0.02, 0.3, "the payee never confirms"),
    "lie_rejected": (0.01, 0.1, "LIE: executed, answered with a definite refusal, signed"),
    "lie_failed": (0.01, 0.1, "LIE: paid, yet an inquiry is answered FAIL, signed"),
    "notice_lost": (0.05, 0.8, "a notice is never sent"),
    "notice_twice": (0.05, 0.5, "a notice is sent more than once"),
    "notice_late": (0.05, 0.5, "a notice is sent up to five hours late"),
    "notice_swapped": (0.05, 0.5, "notices of one order overtake each other"),
    "notice_forged": (0.05, 0.5, "a forged notice comes as well"),
    "statement_late": (0.1, 0.5, "a statement is up to twelve hours late"),
    "statement_extra": (0.05, 0.3, "a line for money that never moved"),
    "statement_missing": (0.02, 0.2, "a line is left out"),
    "statement_double": (0.02, 0.2, "a line stands there twice"),
    # The merchant's receiver of webhooks: per try. Any of them switches webhooks on.
    "hook_lost": (0.02, 0.6, "a webhook never arrives"),
    "hook_late": (0.02, 0.5, "it arrives after its sender has given up, up to ten minutes"),
    "hook_unacknowledged": (0.02, 0.6, "it arrives, its acknowledgement does not"),
    "hook_5xx": (0.02, 0.6, "the receiver answers 503 and has not kept it"),
    "hook_gone": (0.001, 0.02, "the receiver answers 410: it wants no more"),
    # People and money.
    "cancel": (0.05, 0.4, "somebody cancels, at any moment"),
    "channel_paused": (0.5, 4, "an operator pauses a channel for a while (per hour)"),
    "certify": (2, 12, "two people certify a death the bank confirms (per hour)"),
    "certify_alone": (0.2, 0.9, "the checker is the maker with another key"),
    "same_key": (0.05, 0.5, "a merchant sends one request several times, at once and later"),
    "other_body": (0.02, 0.3, "a key is used again with another body"),
    "short_float": (1, 1, "an account begins with too little money"),
}  # fmt: skip
"""Kind → lowest and highest rate, and what it is."""

RICH_FEN = 20_000_000
"""More than all payouts of a run together."""

PAYOUTS = (3, 4, 5, 5, 6, 6, 8, 8, 10, 20)
"""How many a run has. Few: what breaks is nearly always one payout under a rare meeting of faults,
and a second of CPU meets more of them in many small worlds than in one large one."""

STRICT_SHARE = 0.35
"""Of the runs, in which one account is strict."""
AUDITED_SHARE = 0.15
WEBHOOK_SHARE = 0.25
"""Of the runs, in which the audit log is kept, and in which webhooks may go wrong: both cost time
and change nothing else."""
LIES = frozenset({"lie_rejected", "lie_failed"})
"""What no protocol can see through at once: here the promise is that it is found out later."""
HOOKS = frozenset({"hook_lost", "hook_late", "hook_unacknowledged", "hook_5xx", "hook_gone"})
RARE = {"lie_rejected": 4, "lie_failed": 4, "restore": 8}
"""How many times rarer than others: lies weaken what can be judged, a quarantine takes much CPU."""
CARRIERS_OF_TRUTH = frozenset({"statement_missing", "statement_late"})
"""A lie may be found out by statements; a run that lies does not also suppress these."""

STARTS = (
    datetime(2026, 3, 2, 2, 0, tzinfo=UTC),
    datetime(2026, 3, 2, 15, 50, tzinfo=UTC),
    datetime(2026, 3, 2, 0, 55, tzinfo=UTC),
)
"""10:00 in Beijing, just before midnight, and as yesterday's statements come out."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One channel account, at both ends."""

    name: str
    kind: str
    flat_fen: int
    balance_fen: int
    is_strict: bool = False
    """Refuses what was signed long ago, so that its silence may prove something (C5, C6)."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One payout a merchant will ask for."""

    number: int
    at: float
    fen: int
    rails: tuple[str, ...]
    release_after: float | None = None
    deadline_after: float | None = None

    @property
    def key(self) -> str:
        """Its idempotency key."""
        return f"key-{self.number:012d}"


@dataclass(frozen=True)
class Plan:
    """One run."""

    seed: int
    start: datetime
    replicas: int
    seats: tuple[Seat, ...]
    wishes: tuple[Wish, ...]
    disturbed_s: float
    faults: Mapping[str, float] = field(default_factory=dict)
    audited: bool = False
    """Whether the audit log is kept, signed and checked at the end."""

    def rate(self, kind: str) -> float:
        """How often a kind of fault strikes; 0 when it is off."""
        return self.faults.get(kind, 0.0)

    def without(self, *, kind: str = "", numbers: frozenset[int] = frozenset()) -> "Plan":
        """The same with something left out."""
        return replace(
            self,
            faults={name: rate for name, rate in self.faults.items() if name != kind},
            wishes=tuple(wish for wish in self.wishes if wish.number not in numbers),
        )

    @property
    def webhooks(self) -> bool:
        """Whether the merchant wants webhooks: elsewhere they would only cost time."""
        return not self.faults.keys().isdisjoint(HOOKS)

    @property
    def restores(self) -> bool:
        """Whether an old copy of the database is put back."""
        return "restore" in self.faults

    @property
    def lies(self) -> bool:
        """Whether an institution says signed untruths."""
        return bool(LIES & self.faults.keys())


def plan_of(seed: int) -> Plan:
    """The plan a seed stands for."""
    chance = Dice(seed).rng("plan")
    faults = _swarm(chance)
    kinds = ["alipay", chance.choice(("alipay", "wechat_pay"))]
    kinds += [chance.choice(("alipay", "wechat_pay")) for _ in range(chance.choice((0, 0, 1, 2)))]
    seats = tuple(
        Seat(
            f"{kind.partition('_')[0]}-{'abcd'[index]}",
            kind,
            flat_fen=chance.choice((0, 10, 20, 35)),
            balance_fen=_balance(chance, faults),
        )
        for index, kind in enumerate(kinds)
    )
    disturbed_s = chance.choice((120.0, 600.0, 1800.0, 5400.0))
    count = chance.choice(PAYOUTS)
    if "restore" in faults:
        count = min(count, 4)
    rails = ["alipay", "card"] + (["wechat"] if "wechat_pay" in kinds else [])
    wishes = tuple(_wish(chance, number, disturbed_s, rails) for number in range(1, count + 1))
    if chance.random() < STRICT_SHARE:
        strict = chance.randrange(len(seats))
        seats = tuple(replace(seat, is_strict=index == strict) for index, seat in enumerate(seats))
    audited = chance.random() < AUDITED_SHARE
    if chance.random() >= WEBHOOK_SHARE:
        faults = {kind: rate for kind, rate in faults.items() if kind not in HOOKS}
    return Plan(
        seed,
        chance.choice(STARTS),
        chance.choice((1, 1, 2, 2, 2, 3)),
        seats,
        wishes,
        disturbed_s,
        faults,
        audited=audited,
    )


def _swarm(chance: random.Random) -> dict[str, float]:
    share = chance.choice((0.1, 0.25, 0.4))
    faults = {}
    for kind, (low, high, _) in FAULTS.items():
        wanted = share / RARE.get(kind, 1)
        rate = low * (high / low) ** chance.random()
        if chance.random() < wanted:
            faults[kind] = rate
    if LIES & faults.keys():
        faults = {kind: rate for kind, rate in faults.items() if kind not in CARRIERS_OF_TRUTH}
    return faults


def _balance(chance: random.Random, faults: Mapping[str, float]) -> int:
    short = "short_float" in faults and chance.random() < 0.5
    return chance.randrange(20_000, 300_000) if short else RICH_FEN


def _wish(chance: random.Random, number: int, span_s: float, rails: list[str]) -> Wish:
    wanted = tuple(chance.sample(rails, chance.choice((1, 1, 2))))
    late = chance.random()
    return Wish(
        number,
        at=chance.random() ** 2 * span_s * 0.8,
        fen=chance.choice((1_000, 12_345, 50_000, 180_000, 199_999, 250_000)) + number,
        rails=wanted,
        release_after=chance.uniform(10, span_s) if late < 0.1 else None,
        deadline_after=chance.uniform(600, 40_000) if late > 0.9 else None,
    )
