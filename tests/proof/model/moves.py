"""Every atomic step the workers, the channels, the network and the clock can take.

A worker's read-decide-commit is one step: guarded by compare-and-set it either happens on the row
as it is or changes nothing, so a pause inside it adds no behaviour. Pauses, crashes and the other
worker come between the steps. A message that is never delivered is a message that is lost.
"""

from collections.abc import Iterator
from itertools import chain

from gateway.domain.lifecycle import TransitionError
from gateway.domain.payout import CertificateKind, Died, Event, Source
from tests.proof.model import real
from tests.proof.model.rules import SHIPPED, Rules
from tests.proof.model.world import (
    BEFORE,
    FAULT,
    IDLE,
    LEASE,
    MOVED,
    NEVER,
    OPEN,
    TAKEOVER,
    WINDOW,
    WROTE,
    Answer,
    Bank,
    Group,
    Move,
    Pay,
    Profile,
    Row,
    Slot,
    Step,
    Worker,
    World,
)

BURNT = Slot(0, Row.DEAD, 1, 0, False, LEASE, 0, 0, 0, Bank.FAILED, 0)
"""A dead attempt that can never move money: all of them are one and the same."""

START = Group(Pay.ROUTING, ())

REPLY_OF = {
    Bank.ACCEPTED: Answer.PENDING,
    Bank.PAID: Answer.PAID,
    Bank.FAILED: Answer.REJECTED,
    Bank.RETURNING: Answer.RETURNED,
    Bank.BACK: Answer.RETURNED,
}


