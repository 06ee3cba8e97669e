"""`hangdao fault`: what goes wrong at the simulated institutions, and when."""

from collections.abc import Sequence
from typing import Any

import click

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Group, grid, tell
from gateway.cli.parameters import Pair


@click.group("fault", cls=Group)
def fault_command() -> None:
    """What goes wrong at the simulated institutions."""


@fault_command.command("add")
@click.argument("action")
@click.option("--simulator", help="Only this institution, by its name in sim.yaml.")
@click.option("--account", help="A channel's name or the institution's account; else all.")
@click.option("--op", help="submit, inquire, statement, notice, …; else all.")
@click.option("--payee", help="Only this payee.")
@click.option("--reference", help="Only this reference.")
@click.option("--min-amount-fen", type=int)
@click.option("--max-amount-fen", type=int)
@click.option("--param", "params", multiple=True, type=Pair(), help="E.g. --param after=1d.")
@click.option("--probability", type=click.FloatRange(0, 1))
@click.option("--times", type=click.IntRange(min=1), help="At most so often in all.")
@click.option("--times-each", type=click.IntRange(min=1), help="At most so often per reference.")
@click.option("--from", "from_at", metavar="TIME", help="RFC 3339, or from now: +10s.")
@click.option("--until", "until_at", metavar="TIME", help="RFC 3339, or from now: +60s.")
@reaching("operator")
def add(
    api: Api,
    /,
    *,
    action: str,
    account: str | None,
    params: Sequence[tuple[str, Any]],
    **selectors: Any,
) -> None:
    """Make ACTION happen: refuse, reset_after, settle_fail, statement_late, …

    `hangdao fault actions` lists them all with their parameters.
    """
    rule = {name: value for name, value in selectors.items() if value is not None}
    if account is not None:
        rule["account"] = api.place.accounts.get(account, account)
    added = api.control("POST", "faults", {**rule, "action": action, "params": dict(params)})
    tell(added, lambda console: console.print(f"{added['id']} was added"))


@fault_command.command("actions")
@reaching("operator")
def actions(api: Api) -> None:
    """List everything that can go wrong, and its parameters."""
    found = api.control("GET", "actions")
    rows = [
        (one["action"], one["asked"], ", ".join(one["params"]), one["meaning"]) for one in found
    ]
    headings = ("action", "asked at", "--param", "does")
    tell({"data": found}, lambda console: console.print(grid(headings, rows)))


@fault_command.command("ls")
@reaching("operator")
def ls(api: Api) -> None:
    """List fault rules and how often each has struck."""
    found = api.control("GET", "faults")
    channels = {account: channel for channel, account in api.place.accounts.items()}
    rows = [
        (
            one["id"],
            one["action"],
            channels.get(one["account"], one["account"]),
            one["op"],
            one.get("payee") or one.get("reference"),
            ", ".join(f"{name}={value}" for name, value in one["params"].items()),
            one["hits"],
        )
        for one in found
    ]
    headings = ("id", "action", "account", "op", "for", "params", "hits")
    tell({"data": found}, lambda console: console.print(grid(headings, rows)))


@fault_command.command("rm")
@click.argument("fault")
@reaching("operator")
def rm(api: Api, fault: str) -> None:
    """Remove one rule."""
    gone = api.control("DELETE", f"faults/{path_of(fault)}")
    tell(gone, lambda console: console.print(f"{fault} was removed"))


@fault_command.command("clear")
@reaching("operator")
def clear(api: Api) -> None:
    """Remove all rules."""
    gone = api.control("DELETE", "faults")
    tell(gone, lambda console: console.print("all rules were removed"))
