"""`hangdao serve`: run the gateway of a configuration until it is told to stop."""

import asyncio
import sys
from pathlib import Path

import click
import orjson
import uvloop

from gateway import serving, supervising
from gateway.cli.configuration import CONFIG, read_config, refusing
from gateway.cli.output import Command, Refusal, tell
from gateway.clock import SystemClock
from gateway.observe import make_log
from gateway.settings import Loaded
from gateway.wiring import program_version, signer_of


@click.command("serve", cls=Command)
@CONFIG
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of the configured one.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="So many processes share the port; needs PostgreSQL.",
)
@click.option("--supervised", is_flag=True, hidden=True, help="As one of several processes.")
def serve_command(config: Path, port: int | None, workers: int | None, supervised: bool) -> None:
    """Serve the gateway until SIGTERM or Ctrl-C.

    Prints one JSON line, {"ready": true, "url": …}, once requests are answered; logs go to standard
    error. Exits with 1 when the store broke.
    """
    given = {"server.port": port, "server.workers": workers}
    loaded = read_config(config, {key: one for key, one in given.items() if one is not None})
    if loaded.settings.server.workers > 1 and not supervised:
        raise SystemExit(_supervise(config, loaded))

    with refusing(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            code = runner.run(serving.serve(loaded, ready=_ready, supervised=supervised))
        except OSError as error:
            raise _cannot_listen(loaded, error) from None
    raise SystemExit(code)


def _supervise(config: Path, loaded: Loaded) -> int:
    """Run several; returns the exit code."""
    settings = loaded.settings
    if settings.database.is_embedded:
        raise Refusal(
            "workers_need_postgresql",
            f"SQLite serves one process, and {settings.server.workers} were asked for: set "
            "database.url to a PostgreSQL, or server.workers to 1",
            zh=f"SQLite 仅支持单进程，而配置要求 {settings.server.workers} 个进程："
            "请将 database.url 改为 PostgreSQL，或将 server.workers 设为 1",
        )
    with refusing():
        # Made here, when it is not there yet, so that the processes need not agree on one.
        signer_of(loaded)
    try:
        held = supervising.reserved(settings.server.host, settings.server.port)
    except OSError as error:
        raise _cannot_listen(loaded, error) from None
    with held:
        port = held.getsockname()[1]
        command = ("-m", "gateway", "serve", "--config", str(config), "--port", str(port))
        log = make_log(
            SystemClock(), sys.stderr, level=settings.log.level, form=settings.log.format
        )
        supervisor = supervising.Supervisor(
            (*command, "--supervised"), settings.server.workers, log, _ready
        )
        return asyncio.run(supervisor.run())


def _ready(url: str) -> None:
    click.echo(orjson.dumps({"ready": True, "url": url}))


def _cannot_listen(loaded: Loaded, error: OSError) -> Refusal:
    server = loaded.settings.server
    return Refusal(
        "cannot_listen",
        f"cannot listen on {server.host}:{server.port}: {error.strerror or error}",
        zh=f"无法监听 {server.host}:{server.port}",
    )


@click.command("version", cls=Command)
def version_command() -> None:
    """Print the version."""
    version = program_version()
    tell({"version": version}, lambda console: console.print(version))
