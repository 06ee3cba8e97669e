"""The table of `tests/proof/README.md`: what was proven, how often, against which faults, where.

`make prove` keeps its figures in `results.json` and writes the table between the markers; a test
compares the two. The matrix below is the fault model's own (points P1-P20, faults F1-F17): a cell
that it asks for is covered by a layer whose figures are there, or by tests named here, or is open
with a reason.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

HERE = Path(__file__).parent
README = HERE / "README.md"
RESULTS = HERE / "results.json"
BEGIN, END = "<!-- proof: begin -->", "<!-- proof: end -->"

Cell = tuple[int, int]


@dataclass(slots=True)
class Row:
    """What one layer did."""

    layer: str
    what: str
    counts: dict[str, int] = field(default_factory=dict)
    """How many, by the name of what is counted."""
    faults: dict[str, int] = field(default_factory=dict)
    """Faults injected, by kind."""
    broken: dict[str, int] = field(default_factory=dict)
    """Promises broken, by kind; empty is what is wanted."""
    controls: int = 0
    """Products broken on purpose …"""
    caught: int = 0
    """… and how many of them were found out."""
    points: dict[str, int] = field(default_factory=dict)
    """Deaths by name of the boundary (L3)."""
    mutants: list[list[str]] = field(default_factory=list)
    """Seeded bugs: name, rule that is broken, layer that found it, at which seed (L7)."""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing is broken, and every control was found out."""
        return not any(self.broken.values()) and self.caught == self.controls


POINTS: Mapping[int, str] = {
    1: "before the commit of an acceptance",
    2: "that commit's outcome unknown",
    3: "committed, reply lost",
    4: "claimed",
    5: "routed and signed",
    6: "commit of ARMED unknown",
    7: "armed, no byte sent",
    8: "part of the request sent",
    9: "all of it sent",
    10: "channel has done it, answer lost or odd",
    11: "answer read, its commit open",
    12: "same reference sent again",
    13: "certificate committed, next attempt not",
    14: "next attempt armed while the old worker wakes",
    15: "late success on a dead attempt",
    16: "return after paid",
    17: "webhook owed, sent, not marked",
    18: "lease expires in a call",
    19: "checkpoint, backup, restore",
    20: "upgrade",
}

FAULTS: Mapping[int, str] = {
    1: "kill -9",
    2: "power cut",
    3: "process stopped",
    4: "wrong clock",
    5: "commit unknown",
    6: "PostgreSQL failover",
    7: "Redis lost",
    8: "network",
    9: "channel lies",
    10: "disk full, I/O error",
    11: "notice forged, replayed, early",
    12: "two workers",
    13: "task cancelled",
    14: "one key, many callers",
    15: "memory, descriptors",
    16: "keys or policy change",
    17: "mixed versions",
}

REQUIRED: Mapping[int, tuple[int, ...]] = {
    1: (1, 2, 5, 6, 10, 13, 14),
    2: (1, 2, 5, 6, 10, 13, 14),
    3: (1, 2, 6, 8, 14),
    4: (1, 3, 7, 12, 16),
    5: (1, 3, 7, 12, 16),
    6: (5, 6, 10),
    7: (1, 2, 3, 8, 12, 13),
    8: (1, 2, 3, 8, 12, 13),
    9: (1, 2, 3, 8, 12, 13),
    10: (8, 9),
    11: (1, 2, 5, 13),
    12: (3, 8, 9),
    13: (1, 2, 12, 16),
    14: (3, 4, 12),
    15: (9, 11),
    16: (9, 11),
    17: (1, 2, 8),
    18: (3, 10, 17),
    19: (3, 10, 17),
    20: (3, 10, 17),
}
"""reliability.md §5, third column: where a fault can do harm."""

