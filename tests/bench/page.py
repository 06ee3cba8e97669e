"""The tables of this folder's README.md, made of results.json; and the same on a terminal."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
README: Final = HERE / "README.md"
RESULTS: Final = HERE / "results.json"
CHANGES: Final = HERE / "changes"
"""What was measured before and after a change for speed: a file of rows for each subject."""
BEFORE: Final = HERE / "before.json"
"""The profile of the program before one commit accepted and armed, on an idle machine."""
NOT_SIDE_BY_SIDE: Final = (
    "Before one commit accepted and armed, that is, and once, on whichever machine there was: "
    "compare shares rather than microseconds."
)
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

BARS: Final[Mapping[str, tuple[str, str, float]]] = {
    "accept_ratio": ("durable intake, of floor (a)'s rate", "≥", 0.25),
    "e2e_ratio": ("whole payouts, of floor (b)'s rate", "≥", 0.60),
    "decision_us": ("a decision, 8 channels × 20 rules, µs", "≤", 100),
    "p99_added_ms": ("added at half load, p99, ms", "≤", 10),
    "rss_mb": ("resident memory, MB", "≤", 150),
    "growth_mb": ("growth over the payouts below, MB", "<", 5),
    "ready_s": ("exec to ready, s", "<", 1),
    "recovery_s": ("kill -9 to ready, s", "≤", 2),
    "acked_lost": ("acknowledged and lost", "≤", 0),
}
"""What is asked for (design, "Numbers to reach")."""
BUSY: Final = 1.0
"""Load before a run from which on its figures are not the machine's."""
MORE: Final[Mapping[str, str]] = {
    "accept_rps": "payouts taken in a second",
    "e2e_rps": "payouts a second, request to webhook",
    "accept_cpu_ratio": "intake, of floor (a), by CPU time",
    "e2e_cpu_ratio": "whole payouts, of floor (b), by CPU time",
    "accept_instructions_ratio": "intake, of floor (a), by instructions",
    "e2e_instructions_ratio": "whole payouts, of floor (b), by instructions",
    "workers_gain": "two workers beside one",
}

Found = Mapping[str, Mapping[str, Any]]
"""By part."""
Rows = Sequence[Sequence[object]]


