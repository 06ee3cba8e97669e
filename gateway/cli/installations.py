"""`hangdao config show` and `hangdao migrate`: an installation that need not run."""

import asyncio

import click

from gateway.cli.configuration import configured
from gateway.cli.database import look
from gateway.cli.output import Command, Group, grid, tell
from gateway.settings import Loaded, show
from gateway.store import migrate


@click.group("config", cls=Group)
def config_command() -> None:
    """The configuration."""


@config_command.command("show")
@configured
def config_show(loaded: Loaded) -> None:
    """Show every setting and where it comes from; secrets are masked."""
    rows = show(loaded)
    listed = [{"key": row.key, "value": row.value, "origin": row.origin} for row in rows]
    table = grid(("key", "value", "origin"), ((row.key, row.value, row.origin) for row in rows))
    tell({"settings": listed}, lambda console: console.print(table))


@click.command("migrate", cls=Command)
@configured
def migrate_command(loaded: Loaded) -> None:
    """Bring the database's schema up to this program's version (the gateway stands still)."""
    url = loaded.settings.database.url.get_secret_value()
    before = asyncio.run(look(url)).version
    asyncio.run(migrate(url))
    after = asyncio.run(look(url)).version
    said = f"schema version {before} → {after}" if before != after else f"already at {after}"
    tell({"from": before, "to": after}, lambda console: console.print(said))
