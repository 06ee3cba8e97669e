"""`hangdao doctor`: would this installation start and do its work? It looks, also while it runs."""

import os
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from gateway.cli.checks import examine
from gateway.cli.configuration import CONFIG
from gateway.cli.findings import Finding, State
from gateway.cli.output import Command, grid, tell
from gateway.settings import SettingsError, load

_STYLES = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}


@click.command("doctor", cls=Command)
@CONFIG
def doctor_command(config: Path) -> None:
    """Check configuration, keys, policy, calendar, disk, database, clock; exit 1 on a failure."""
    found = _examine(config)
    failed = any(one.state is State.FAIL for one in found)
    listed = [{"check": one.check, "state": one.state, "en": one.en, "zh": one.zh} for one in found]
    tell({"ok": not failed, "checks": listed}, lambda console: _draw(console, found))
    if failed:
        raise SystemExit(1)


def _examine(config: Path) -> list[Finding]:
    try:
        loaded = load(config, os.environ)
    except SettingsError as error:
        return [
            Finding(
                "config",
                State.FAIL,
                f"{problem.where}: {problem.message}",
                f"配置错误：{problem.where}: {problem.message}",
            )
            for problem in error.problems
        ]
    said = Finding("config", State.OK, f"{config} is valid", f"{config} 有效")
    return [said, *examine(loaded)]


def _draw(console: Console, found: Sequence[Finding]) -> None:
    rows = [
        (Text(one.state.value, style=_STYLES[one.state]), one.check, f"{one.zh}\n{one.en}")
        for one in found
    ]
    console.print(grid(("", "check", ""), rows))
