"""Whether the beneficiary's bank is down, rather than the channels that pay to it.

One sick channel fails at every bank; a bank that is down fails through every channel. Per channel
and bank a CUSUM of channel-caused failures; the bank is down when it runs high at most of the
channels that carried payouts there since the trouble began, two at least, none of them ill with
other banks, and one of them seen well elsewhere meanwhile. Until then, and while it is down, what
the bank explains is not held against the channels: their own state learns the first two failures
of a run, the rest only if they fail elsewhere, too.

Payouts in doubt are evidence against nobody here; payee faults never come this far. Times are
seconds, and an earlier time is taken as no time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

from msgspec import Struct

from policies.health.estimator import Observed


class BankSettings(Struct, frozen=True):
    """Constants of the detector."""

    window_s: float = 900.0
    """What a channel did at a bank longer ago says nothing any more."""
    down_success: float = 0.5
    """The outage hypothesis: at most so much succeeds; milder trouble stays with the segments."""
    first_mean: float = 0.97
    mean_weight: float = 20.0
    mean_half_life: float = 1000.0
    """Observations of a channel at all banks, after which the memory of its usual rate halves."""
    mean_max: float = 0.985
    """No channel is trusted so much that two failures could close a bank."""
    failover_weight: float = 0.5
    """A failure after a failure is weaker evidence: something about the payout may be at fault."""
    failing: float = 4.0
    """A channel's CUSUM from which it counts as failing there: two or three failures in a row."""
    cap: float = 9.0
    """One channel cannot speak louder than this."""
    alarm: float = 14.0
    """Sum over the failing channels: odds of a million to one at once, several thousand to one
    over a run of ordinary days."""
    elsewhere: int = 8
    """A channel is judged by so many of its last answers at other banks, two a bank at most: one
    that was unlucky at a bank is sent there no more, and must not be judged by that for long."""
    blamed: int = 2
    """So many failures of a run are held against the channel before anybody can know better."""
    probe_after_s: float = 30.0
    probe_doublings: int = 4
    back_after: int = 3
    """Successes in a row, of payouts sent since, after which the bank is back."""


@dataclass(slots=True)
class _Cell:
    """One channel at one bank; a wallet rail counts as a bank of its own."""

    seen_at: float = 0.0
    good_at: float | None = None
    cusum: float = 0.0
    failing_since: float = 0.0
    """When the first failure of the present excursion was seen."""
    run: int = 0
    """Answers since the last success, those in doubt included."""
    latest: tuple[tuple[float, bool], ...] = ()
    """When the last two definite answers came, newest first, and whether they were failures."""


@dataclass(slots=True)
class _Down:
    """A bank that is held to be down."""

    since: float
    probe_at: float
    failed_probes: int = 0
    streak: int = 0


@dataclass(slots=True)
class _Usual:
    """How often a channel succeeds in ordinary times."""

    good: float
    bad: float


class Verdict(Struct, frozen=True):
    """Who learns from one outcome."""

    channel: bool
    """The channel's own state: whole and rail."""
    bank: bool
    """The channel's state at this bank: false while the bank itself is down."""
    turned: bool = False
    """The bank has just been found down, or back: what channels learned there is void."""


class BankView(Struct, frozen=True):
    """A bank that is down now; times in seconds."""

    since: float
    probe_at: float
    probing: bool
    """One payout may be sent there now, to see whether it is back."""
    channels: tuple[str, ...]
    """Those that fail there."""


