"""`hangdao webhook`: where a merchant's webhooks go, and sending one again."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Group, facts, grid, moment, tell


@click.group("webhook", cls=Group)
def webhook_command() -> None:
    """Webhook endpoints (with a merchant's key)."""


@webhook_command.command("add")
@click.argument("address")
@click.option("--kind", "kinds", multiple=True, help="Only these events, e.g. paid; else all.")
@reaching("merchant")
def add(api: Api, address: str, kinds: Sequence[str]) -> None:
    """Send webhooks to ADDRESS from now on."""
    made = api.post("/v1/webhook-endpoints", {"url": address, "kinds": list(kinds)})
    tell(made, lambda console: _draw_new(console, made))


@webhook_command.command("ls")
@reaching("merchant")
def ls(api: Api) -> None:
    """List endpoints."""
    found = api.get("/v1/webhook-endpoints")
    rows = [
        (
            one["id"],
            one["url"],
            ", ".join(one["kinds"]) or "all",
            one["active"],
            moment(one["created_at"]),
        )
        for one in found["data"]
    ]
    headings = ("id", "address", "events", "active", "since")
    tell(found, lambda console: console.print(grid(headings, rows)))


@webhook_command.command("rotate")
@click.argument("endpoint")
@reaching("merchant")
def rotate(api: Api, endpoint: str) -> None:
    """Make a new secret; the one before goes on signing until the next rotation."""
    made = api.post(f"/v1/webhook-endpoints/{path_of(endpoint)}/rotate")
    tell(made, lambda console: _draw_new(console, made))


@webhook_command.command("rm")
@click.argument("endpoint")
@reaching("merchant")
def rm(api: Api, endpoint: str) -> None:
    """Send nothing there any more."""
    gone = api.delete(f"/v1/webhook-endpoints/{path_of(endpoint)}")
    tell(gone, lambda console: console.print(f"{gone['id']} is switched off"))


@webhook_command.command("resend")
@click.argument("delivery")
@reaching("merchant")
def resend(api: Api, delivery: str) -> None:
    """Send a webhook again (its id: `payout deliveries`)."""
    answer = api.post(f"/v1/deliveries/{path_of(delivery)}/resend")
    tell(answer, lambda console: console.print(f"{delivery} is due again"))


def _draw_new(console: Console, made: Mapping[str, Any]) -> None:
    console.print(facts([("id", made["id"]), ("address", made["url"]), ("secret", made["secret"])]))
    console.print("Keep the secret now: it is not shown again. 请立即保存密钥。", style="dim")
