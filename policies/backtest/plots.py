"""A comparison's plots as inline SVG; needs the extra `[report]` (matplotlib).

Labels are English and numbers: a machine without Chinese fonts would draw boxes. The page around
them says the same in Chinese. Grey is history, blue the draft, everywhere.
"""

from datetime import date
from importlib.util import find_spec
from io import StringIO
from typing import TYPE_CHECKING, Final, NamedTuple

from policies.backtest import summary
from policies.backtest.replay import Comparison
from policies.backtest.summary import Line, Money
from policies.facts import MICRO

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OLD, NEW, BAD, GOOD = "#8a8f98", "#1f6feb", "#c0392b", "#1e8449"
LAST_BAR_DAYS: Final = 10
"""Later arrivals share one bar."""
_MERCHANTS: Final = 12
_MINOR: Final = 100 * MICRO
"""Micro units in a major one."""


class Plot(NamedTuple):
    """One plot with its caption."""

    svg: str
    zh: str
    en: str


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def plots(comparison: Comparison) -> list[Plot]:
    """Every plot that the comparison has something to show in; none without matplotlib."""
    currencies = summary.by_currency(comparison)
    if not currencies or not available():
        return []
    money = currencies[0]
    found = [
        Plot(
            _cost_by_day(comparison, money),
            "每日成本：历史与草案（不含保底差额）",
            "Cost per day, history and draft (missed commitments aside)",
        ),
        Plot(
            _cost_by_part(money),
            "成本构成",
            "What the cost consists of",
        ),
        Plot(
            _shares(summary.by_channel(comparison)),
            "各渠道笔数占比：历史 → 草案",
            "Share of payouts by channel, history and draft",
        ),
        Plot(
            _arrivals(comparison),
            "到账所需自然日分布",
            "Calendar days until money arrives",
        ),
    ]
    tiers = _tiers(comparison)
    if tiers:
        found.append(
            Plot(tiers, "各渠道当月用量与阶梯、保底", "Tiers and commitments over the month")
        )
    if comparison.success.payouts:
        found.append(
            Plot(
                _success(comparison),
                "首次尝试成功率与 95 % 区间",
                "First-attempt success with 95 % intervals",
            )
        )
    changed = [one for one in summary.by_merchant(comparison) if one.change]
    changed = [one for one in changed if one.currency == money.currency][:_MERCHANTS]
    if changed:
        found.append(
            Plot(
                _merchants(changed, money.currency),
                "成本变化最大的商户",
                "Merchants whose cost changes most",
            )
        )
    return found


def _figure(height: float, width: float = 9.0) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, loaded when it is asked for

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    return figure, axes


