"""What the gateway does to its store all day, seeded: every kind of write, several at a time.

Each operation is worked out against the journal's facts, with what it must leave behind or be
refused with. Within one batch no two operations touch the same payout, notice or webhook.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from msgspec.structs import replace

from channels.money import Currency
from gateway.domain import ledger
from gateway.domain.errors import ConflictError, UnfundedError
from gateway.domain.ledger import Posting
from gateway.domain.payout import (
    Armed,
    Attempt,
    AttemptState,
    Event,
    MerchantId,
    Payout,
    PayoutState,
)
from gateway.domain.reconciliation import BreakKind
from gateway.ports import (
    Change,
    DeliveryState,
    Endpoint,
    FloatShortError,
    Funding,
    Intake,
    Merchant,
    StaleError,
)
from tests import builders as build
from tests.proof.power.facts import Effects, Facts, book, of_change, payouts
from tests.proof.power.journal import Operation

RICH, CREDIT, POOR = "m_rich", "m_credit", "m_poor"
MERCHANTS: dict[str, Merchant] = {
    RICH: build.merchant(RICH),
    CREDIT: build.merchant(CREDIT, funding=Funding.CREDIT, credit_limit_minor=10**9),
    POOR: build.merchant(POOR),
}
ENDPOINTS = (
    build.endpoint("we_all", RICH),
    build.endpoint("we_money", RICH, kinds=("confirmed", "came_back", "failed")),
    build.endpoint("we_credit", CREDIT),
)
CHANNELS = ("alipay-main", "wechat-main")
DRY = "alipay-dry"
"""A channel without float: nothing can be armed on it."""

_MOVES: dict[PayoutState, tuple[str, ...]] = {
    PayoutState.HELD: ("release", "cancel"),
    PayoutState.SCHEDULED: ("release", "cancel"),
    PayoutState.ROUTING: ("arm", "arm", "arm", "arm", "cancel", "fail", "hold", "dry"),
    PayoutState.PARKED: ("unpark", "confirm", "die"),
    PayoutState.PAID: ("settle", "return"),
    PayoutState.SETTLED: ("return",),
}
_ATTEMPTING: dict[AttemptState, tuple[str, ...]] = {
    AttemptState.ARMED: ("pend", "doubt", "confirm", "confirm", "die", "die on"),
    AttemptState.PENDING: ("confirm", "die", "die on", "park", "pend"),
    AttemptState.IN_DOUBT: ("resend", "pend", "confirm", "die on", "die last", "park", "doubt"),
}


@dataclass(slots=True)
class Watch:
    """The store's clock."""

    at: datetime = build.NOW

    def now(self) -> datetime:
        """Aware UTC."""
        return self.at