class Banks:
    """Every bank's state; `observe` is cheap unless a run of failures is under way."""

    def __init__(self, settings: BankSettings | None = None) -> None:
        """Begin knowing nothing."""
        self._set = settings if settings is not None else BankSettings()
        self._cells: dict[str, dict[str, _Cell]] = {}
        """By channel, then by bank (or rail)."""
        self._usual: dict[str, _Usual] = {}
        self._down: dict[str, _Down] = {}
        self._back_at: dict[str, float] = {}
        self._streaks: dict[str, tuple[int, float]] = {}
        """By bank: successes in a row through any channel, and when the first of them was sent."""

    # --- reading ---------------------------------------------------------------------------

    def view(self, bank: str, at: float) -> BankView | None:
        """The bank if it is down."""
        down = self._down.get(bank)
        if down is None:
            return None
        failing = sorted(
            name for name, there in self._cells.items() if bank in there and there[bank].run
        )
        # A clock that was set back must not make a probe wait longer than any probe ever does.
        longest = self._set.probe_after_s * 2**self._set.probe_doublings
        probing = not 0 < down.probe_at - at <= longest
        return BankView(down.since, down.probe_at, probing, tuple(failing))

    def down(self, at: float) -> dict[str, BankView]:
        """Every bank that is down, by name."""
        found = {bank: self.view(bank, at) for bank in sorted(self._down)}
        return {bank: view for bank, view in found.items() if view is not None}

    def well_since(self, bank: str) -> float | None:
        """When the first of the last successes in a row was sent, once they are enough to say that
        the bank is well; None otherwise."""
        count, since = self._streaks.get(bank, (0, 0.0))
        return since if bank not in self._down and count >= self._set.back_after else None

    # --- learning --------------------------------------------------------------------------

    def started(self, bank: str, at: float) -> None:
        """A payout was sent to the bank: while it is down, this is its probe."""
        down = self._down.get(bank)
        if down is not None:
            down.probe_at = at + self._set.probe_after_s * 2**down.failed_probes

    def observe(
        self,
        channel: str,
        bank: str | None,
        place: str,
        outcome: Observed,
        at: float,
        sent_at: float,
        *,
        again: bool = False,
    ) -> Verdict:
        """Learn one outcome that the channel caused, and say who else is to learn it.

        `place` is where it happened: the bank's name, or the rail where no known bank is involved.
        `again`: the payout had failed elsewhere before.
        """
        if bank is not None and outcome != "success" and sent_at < self._back_at.get(bank, sent_at):
            # Sent while the bank was down: old news about the bank, and none about the channel.
            return Verdict(channel=False, bank=False)
        cell = self._cell(channel, place, at)
        cell.seen_at = max(cell.seen_at, at)
        if bank is None:
            self._test(channel, cell, outcome, at, again=again)
            return Verdict(channel=True, bank=True)
        self._count(bank, outcome, sent_at)
        if bank in self._down:
            cell.run = 0 if outcome == "success" else cell.run + 1
            back = self._learn_probe(bank, outcome, at, sent_at)
            return Verdict(channel=outcome == "success", bank=back, turned=back)
        self._test(channel, cell, outcome, at, again=again)
        if outcome == "success":
            return Verdict(channel=True, bank=True)
        if outcome == "failure" and self._is_down(bank, at):
            self._down[bank] = _Down(at, at + self._set.probe_after_s)
            return Verdict(channel=False, bank=False, turned=True)
        explained = cell.run > self._set.blamed and self._is_banks_fault(channel, bank, at)
        return Verdict(channel=not explained, bank=True)

    def forgive(self, bank: str, at: float) -> bool:
        """Somebody knows that the bank is well: forget what was held against it."""
        if self._down.pop(bank, None) is None:
            return False
        self._forget(bank, at)
        return True

    def adopt(self, bank: str, at: float) -> None:
        """It was found down before this process began: go on from there, with a probe at once."""
        self._down.setdefault(bank, _Down(at, at))

    def _count(self, bank: str, outcome: Observed, sent_at: float) -> None:
        count, since = self._streaks.get(bank, (0, 0.0))
        if outcome == "success":
            self._streaks[bank] = (count + 1, min(since, sent_at) if count else sent_at)
        elif count:
            del self._streaks[bank]

    def _test(
        self, channel: str, cell: _Cell, outcome: Observed, at: float, *, again: bool
    ) -> None:
        """Move the cell's CUSUM and the channel's usual rate one observation on."""
        if outcome == "unknown":
            cell.run += 1
            return
        usual = self._usual.get(channel)
        if usual is None:
            first, weight = self._set.first_mean, self._set.mean_weight
            usual = self._usual[channel] = _Usual(first * weight, (1.0 - first) * weight)
        mean = min(max(usual.good / (usual.good + usual.bad), 0.5), self._set.mean_max)
        keep: float = 0.5 ** (1.0 / self._set.mean_half_life)
        usual.good = usual.good * keep + (outcome == "success")
        usual.bad = usual.bad * keep + (outcome == "failure")
        wrong = 1.0 - self._set.down_success
        cell.latest = ((at, outcome == "failure"), *cell.latest[:1])
        if outcome == "success":
            cell.run = 0
            cell.good_at = at
            cell.cusum = max(0.0, cell.cusum + min(0.0, log(self._set.down_success / mean)))
            return
        cell.run += 1
        if cell.cusum == 0.0:
            cell.failing_since = at
        weight = self._set.failover_weight if again else 1.0
        step = weight * max(0.0, log(wrong / (1.0 - mean)))
        cell.cusum = min(self._set.cap, cell.cusum + step)

    def _learn_probe(self, bank: str, outcome: Observed, at: float, sent_at: float) -> bool:
        """Count the answer of a payout that was sent to a bank that is down; True: it is back."""
        down = self._down[bank]
        if sent_at < down.since:
            return False
        if outcome != "success":
            down.streak = 0
            down.failed_probes = min(down.failed_probes + 1, self._set.probe_doublings)
            down.probe_at = at + self._set.probe_after_s * 2**down.failed_probes
            return False
        down.streak += 1
        down.failed_probes = 0
        down.probe_at = at
        if down.streak < self._set.back_after:
            return False
        del self._down[bank]
        self._forget(bank, at)
        return True

    def _forget(self, bank: str, at: float) -> None:
        """Late failures of payouts sent before now say nothing about the bank from now on."""
        self._back_at[bank] = at
        for there in self._cells.values():
            there.pop(bank, None)

    # --- judging ---------------------------------------------------------------------------

    def _is_down(self, bank: str, at: float) -> bool:
        """Whether the bank, and not each channel by itself, explains what fails there."""
        there = [
            (name, cell)
            for name, cell in self._at(bank, at)
            if not self._is_ill_elsewhere(name, bank, at)
        ]
        failing = [(name, cell) for name, cell in there if cell.cusum >= self._set.failing]
        if len(failing) < 2 or sum(cell.cusum for _, cell in failing) < self._set.alarm:
            return False
        began = min(cell.failing_since for _, cell in failing)
        carrying = sum(cell.seen_at >= began for _, cell in there)
        if 2 * len(failing) <= carrying:
            return False
        # Somebody who fails here must have been seen well elsewhere meanwhile: else it may be us.
        return any(
            cell.good_at is not None and cell.good_at >= began
            for name, _ in failing
            for place, cell in self._cells[name].items()
            if place != bank
        )

    def _at(self, bank: str, at: float) -> Iterator[tuple[str, _Cell]]:
        for name, there in self._cells.items():
            cell = there.get(bank)
            if cell is not None and at - cell.seen_at <= self._set.window_s:
                yield name, cell

    def _elsewhere(self, channel: str, bank: str, at: float) -> tuple[int, int]:
        """Of the channel's last answers at other places, how many there are, and were failures."""
        answers = [
            answer
            for place, cell in self._cells[channel].items()
            if place != bank and place not in self._down
            for answer in cell.latest
            if at - answer[0] <= self._set.window_s
        ]
        answers.sort(reverse=True)
        del answers[self._set.elsewhere :]
        return len(answers), sum(failed for _, failed in answers)

    def _is_ill_elsewhere(self, channel: str, bank: str, at: float) -> bool:
        known, bad = self._elsewhere(channel, bank, at)
        # One or two failures are chance, unless they are all that is known.
        return 0 < known == bad or (bad > 2 and 2 * bad > known)

    def _is_banks_fault(self, channel: str, bank: str, at: float) -> bool:
        """Whether a run of failures here is more likely the bank's fault than the channel's.

        It is when the channel is well elsewhere, or not clearly ill there while another fails here.
        """
        known, bad = self._elsewhere(channel, bank, at)
        if known and 3 * bad <= known:
            return True
        return not self._is_ill_elsewhere(channel, bank, at) and any(
            name != channel
            and cell.cusum >= self._set.failing
            and not self._is_ill_elsewhere(name, bank, at)
            for name, cell in self._at(bank, at)
        )

    def _cell(self, channel: str, place: str, at: float) -> _Cell:
        there = self._cells.setdefault(channel, {})
        cell = there.get(place)
        if cell is None or at - cell.seen_at > self._set.window_s:
            cell = there[place] = _Cell(seen_at=at)
        return cell
