"""`python -m simulators`: `init` makes a sandbox, `serve` runs it until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click

from simulators.control import Control
from simulators.memory import let_books_grow
from simulators.opening import Wishes
from simulators.registry import KINDS
from simulators.sandbox import make_sandbox
from simulators.scenario import Plan, ScenarioError, Source, load
from simulators.world import World

_REFUSED, _USAGE = 1, 2
Callback: TypeAlias = Callable[..., None]


@click.group()
def main() -> None:
    """Simulated payout institutions on loopback."""


@main.command()
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True
)
def serve(config: Path) -> None:
    """Serve every simulator of a configuration and the control API."""
    try:
        plan, source = load(config)
        asyncio.run(_serve(plan, source))
    except ScenarioError as error:
        click.echo(str(error), err=True)
        raise SystemExit(_USAGE) from None
    except OSError as error:
        click.echo(f"cannot serve: {error}", err=True)
        raise SystemExit(_REFUSED) from None


def _counts(command: Callback) -> Callback:
    """An option for the number of accounts of each kind."""
    for kind, one in reversed(list(KINDS.items())):
        told = f"accounts of the kind {kind}"
        option = click.option(f"--{one.short}", kind, default=0, help=told)
        command = option(command)
    return command


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_counts
@click.option("--seed", default=1, show_default=True, help="seed of the faults")
@click.option("--port-base", default=0, help="first of consecutive ports (default: free ones)")
@click.option("--balance-fen", default=100_000_000, show_default=True, help="on each account")
@click.option("--clock", "clock_mode", type=click.Choice(["real", "virtual"]), default="real")
@click.option("--clock-start", help="RFC 3339; a virtual clock stands there")
@click.option("--notify-url", help="where notices go; {account} and {kind} are filled in")
def init(folder: Path, **given: Any) -> None:
    """Make keys, credentials.json and sim.yaml in FOLDER; without counts, one account of a kind."""
    asked = {kind: given.pop(kind) for kind in KINDS}
    accounts = asked if any(asked.values()) else dict.fromkeys(KINDS, 1)
    try:
        credentials = make_sandbox(folder, Wishes(accounts=accounts, **given))
    except OSError as error:
        click.echo(str(error), err=True)
        raise SystemExit(_REFUSED) from None
    shown = [{"kind": c["kind"], "account": c["account"]} for c in credentials]
    click.echo(json.dumps({"config": str(folder / "sim.yaml"), "accounts": shown}))


async def _serve(plan: Plan, source: Source) -> None:
    world = World(plan, source)
    control = Control(world, plan.control.host, plan.control.port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with world:
        await control.start()
        let_books_grow()
        urls = {name: shell.url for name, shell in world.shells.items()}
        ready = {"ready": True, "control": control.url, "simulators": urls}
        click.echo(json.dumps(ready))
        await stop.wait()
        await control.stop()


if __name__ == "__main__":
    main()
