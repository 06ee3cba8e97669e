"""`hangdao channel balance`: what institutions say is on our accounts, beside our float."""

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Command, amount, facts, grid, moment, tell


@click.command("balance", cls=Command)
@click.argument("channel", required=False)
@click.option("--ask", is_flag=True, help="Ask the institution now (needs CHANNEL).")
@reaching("operator")
def balance_command(api: Api, channel: str | None, *, ask: bool) -> None:
    """Show balances at institutions beside our float: of CHANNEL, or of all.

    The difference is what our books cannot explain: negative, money is missing there.
    """
    if channel is None:
        if ask:
            raise click.UsageError("name the channel to ask")
        found = api.get("/v1/admin/channel-balances")
        tell(found, lambda console: _draw_all(console, found))
        return
    path = f"/v1/admin/channels/{path_of(channel)}/balance"
    one = api.post(path) if ask else api.get(path)
    tell(one, lambda console: _draw(console, one))


def _draw_all(console: Console, found: Mapping[str, Any]) -> None:
    headings = ("channel", "there", "our float", "in flight", "difference", "heard", "trouble")
    rows = [
        (
            one["channel"],
            _money(one, "available_minor"),
            _money(one, "float_minor"),
            _money(one, "in_flight_minor"),
            _difference(one),
            _heard(one),
            one["problem"],
        )
        for one in found["data"]
    ]
    console.print(grid(headings, rows))


def _draw(console: Console, one: Mapping[str, Any]) -> None:
    rows = [
        ("channel", one["channel"]),
        ("there", _money(one, "available_minor")),
        ("heard", _heard(one)),
        ("our float", _money(one, "float_minor")),
        ("in flight", _money(one, "in_flight_minor")),
        ("our books then", _books(one)),
        ("difference", _difference(one)),
        ("people know of", _money(one, "told_minor") if one["told_minor"] else None),
        ("to be counted on", _money(one, "usable_minor")),
        ("not heard", f"{one['failures']} times: {one['problem']}" if one["failures"] else None),
        ("asked again", moment(one["due_at"])),
    ]
    console.print(facts(rows))


def _money(one: Mapping[str, Any], name: str) -> Text | None:
    minor = one[name]
    return None if minor is None else amount(minor, one["currency"])


def _books(one: Mapping[str, Any]) -> str | None:
    low, high = _money(one, "low_minor"), _money(one, "high_minor")
    return f"{low}" if one["low_minor"] == one["high_minor"] else f"{low} to {high}"


def _difference(one: Mapping[str, Any]) -> Text | None:
    said = _money(one, "difference_minor")
    if said is not None and one["difference_minor"]:
        said.stylize("bold red")
    return said


def _heard(one: Mapping[str, Any]) -> str:
    if not one["offered"]:
        return "cannot be asked / 渠道不支持查询"
    if one["said_at"] is None:
        return "not yet / 尚未查询"
    return f"{moment(one['said_at'])} ({one['age_s']} s ago)"
