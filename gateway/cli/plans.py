"""`hangdao plan`: the month's shares, how near tiers are, what it saves; make one anew."""

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from gateway.cli.connection import Api, reaching
from gateway.cli.output import Group, amount, facts, grid, moment, tell
from gateway.cli.parameters import CURRENCY

_BAR = 20

_CURRENCY = click.option("--currency", type=CURRENCY, default="CNY", show_default=True)
_LANGUAGE = click.option(
    "--lang", type=click.Choice(["zh", "en", "both"]), default="both", show_default=True
)


@click.group(cls=Group)
def plan_command() -> None:
    """The month's plan: shares by class of payouts, so that fee tiers are reached."""


@plan_command.command("show")
@_CURRENCY
@_LANGUAGE
@reaching("operator")
def show(api: Api, currency: str, lang: str) -> None:
    """Explain each channel's share, its tier progress and cliff margin."""
    _show(api.get("/v1/admin/plan", currency=currency), lang)


@plan_command.command("make")
@_CURRENCY
@_LANGUAGE
@reaching("operator")
def make(api: Api, currency: str, lang: str) -> None:
    """Make the plan anew now, and follow it."""
    _show(api.post("/v1/admin/plan", {"currency": currency}), lang)


@plan_command.command("ls")
@reaching("operator")
def ls(api: Api) -> None:
    """List plans, newest first."""
    found = api.get("/v1/admin/plans")
    headings = ("id", "month", "made", "by", "reason", "method", "cost", "saves")
    rows = [
        (
            one["id"],
            one["month"],
            moment(one["made_at"]),
            one["actor"],
            one["reason"],
            one["method"],
            amount(one["cost_minor"], one["currency"]),
            amount(one["saved_minor"], one["currency"]),
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


def _show(found: Mapping[str, Any], lang: str) -> None:
    tell(found, lambda console: _draw(console, found, lang))


def _draw(console: Console, plan: Mapping[str, Any], lang: str) -> None:
    currency, forecast = plan["currency"], plan["forecast"]
    span = f"{forecast['low_payouts']:,} … {forecast['high_payouts']:,}"
    come, due = forecast["actual_so_far"], forecast["expected_so_far"]
    rows = [
        ("plan", f"{plan['id']} for {plan['month']}"),
        ("made", f"{moment(plan['made_at'])} by {plan['actor']} ({plan['reason']})"),
        ("method", plan["method"]),
        ("still to come", f"{forecast['payouts']:,} payouts ({span})"),
        ("since then", f"{come:,} payouts, {due:,} expected"),
        ("expected cost", amount(plan["cost_minor"], currency)),
        ("without a plan", amount(plan["unplanned_minor"], currency)),
    ]
    console.print(facts(rows))
    console.print()
    headings = (
        "channel",
        "payouts",
        "money",
        "tier",
        "reached",
        "",
        "planned",
        "margin",
        "promise",
    )
    console.print(grid(headings, [_row(one, currency) for one in plan["channels"]]))
    console.print()
    names = [one["channel"] for one in plan["channels"]]
    classes = [
        (one["name"], *(_share(one["shares_ppm"].get(name)) for name in names))
        for one in plan["classes"]
    ]
    console.print(grid(("class", *names), classes))
    console.print()
    for sentence in plan["said"]:
        for language in ("zh", "en"):
            if lang in {language, "both"}:
                console.print(sentence[language], soft_wrap=True)


def _row(one: Mapping[str, Any], currency: str) -> tuple[object, ...]:
    tier, promised = one["tier"], one["commitment"]
    return (
        one["channel"],
        _share(one["share_ppm"]),
        _share(one["amount_share_ppm"]),
        None if tier is None else tier["index"] + 1,
        _units(one["reached"], one["basis"], currency),
        None if tier is None or not tier["floor"] else bar(tier["progress_ppm"]),
        _units(one["planned"], one["basis"], currency),
        _margin(tier, one["basis"], currency),
        _promise(promised, one["basis"], currency),
    )


def bar(ppm: int) -> Text:
    """How far something has come, as a bar and in per cent."""
    full = min(_BAR, ppm * _BAR // 1_000_000)
    return Text(f"{'█' * full}{'░' * (_BAR - full)} {ppm / 10_000:.0f} %")


def _share(ppm: int | None) -> Text | None:
    return None if not ppm else Text(f"{ppm / 10_000:.1f} %", justify="right")


def _units(units: int, basis: str, currency: str) -> object:
    return units if basis == "payouts" else amount(units, currency)


def _margin(tier: Mapping[str, Any] | None, basis: str, currency: str) -> object:
    if tier is None or tier["margin"] is None:
        return None
    units = _units(tier["margin"], basis, currency)
    text = f"{units:,}" if isinstance(units, int) else str(units)
    return Text(f"{text} ({tier['margin_ppm'] / 10_000:.1f} %)", justify="right")


def _promise(promised: Mapping[str, Any] | None, basis: str, currency: str) -> object:
    if promised is None:
        return None
    if not promised["shortfall"]:
        return "kept"
    units = _units(promised["shortfall"], basis, currency)
    text = f"{units:,}" if isinstance(units, int) else str(units)
    return f"{text} short: {amount(promised['cost_minor'], currency)}"
