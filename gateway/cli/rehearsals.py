"""`hangdao clock`, `fault`, `trigger`: what only a sandbox allows."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Command, Group, Refusal, facts, grid, moment, tell
from gateway.cli.parameters import Duration, Pair
from gateway.sandbox import card


@click.group("clock", cls=Group)
def clock_command() -> None:
    """The sandbox's time."""


@clock_command.command("show")
@reaching("operator")
def show(api: Api) -> None:
    """Show the gateway's clock and the institutions'."""
    _tell_clocks(_clocks(api))


@clock_command.command("advance")
@click.argument("duration", type=Duration())
@reaching("operator")
def advance(api: Api, duration: int) -> None:
    """Move both clocks forward by DURATION (30s, 15m, 2h, 1d), the institutions' first."""
    before = _clocks(api)  # both answer, or nothing moves
    if api.place.control_url is not None:
        api.control("POST", "clock", {"advance": f"{duration}s"})
    try:
        api.post("/v1/admin/clock/advance", {"seconds": duration})
    except Refusal as refusal:
        if api.place.control_url is not None:
            refusal.advise("the institutions' clock has been moved already", "机构时钟已前移")
        raise
    if api.place.folder is not None:
        card.moved(api.place.folder, duration)
    _tell_clocks({**_clocks(api), "gateway_before": before["gateway"]})


def _clocks(api: Api) -> Mapping[str, Any]:
    clocks = {"gateway": api.get("/v1/admin/clock")["now"], "institutions": None}
    if api.place.control_url is not None:
        clocks["institutions"] = api.control("GET", "clock")["now"]
    return clocks


def _tell_clocks(clocks: Mapping[str, Any]) -> None:
    rows = [
        ("gateway", moment(clocks["gateway"])),
        ("institutions", moment(clocks["institutions"]) or "none are known here"),
    ]
    tell(clocks, lambda console: console.print(facts(rows)))


@click.group("fault", cls=Group)
def fault_command() -> None:
    """What goes wrong at the simulated institutions."""


@fault_command.command("add")
@click.argument("action")
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
    """Make ACTION happen: refuse, reset_after, slow, reject, settle_fail, return_late, …"""
    rule = {name: value for name, value in selectors.items() if value is not None}
    if account is not None:
        rule["account"] = api.place.accounts.get(account, account)
    added = api.control("POST", "faults", {**rule, "action": action, "params": dict(params)})
    tell(added, lambda console: console.print(f"{added['id']} was added"))


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


@click.command("trigger", cls=Command)
@click.argument("event")
@click.argument("reference")
@reaching("operator")
def trigger_command(api: Api, event: str, reference: str) -> None:
    """Force EVENT (e.g. payout.returned) on an order at its institution.

    REFERENCE is an attempt's reference, or a payout's id: then its last attempt is meant.
    """
    if reference.startswith("po_"):
        reference = _last_reference(api, reference)
    done = api.control("POST", "trigger", {"event": event, "reference": reference})

    def draw(console: Console) -> None:
        console.print(f"{event} happened to {reference}")

    tell(done, draw)


def _last_reference(api: Api, payout: str) -> str:
    attempts = api.get(f"/v1/payouts/{path_of(payout)}/attempts")["data"]
    if not attempts:
        raise Refusal("no_attempt", f"{payout} was not tried at any channel yet")
    return str(attempts[-1]["reference"])