def kept() -> dict[str, Any]:
    """What the last run that kept its figures found."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def keep(machine: Mapping[str, Any], found: Found) -> None:
    """Put these parts into results.json, and its tables into README.md."""
    before = kept()["parts"] if RESULTS.exists() else {}
    told = {part: {**one, "machine": dict(machine)} for part, one in found.items()}
    results = {"parts": before | told}
    text = json.dumps(results, indent=1, ensure_ascii=False)
    RESULTS.write_text(text + "\n", encoding="utf-8")
    README.write_text(page(README.read_text(encoding="utf-8"), results), encoding="utf-8")


def page(text: str, results: Mapping[str, Any]) -> str:
    """README.md with the tables of these results between its markers."""
    head, rest = text.split(BEGIN)
    tables = "\n\n".join((*tables_of(results["parts"]), changes()))
    return f"{head}{BEGIN}\n\n{tables}\n\n{END}{rest.split(END)[1]}"


def summary(found: Found) -> str:
    """The same tables for a terminal."""
    return "\n\n".join(tables_of(found))


def changes() -> str:
    """What made it faster, and by how much."""
    rows = [
        (one["what"], one["figure"], one["before"], one["after"])
        for file in sorted(CHANGES.glob("*.json"))
        for one in json.loads(file.read_text(encoding="utf-8"))
    ]
    return "### What changed\n\n" + _table(("what", "figure", "before", "after"), rows)


def tables_of(found: Found) -> Iterator[str]:
    """Whatever the parts that ran have to show."""
    yield "### Against the bars\n\n" + _table(("what", "bar", "SQLite", "PostgreSQL"), _bars(found))
    sides = list(_sides(found))
    if sides:
        yield "### Side by side, medians\n\n" + _table(_SIDE, sides)
    if "scale" in found:
        yield "### With more callers, with more rows\n\n" + _table(_CURVE, _curves(found["scale"]))
    if "overload" in found:
        yield "### Three times what it can carry\n\n" + _overload(found["overload"])
    if "profile" in found:
        yield "### CPU by stage, µs per payout\n\n" + _stages(found["profile"])
        yield "### The dearest functions, own time, µs per payout\n\n" + _dearest(found["profile"])
    if "soak" in found:
        yield "### Soak\n\n" + _soak(found["soak"])
    if measured_on := list(_machines(found)):
        yield "### Measured on\n\n" + "\n".join(measured_on)


def _bars(found: Found) -> Iterator[Sequence[object]]:
    flat = {k: v for part, one in found.items() if part != "postgres" for k, v in one.items()}
    postgres = found.get("postgres", {}).get("postgres", {})
    for key, (words, sign, bar) in BARS.items():
        if key in flat or key in postgres:
            asked = f"{sign} {bar:g}"
            yield words, asked, _judged(key, flat), _judged(key, postgres)
    for key, words in MORE.items():
        if key in flat or key in postgres:
            yield words, "", _shown(flat.get(key)), _shown(postgres.get(key))


def _judged(key: str, values: Mapping[str, Any]) -> str:
    """A figure, bold where it misses its bar."""
    if key not in values:
        return ""
    _, sign, bar = BARS[key]
    value = values[key]
    good = {"≥": value >= bar, "≤": value <= bar, "<": value < bar}[sign]
    return _shown(value) if good else f"**{_shown(value)}**"


_SIDE: Final = (
    *("what", "program", "payouts/s", "low–high", "CPU µs each", "instructions each, thousands"),
    *("core busy", "others busy", "answer p50 · p99 ms", "webhook p50 · p99 ms"),
)
_PAIRS: Final = {
    "accept": "intake",
    "payouts": "whole payouts",
    "latency": "whole payouts at half load",
}


def _sides(found: Found) -> Iterator[Sequence[object]]:
    for suffix, parts in (
        ("", found),
        (", PostgreSQL", found.get("postgres", {}).get("parts", {})),
    ):
        for part, words in _PAIRS.items():
            for program in ("floor", "gateway"):
                if part in parts:
                    yield words + suffix, program, *_line(parts[part][program])
        for count in ("one", "two"):
            if "workers" in parts:
                yield (
                    "whole payouts" + suffix,
                    f"{count} worker(s)",
                    *_line(parts["workers"][count]),
                )


def _line(one: Mapping[str, Any]) -> Sequence[object]:
    return (
        one["rps"],
        f"{one['rps_low']}–{one['rps_high']}",
        one["cpu_us"],
        _shown(one.get("instructions_k")),
        one["busy"],
        one["others_busy"],
        _pair(one["answered_ms"]),
        _pair(one["told_ms"]),
    )


_CURVE: Final = ("callers", "rows stored", *_SIDE[2:])


def _curves(scale: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    for callers, one in scale["by_callers"].items():
        yield callers, 0, *_line(one)
    for rows, one in scale["by_rows"].items():
        yield "", f"{int(rows):,}", *_line(one)


def _overload(one: Mapping[str, Any]) -> str:
    phases = {
        "half load": "half_load",
        "overload": "overload",
        "half load afterwards": "afterwards",
    }
    table = _table(
        ("phase", "answer p50 · p99 ms", "webhook p50 · p99 ms"),
        (
            (words, _pair(one[key]["answered_ms"]), _pair(one[key]["told_ms"]))
            for words, key in phases.items()
        ),
    )
    return table + (
        f"\n\nAsked for {one['asked_rps']:g} a second where {one['capacity_rps']:g} can be "
        f"carried: admitted {one['admitted_share']:.1%}, shed {one['shed_share']:.1%}, unanswered "
        f"{one['unanswered_share']:.1%}; lost {one['lost']}, not told in time {one['untold']}; "
        f"over {one['recovered_s']:g} s after the last was asked."
    )


def _stages(profile: Mapping[str, Any]) -> str:
    before: Mapping[str, Any] = json.loads(BEFORE.read_text(encoding="utf-8"))
    columns = [one[key] for key in ("stages_us", "accept_stages_us") for one in (before, profile)]
    table = _table(
        ("stage", "whole payouts, before", "now", "intake alone, before", "now"),
        (
            (one, *(column.get(one, "") for column in columns))
            for one in dict.fromkeys(name for column in columns for name in column)
        ),
    )
    return f"{table}\n\n{NOT_SIDE_BY_SIDE}"


def _dearest(profile: Mapping[str, Any]) -> str:
    both = zip_longest(
        profile["dearest_us"].items(), profile["accept_dearest_us"].items(), fillvalue=("", "")
    )
    return _table(
        ("whole payouts", "µs", "intake alone", "µs"),
        (
            (f"`{one}`", us, f"`{other}`" if other else "", more)
            for (one, us), (other, more) in both
        ),
    )


def _soak(soak: Mapping[str, Any]) -> str:
    names = [name for name in soak["first"] if name != "at_s"]
    return _table(
        ("what", "first window", "last window", "per hour"),
        ((n, soak["first"][n], soak["last"][n], soak[f"{n}_per_hour"]) for n in names),
    )


def _machines(found: Found) -> Iterator[str]:
    """Parts may have been measured at different times."""
    told: dict[str, list[str]] = {}
    for part, one in found.items():
        if "machine" in one:
            at = one["machine"]
            words = (
                f"{at['cpu']}, {at['cores']} cores, {at['memory_gb']} GB, Python {at['python']}, "
                f"SQLite {at['sqlite']}; {_signs(at)}load before: {at['load_before']}; "
                f"{at['placement']}; "
                f"{at['rounds']} rounds of {at['seconds']:g} s"
            )
            if at["load_before"] >= BUSY:
                words += "; the machine had other work: no rate, latency or time above is its own"
            told.setdefault(words, []).append(part)
    for words, parts in told.items():
        yield f"- {', '.join(parts)}: {words}."


def _signs(machine: Mapping[str, Any]) -> str:
    us = machine.get("signature_us")
    return "" if us is None else f"an RSA-2048 signature {us} µs; "


def _pair(quantiles: Mapping[str, float]) -> str:
    return f"{quantiles['p50']:g} · {quantiles['p99']:g}" if quantiles else ""


def _shown(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    ruler = ["---", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, ruler, *rows))