class Workload:
    """A stream of batches. Numbers never repeat, also when what they named was lost in a cut."""

    def __init__(self, rng: Random, first: int = 0) -> None:
        """All it does follows from `rng` and the facts it is shown; numbers start after `first`."""
        self.clock = Watch()
        self._rng = rng
        self._number = first
        self._requests: list[tuple[Change, Intake]] = []
        self._posts: list[tuple[Posting, str]] = []
        self._taken: set[str] = set()
        self._facts: Facts = {}

    def setup(self, facts: Facts) -> list[list[Operation]]:
        """What must be there before there can be payouts, as far as it is not."""
        self._facts = facts
        directory = [_add(merchant) for merchant in MERCHANTS.values()]
        endpoints = [_put(endpoint) for endpoint in ENDPOINTS]
        money = [
            self._post(ledger.funded(MerchantId(RICH), Currency.CNY, 10**10), "deposit"),
            *(self._post(ledger.topped_up(name, Currency.CNY, 10**10), name) for name in CHANNELS),
        ]
        return [
            [operation for operation in batch if _is_new(operation, facts)]
            for batch in (directory, endpoints, money)
        ]

    def batch(self, facts: Facts) -> list[Operation]:
        """One to twelve operations that callers ask for at the same moment."""
        rng = self._rng
        self.clock.at += timedelta(seconds=rng.randint(1, 40))
        self._facts, self._taken = facts, set()
        kinds: tuple[tuple[Callable[[], Operation | None], int], ...] = (
            (self._accept, 5),
            (self._move, 12),
            (self._again, 2),
            (self._reused, 1),
            (self._unfunded, 1),
            (self._stale, 1),
            (self._postpone, 1),
            (self._deliver, 4),
            (self._top_up, 2),
            (self._notice, 1),
            (self._notice_done, 1),
            (self._statement, 1),
            (self._status, 1),
            (self._nonce, 1),
            (self._break, 1),
        )
        if len(payouts(facts)) < 4:
            kinds = ((self._accept, 1),)
        count = rng.choice((1, 1, 2, 3, 5, 8, 12))
        makers = rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds], k=count)
        made = [operation for maker in makers if (operation := maker()) is not None]
        return made or [self._accept()]

    def retries(self, facts: Facts) -> list[list[Operation]]:
        """What clients and operators who got no answer ask for again, one by one."""
        self._facts, self._taken = facts, set()
        batches = [[self._post(*request)] for request in self._posts[-1:]]
        again = self._again()
        return batches + ([[again]] if again else [])

    # --- Payouts ---

    def _accept(self) -> Operation:
        rng = self._rng
        number = self._next()
        state = rng.choice((PayoutState.ROUTING,) * 4 + (PayoutState.HELD, PayoutState.SCHEDULED))
        subject = build.payout(
            id=f"po_{number:026d}",
            merchant_id=rng.choice((RICH, CREDIT)),
            amount=build.cny(rng.randint(100, 50_000)),
            instruments=rng.choice(
                ((build.alipay_account(),), (build.bank_card(), build.wechat_wallet()))
            ),
            metadata={"note": "x" * rng.choice((0, 10, 200, 3_000))},
            state=state,
            accepted_at=self.clock.at,
            due_at=self.clock.at,
        )
        change = build.accepted_change(subject)
        sends = None
        if state is PayoutState.ROUTING and rng.random() < 0.3:
            # Accepted and armed in one commit.
            armed = build.arm(subject, self._attempt(subject), at=self.clock.at)
            change = Change(
                None,
                armed.after,
                change.events + armed.events,
                change.postings + armed.postings,
                change.actor,
                armed.decision,
            )
            sends = _sent(armed.after)
        request = change, build.intake(subject)
        self._requests.append(request)
        return self._accepting("accept", *request, sends)

    def _accepting(
        self, word: str, change: Change, intake: Intake, sends: tuple[str, str] | None
    ) -> Operation:
        subject = change.after
        self._taken.add(subject.id)
        return Operation(
            f"{word} {subject.id} v{subject.version}",
            lambda store: store.accept(change, intake, MERCHANTS[subject.merchant_id].floor_minor),
            of_change(self._facts, change, self._endpoints(), intake),
            answer=subject,
            sends=sends,
        )

    def _again(self) -> Operation | None:
        """A client repeats a request, whether it was stored or lost in a cut."""
        if not self._requests:
            return None
        change, intake = self._rng.choice(self._requests[-6:])
        if change.after.id in self._taken:
            return None
        known = self._facts.get(("payout", change.after.id))
        if known is None:
            sends = _sent(change.after) if change.after.attempts else None
            return self._accepting("accept at the second try", change, intake, sends)
        self._taken.add(change.after.id)
        return Operation(
            f"repeat {change.after.id}",
            lambda store: store.accept(change, intake, 0),
            answer=known,
        )

    def _reused(self) -> Operation | None:
        """The same key with another body."""
        known = self._pick()
        if known is None:
            return None
        other = build.payout(
            id=f"po_{self._next():026d}", merchant_id=known.merchant_id, merchant_ref="other"
        )
        intake = build.intake(other, key=f"key-{known.merchant_ref}", body="another")
        return Operation(
            f"reuse the key of {known.id}",
            lambda store: store.accept(build.accepted_change(other), intake, None),
            refused=ConflictError,
        )

    def _unfunded(self) -> Operation:
        subject = build.payout(id=f"po_{self._next():026d}", merchant_id=POOR)
        return Operation(
            f"accept {subject.id} without funds",
            lambda store: store.accept(build.accepted_change(subject), build.intake(subject), 0),
            refused=UnfundedError,
        )

    def _stale(self) -> Operation | None:
        """A worker that slept writes on a version that has passed."""
        known = self._pick(lambda payout: payout.state is PayoutState.ROUTING)
        if known is None:
            return None
        old = replace(known, version=known.version + 1)
        change = build.change(old, build.cancelled(), at=self.clock.at)
        return Operation(
            f"cancel {known.id} on a version it is not at",
            lambda store: store.record(change),
            refused=StaleError,
        )

    def _postpone(self) -> Operation | None:
        known = self._pick()
        if known is None:
            return None
        due_at = self.clock.at + timedelta(seconds=self._rng.randint(1, 9_000))
        effects = Effects({("payout", known.id): replace(known, due_at=due_at)})
        return Operation(
            f"postpone {known.id}",
            lambda store: store.postpone(known, due_at, None),
            effects,
        )

    def _move(self) -> Operation | None:
        known = self._pick(lambda payout: self._words(payout) != ())
        if known is None:
            return None
        word = self._rng.choice(self._words(known))
        events, sends = self._events(known, word)
        evidence = build.evidence() if self._rng.random() < 0.4 else None
        change = build.change(
            known,
            *events,
            at=self.clock.at,
            due_at=self._rng.choice((None, self.clock.at)),
            decision=b'{"chosen":"alipay-main"}' if sends else None,
            evidence=evidence,
        )
        return Operation(
            f"{word} {known.id} v{known.version}>{change.after.version}",
            lambda store: store.record(change),
            of_change(self._facts, change, self._endpoints()) if word != "dry" else Effects(),
            refused=FloatShortError if word == "dry" else None,
            sends=_sent(change.after) if sends and word != "dry" else None,
        )

    @staticmethod
    def _words(payout: Payout) -> tuple[str, ...]:
        if payout.state is PayoutState.ATTEMPTING and payout.live is not None:
            return _ATTEMPTING[payout.live.state]
        return _MOVES.get(payout.state, ())

    def _events(self, payout: Payout, word: str) -> tuple[tuple[Event, ...], bool]:
        """The events of a word, and whether bytes go out once they are acknowledged."""
        at, number = self.clock.at, len(payout.attempts)
        reference = payout.attempts[-1].reference if payout.attempts else ""
        next_try = Armed(self._attempt(payout, DRY if word == "dry" else None))
        events: dict[str, tuple[Event, ...]] = {
            "release": (build.released(),),
            "cancel": (build.cancelled(),),
            "hold": (build.held(),),
            "fail": (build.failed(),),
            "arm": (next_try,),
            "dry": (next_try,),
            "pend": (build.pended(number, channel_ref=f"CH-{reference}"),),
            "doubt": (build.doubted(number),),
            "resend": (build.resent(number, at=at),),
            "confirm": (build.confirmed(number, channel_ref=f"CH-{reference}", paid_at=at),),
            "die": (build.died(number),),
            "die on": (build.died(number), next_try),
            "die last": (build.died(number), build.failed()),
            "park": (build.parked(),),
            "unpark": (build.unparked(),),
            "settle": (build.settled(number, line_ref=f"L-{reference}", fee_minor=9),),
            "return": (build.came_back(number, amount_minor=payout.amount.minor, at=at),),
        }
        return events[word], word in {"arm", "dry", "die on", "resend"}

    def _attempt(self, payout: Payout, channel: str | None = None) -> Attempt:
        return build.attempt(
            len(payout.attempts) + 1,
            channel=channel or self._rng.choice(CHANNELS),
            reference=f"R{self._next():031d}",
            armed_at=self.clock.at,
        )

    # --- Everything else ---

    def _deliver(self) -> Operation | None:
        due = [
            (str(key[1]), value)
            for key, value in self._facts.items()
            if key[0] == "delivery" and isinstance(value, tuple) and key[1] not in self._taken
        ]
        if not due:
            return None
        rng = self._rng
        name, (endpoint, payout, seq, payload, state, tries, due_at, status, error) = rng.choice(
            due
        )
        if payout in self._taken:
            return None
        # Putting one off moves the later ones of its payout, too.
        self._taken |= {str(payout)}
        key = ("delivery", name)
        head = endpoint, payout, seq, payload
        at = self.clock.at
        if state is not DeliveryState.DUE:
            merchant = next(e.merchant_id for e in ENDPOINTS if e.id == endpoint)
            effects = Effects({key: (*head, DeliveryState.DUE, 0, at, status, error)})
            return Operation(
                f"resend {name}",
                lambda store: store.resend(merchant, name, at),
                effects,
                answer=True,
            )
        match rng.randrange(4):
            case 0 | 1:
                effects = Effects(
                    {key: (*head, DeliveryState.DELIVERED, tries + 1, due_at, 200, None)}
                )
                return Operation(
                    f"delivered {name}",
                    lambda store: store.delivered(name, 200, at),
                    effects,
                )
            case 2:
                effects = Effects(
                    {key: (*head, DeliveryState.DEAD, tries + 1, due_at, None, "refused")}
                )
                return Operation(
                    f"dead letter {name}",
                    lambda store: store.delivery_failed(name, None, "refused", None),
                    effects,
                )
            case _:
                later = at + timedelta(seconds=60)
                effects = Effects({key: (*head, state, tries + 1, later, 503, "busy")})
                effects.facts |= {
                    other: (*row[:6], later, *row[7:])
                    for other, row in self._facts.items()
                    if other[0] == "delivery"
                    and isinstance(row, tuple)
                    and row[:2] == (endpoint, payout)
                    and row[2] > seq
                    and row[4] is DeliveryState.DUE
                    and row[6] < later
                }
                return Operation(
                    f"put off {name}",
                    lambda store: store.delivery_failed(name, 503, "busy", later),
                    effects,
                )

    def _top_up(self) -> Operation:
        channel, minor = self._rng.choice(CHANNELS), self._rng.randint(1, 10**6)
        request = ledger.topped_up(channel, Currency.CNY, minor), f"top-up-{self._next()}"
        self._posts.append(request)
        return self._post(*request)

    def _post(self, posting: Posting, key: str) -> Operation:
        known = ("posting", key) in self._facts
        effects = Effects()
        if not known:
            effects.facts["posting", key] = ("memo", "ops")
            book(effects, f"op/{key}", posting)
        return Operation(
            f"post {key} again" if known else f"post {key}",
            lambda store: store.post(posting, "memo", key, "ops"),
            effects,
            answer=not known,
        )

    def _notice(self) -> Operation | None:
        if "notice" in self._taken:
            return None
        self._taken.add("notice")
        number = 1 + max((int(key[1]) for key in self._facts if key[0] == "notice"), default=0)
        headers, body = {"Wechatpay-Serial": "S1"}, self._rng.randbytes(40)
        return Operation(
            f"keep notice {number}",
            lambda store: store.keep_notice("wechat-main", headers, body, self.clock.at),
            Effects({("notice", number): ("wechat-main", headers, body)}),
            answer=number,
        )

    def _notice_done(self) -> Operation | None:
        numbers = [
            int(key[1])
            for key, value in self._facts.items()
            if key[0] == "notice" and isinstance(value, tuple)
        ]
        if not numbers or "notice done" in self._taken:
            return None
        self._taken.add("notice done")
        number = self._rng.choice(numbers)
        return Operation(
            f"notice {number} done",
            lambda store: store.notice_done(number, "applied"),
            Effects({("notice", number): "applied"}),
        )

    def _statement(self) -> Operation:
        number = self._next()
        on = build.TODAY + timedelta(days=number)
        channel = self._rng.choice(CHANNELS)
        lines = [
            build.statement_line(f"L{number}-{line}", reference=f"R{line}", memo="代付")
            for line in range(self._rng.randint(0, 6))
        ]
        effects = Effects({("day", channel, on.isoformat()): True})
        for line in lines:
            effects.facts["line", channel, line.line_ref] = (
                on.isoformat(),
                line.reference,
                line.amount.minor,
            )
        return Operation(
            f"keep the statement of {channel} for {on}",
            lambda store: store.keep_statement(channel, on, lines, self.clock.at),
            effects,
            answer=len(lines),
        )

    def _status(self) -> Operation | None:
        if "status" in self._taken:
            return None
        self._taken.add("status")
        reason = f"because {self._next()}"
        return Operation(
            f"pause {DRY} {reason}",
            lambda store: store.set_channel_status(DRY, "paused", reason, "ops"),
            _audited(("status", DRY), ("paused", reason)),
        )

    def _nonce(self) -> Operation:
        nonce = f"n{self._next()}"
        return Operation(
            f"spend nonce {nonce}",
            lambda store: store.spend_nonce("key_1", nonce, self.clock.at, 10**9),
            Effects({("nonce", "key_1", nonce): True}),
            answer=True,
        )

    def _break(self) -> Operation:
        found = build.open_break(
            kind=BreakKind.MISSING_OURS, reference=f"R{self._next()}", opened_at=self.clock.at
        )
        return Operation(
            f"open break {found.reference}",
            lambda store: store.open_break(found),
            Effects({("break", found.channel, found.reference or ""): found}),
            answer=True,
        )

    # --- Tools ---

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _pick(self, wanted: Callable[[Payout], bool] = lambda _: True) -> Payout | None:
        """A payout no other operation of this batch is about; the recent ones are busiest."""
        free = [
            payout
            for payout in payouts(self._facts)
            if payout.id not in self._taken and wanted(payout)
        ]
        if not free:
            return None
        chosen = self._rng.choice(free[-10:])
        self._taken.add(chosen.id)
        return chosen

    def _endpoints(self) -> list[Endpoint]:
        return [value for value in self._facts.values() if isinstance(value, Endpoint)]


def _sent(payout: Payout) -> tuple[str, str]:
    return payout.attempts[-1].channel, payout.attempts[-1].reference


def _add(merchant: Merchant) -> Operation:
    return Operation(
        f"add merchant {merchant.id}",
        lambda store: store.add_merchant(merchant, "ops"),
        _audited(("merchant", merchant.id), merchant),
    )


def _put(endpoint: Endpoint) -> Operation:
    return Operation(
        f"put endpoint {endpoint.id}",
        lambda store: store.put_endpoint(endpoint, "ops"),
        _audited(("endpoint", endpoint.id), endpoint),
    )


def _is_new(operation: Operation, facts: Facts) -> bool:
    return not operation.effects.facts.keys() <= facts.keys()


def _audited(key: tuple[str, ...], value: object) -> Effects:
    effects = Effects({key: value})
    effects.sums["audited",] += 1
    return effects
