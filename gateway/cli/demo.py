"""`hangdao demo`: the rehearsal that proves the main job, in a folder that is thrown away."""

import asyncio
import io
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from gateway.cli.output import Command, Refusal, console, wants_json
from gateway.sandbox import demo
from gateway.sandbox.merchant import RefusedError
from gateway.sandbox.processes import ProcessError


@click.command("demo", cls=Command)
@click.option("--payouts", type=click.IntRange(min=10), default=400, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the story.")
def demo_command(payouts: int, seed: int) -> None:
    """Rehearse: hundreds of payouts, trouble on the way, and the institutions' books as witness.

    Exits with 0 only if those books agree with every answer of the gateway; the last line is JSON.
    """
    screen = _LastLine() if wants_json() else None
    told = console() if screen is None else Console(file=screen, width=200)
    show_live = screen is None and told.is_terminal
    with tempfile.TemporaryDirectory(prefix="hangdao-demo-") as folder:
        try:
            code = asyncio.run(
                demo.run(
                    Path(folder), payouts=payouts, seed=seed, show_live=show_live, console=told
                )
            )
        except (ProcessError, RefusedError) as error:
            raise Refusal("demo_failed", str(error)) from None
    if screen is not None:
        click.echo(screen.last)
    raise SystemExit(code)


class _LastLine(io.StringIO):
    """Passes text on to standard error, and remembers the last line: the rehearsal's JSON."""

    def __init__(self) -> None:
        super().__init__()
        self._line = ""
        self.last = ""

    def write(self, text: str) -> int:
        self._line += text
        *whole, self._line = self._line.split("\n")
        self.last = next((line for line in reversed(whole) if line.strip()), self.last)
        sys.stderr.write(text)
        return len(text)
