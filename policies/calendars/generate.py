"""Writes `cn.toml`, the frozen working calendar, from the `chinesecalendar` package.

Run once a year, after the State Council's notice for the next year (usually in November) and the
package's release: `python -m policies.calendars.generate`. A test compares the file with this
output and with the independent `holidays` package. Nothing at run time imports this module.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

import chinese_calendar

TARGET = Path(__file__).with_name("cn.toml")

CORRECTIONS: Mapping[date, bool] = {date(2005, 12, 31): True}
"""Days on which the package errs, by the State Council's notices. 2005-12-31: worked, for a longer
New Year holiday of 2006 (国办发明电〔2005〕35号, 一)."""

_HEADER = """\
# Mainland China's working calendar, frozen. Made by policies/calendars/generate.py; do not edit.
# rest: weekdays without work (public holidays); work: weekend days with work (make-up days).
# Entries are MM-DD. longest_rest_days: the longest run of days without work in all these years.
"""


def render(first: int, last: int) -> str:
    """The file's text for the years `first` to `last`, both included."""
    rest: dict[int, list[str]] = {year: [] for year in range(first, last + 1)}
    work: dict[int, list[str]] = {year: [] for year in range(first, last + 1)}
    start = date(first, 1, 1)
    days = [start + timedelta(n) for n in range((date(last, 12, 31) - start).days + 1)]
    worked = [CORRECTIONS.get(day, chinese_calendar.is_workday(day)) for day in days]
    for day, is_work in zip(days, worked, strict=True):
        weekend = day.weekday() >= 5
        if weekend and is_work:
            work[day.year].append(f"{day:%m-%d}")
        elif not weekend and not is_work:
            rest[day.year].append(f"{day:%m-%d}")
    longest = max(len(list(run)) for is_work, run in groupby(worked) if not is_work)
    lines = [_HEADER, f"longest_rest_days = {longest}"]
    for year in range(first, last + 1):
        lines += ["", f"[{year}]", _array("rest", rest[year]), _array("work", work[year])]
    return "\n".join(lines) + "\n"


def _array(key: str, entries: list[str]) -> str:
    """A TOML array, ten entries a line so that a changed year reads well in a diff."""
    rows = [entries[at : at + 10] for at in range(0, len(entries), 10)]
    body = "".join("    " + ", ".join(f'"{one}"' for one in row) + ",\n" for row in rows)
    return f"{key} = [\n{body}]" if entries else f"{key} = []"


def published_years() -> tuple[int, int]:
    """The first and last year the installed package knows in full."""
    known = {day.year for day in chinese_calendar.constants.holidays}
    return min(known), max(known)


def main() -> None:
    """Rewrite the file beside this module."""
    TARGET.write_text(render(*published_years()), encoding="utf-8")


if __name__ == "__main__":
    main()
