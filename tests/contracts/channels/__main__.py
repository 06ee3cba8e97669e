"""Run the suite and print the matrix channel × case, with counts.

`python -m tests.contracts.channels [pytest options]`; exit code 1 when a cell failed.
"""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.contracts.channels.rigs import RIGS
from tests.contracts.channels.suite import SUITE

PASSED, DIFFERS, LACKS, FAILED, NOT_RUN = "passed", "differs", "–", "FAILED", "not run"
Cell = tuple[str, str]


class Verdicts:
    """A plugin that remembers how each cell ended."""

    def __init__(self) -> None:
        self.failed: dict[Cell, bool] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for set-up, call and tear-down alike."""
        for name, value in report.user_properties:
            if name == "cell" and isinstance(value, tuple | list):
                cell = (str(value[0]), str(value[1]))
                self.failed[cell] = self.failed.get(cell, False) or report.failed


def verdict(cell: Cell, failed: Mapping[Cell, bool]) -> str:
    """What to print for one cell."""
    case, rig = SUITE[cell[1]], RIGS[cell[0]]
    if case.lacked_by(rig) is not None:
        return LACKS
    if cell not in failed:
        return NOT_RUN
    if failed[cell]:
        return FAILED
    return DIFFERS if case.differences(rig) else PASSED


def matrix(failed: Mapping[Cell, bool]) -> str:
    """The table, then every difference and every gap in words, then the counts."""
    width = max(map(len, SUITE))
    columns = {kind: max(len(kind), 7) for kind in RIGS}
    lines = ["  ".join(["case".ljust(width), *(k.ljust(w) for k, w in columns.items())])]
    cells = {(kind, case): verdict((kind, case), failed) for case in SUITE for kind in RIGS}
    lines += [
        "  ".join([case.ljust(width), *(cells[k, case].ljust(w) for k, w in columns.items())])
        for case in SUITE
    ]
    for kind, rig in RIGS.items():
        lines += ["", f"{kind}:"]
        for case in SUITE.values():
            if (why := case.lacked_by(rig)) is not None:
                lines.append(f"  {case.id}: not in the protocol: {why}")
            else:
                lines += [f"  {case.id}: differs: {how}" for how in case.differences(rig)]
        if rig.secret_in_headers:
            lines.append(f"  no_secret_sent: headers left out: {rig.secret_in_headers}")
        counts = Counter(cells[kind, case] for case in SUITE)
        lines.append("  " + ", ".join(f"{n} {word}" for word, n in counts.items()))
    return "\n".join(lines)


def main() -> int:
    """Run, print, judge."""
    verdicts = Verdicts()
    code = pytest.main(["-q", str(Path(__file__).parent), *sys.argv[1:]], plugins=[verdicts])
    sys.stdout.write(matrix(verdicts.failed) + "\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