ELSEWHERE: Mapping[int, str] = {
    1: "points 2, 6, 10, 12, 14-16, 18-20 are the neighbours of the points where it is asked for; "
    "L3 dies there as well where one process has them",
    2: "nothing is on its way to the disk at the other points",
    3: "a stop harms only who holds something: a claim, a call, a wake-up",
    4: "time decides only how long a signature lives and when a worker may take over",
    5: "only where a commit is asked for",
    6: "only what was acknowledged just before can be lost",
    7: "Redis is asked only when work is claimed and routed",
    8: "only where bytes are under way",
    9: "only where a channel says something",
    10: "only where something is written",
    11: "a notice only makes the gateway ask, so it meets only what is over",
    12: "only where two may hold one payout",
    13: "only where a request or a worker's task awaits",
    14: "a key is used at the door only",
    15: "no point of its own in the fault model; bounds of bodies, replies, lines and queues are "
    "held by tests/channels/test_transport.py and tests/gateway/api/test_bad_input.py",
    16: "only between a decision and its next step",
    17: "only where two programs share a schema",
}
"""Why a fault is not asked for at the remaining points."""


def _cells(points: Iterable[int], faults: Iterable[int]) -> frozenset[Cell]:
    return frozenset((point, fault) for point in points for fault in faults)


Met = tuple[tuple[str, ...], frozenset[Cell]]
NET = ("request_lost", "request_late", "request_twice", "reset_before", "reset_after", "reply_lost")
LIES = ("paid_502", "paid_system_error", "garbage", "unknown_code", "wrong_echo", "not_found")

COVERS: Mapping[str, tuple[Met, ...]] = {
    "L0": (
        (
            (),
            _cells((4, 5, 7, 8, 9, 13, 14), (1, 3, 12))
            | _cells((6, 11), (1, 5))
            | _cells((10, 12), (3, 8, 9))
            | _cells((14, 18), (3, 12))
            | _cells((15,), (9,)),
        ),
    ),
    "L1": (
        (
            (),
            _cells((1, 2, 3), (14,))
            | _cells((4, 5, 7, 11, 13, 14), (12,))
            | _cells((14,), (3,))
            | _cells((15, 16), (9,)),
        ),
    ),
    "L2": (
        (("crash",), _cells((1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 17), (1,))),
        (("pause",), _cells((4, 5, 7, 8, 9, 12, 14, 18), (3,))),
        (("clock_skew", "clock_step"), _cells((14,), (4,))),
        (
            ("commit_done_unknown", "commit_undone_unknown", "commit_late_unknown"),
            _cells((1, 2, 6, 11), (5,)),
        ),
        (("disk_full",), _cells((1, 2, 6, 11), (10,))),
        (NET, _cells((3, 7, 8, 9, 10, 12, 17), (8,))),
        (LIES, _cells((10, 12), (9,))),
        (("lie_rejected", "lie_failed"), _cells((15,), (9,))),
        (("return_late",), _cells((16,), (9,))),
        (("notice_forged", "notice_twice", "notice_late"), _cells((15, 16), (11,))),
        ((), _cells((4, 5, 7, 8, 9, 13, 14), (12,))),
        (("same_key", "other_body"), _cells((1, 2, 3), (14,))),
    ),
    "L4": ((("power cut",), _cells((1, 2, 3, 5, 7, 8, 9, 11, 13, 17, 19), (2,))),),
    "L5": (
        (("gateway killed",), _cells((1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 17), (1,))),
        (("gateway stopped",), _cells((4, 5, 7, 8, 9, 12, 14, 18), (3,))),
        (
            (
                "database partitioned from a gateway",
                "all sessions ended by the server",
                "primary lost, standby promoted",
            ),
            _cells((1, 2, 6, 11), (5,)),
        ),
        (("primary lost, standby promoted",), _cells((1, 2, 3, 6), (6,))),
        (
            (
                "Redis flushed or poisoned",
                "Redis lost",
                "Redis partitioned from a gateway",
            ),
            _cells((4, 5), (7,)),
        ),
        (("institution's network bad",), _cells((7, 8, 9, 10, 12), (8,))),
        (("institution resets or errs",), _cells((10, 12), (8,)) | _cells((10,), (9,))),
        ((), _cells((4, 5, 7, 8, 9, 13, 14), (12,))),
    ),
    "L6": (((), _cells((10, 12, 15, 16), (9,)) | _cells((15, 16), (11,))),),
}
"""What each layer hits, if one of these faults was counted; without any, when it ran at all. L3 is
not here: its cells follow from where it died."""

