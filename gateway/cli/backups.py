"""`hangdao backup`, `restore`, `quarantine`: copies of the database, and what follows a restore."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click
from rich.console import Console

from gateway.audit.export import LastSigned
from gateway.cli.configuration import configured, refusing
from gateway.cli.connection import Api, Connect, connecting, reaching
from gateway.cli.database import look
from gateway.cli.output import Command, Group, Refusal, facts, grid, moment, tell
from gateway.clock import SystemClock
from gateway.ports import Backup
from gateway.settings import Loaded
from gateway.store.copies import move_backup, online_backup, put_back, verified
from gateway.wiring import open_configured_store, vault_of


def _not_for_postgresql() -> Refusal:
    return Refusal(
        "not_for_postgresql",
        "back up PostgreSQL with its own tools: pg_basebackup with WAL archiving, or pg_dump. "
        "After you have restored it, start the gateway as ever: a database that is behind the mark "
        "in data_dir starts in quarantine. If data_dir was restored with it, or is new, the "
        "gateway cannot notice: run `hangdao quarantine begin` at once",
        zh="PostgreSQL 请使用 pg_basebackup（配合 WAL 归档）或 pg_dump 备份；恢复后照常启动，"
        "网关会根据 data_dir 中的水位标记自动进入隔离；"
        "若 data_dir 也一并恢复或为全新目录，请立即运行 hangdao quarantine begin",
    )


@click.command("backup", cls=Command)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@connecting("operator")
@configured
def backup_command(loaded: Loaded, connect: Connect, out: Path) -> None:
    """Write a checked copy of the database to a new file, also while the gateway runs.

    Beside it goes a manifest, <file>.json; a backup is both. A running gateway is asked to do it
    (with an operator's key); its folder must be on this machine.
    """
    path = _database(loaded)
    if out.exists():
        raise Refusal("file_exists", f"{out} exists already", zh=f"{out} 已存在")
    if asyncio.run(look(loaded.settings.database.url.get_secret_value())).held:
        with connect() as api:
            file = Path(api.post("/v1/admin/backup")["file"])
        if not file.exists():
            raise Refusal(
                "elsewhere", f"the gateway has written {file} on its own machine", file=str(file)
            )
    elif not path.exists():
        raise Refusal("no_database", f"there is no database {path}", zh="数据库不存在")
    else:
        file = asyncio.run(_offline(loaded))
    with refusing():
        move_backup(file, out)
        made = verified(out)
    tell({"file": str(out), **_told(made)}, lambda console: _draw(console, out, made))


async def _offline(loaded: Loaded) -> Path:
    clock = SystemClock()
    store = await open_configured_store(loaded, clock, migrate=True)
    try:
        return (await online_backup(store, loaded.settings.data_dir, clock.now()))[0]
    finally:
        await store.aclose()


def _signed(data_dir: Path) -> str | None:
    """The newest checkpoint signed here; without it the audit log cannot say what it forks from."""
    try:
        return LastSigned(data_dir).last()
    except OSError as error:
        raise Refusal(
            "checkpoint_unreadable",
            f"the last signed checkpoint cannot be read: {error.strerror}",
            zh="无法读取最近一次签名的检查点",
        ) from error


@click.command("restore", cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@configured
def restore_command(loaded: Loaded, file: Path) -> None:
    """Put a backup in the place of the database, in quarantine; the gateway must stand still.

    The replaced database is kept beside it. The next start sends nothing until the channels have
    told what became of everything since the backup: see `hangdao quarantine status`.
    """
    done = asyncio.run(
        put_back(
            file,
            _database(loaded),
            loaded.settings.data_dir,
            vault_of(loaded),
            SystemClock(),
            "restore",
            signed=_signed(loaded.settings.data_dir),
        )
    )
    kept = None if done.set_aside is None else str(done.set_aside)

    def draw(console: Console) -> None:
        _draw(console, file, done.backup)
        console.print(facts([("replaced database", kept)]))
        console.print("恢复完成：下次启动将处于隔离状态，核实完毕前不会出款", markup=False)
        console.print(
            "restored: the next start is in quarantine and sends nothing until all is known"
        )

    tell({"file": str(file), "replaced": kept, **_told(done.backup)}, draw)


def _database(loaded: Loaded) -> Path:
    url = loaded.settings.database.url.get_secret_value()
    if not url.startswith("sqlite:"):
        raise _not_for_postgresql()
    return Path(unquote(urlsplit(url).path))


def _told(made: Backup) -> dict[str, Any]:
    return {
        "schema": made.schema,
        "feed": made.position.feed,
        "attempts": made.position.attempts,
        "at": made.at.isoformat(),
        "size": made.size,
        "sha256": made.sha256,
    }


def _draw(console: Console, file: Path, made: Backup) -> None:
    rows = [("file", str(file)), *((name, str(value)) for name, value in _told(made).items())]
    console.print(facts(rows))


@click.group("quarantine", cls=Group)
def quarantine_command() -> None:
    """After a restore: nothing is sent until everything is known (with an operator's key)."""


@quarantine_command.command("status")
@reaching("operator")
def status(api: Api) -> None:
    """Show whether sending waits, and for what."""
    _show(api.get("/v1/admin/quarantine"))


@quarantine_command.command("begin")
@click.option("--reason", required=True)
@click.option("--since", help="When the backup was made (RFC 3339); else the newest event tells.")
@reaching("operator")
def begin(api: Api, reason: str, since: str | None) -> None:
    """Begin one by hand: for a restore that took the data folder back as well."""
    if since is not None:
        try:
            datetime.fromisoformat(since)
        except ValueError:
            raise click.BadParameter("not an RFC 3339 time", param_hint="--since") from None
    body = {"reason": reason} if since is None else {"reason": reason, "backup_at": since}
    _show(api.post("/v1/admin/quarantine", body))


@quarantine_command.command("release")
@click.argument("channel")
@click.option("--reason", required=True, help="How you know that nothing unknown was paid there.")
@reaching("operator")
def release(api: Api, channel: str, reason: str) -> None:
    """Vouch for a channel that cannot tell by itself; counts once a second key has done the same.

    Waives the channel's missing statements and its unanswered inquiries in this quarantine.
    """
    _show(api.post("/v1/admin/quarantine/release", {"channel": channel, "reason": reason}))


def _show(found: Any) -> None:
    def draw(console: Console) -> None:
        if not found["quarantined"]:
            console.print("no quarantine: sending is not held back  未处于隔离状态")
            return
        console.print(
            facts(
                [
                    ("cause", found["cause"]),
                    ("backup of", moment(found["backup_at"])),
                    ("since", moment(found["started_at"])),
                    ("payouts not known yet", found["payouts_open"]),
                ]
            )
        )
        rows = [
            (
                one["channel"],
                ", ".join(one["statements_awaited"]) or "-",
                one["asked_by"],
                one["agreed_by"],
                one["reason"],
            )
            for one in found["channels"]
        ]
        headings = ("channel", "statements awaited", "release asked by", "agreed by", "reason")
        console.print(grid(headings, rows))

    tell(found, draw)