class Protocol:
    """The steps under one set of rules in one world."""

    def __init__(self, rules: Rules, world: World) -> None:
        """Nothing is computed until asked."""
        self.rules = rules
        self.world = world
        self._wait = WINDOW + world.declared_lag
        self._tidied: dict[Slot, Slot] = {}

    # --- Workers ---

    def moves(self, group: Group, worker: Worker) -> Iterator[Move]:
        """What a worker can do next. Only under a wrong rule may the real rules refuse a step."""
        if worker.step is not Step.IDLE:
            yield Move(group, IDLE, FAULT, "{w} crashes and restarts; it remembers nothing.")
        try:
            yield from self._steps(group, worker)
        except TransitionError:
            if self.rules == SHIPPED:
                raise

    def _steps(self, group: Group, worker: Worker) -> Iterator[Move]:
        match worker.step:
            case Step.IDLE:
                yield from self._idle(group)
            case Step.HOLDS:
                yield from self._holding(group, worker)
            case Step.WAITS:
                yield from self._waiting(group, worker)
            case Step.ANSWERED:
                yield self._settle(group, worker.slot, worker, worker.answer or Answer.TIMEOUT)
            case Step.UNSEEN:
                yield self._settle_absence(group, worker)
            case Step.EARLY:
                yield from self._commit_late(group, worker)
            case Step.BELIEVES:
                yield from self._arm_on_belief(group)

    def _idle(self, group: Group) -> Iterator[Move]:
        live = next((n for n, s in enumerate(group.slots, 1) if s.row in OPEN), None)
        if group.pay is Pay.ROUTING:
            yield from self._route(group)
        elif group.pay is Pay.ATTEMPTING and live is not None:
            yield from self._look(group, live)
        elif group.pay is Pay.PAID:
            yield from self._look_again(group)
        elif group.pay is Pay.HELD:
            freed = real.released(real.view_of(group, self.world.profiles))
            yield Move(self._put(group, freed), IDLE, WROTE, "A person looks and releases it.")
        elif group.pay is Pay.RETURNED and self.rules.returned_is_repaid:
            slots = tuple(
                s._replace(row=Row.DEAD) if s.row is Row.RETURNED else s for s in group.slots
            )
            yield Move(
                self._tidy(Group(Pay.ROUTING, slots)),
                IDLE,
                WROTE,
                "The return is announced; {w} sets the payout free to be paid again. WRONG RULE",
            )

    def _route(self, group: Group) -> Iterator[Move]:
        rules, number = self.rules, len(group.slots) + 1
        view = real.view_of(group, self.world.profiles)
        yield Move(
            self._put(group, real.failed(view)), IDLE, WROTE, "{w} finds no channel left: FAILED."
        )
        if number > self.world.slots_max:
            return
        for index, profile in enumerate(self.world.profiles):
            where = f"attempt {number} at channel {number} ({profile.name})"
            slot = Slot(index, Row.ARMED, 1, 0, False, 0, 0, 0, 0, Bank.NOTHING, 0)
            missing = Group(group.pay, (*group.slots, slot._replace(row=Row.MISSING)))
            if rules.send_before_commit:
                yield Move(
                    Group(group.pay, (*group.slots, slot._replace(row=Row.MISSING, first=1))),
                    Worker(Step.EARLY, number, 1),
                    0,
                    f"{{w}} sends {where} before it has committed the row. WRONG RULE",
                )
                continue
            armed = self._put(Group(group.pay, (*group.slots, slot)), real.armed(view, profile))
            holds = Worker(Step.HOLDS, number, 1)
            yield Move(
                armed, holds, WROTE, f"{{w}} signs and arms {where}; the commit is acknowledged."
            )
            lost = f"{{w}} arms {where}; it is stored, but the acknowledgement is lost"
            yield Move(armed, IDLE, WROTE | FAULT, f"{lost}, so nothing is sent.")
            if rules.unknown_is_not_committed:
                yield Move(
                    armed,
                    Worker(Step.BELIEVES),
                    WROTE | FAULT,
                    f"{lost}; {{w}} believes that it was undone. WRONG RULE",
                )
            if rules.unknown_is_committed:
                yield Move(
                    missing,
                    holds,
                    FAULT,
                    f"{{w}} arms {where}; the connection to the database breaks, nothing is "
                    "stored, and {w} believes that it was. WRONG RULE",
                )
        if not rules.compare_and_set:
            yield Move(group, Worker(Step.BELIEVES), 0, "{w} reads the payout: free to be routed.")

    def _look(self, group: Group, number: int) -> Iterator[Move]:
        rules, slot = self.rules, group.slots[number - 1]
        view, row = real.view_of(group, self.world.profiles), self._row_number(group, number)
        if rules.notice_certifies:
            yield self._die(
                group, number, f"A forged notice says attempt {number} failed; {{w}} believes it."
            )
        if slot.row is Row.ARMED:
            if slot.age < LEASE or rules.orphans_stay:
                return
            found = f"{{w}} takes over attempt {number}: armed, and its sender silent for a minute."
            if rules.armed_is_unsent:
                yield self._die(group, number, f"{found} It concludes that nothing was sent.")
            after = self._put(group, real.doubted(view, row))
            yield Move(after, IDLE, WROTE | TAKEOVER, f"{found} It records doubt.")
            return
        yield from self._ask(group, number, slot)
        if rules.never_left_by_another:
            yield self._die(
                group,
                number,
                f"{{w}} wants to ask channel {number}, cannot connect, and concludes that the "
                "request never left either.",
            )
        if self._statement_proves(slot):
            after = self._put(group, real.died(view, row, CertificateKind.ABSENT_FROM_STATEMENT))
            wrong = " WRONG RULE" if rules.absence == "statement_anywhere" else ""
            yield Move(
                after,
                IDLE,
                WROTE,
                f"The final statement of channel {number} does not show attempt {number}: "
                f"{{w}} certifies it dead (C6).{wrong}",
            )
        entry = view.entries[row - 1]
        if (
            slot.row is Row.IN_DOUBT
            and slot.sends < self.world.sends_max
            and real.resendable(entry)
        ):
            yield from self._resend(group, number)

    def _ask(self, group: Group, number: int, slot: Slot) -> Iterator[Move]:
        asks = f"{{w}} asks channel {number} about attempt {number}"
        if slot.bank is Bank.NOTHING or slot.hidden:
            why = "its record is not visible yet" if slot.hidden else "nothing has arrived there"
            ripe = self._ripe(slot) and not self.rules.absence_dated_when_recorded
            yield Move(
                group,
                Worker(
                    Step.UNSEEN, number, ripe=ripe, looked=slot.looked if slot.refused else BEFORE
                ),
                0,
                f"{asks}: not found ({why}).",
            )
            if slot.refused and slot.looked == NEVER:
                # Absences are dated when asked for: with nothing in between, as if recorded then.
                yield self._settle(
                    group, number, IDLE, Answer.ABSENT, source=Source.INQUIRY, asks=asks
                )
        if slot.bank is not Bank.NOTHING:
            # Facts only grow, so recording one late is recording a later answer.
            settled = self._settle(
                group, number, IDLE, REPLY_OF[slot.bank], source=Source.INQUIRY, asks=asks
            )
            yield settled

    def _look_again(self, group: Group) -> Iterator[Move]:
        for number, slot in enumerate(group.slots, 1):
            if slot.row is Row.CONFIRMED and slot.bank in {Bank.RETURNING, Bank.BACK}:
                yield self._settle(
                    group,
                    number,
                    IDLE,
                    Answer.RETURNED,
                    source=Source.INQUIRY,
                    asks=f"{{w}} asks channel {number} again",
                )

    def _resend(self, group: Group, number: int) -> Iterator[Move]:
        if self.rules.resend_new_reference:
            if len(group.slots) >= self.world.slots_max:
                return
            slots = list(group.slots)
            slots[number - 1] = slots[number - 1]._replace(row=Row.DEAD)
            fresh = Slot(slots[0].profile, Row.ARMED, 1, 0, False, 0, 0, 0, 0, Bank.NOTHING, 0)
            new = len(slots) + 1
            yield Move(
                self._tidy(Group(group.pay, (*slots, fresh))),
                Worker(Step.HOLDS, new, 1),
                WROTE,
                f"{{w}} arms the same instruction again under a new reference ({new}). WRONG RULE",
            )
            return
        view = real.view_of(group, self.world.profiles)
        after = self._put(group, real.resent(view, self._row_number(group, number)))
        again = after.slots[number - 1]
        send = again.sends
        # The first bytes keep their own date: the channel may still take them in.
        after = self._with(after, number, again._replace(elder=group.slots[number - 1].age))
        signs = f"{{w}} signs attempt {number} again, same reference, and commits send {send}"
        yield Move(after, Worker(Step.HOLDS, number, send), WROTE, f"{signs}.")
        yield Move(after, IDLE, WROTE | FAULT, f"{signs}, but is not told so, and sends nothing.")

    def _holding(self, group: Group, worker: Worker) -> Iterator[Move]:
        number, send = worker.slot, worker.send
        waits = Worker(Step.WAITS, number, send)
        what = f"the bytes of attempt {number}, send {send}"
        yield Move(self._posted(group, worker, 1), waits, 0, f"{{w}} sends {what}.")
        if self.world.duplicates:
            yield Move(
                self._posted(group, worker, 2),
                waits,
                FAULT,
                f"{{w}} sends {what}; the network makes two of them.",
            )
        yield Move(
            group,
            Worker(Step.ANSWERED, number, self._kept(send), Answer.NOT_SENT),
            FAULT,
            f"{{w}} wants to send {what} and cannot connect (or finds them too old).",
        )

    def _waiting(self, group: Group, worker: Worker) -> Iterator[Move]:
        number, send = worker.slot, worker.send
        slot = group.slots[number - 1]
        copies = slot.first if send == 1 else slot.second
        arrives = f"Send {send} of attempt {number} arrives at channel {number},"
        if copies:
            yield from self._processed(group, worker, slot, arrives)
        if slot.bank is not Bank.NOTHING:
            yield self._replied(
                group, worker, REPLY_OF[slot.bank], f"Channel {number} answers from its book:"
            )
        elif not self._acceptable(slot, send):
            yield self._replied(group, worker, Answer.REJECTED, f"{arrives} signed too long ago:")
        lost = copies > 0 or slot.bank is not Bank.NOTHING
        yield self._settle(
            group,
            number,
            worker,
            Answer.TIMEOUT,
            flags=FAULT if lost else 0,
            asks=f"{{w}} hears nothing about send {send}",
        )

    def _processed(self, group: Group, worker: Worker, slot: Slot, arrives: str) -> Iterator[Move]:
        number, lag = worker.slot, self.world.lag
        accepted = slot._replace(bank=Bank.ACCEPTED, hidden=lag)
        paid = slot._replace(bank=Bank.PAID, hidden=lag)
        took = self._with(group, number, accepted)
        yield self._replied(took, worker, Answer.PENDING, f"{arrives} is taken in:")
        yield self._replied(
            self._with(group, number, paid), worker, Answer.PAID, f"{arrives} is paid at once:"
        )
        for odd in (Answer.UNSURE, Answer.ODD):
            yield self._settle(
                took, number, worker, odd, flags=FAULT, asks=f"{arrives} is taken in"
            )
        if self.world.false_refusals:
            hidden = self.world.refusal_lag
            yield self._replied(
                self._with(group, number, accepted._replace(hidden=hidden)),
                worker,
                Answer.REFUSED,
                f"{arrives} is taken in, and yet answered:",
                FAULT,
            )
        if slot.bank is not Bank.NOTHING:
            return
        spent = _one_less(slot, worker.send)
        gone = slot._replace(first=0) if worker.send == 1 else slot._replace(second=0)
        refused = self._with(group, number, gone if self.world.reject_binds else spent)
        yield self._replied(refused, worker, Answer.REJECTED, f"{arrives} is not taken in:")
        yield self._replied(refused, worker, Answer.REFUSED, f"{arrives} is not taken in:")
        yield self._replied(
            self._with(group, number, spent._replace(bank=Bank.FAILED, hidden=lag)),
            worker,
            Answer.REJECTED,
            f"{arrives} is booked as failed:",
        )

    def _replied(
        self, group: Group, worker: Worker, answer: Answer, text: str, flags: int = 0
    ) -> Move:
        keeps = Worker(Step.ANSWERED, worker.slot, self._kept(worker.send), answer)
        return Move(group, keeps, flags, f'{text} "{answer}". {{w}} reads the answer.')

    # --- Recording ---

    def _settle(
        self,
        group: Group,
        number: int,
        worker: Worker,
        answer: Answer,
        *,
        source: Source = Source.SEND,
        flags: int = 0,
        asks: str = "{w}",
    ) -> Move:
        slot = group.slots[number - 1]
        said = f'{asks}: "{answer}"' if asks != "{w}" else f'{{w}} records "{answer}"'
        if slot.row is Row.MISSING:
            return Move(group, IDLE, flags, f"{said}; there is no row to record it in.")
        if slot.row in OPEN and self._wrongly_dead(slot, answer, source):
            return self._die(group, number, f"{said}: certified dead.", flags)
        view, row = real.view_of(group, self.world.profiles), self._row_number(group, number)
        if not self.rules.compare_and_set and source is Source.SEND:
            view = _as_sent(view, row, worker.send)
        if answer is Answer.ABSENT and worker.step is Step.UNSEEN:
            view = _as_asked(view, row, max(worker.looked, NEVER))
        lag = self.world.declared_refusal_lag
        after, events = real.settled(view, row, answer, source, lag)
        first_look = after.entries[row - 1].looked
        if NEVER not in {slot.looked, first_look}:
            after = _as_asked(after, row, slot.looked)
        elif worker.looked == BEFORE and first_look != NEVER:
            # A wrong rule only: an absence is dated when it was asked for, which is long ago.
            after = _as_asked(after, row, lag)
            said += ", asked for minutes ago"
        if not events:
            return Move(group, IDLE, flags, f"{said}; nothing new.")
        return Move(
            self._put(group, after), IDLE, flags | WROTE, f"{said}. {_told(number, events)}"
        )

    def _settle_absence(self, group: Group, worker: Worker) -> Move:
        number = worker.slot
        slot = group.slots[number - 1]
        ripe = worker.ripe or (self.rules.absence_dated_when_recorded and self._ripe(slot))
        if ripe and slot.row is Row.IN_DOUBT:
            view, row = real.view_of(group, self.world.profiles), self._row_number(group, number)
            after = self._put(group, real.died(view, row, CertificateKind.ABSENT_AFTER_WINDOW))
            wrong = "" if self.rules == SHIPPED else " WRONG RULE"
            return Move(
                after,
                IDLE,
                WROTE,
                f"{{w}} takes the not-found as proof: attempt {number} dead (C5); the payout is "
                f"free for another channel.{wrong}",
            )
        if self.rules.refusal_needs_one_look and slot.refused and slot.row in OPEN:
            return self._die(group, number, "{w} takes the one not-found for the look.")
        return self._settle(group, number, worker, Answer.ABSENT, source=Source.INQUIRY)

    def _die(self, group: Group, number: int, text: str, flags: int = 0) -> Move:
        """A certificate that only a wrong rule gives."""
        view, row = real.view_of(group, self.world.profiles), self._row_number(group, number)
        after = self._put(group, real.died(view, row, CertificateKind.DEFINITE_REJECT))
        tail = " The payout is free for another channel. WRONG RULE"
        return Move(after, IDLE, flags | WROTE, text + tail)

    def _wrongly_dead(self, slot: Slot, answer: Answer, source: Source) -> bool:
        rules, again = self.rules, slot.sends > 1
        if source is not Source.SEND:
            return False
        match answer:
            case Answer.TIMEOUT:
                return rules.timeout_fails
            case Answer.UNSURE:
                return rules.unsure_fails
            case Answer.ODD:
                return rules.odd_fails
            case Answer.REJECTED:
                return rules.reject_of_resend_fails and again
            case Answer.REFUSED:
                return rules.refusal_fails or (rules.refusal_of_resend_fails and again)
            case Answer.NOT_SENT:
                return rules.never_left_after_resend and again
            case _:
                return False

    def _commit_late(self, group: Group, worker: Worker) -> Iterator[Move]:
        number = worker.slot
        if group.pay is Pay.ROUTING:
            slot = group.slots[number - 1]._replace(row=Row.ARMED)
            after = self._with(Group(Pay.ATTEMPTING, group.slots), number, slot)
            waits = Worker(Step.WAITS, number, 1)
            yield Move(after, waits, WROTE, f"{{w}} now commits the row of attempt {number}.")
        else:
            yield Move(group, IDLE, 0, "{w} cannot commit: the payout has moved on.")

    def _arm_on_belief(self, group: Group) -> Iterator[Move]:
        taken = any(s.row not in {Row.DEAD, Row.MISSING} for s in group.slots)
        if self.rules.compare_and_set or (taken and self.rules.unique_live_index):
            yield Move(group, IDLE, 0, "{w} arms elsewhere: refused by the store.")
            return
        number = len(group.slots) + 1
        if number > self.world.slots_max:
            return
        for index, profile in enumerate(self.world.profiles):
            slot = Slot(index, Row.ARMED, 1, 0, False, 0, 0, 0, 0, Bank.NOTHING, 0)
            yield Move(
                self._tidy(Group(Pay.ATTEMPTING, (*group.slots, slot))),
                Worker(Step.HOLDS, number, 1),
                WROTE,
                f"{{w}} arms attempt {number} at channel {number} ({profile.name}) on what it "
                "believes. WRONG RULE",
            )

    # --- Channels, network, clock ---

    def environment(self, group: Group) -> Iterator[Move]:
        """What happens without any worker."""
        return chain(
            *(self._channel(group, number, slot) for number, slot in enumerate(group.slots, 1)),
            self._tick(group),
        )

    def _channel(self, group: Group, number: int, slot: Slot) -> Iterator[Move]:
        def becomes(bank: Bank, flags: int, text: str, hidden: int = slot.hidden) -> Move:
            after = slot._replace(bank=bank, hidden=hidden)
            return Move(self._with(group, number, after), IDLE, flags, text)

        lag = self.world.lag
        if slot.first or slot.second:
            late = f"A request of attempt {number} arrives at channel {number}"
            yield becomes(Bank.ACCEPTED, FAULT, f"{late} and is taken in; nobody hears of it.", lag)
            if slot.bank is Bank.NOTHING:
                spent = _one_less(slot, 1 if slot.first else 2)
                yield Move(
                    self._with(group, number, spent._replace(bank=Bank.FAILED, hidden=lag)),
                    IDLE,
                    FAULT,
                    f"{late} and is booked as failed; nobody hears of it.",
                )
        if slot.bank is Bank.ACCEPTED:
            yield becomes(Bank.PAID, 0, f"Channel {number} pays attempt {number}.")
            yield becomes(Bank.FAILED, 0, f"Channel {number} books attempt {number} as failed.")
        if slot.bank is Bank.PAID:
            yield becomes(
                Bank.RETURNING, FAULT, f"Channel {number} announces the return of the money."
            )
        if slot.bank is Bank.RETURNING:
            yield becomes(Bank.BACK, 0, f"The money of attempt {number} is back.")

    def _tick(self, group: Group) -> Iterator[Move]:
        lost = self.world.network_bounded
        slots = tuple(
            slot._replace(
                age=slot.age + 1,
                elder=slot.elder + 1,
                hidden=max(slot.hidden - 1, 0),
                looked=slot.looked if slot.looked == NEVER else slot.looked + 1,
                first=0 if lost else slot.first,
                second=0 if lost else slot.second,
            )
            for slot in group.slots
        )
        after = self._tidy(Group(group.pay, slots))
        if after != group:
            yield Move(after, IDLE, 0, "A minute passes.")

    # --- What a state means ---

    def broken(self, group: Group) -> str | None:
        """The first promise this state breaks, if any."""
        moved = [n for n, slot in enumerate(group.slots, 1) if slot.bank in MOVED]
        alive = [s for s in group.slots if s.row not in {Row.DEAD, Row.MISSING}]
        if len(moved) > 1:
            return f"PAID TWICE: attempts {moved} both moved money"
        if len(alive) > 1:
            return None if self.rules != SHIPPED else "two live attempts"
        if group.pay is Pay.FAILED and moved:
            return f"FAILED, although attempt {moved[0]} moved money"
        if group.pay is Pay.PAID and (
            len(moved) != 1 or group.slots[moved[0] - 1].row is not Row.CONFIRMED
        ):
            return "PAID, although the confirmed attempt moved no money"
        if self.rules == SHIPPED and any(
            slot.row is Row.DEAD and slot.bank in MOVED for slot in group.slots
        ):
            return "a certified attempt moved money" if self._promised() else None
        return None

    def _promised(self) -> bool:
        """Whether the outside keeps its promises: then not even one false certificate may be."""
        world = self.world
        return (
            world.reject_binds
            and world.failed_is_final
            and world.window_enforced
            and world.refusal_lag <= world.declared_refusal_lag
            and world.lag <= world.declared_lag
        )

    def _ripe(self, slot: Slot) -> bool:
        profile, lag = self.world.profiles[slot.profile], self.world.declared_lag
        allowed = profile.absence_proves and profile.window is not None
        match self.rules.absence:
            case "shipped" | "statement_anywhere":
                return allowed and slot.age >= self._wait
            case "at_once":
                return True
            case "lease":
                return allowed and slot.age >= LEASE + lag
            case "any_channel":
                return slot.age >= self._wait
            case "since_doubt":
                return slot.age >= lag
            case "no_lag":
                return allowed and slot.age > WINDOW

    def _statement_proves(self, slot: Slot) -> bool:
        """A complete statement is true, but only final once no bytes can be accepted any more."""
        windowed = self.world.profiles[slot.profile].window is not None
        anywhere = self.rules.absence == "statement_anywhere"
        return (
            (windowed or anywhere)
            and slot.row is Row.IN_DOUBT
            and slot.bank is Bank.NOTHING
            and slot.age >= self._wait
        )

    def _acceptable(self, slot: Slot, send: int) -> bool:
        """Whether the channel would still take these bytes in."""
        window = self.world.profiles[slot.profile].window
        if window is None or not self.world.window_enforced:
            return True
        return (slot.age if send == slot.sends else slot.elder) <= window

    # --- Putting states together ---

    def _row_number(self, group: Group, number: int) -> int:
        return sum(slot.row is not Row.MISSING for slot in group.slots[:number])

    def _kept(self, send: int) -> int:
        """Without a guard it matters what the worker believes; with one it is read afresh."""
        return 0 if self.rules.compare_and_set else send

    def _posted(self, group: Group, worker: Worker, copies: int) -> Group:
        slot = group.slots[worker.slot - 1]
        if not self._acceptable(slot, worker.send):
            return group
        if worker.send == 1:
            slot = slot._replace(first=min(slot.first + copies, 2))
        else:
            slot = slot._replace(second=min(slot.second + copies, 2))
        return self._with(group, worker.slot, slot)

    def _with(self, group: Group, number: int, slot: Slot) -> Group:
        slots = (*group.slots[: number - 1], slot, *group.slots[number:])
        return self._tidy(Group(group.pay, slots))

    def _put(self, group: Group, view: real.View) -> Group:
        after = real.merged(group, view)
        if self.rules.absence == "since_doubt":
            slots = tuple(
                new._replace(age=0) if new.row is Row.IN_DOUBT and old.row is Row.ARMED else new
                for old, new in zip(group.slots, after.slots, strict=True)
            )
            after = Group(after.pay, slots)
        return self._tidy(after)

    def _tidy(self, group: Group) -> Group:
        known = self._tidied
        slots: list[Slot] = []
        for slot in group.slots:
            tidied = known.get(slot)
            if tidied is None:
                tidied = known[slot] = self._forgetful(slot)
            slots.append(tidied)
        return Group(group.pay, tuple(slots))

    def _forgetful(self, slot: Slot) -> Slot:
        """Forget what no rule and no channel can tell apart any more (NOTES.md, Reductions)."""
        profile = self.world.profiles[slot.profile]
        closed = slot.row in {Row.DEAD, Row.CONFIRMED, Row.RETURNED}
        spent = slot.bank is not Bank.NOTHING and (
            self.world.failed_is_final or slot.bank is not Bank.FAILED
        )
        dated = profile.window is not None and slot.sends > 1
        slot = slot._replace(
            age=min(slot.age, self._age_cap(profile)),
            elder=min(slot.elder, WINDOW + 1) if dated else 0,
            looked=min(slot.looked, self.world.declared_refusal_lag),
        )
        if spent or not self._acceptable(slot, slot.sends):
            slot = slot._replace(first=0, second=0)
        elif not self._acceptable(slot, 1):
            slot = slot._replace(first=0)
        if closed or not profile.resend:
            slot = slot._replace(absences=0)
        if closed:
            slot = slot._replace(refused=False, hidden=0, looked=NEVER)
            if profile.window is None:
                slot = slot._replace(age=self._age_cap(profile))
        burnt = slot.bank is Bank.FAILED or (
            slot.bank is Bank.NOTHING and not self._acceptable(slot, slot.sends)
        )
        if slot.row is Row.DEAD and burnt and self.world.failed_is_final:
            return BURNT._replace(said=slot.said)
        return slot

    def _age_cap(self, profile: Profile) -> int:
        waits = self.rules.absence in {"any_channel", "statement_anywhere"}
        if profile.window is not None or waits:
            return self._wait
        return max(LEASE, self.world.declared_lag)


def _one_less(slot: Slot, send: int) -> Slot:
    if send == 1:
        return slot._replace(first=slot.first - 1)
    return slot._replace(second=slot.second - 1)


def _as_sent(view: real.View, row: int, send: int) -> real.View:
    """The view a worker without a guard still has: as it was when it sent."""
    entries = list(view.entries)
    entries[row - 1] = entries[row - 1]._replace(
        row=Row.ARMED, sends=send, absences=0, refused=False
    )
    return real.View(Pay.ATTEMPTING, tuple(entries))


def _as_asked(view: real.View, row: int, looked: int) -> real.View:
    """The view with the first look after a refusal as long ago as it was for somebody."""
    entries = list(view.entries)
    entries[row - 1] = entries[row - 1]._replace(looked=looked)
    return real.View(view.pay, tuple(entries))


def _told(number: int, events: tuple[Event, ...]) -> str:
    words: list[str] = []
    for event in events:
        match event:
            case Died(certificate=proof):
                words.append(
                    f"Attempt {number} is certified dead ({proof.kind}); the payout is free for "
                    "another channel."
                )
            case _:
                words.append(f"Attempt {number}: {event.kind.replace('_', ' ')}.")
    return " ".join(words)
