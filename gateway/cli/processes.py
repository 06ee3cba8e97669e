"""`hangdao serve`: run the gateway of a configuration until it is told to stop."""

import asyncio
from pathlib import Path

import click
import orjson
import uvloop

from gateway import serving
from gateway.cli.configuration import CONFIG, read_config, refusing
from gateway.cli.output import Command, Refusal, tell
from gateway.wiring import program_version


@click.command("serve", cls=Command)
@CONFIG
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of the configured one.")
def serve_command(config: Path, port: int | None) -> None:
    """Serve the gateway until SIGTERM or Ctrl-C.

    Prints one JSON line, {"ready": true, "url": …}, once requests are answered; logs go to standard
    error. Exits with 1 when the store broke.
    """
    loaded = read_config(config, {} if port is None else {"server.port": port})

    def ready(url: str) -> None:
        click.echo(orjson.dumps({"ready": True, "url": url}))

    with refusing(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            code = runner.run(serving.serve(loaded, ready=ready))
        except OSError as error:
            server = loaded.settings.server
            raise Refusal(
                "cannot_listen",
                f"cannot listen on {server.host}:{server.port}: {error.strerror or error}",
                zh=f"无法监听 {server.host}:{server.port}",
            ) from None
    raise SystemExit(code)


@click.command("version", cls=Command)
def version_command() -> None:
    """Print the version."""
    version = program_version()
    tell({"version": version}, lambda console: console.print(version))
