"""Checks the audit log from end to end: rows, leaves, chain, tree, payouts, checkpoints.

Everything is computed again from the rows; what is stored of the log is only compared. Whoever owns
the box can make all of that fit; a checkpoint kept elsewhere he cannot.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.domain.audit import CHAIN_START, Finding, Flaw, Origin, chained
from gateway.domain.checkpoint import Checkpoint, NoteError, Verifier
from gateway.domain.merkle import Compact, Subtree, leaf_hash
from gateway.domain.payout import PayoutId
from gateway.ports import AuditStore, LogLine

PAGE = 1000
FINDINGS_MAX = 1000
"""More say nothing new; the counts go on."""
_NAMED = 5
_STORED_HEIGHTS = 8
"""Heights that are multiples of this are stored."""


@dataclass(slots=True)
class Report:
    """What was looked at, and what is wrong."""

    leaves: int = 0
    payouts: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(
        self, flaw: Flaw, message: str, position: int | None = None, subject: str | None = None
    ) -> None:
        """One more thing that is wrong."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(flaw, message, position, subject))


async def verify(
    store: AuditStore, verifier: Verifier, notes: Mapping[str, str] | None = None
) -> Report:
    """Check it all. `notes` are checkpoints kept elsewhere, by the name to blame them under.

    On a living log: what is committed after the start is not looked at. Raises `StoreError`.
    """
    report = Report()
    promised = await _checkpoints(store, verifier, notes or {}, report)
    await _Walk(store, promised, report).run()
    for source, row, subject in await store.not_logged(FINDINGS_MAX):
        report.add(Flaw.INSERTED, f"{source} row {row} has no leaf", subject=subject)
    await _states(store, report)
    return report


async def _checkpoints(
    store: AuditStore, verifier: Verifier, notes: Mapping[str, str], report: Report
) -> dict[int, list[tuple[str, Checkpoint]]]:
    """Every readable checkpoint, by size, with its name."""
    promised: dict[int, list[tuple[str, Checkpoint]]] = defaultdict(list)

    def take(name: str, note: str) -> None:
        report.checkpoints += 1
        try:
            checkpoint = verifier.opened(note)
        except NoteError as error:
            report.add(Flaw.CHECKPOINT, f"{name}: {error}")
        else:
            promised[checkpoint.size].append((name, checkpoint))

    before = None
    while page := await store.checkpoints(PAGE, before):
        for kept in page:
            take(f"stored checkpoint of {kept.at.isoformat()}", kept.note)
        before = page[-1].at
    for name, note in notes.items():
        take(name, note)
    return promised


class _Walk:
    """Goes over the leaves once, in order."""

    def __init__(
        self,
        store: AuditStore,
        promised: Mapping[int, Sequence[tuple[str, Checkpoint]]],
        report: Report,
    ) -> None:
        self._store = store
        self._promised = promised
        self._report = report
        self._chain = CHAIN_START
        self._tree: Compact | None = Compact()
        """None after a gap: no later root can be computed."""
        self._next = 0
        self._rows = dict.fromkeys(Origin, 0)
        self._agreed = 0
        self._since: list[str] = []
        """What the first leaves after the last checkpoint that held are about."""

    async def run(self) -> None:
        self._compare()
        while page := await self._store.log_lines(self._next, PAGE):
            completed: dict[Subtree, bytes] = {}
            for line in page:
                self._leaf(line)
                completed |= self._grow(line)
                self._compare()
            await self._subtrees(completed)
        for size, given in sorted(self._promised.items()):
            if size > self._next:
                self._truncated(size, given)

    def _leaf(self, line: LogLine) -> None:
        add, at = self._report.add, line.position
        self._report.leaves += 1
        if at != self._next:
            missing = f"leaves {self._next} to {at - 1} are missing"
            add(Flaw.GAP, missing, self._next, line.subject)
            self._tree = None
            self._chain = line.chain
        elif (chain := chained(self._chain, line.hash)) != line.chain:
            add(Flaw.CHAIN, "the chain breaks here", at, line.subject)
            self._chain = line.chain
        else:
            self._chain = chain
        self._next = at + 1
        if line.deed is None:
            add(Flaw.REMOVED, f"{line.source} row {line.row} is gone", at, line.subject)
        elif leaf_hash(line.deed.text.encode()) != line.hash:
            text = f"{line.source} row {line.row}, or the event before it, was changed"
            add(Flaw.EDITED, text, at, line.subject)
        elif line.deed.subject != line.subject:
            add(Flaw.EDITED, "the leaf's subject was changed", at, line.deed.subject)
        if line.row <= self._rows[line.source]:
            text = f"{line.source} row {line.row} stands behind row {self._rows[line.source]}"
            add(Flaw.REORDERED, text, at, line.subject)
        self._rows[line.source] = line.row

    def _grow(self, line: LogLine) -> dict[Subtree, bytes]:
        if len(self._since) < _NAMED:
            self._since.append(line.subject)
        if self._tree is None:
            return {}
        return {
            one: top for one, top in self._tree.append(line.hash) if one[0] % _STORED_HEIGHTS == 0
        }

    def _compare(self) -> None:
        """Hold the log as it is up to here against every checkpoint of this size."""
        if self._tree is None:
            return
        held = False
        for name, checkpoint in self._promised.get(self._next, ()):
            if (checkpoint.root, checkpoint.chain) == (self._tree.root(), self._chain):
                held = True
                continue
            span = f"leaves {self._agreed} to {self._next - 1}"
            self._report.add(
                Flaw.REWRITTEN,
                f"{name} covers {self._next} leaves that are not these: {span} have changed since",
                self._agreed,
                ", ".join(self._since),
            )
        if held:
            self._agreed, self._since = self._next, []

    async def _subtrees(self, completed: Mapping[Subtree, bytes]) -> None:
        for height in {height for height, _ in completed}:
            numbers = [number for level, number in completed if level == height]
            stored = await self._store.log_subtrees(height, min(numbers), max(numbers) + 1)
            for number in numbers:
                if stored.get(number) != completed[height, number]:
                    text = f"subtree {height}/{number} is not what its leaves give"
                    self._report.add(Flaw.TREE, text, number << height)

    def _truncated(self, size: int, given: Iterable[tuple[str, Checkpoint]]) -> None:
        for name, _ in given:
            text = f"{name} covers {size} leaves; there are {self._next}"
            self._report.add(Flaw.TRUNCATED, text, self._next)


async def _states(store: AuditStore, report: Report) -> None:
    for payout_id in await store.payouts_gone(FINDINGS_MAX):
        report.add(Flaw.STATE, "the payout has events and is gone", subject=payout_id)
    before: PayoutId | None = None
    while page := await store.check_states(before, PAGE):
        for check in page:
            report.payouts += 1
            if not check.has_event:
                text = f"no event made version {check.version}"
                report.add(Flaw.STATE, text, subject=check.payout_id)
            elif not check.holds:
                text = f"not what its event {check.version} left behind"
                report.add(Flaw.STATE, text, subject=check.payout_id)
        before = page[-1].payout_id
