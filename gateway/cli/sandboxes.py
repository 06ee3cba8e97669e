"""`hangdao up`, `sim`, `demo`: a gateway to try, its institutions, the rehearsal that proves it."""

import asyncio
import io
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
import orjson
from rich.console import Console

from gateway.cli.output import Command, Refusal, console, wants_json
from gateway.sandbox import card, demo, up
from gateway.sandbox.card import Card
from gateway.sandbox.installation import free_port
from gateway.sandbox.merchant import RefusedError
from gateway.sandbox.processes import ProcessError

_FIRST_PAYOUT = {
    "merchant_ref": "first-1",
    "amount": "12.30",
    "currency": "CNY",
    "beneficiary": {
        "instruments": [{"rail": "alipay", "identity": "payee@example.test", "name": "王小明"}]
    },
    "purpose": "佣金",
}


@click.command("up", cls=Command)
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(card.FOLDER),
    show_default=True,
    help="Where keys, ledger and logs are kept.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Of the gateway; 0 takes a free one.",
)
def up_command(folder: Path, port: int) -> None:
    """Start a sandbox: simulated institutions, a gateway, a merchant with money."""
    as_json = wants_json()

    def announce(made: Card) -> None:
        if as_json:
            click.echo(orjson.dumps({"ready": True, "dir": str(folder), **_shown(made)}))
        else:
            _greet(made, folder)

    try:
        asyncio.run(up.up(folder, port or free_port(), announce))
    except (ProcessError, RefusedError) as error:
        raise Refusal("sandbox_failed", str(error)) from None
    except OSError as error:
        raise Refusal("sandbox_failed", f"{error.filename or folder}: {error.strerror}") from None


def _shown(made: Card) -> dict[str, object]:
    return {**asdict(made), "curl": _curl(made)}


def _curl(made: Card) -> str:
    body = orjson.dumps(_FIRST_PAYOUT).decode()
    words = ["curl", "-sS", f"{made.url}/v1/payouts"]
    words += ["-H", f"Authorization: Bearer {made.merchant_key}"]
    words += ["-H", "Content-Type: application/json", "-d", body]
    return shlex.join(words)


def _greet(made: Card, folder: Path) -> None:
    """Say where everything is and what to try; plain lines, ready to paste."""
    default = folder == Path(card.FOLDER)
    where = "" if default else f" --dir {shlex.quote(str(folder))}"
    lines = [
        "航道沙箱已就绪 · the Hangdao sandbox is ready",
        "",
        f"  网关 gateway           {made.url}",
        f"  机构模拟 institutions  {made.control_url}/_sim/health",
        f"  商户密钥 merchant key  {made.merchant_key}",
        f"  运营密钥 operator key  {made.operator_key}",
        "",
        "发起一笔代付 · make a payout",
        f"  {_curl(made)}",
        "",
        "查看结果；两天后对账 · watch it; two days later its statement settles it",
        f"  hangdao payout show first-1{where}",
        f"  hangdao clock advance 2d{where}",
        f"  hangdao statement read{where}",
        "",
        "按 Ctrl-C 结束 · Ctrl-C ends it",
    ]
    for line in lines:
        click.echo(line)


@click.command(
    "sim",
    cls=Command,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sim_command(arguments: Sequence[str]) -> None:
    """Run the simulated institutions: `sim --config sim.yaml`, `sim init DIR`, `sim serve …`.

    Everything is passed on to `python -m simulators`, which answers in JSON anyway.
    """
    given = [one for one in arguments if one != "--json"]
    if given and given[0].startswith("-") and given[0] not in {"--help", "-h"}:
        given.insert(0, "serve")
    sys.stdout.flush()
    # In place of this process, so that signals and exit codes are the simulators' own.
    os.execv(sys.executable, [sys.executable, "-m", "simulators", *given])  # noqa: S606 - no shell


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