DIED: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"accept(\+armed)?: (before|written)", (1,)),
    (r"accept(\+armed)?: (committed|acknowledged)|reply: ", (3,)),
    (r"accept(\+armed)?: (written|committed)", (2,)),
    (r"recovery: ", (4,)),
    (r"prepare: ", (5,)),
    (r"(record |accept\+)armed: (before|written)", (5,)),
    (r"(record |accept\+)armed: (committed|acknowledged)|send: before|request: no byte", (7,)),
    (r"request: half", (8,)),
    (r"institution: has the request", (9,)),
    (r"institution: (did it|half)", (10,)),
    (r"send: understood|inquire: understood|record (paid|pending|in_doubt|attempt_dead)", (11,)),
    (r"record resent", (12,)),
    (r"record attempt_dead: (committed|acknowledged)", (13,)),
    (r"record contradicted", (15,)),
    (r"record returned|record paid\+returned", (16,)),
    (r"webhook: |merchant: |delivered: |delivery_failed: ", (17,)),
    (r"sequence: |keep_checkpoint: |mark: |note: |\w+_quarantine: |mark_rebuilt: ", (19,)),
    (r"migration: ", (20,)),
)
"""Which point of the fault model a boundary of L3 stands for."""

TESTS: Mapping[Cell, str] = {
    **dict.fromkeys(_cells((1, 2), (10,)), "gateway/store/test_sqlite, e2e/test_processes"),
    (6, 10): "gateway/store/test_sqlite",
    **dict.fromkeys(_cells((5, 7, 8, 9, 11), (13,)), "gateway/engine/test_dispatch"),
    **dict.fromkeys(_cells((1, 2), (13,)), "contracts/store/test_accept"),
    **dict.fromkeys(_cells((3, 7, 8, 9, 10), (8,)), "channels/test_transport"),
    (17, 8): "gateway/engine/test_deliver",
    **dict.fromkeys(_cells((2, 6, 11), (5,)), "gateway/store/test_postgres"),
    **dict.fromkeys(_cells((1,), (5,)), "gateway/store/test_postgres"),
    **dict.fromkeys(_cells((4, 5, 7, 14), (12,)), "gateway/store/test_member"),
    (4, 3): "e2e/test_fleet",
    **dict.fromkeys(_cells((14, 18), (3,)), "e2e/test_fleet, gateway/store/test_member"),
    (7, 3): "gateway/engine/test_replicas",
    **dict.fromkeys(
        _cells((4, 5), (7,)), "gateway/health/test_payouts, gateway/health/test_limits"
    ),
    (18, 17): "e2e/test_fleet",
    (20, 17): "e2e/test_fleet, gateway/store/test_schema",
}
"""Cells that ordinary tests hold, by file under tests/."""

SERVERS = "needs a primary that is lost to its standby: L5"
SEVERAL = "needs several workers: L2 or L5"

OPEN: Mapping[Cell, str] = {
    **dict.fromkeys(_cells((1, 2, 3, 6), (6,)), SERVERS),
    **dict.fromkeys(_cells((4, 5, 7, 8, 9, 12, 14, 18), (3,)), SEVERAL),
    **dict.fromkeys(_cells((4, 5), (7,)), "needs a Redis to lose: L5"),
    **dict.fromkeys(_cells((7, 8, 9, 13, 14), (12,)), SEVERAL),
    **dict.fromkeys(_cells((4, 5), (12,)), SEVERAL),
    (14, 4): "needs several clocks: L2",
    **dict.fromkeys(
        _cells((4, 5, 13), (16,)),
        "keys are read at the start only; a change is a restart, which L3 does at every boundary. "
        "A policy says where a payout is tried, never whether: the guards are the same under any",
    ),
    **dict.fromkeys(_cells((15, 16), (11,)), "needs L2 or L6"),
    (
        18,
        10,
    ): "a lease is a row and a lock of PostgreSQL: its disk's trouble is a commit that fails "
    "or is unknown there (F5), and no disk of ours has part in it",
    **dict.fromkeys(
        _cells((19, 20), (3,)),
        "backup, restore and upgrade run in one process that holds the store's lock: while it is "
        "stopped nobody else begins, so a stop only delays; death there is L3's",
    ),
    **dict.fromkeys(
        _cells((19, 20), (10,)),
        "not tried: a full disk there is a failed write like any other, after which nothing is "
        "sent; L3 and L4 cut both off at their boundaries instead",
    ),
    (19, 17): "not tried: a restored file is opened like any other, so a schema that the program "
    "does not know is refused at the start (gateway/store/test_schema)",
}
"""Cells that no layer here and no single test holds, and who does or why not."""

