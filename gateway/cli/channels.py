"""`hangdao channel`: how channels stand; pause, drain and resume them; book float top-ups."""

from collections.abc import Mapping
from typing import Any

import click

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.merchants import book
from gateway.cli.output import Group, amount, grid, tell
from gateway.cli.parameters import CURRENCY, minor_units


@click.group(cls=Group)
def channel_command() -> None:
    """Channels (with an operator's key)."""


@channel_command.command("ls")
@reaching("operator")
def ls(api: Api) -> None:
    """Show every channel."""
    _show(api.get("/v1/admin/channels"))


_REASON = click.option("--reason", default="by an operator", show_default=True, help="For others.")


@channel_command.command("pause")
@click.argument("channel")
@_REASON
@reaching("operator")
def pause(api: Api, channel: str, reason: str) -> None:
    """Give it no new payouts; what is under way goes on."""
    _switch(api, channel, "paused", reason)


@channel_command.command("drain")
@click.argument("channel")
@_REASON
@reaching("operator")
def drain(api: Api, channel: str, reason: str) -> None:
    """As pause, on the way to taking the channel out of service."""
    _switch(api, channel, "draining", reason)


@channel_command.command("resume")
@click.argument("channel")
@_REASON
@reaching("operator")
def resume(api: Api, channel: str, reason: str) -> None:
    """Give it payouts again."""
    _switch(api, channel, "active", reason)


@channel_command.command("topup")
@click.argument("channel")
@click.option("--amount", "text", required=True, metavar="1000.00", help="In major units.")
@click.option("--currency", type=CURRENCY, default="CNY", show_default=True)
@click.option("--booking", help="Makes a repeated booking harmless; else a new one.")
@reaching("operator")
def topup(api: Api, channel: str, text: str, currency: str, booking: str | None) -> None:
    """Book money sent to our account at the channel; in a sandbox it arrives there as well."""
    path = f"/v1/admin/channels/{path_of(channel)}/topup"
    booked = book(api, path, text, currency, booking)
    account = api.place.accounts.get(channel)
    if booked and account is not None:
        fen = {"amount_fen": minor_units(text, currency)}
        api.control("POST", f"accounts/{path_of(account)}/topup", fen)


def _switch(api: Api, channel: str, status: str, reason: str) -> None:
    body = {"status": status, "reason": reason}
    _show(api.post(f"/v1/admin/channels/{path_of(channel)}/status", body))


def _show(found: Mapping[str, Any]) -> None:
    headings = ("channel", "kind", "status", "float", "today", "sending", "in doubt", "success")
    rows = [
        (
            one["name"],
            one["kind"],
            _status(one),
            amount(one["float_minor"], one["currency"]),
            amount(one["day_used_minor"], one["currency"]),
            one["sending"],
            one["in_doubt"],
            f"{one['success_ppm'] / 10_000:.2f} %",
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


def _status(one: Mapping[str, Any]) -> str:
    said = str(one["status"])
    if one["reason"] and said != "active":
        said += f" ({one['reason']})"
    if one["frozen_by"]:
        said += f" failover frozen by {one['frozen_by']}"
    return said + (" quarantined" if one["quarantined"] else "")
