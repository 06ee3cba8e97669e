"""A comparison as one self-contained HTML page, and as a CSV per merchant and channel."""

import csv
from functools import lru_cache
from importlib.resources import files
from io import StringIO
from typing import Final

from jinja2 import Environment, StrictUndefined, Template

from policies.backtest import summary
from policies.backtest.bill import MonthLine, Sum
from policies.backtest.plots import available, plots
from policies.backtest.replay import Comparison
from policies.backtest.summary import amount, mean_days, percent
from policies.facts import MICRO

ROWS: Final = 50
"""Merchants on the page; the CSV has all."""
COLUMNS: Final = (
    "merchant",
    "channel",
    "currency",
    "old_payouts",
    "new_payouts",
    "old_amount_minor",
    "new_amount_minor",
    *(f"{side}_{key}_micro" for key, _, _ in summary.PARTS[:-1] for side in ("old", "new")),
    "change_micro",
    "old_days",
    "new_days",
)


def page(comparison: Comparison) -> str:
    """The report; plots only with the extra `[report]`."""
    return _template().render(
        draft=comparison.draft,
        headline=summary.headline(comparison),
        money=summary.by_currency(comparison),
        parts=summary.PARTS,
        channels=summary.by_channel(comparison),
        merchants=summary.by_merchant(comparison)[:ROWS],
        merchants_all=len(summary.by_merchant(comparison)),
        months=_months(comparison),
        moves=sorted(
            ((old, new, count) for (old, new), count in comparison.moves.items() if old != new),
            key=lambda row: -row[2],
        )[:15],
        movers=comparison.movers,
        counts=comparison.counts,
        success=comparison.success,
        plots=plots(comparison),
        plotting=available(),
        amount=amount,
        percent=percent,
        mean_days=mean_days,
        million=MICRO,
    )


def _months(comparison: Comparison) -> list[tuple[MonthLine | None, MonthLine | None]]:
    """History's and the draft's month of every channel with tiers or a commitment."""
    sides = [
        {(one.month, one.channel): one for one in side.months if one.tiers or one.least is not None}
        for side in (comparison.old, comparison.new)
    ]
    return [(sides[0].get(key), sides[1].get(key)) for key in sorted({*sides[0], *sides[1]})]


@lru_cache(maxsize=1)
def _template() -> Template:
    text = files("policies.backtest").joinpath("report.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(text)


def table(comparison: Comparison) -> str:
    """One line per merchant and channel, by names; money in micro units, days on average."""
    out = StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    old, new = comparison.old.by_merchant, comparison.new.by_merchant
    for merchant, channel in sorted({*old, *new}):
        before = old.get((merchant, channel), Sum())
        after = new.get((merchant, channel), Sum())
        rows.writerow(
            (
                _cell(merchant),
                _cell(channel),
                comparison.currencies[channel],
                before.payouts // MICRO,
                after.payouts // MICRO,
                before.amount // MICRO,
                after.amount // MICRO,
                *(
                    getattr(side, key)
                    for key, _, _ in summary.PARTS[:-1]
                    for side in (before, after)
                ),
                after.total - before.total,
                f"{mean_days(before):.3f}",
                f"{mean_days(after):.3f}",
            )
        )
    return out.getvalue()


def _cell(text: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
