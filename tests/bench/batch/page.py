"""The table of this folder's README.md: what `make bench-batch` kept in results.json."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
README: Final = HERE / "README.md"
RESULTS: Final = HERE / "results.json"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

ROWS: Final = 100_000
FILES: Final = ("csv", "xlsx")
MODES: Final = ("per_row", "all_or_nothing")
DATABASES: Final = ("sqlite", "postgres")
BAR_S: Final = 120
"""100,000 rows are to be payouts within."""


def kept() -> dict[str, Any]:
    """What the last run with `--keep` found."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def keep(results: Mapping[str, object]) -> None:
    """Write the figures, those of other cases staying, and the page."""
    before = kept() if RESULTS.exists() else {}
    both = {**before, **results}
    RESULTS.write_text(json.dumps(both, indent=1) + "\n", encoding="utf-8")
    README.write_text(page(README.read_text(encoding="utf-8"), both), encoding="utf-8")


def page(text: str, results: Mapping[str, Any]) -> str:
    """README.md with the table of these results between its markers."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n\n{_table(_lines(results))}\n\n{END}{rest.split(END)[1]}"


def cases() -> list[str]:
    """Every case there is, as results are named."""
    return [f"{one} {file} {mode}" for one in DATABASES for file in FILES for mode in MODES]


def _lines(results: Mapping[str, Any]) -> Iterable[list[str]]:
    yield ["case", "read", "store", "accept", "**all**", "processor", "memory", "load"]
    yield ["---", *["--:"] * 7]
    for name in cases():
        if name not in results:
            continue
        found = results[name]
        wall, cpu = found["wall_s"], found["cpu_s"]
        yield [
            name.replace("_", " "),
            *(f"{wall[part]:.1f} s" for part in ("read", "store", "accept")),
            f"**{sum(wall.values()):.0f} s**",
            f"{sum(cpu.values()):.0f} s",
            f"{max(found['rss_mib'].values())} MiB",
            f"{found['load']:.1f}",
        ]


def _table(rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
