"""Run the suite and print the matrix channel × case, with counts.

`python -m tests.contracts.channels [pytest options]`; exit code 1 when a cell failed.
"""

import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.contracts.channels.rigs import RIGS
from tests.contracts.channels.suite import SUITE

PASSED, DIFFERS, LACKS, FAILED, NOT_RUN = (
    "passed",
    "differs",
    "not in the protocol",
    "FAILED",
    "not run",
)
WAIVED = "waived"
Cell = tuple[str, str]


class Verdicts:
    """A plugin that remembers how each cell ended."""

    def __init__(self) -> None:
        self.failed: dict[Cell, bool] = {}
        self.waived: dict[Cell, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for set-up, call and tear-down alike."""
        known = dict(report.user_properties)
        given = known.get("cell")
        if isinstance(given, tuple):
            cell = (str(given[0]), str(given[1]))
            self.failed[cell] = self.failed.get(cell, False) or report.failed
            if known.get("waived"):
                self.waived[cell] = str(known["waived"])

    def verdict(self, cell: Cell) -> str:
        """What to print for one cell."""
        case, rig = SUITE[cell[1]], RIGS[cell[0]]
        if case.lacked_by(rig) is not None:
            return LACKS
        if cell not in self.failed:
            return NOT_RUN
        if self.failed[cell]:
            return FAILED
        if cell in self.waived:
            return WAIVED
        return DIFFERS if case.differences(rig) else PASSED


def matrix(verdicts: Verdicts) -> str:
    """The table, then every difference and every gap in words, then the counts."""
    width = max(map(len, SUITE))
    columns = {kind: max(len(kind), 7) for kind in RIGS}
    lines = ["  ".join(["case".ljust(width), *(k.ljust(w) for k, w in columns.items())])]
    cells = {(kind, case): verdicts.verdict((kind, case)) for case in SUITE for kind in RIGS}
    lines += [
        "  ".join(
            [case.ljust(width), *(_short(cells[k, case]).ljust(w) for k, w in columns.items())]
        )
        for case in SUITE
    ]
    for kind, rig in RIGS.items():
        lines += ["", f"{kind}:"]
        for case in SUITE.values():
            if (why := case.lacked_by(rig)) is not None:
                lines.append(f"  {case.id}: not in the protocol: {why}")
                continue
            lines += [f"  {case.id}: differs: {how}" for how in case.differences(rig)]
            if waived := verdicts.waived.get((kind, case.id)):
                lines.append(f"  {case.id}: waived: {waived}")
        if rig.secret_in_headers:
            lines.append(f"  no_secret_sent: headers left out: {rig.secret_in_headers}")
        lines.append("  " + _listed(Counter(cells[kind, case] for case in SUITE)))
    total = Counter(cells.values())
    lines += ["", f"{len(RIGS)} entries × {len(SUITE)} cases: " + _listed(total)]
    return "\n".join(lines)


def _short(word: str) -> str:
    return "–" if word == LACKS else word


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {word}" for word, n in counts.items())


def main() -> int:
    """Run, print, judge."""
    verdicts = Verdicts()
    code = pytest.main(["-q", str(Path(__file__).parent), *sys.argv[1:]], plugins=[verdicts])
    sys.stdout.write(matrix(verdicts) + "\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
