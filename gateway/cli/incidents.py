"""`hangdao incident`: evidence against what was proven; look, then release."""

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Group, facts, grid, moment, tell


@click.group(cls=Group)
def incident_command() -> None:
    """Incidents. A late success freezes its channel's failover until it is released."""


@incident_command.command("ls")
@click.option("--all", "everything", is_flag=True, help="Released ones as well.")
@reaching("operator")
def ls(api: Api, *, everything: bool) -> None:
    """List incidents, oldest first."""
    found = api.get("/v1/admin/incidents", state="all" if everything else "open")
    headings = ("id", "kind", "channel or bank", "payout", "evidence", "opened", "owner", "state")
    rows = [
        (
            one["id"],
            one["kind"],
            one["bank"] or one["channel"],
            one["payout_id"],
            one["evidence"],
            moment(one["opened_at"]),
            one["owner"],
            _state(one),
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


@incident_command.command("show")
@click.argument("incident")
@reaching("operator")
def show(api: Api, incident: str) -> None:
    """Show one incident."""
    found = api.get(f"/v1/admin/incidents/{path_of(incident)}")
    tell(found, lambda console: _draw(console, found))


@incident_command.command("release")
@click.argument("incident")
@click.option("--reason", required=True, help="What you found; kept for ever.")
@reaching("operator")
def release(api: Api, incident: str, reason: str) -> None:
    """Close it after looking; payouts that waited only for this go on."""
    found = api.post(f"/v1/admin/incidents/{path_of(incident)}/release", {"reason": reason})
    tell(found, lambda console: _draw(console, found))


def _state(one: Mapping[str, Any]) -> str:
    return f"{one['state']}, freezes failover" if one["freezes"] else str(one["state"])


def _draw(console: Console, one: Mapping[str, Any]) -> None:
    rows = [
        ("id", one["id"]),
        ("kind", one["kind"]),
        ("channel", one["channel"]),
        ("bank", one["bank"]),
        ("payout", one["payout_id"]),
        ("attempt", one["attempt"]),
        ("evidence", one["evidence"]),
        ("opened", moment(one["opened_at"])),
        ("owner", one["owner"]),
        ("state", _state(one)),
        ("released", moment(one["released_at"])),
        ("by", one["released_by"]),
        ("found", one["note"]),
    ]
    console.print(facts(rows))