BUGS = "### Bugs found in our own code"
"""Under this heading of a layer's NOTES.md: a table of where, and what it was."""

ORDER = ("L0", "L1", "L2", "L3", "L4", "L5", "L6", "L7")


def keep(rows: Iterable[Row]) -> None:
    """Keep the figures of a run, and write the tables that they make."""
    document = {"layers": [_plain(row) for row in rows]}
    RESULTS.write_bytes(
        orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )
    README.write_text(page(README.read_text(encoding="utf-8"), document), encoding="utf-8")


def kept() -> Mapping[str, Any]:
    """The figures of the last run."""
    if not RESULTS.exists():
        return {"layers": []}
    document: Mapping[str, Any] = orjson.loads(RESULTS.read_bytes())
    return document


def merged(rows: Iterable[Row]) -> list[Row]:
    """The kept rows, these in the place of their elders."""
    found = {one["layer"]: Row(**one) for one in kept()["layers"]}
    found |= {row.layer: row for row in rows}
    return [found[layer] for layer in ORDER if layer in found]


def totals(rows: Iterable[Row]) -> dict[str, int]:
    """The last line's figures."""
    known = list(rows)

    def broken(kind: str) -> int:
        return sum(row.broken.get(kind, 0) for row in known)

    def count(layer: str, name: str) -> int:
        return sum(row.counts.get(name, 0) for row in known if row.layer == layer)

    return {
        "seeds": count("L2", "seeds"),
        "steps": count("L1", "steps") + count("L2", "steps"),
        "faults": sum(sum(row.faults.values()) for row in known),
        "crash_points": count("L3", "crash points"),
        "power_cuts": count("L4", "power cuts"),
        "double": broken("double"),
        "lost": broken("lost"),
        "stuck": broken("stuck"),
        "wrong_rules": sum(row.controls for row in known),
        "wrong_rules_caught": sum(row.caught for row in known),
        "mutants": count("L7", "mutants"),
        "mutants_found": count("L7", "found"),
        "seeds_per_hour": count("L2", "seeds an hour"),
    }


def bugs() -> list[str]:
    """One line for every bug of our own that the proofs found, from the layers' notes."""
    found = []
    for notes in sorted(HERE.glob("*/NOTES.md")):
        _, _, rest = notes.read_text(encoding="utf-8").partition(f"{BUGS}\n")
        table = rest.partition("\n#")[0]
        rows = [line.strip().strip("|").split("|") for line in table.splitlines() if "|" in line]
        found += [
            f"{notes.parent.name}, {where.strip()}: {'|'.join(what).strip()}"
            for where, *what in rows[2:]
        ]
    return found