def _svg(figure: "Figure") -> str:
    from matplotlib import rc_context  # noqa: PLC0415 - only with the extra

    out = StringIO()
    # The same comparison gives the same bytes: no date, no random ids.
    with rc_context({"svg.hashsalt": "hangdao", "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _major(micro: int, currency: str) -> float:
    return micro / (MICRO if currency in {"JPY", "KRW", "VND"} else _MINOR)


def _cost_by_day(comparison: Comparison, money: Money) -> str:
    from matplotlib.ticker import StrMethodFormatter  # noqa: PLC0415 - only with the extra

    figure, axes = _figure(3.4)
    rows = summary.by_day(comparison, money.currency)
    days = [day.toordinal() for day, _, _ in rows]
    old = [_major(before.total, money.currency) for _, before, _ in rows]
    new = [_major(after.total, money.currency) for _, _, after in rows]
    axes.bar([day - 0.2 for day in days], old, 0.4, color=OLD, label="history")
    axes.bar([day + 0.2 for day in days], new, 0.4, color=NEW, label="draft")
    _day_axis(axes, min(days), max(days))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_ylabel(f"{money.currency} per day", fontsize=9)
    axes.set_ylim(0, max([*old, *new, 1]) * 1.18)
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper right")
    return _svg(figure)


def _day_axis(axes: "Axes", first: int, last: int) -> None:
    """Days as `03-01`, at most sixteen of them; `first` and `last` are ordinals."""
    step = max(1, -(-(last - first + 1) // 16))
    shown = range(first, last + 1, step)
    axes.set_xticks(list(shown), [f"{date.fromordinal(at):%m-%d}" for at in shown])
    axes.set_xlim(first - 0.7, last + 0.7)


def _cost_by_part(money: Money) -> str:
    shown = [key for key, _, _ in summary.PARTS if money.old[key] or money.new[key]]
    names = {key: en for key, _, en in summary.PARTS}
    figure, axes = _figure(0.8 + 0.6 * len(shown))
    old = [_major(money.old[key], money.currency) for key in shown]
    new = [_major(money.new[key], money.currency) for key in shown]
    _pairs(axes, [names[key] for key in shown], old, new, "{:,.0f}")
    axes.set_xlabel(money.currency, fontsize=9)
    return _svg(figure)


def _shares(lines: list[Line]) -> str:
    figure, axes = _figure(0.8 + 0.6 * len(lines))
    old_all = sum(line.old.payouts for line in lines) or 1
    new_all = sum(line.new.payouts for line in lines) or 1
    _pairs(
        axes,
        [line.name for line in lines],
        [100 * line.old.payouts / old_all for line in lines],
        [100 * line.new.payouts / new_all for line in lines],
        "{:.1f} %",
    )
    axes.set_xlabel("share of payouts, %", fontsize=9)
    return _svg(figure)


def _pairs(axes: "Axes", names: list[str], old: list[float], new: list[float], text: str) -> None:
    """Horizontal bars in pairs, the first name on top, each with its value at the end."""
    from matplotlib.ticker import StrMethodFormatter  # noqa: PLC0415 - only with the extra

    places = range(len(names))
    above = axes.barh([at - 0.2 for at in places], old, 0.38, color=OLD, label="history")
    below = axes.barh([at + 0.2 for at in places], new, 0.38, color=NEW, label="draft")
    for bars, values in ((above, old), (below, new)):
        axes.bar_label(bars, [text.format(value) for value in values], padding=3, fontsize=8)
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    # Room at the right for the longest bar's label.
    axes.set_xlim(0, max([*old, *new, 1e-9]) * 1.22)
    axes.legend(frameon=False, fontsize=9, loc="lower right")


def _arrivals(comparison: Comparison) -> str:
    figure, axes = _figure(3.0)
    sides = []
    for closed in (comparison.old, comparison.new):
        total = sum(closed.arrivals.values()) or 1
        bars = [0.0] * (LAST_BAR_DAYS + 1)
        for days, share in closed.arrivals.items():
            bars[min(days, LAST_BAR_DAYS)] += 100 * share / total
        sides.append(bars)
    places = range(LAST_BAR_DAYS + 1)
    axes.bar([at - 0.2 for at in places], sides[0], 0.4, color=OLD, label="history")
    axes.bar([at + 0.2 for at in places], sides[1], 0.4, color=NEW, label="draft")
    axes.set_xticks(list(places), [*map(str, range(LAST_BAR_DAYS)), f"{LAST_BAR_DAYS}+"])
    axes.set_xlabel("calendar days", fontsize=9)
    axes.set_ylabel("share of payouts, %", fontsize=9)
    axes.legend(frameon=False, fontsize=9)
    return _svg(figure)


def _tiers(comparison: Comparison) -> str:
    """A panel for every channel with tiers or a commitment, of the month with most of its use."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only with the extra
    from matplotlib.ticker import EngFormatter  # noqa: PLC0415 - only with the extra

    names = sorted({name for side in (comparison.old, comparison.new) for name, _ in side.progress})
    if not names:
        return ""
    days = [
        day.toordinal() for side in (comparison.old, comparison.new) for _, day in side.progress
    ]
    first, last = min(days), max(days)
    figure = Figure(figsize=(9, 2.9 * len(names)), layout="constrained")
    for row, name in enumerate(names, 1):
        axes = figure.add_subplot(len(names), 1, row)
        axes.spines[["top", "right"]].set_visible(False)
        fee = comparison.terms[name].fees[-1][1]
        unit = 1 if fee.basis == "payouts" else 100
        top = 0.0
        for closed, colour, label in (
            (comparison.old, OLD, "history"),
            (comparison.new, NEW, "draft"),
        ):
            points = sorted((day, use) for (at, day), use in closed.progress.items() if at == name)
            if points:
                axes.step(
                    [day.toordinal() for day, _ in points],
                    [use / unit for _, use in points],
                    where="post",
                    color=colour,
                    label=label,
                    linewidth=2,
                )
                top = max(top, *(use / unit for _, use in points))
        marks = [(tier.floor / unit, "tier", "#b7950b") for tier in fee.tiers if tier.floor]
        if fee.commitment is not None:
            marks.append((fee.commitment.least / unit, "commitment", BAD))
        # A floor far above both lines would flatten them; it is named in the table.
        marks = [mark for mark in marks if mark[0] <= 2.5 * max(top, 1)]
        for at, label, colour in marks:
            axes.axhline(at, color=colour, linestyle="--", linewidth=1)
            axes.annotate(
                label,
                (1, at),
                xycoords=("axes fraction", "data"),
                xytext=(-2, 2),
                textcoords="offset points",
                ha="right",
                fontsize=8,
                color=colour,
            )
        _day_axis(axes, first, last)
        axes.yaxis.set_major_formatter(EngFormatter())
        axes.tick_params(labelsize=9)
        axes.set_ylim(0, max([top, *(at for at, _, _ in marks), 1]) * 1.4)
        axes.set_ylabel(
            "payouts" if fee.basis == "payouts" else comparison.terms[name].currency, fontsize=9
        )
        axes.set_title(name, fontsize=10, loc="left")
        axes.legend(frameon=False, fontsize=9, loc="upper left", ncols=2)
    return _svg(figure)


def _success(comparison: Comparison) -> str:
    judged = comparison.success
    figure, axes = _figure(2.2)
    half = 0.0
    if judged.payouts:
        half = 1.96 * (judged.old * (1 - judged.old) / judged.payouts) ** 0.5
    rows = [
        ("history", judged.old, judged.old - half, min(judged.old + half, 1), OLD),
        ("draft, SNIPS", judged.new, judged.new_low, judged.new_high, NEW),
    ]
    for at, (_, value, low, high, colour) in enumerate(rows):
        axes.errorbar(
            100 * value,
            at,
            xerr=[[100 * max(value - low, 0)], [100 * max(high - value, 0)]],
            fmt="o",
            color=colour,
            capsize=5,
            markersize=7,
        )
        axes.annotate(
            f"{100 * value:.2f} %",
            (100 * value, at),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axes.plot(100 * judged.doubly_robust, len(rows), "D", color=NEW, markerfacecolor="white")
    axes.annotate(
        f"{100 * judged.doubly_robust:.2f} %",
        (100 * judged.doubly_robust, len(rows)),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        fontsize=9,
    )
    axes.set_yticks(range(len(rows) + 1), [*(name for name, *_ in rows), "draft, DR (check)"])
    axes.set_ylim(len(rows) + 0.5, -0.7)
    verdict = "no verdict" if judged.verdict == "none" else judged.verdict.replace("_", " ")
    axes.set_xlabel(
        f"first attempts that succeed, %   (effective sample {judged.ess:,.0f}: {verdict})",
        fontsize=9,
    )
    return _svg(figure)


def _merchants(lines: list[Line], currency: str) -> str:
    from matplotlib.ticker import StrMethodFormatter  # noqa: PLC0415 - only with the extra

    figure, axes = _figure(0.9 + 0.36 * len(lines))
    values = [_major(line.change, currency) for line in lines]
    bars = axes.barh(
        range(len(lines)), values, 0.6, color=[GOOD if value < 0 else BAD for value in values]
    )
    axes.bar_label(bars, [f"{value:+,.0f}" for value in values], padding=3, fontsize=8)
    axes.set_yticks(range(len(lines)), [line.name for line in lines])
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    reach = max(abs(value) for value in values) or 1
    low, high = min(*values, 0), max(*values, 0)
    axes.set_xlim(low - 0.16 * reach * (low < 0), high + 0.16 * reach * (high > 0 or low == 0))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel(f"change of cost, {currency} (green: cheaper)", fontsize=9)
    return _svg(figure)
