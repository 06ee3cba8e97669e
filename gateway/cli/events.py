"""`hangdao event`: the feed of everything that happened to payouts."""

import click
from rich.console import Console

from gateway.cli.connection import Api, reaching
from gateway.cli.output import Group, grid, moment, tell


@click.group("event", cls=Group)
def event_command() -> None:
    """The event feed."""


@event_command.command("ls")
@click.option("--after", type=click.IntRange(min=0), default=0, help="The last position read.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@reaching("merchant")
def ls(api: Api, after: int, limit: int) -> None:
    """List events after a position, in order."""
    page = api.get("/v1/events", after=after, limit=limit)

    def draw(console: Console) -> None:
        rows = [
            (str(one["feed"]), moment(one["at"]), one["payout_id"], one["seq"], one["type"])
            for one in page["data"]
        ]
        console.print(grid(("feed", "at", "payout", "seq", "event"), rows))
        if page["has_more"]:
            console.print(f"more: --after {page['next_after']}")

    tell(page, draw)