def page(text: str, document: Mapping[str, Any]) -> str:
    """The page with the table that these figures make."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{render(document)}\n\n{END}{after}"


def render(document: Mapping[str, Any]) -> str:
    """Everything between the markers."""
    rows = sorted((Row(**one) for one in document["layers"]), key=lambda r: ORDER.index(r.layer))
    sums = totals(rows)
    parts = [
        "### Layers",
        _layers(rows),
        f"Paid twice: {sums['double']}. Lost: {sums['lost']}. Silently stuck: {sums['stuck']}. "
        f"Negative controls: {sums['wrong_rules_caught']} of {sums['wrong_rules']} found out. "
        f"Seeded bugs: {sums['mutants_found']} of {sums['mutants']} found. Simulated seeds an "
        f"hour: {sums['seeds_per_hour']:,}.",
        "### Faults injected",
        _faults(rows),
        "### Where each fault was met",
        _matrix(rows),
        _reasons(rows),
        *_mutants(rows),
        "### Bugs of our own that the proofs found",
        "\n".join(f"- {one}" for one in bugs()),
    ]
    return "\n\n".join(parts)


def covered(rows: Iterable[Row]) -> dict[Cell, list[str]]:
    """Which layers, and which tests, hold each cell."""
    found: dict[Cell, list[str]] = {}
    for row in rows:
        cells = set(_died(row.points))
        for kinds, met in COVERS.get(row.layer, ()):
            if not kinds or any(row.faults.get(kind) for kind in kinds):
                cells |= met
        for cell in cells:
            found.setdefault(cell, []).append(row.layer)
    for cell in TESTS:
        found.setdefault(cell, []).append("T")
    return found


def _died(points: Mapping[str, int]) -> frozenset[Cell]:
    return frozenset(
        (point, 1)
        for name, count in points.items()
        if count
        for pattern, stands_for in DIED
        if re.match(pattern, name)
        for point in stands_for
    )


def _plain(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Row.__slots__}


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(head)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _layers(rows: Iterable[Row]) -> str:
    return _table(
        ("layer", "what it covers", "how many", "broken", "controls found out", "seconds"),
        (
            (
                row.layer,
                row.what,
                ", ".join(f"{count:,} {name}" for name, count in row.counts.items()),
                ", ".join(f"{n} {name}" for name, n in row.broken.items() if n) or "0",
                f"{row.caught} of {row.controls}",
                f"{row.seconds:,.0f}",
            )
            for row in rows
        ),
    )


def _faults(rows: Iterable[Row]) -> str:
    return _table(
        ("layer", "kind", "how many"),
        (
            (row.layer, kind, f"{count:,}")
            for row in rows
            for kind, count in sorted(row.faults.items(), key=lambda item: -item[1])
            if count
        ),
    )


def _mutants(rows: Iterable[Row]) -> list[str]:
    planted = [one for row in rows for one in row.mutants]
    if not planted:
        return []
    head = ("bug", "rule it breaks", "found by", "at seed")
    return ["### Seeded bugs", _table(head, planted)]


def _matrix(rows: Iterable[Row]) -> str:
    found = covered(list(rows))
    lines = []
    for point, says in POINTS.items():
        cells = [f"P{point} {says}"]
        for fault in FAULTS:
            layers = found.get((point, fault), [])
            if fault in REQUIRED[point]:
                cells.append(" ".join(layers) or "open")
            else:
                cells.append(f"({' '.join(layers)})" if layers else "·")
        lines.append(cells)
    return _table(("point", *(f"F{number}" for number in FAULTS)), lines)


def _reasons(rows: Iterable[Row]) -> str:
    found = covered(list(rows))
    why: dict[str, list[str]] = {}
    for point, faults in REQUIRED.items():
        for fault in faults:
            if (point, fault) not in found:
                reason = OPEN.get((point, fault), "no reason is known: a gap")
                why.setdefault(reason, []).append(f"P{point}×F{fault}")
    legend = [
        "In brackets: not asked for by the fault model, met all the same. `T`: held by ordinary "
        "tests, named below. `·`: not asked for there, because:",
        "",
        *(f"- F{number} {FAULTS[number]}: {reason}." for number, reason in ELSEWHERE.items()),
        "",
        *(f"- open {', '.join(cells)}: {reason}." for reason, cells in why.items()),
        "",
        *_tests(),
    ]
    return "\n".join(legend).strip()


def _tests() -> list[str]:
    by_file: dict[str, list[str]] = {}
    for (point, fault), files in sorted(TESTS.items()):
        by_file.setdefault(files, []).append(f"P{point}×F{fault}")
    return [f"- T {', '.join(cells)}: {files}." for files, cells in by_file.items()]


def gaps(rows: Iterable[Row]) -> list[Cell]:
    """Cells that the fault model asks for, that nobody holds, and that have no reason either."""
    found = covered(rows)
    return [
        (point, fault)
        for point, faults in REQUIRED.items()
        for fault in faults
        if (point, fault) not in found and (point, fault) not in OPEN
    ]
