"""`hangdao archive`: move what ended payouts no longer need at hand into files, and check these."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gateway.cli.connection import Api, reaching
from gateway.cli.output import Group, Refusal, facts, grid, moment, tell
from gateway.domain.archive import RETENTION_DAYS, ArchiveDamagedError, counts_of, verified

COUNTS = ("payouts", "decisions", "deliveries")


@click.group("archive", cls=Group)
def archive_command() -> None:
    """Archives of decisions and webhooks. Payouts, numbers, books and proofs always stay."""


@archive_command.command("run")
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(min=1),
    default=2 * RETENTION_DAYS,
    show_default=True,
    help=f"Days since the payout was last changed; {RETENTION_DAYS} at least.",
)
@click.option("--yes", is_flag=True, help="Do it; without it only what would be done is counted.")
@reaching("operator")
def run(api: Api, days: int, *, yes: bool) -> None:
    """Archive ended payouts' decisions and webhooks, a file of some thousand payouts at a time.

    Each file is read back and compared before anything is removed. Stop it and start it again as
    you like.
    """
    totals, files = dict.fromkeys(COUNTS, 0), list[str]()
    after: str | None = None
    while True:
        body = {"older_than_days": days, "dry_run": not yes}
        done = api.post("/v1/admin/archives", body if after is None else body | {"after": after})
        for name in COUNTS:
            totals[name] += done[name]
        if done["archive"] is not None:
            files.append(done["archive"]["file"])
        after = done["next_after"]
        if after is None:
            break
    document = {"done": yes, "older_than_days": days, **totals, "files": files}

    def draw(console: Console) -> None:
        console.print(facts([*((name, totals[name]) for name in COUNTS), ("files", len(files))]))
        if not yes:
            console.print("只是统计，未写入或删除任何内容；确认执行请加 --yes", markup=False)
            console.print("only counted; nothing was written or removed: add --yes to do it")

    tell(document, draw)


@archive_command.command("ls")
@reaching("operator")
def ls(api: Api) -> None:
    """List archives, newest first."""
    found = api.get("/v1/admin/archives")
    headings = ("file", *COUNTS, "bytes", "made", "by", "removed here")
    rows = [
        (
            one["file"],
            *(one[name] for name in COUNTS),
            one["size"],
            moment(one["made_at"]),
            one["actor"],
            moment(one["cleared_at"]),
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


@archive_command.command("verify")
@click.argument(
    "files", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True
)
@reaching("operator")
def verify(api: Api, files: tuple[Path, ...]) -> None:
    """Compare files with what the gateway has kept of them."""
    kept = {one["file"]: one for one in api.get("/v1/admin/archives")["data"]}
    checked = [_checked(file, kept.get(file.name)) for file in files]

    def draw(console: Console) -> None:
        rows = [(one["file"], *(one[name] for name in COUNTS)) for one in checked]
        console.print(grid(("file", *COUNTS), rows))
        console.print("与网关保存的记录一致 as the gateway has kept them", markup=False)

    tell({"data": checked}, draw)


def _checked(file: Path, kept: Any) -> dict[str, Any]:
    if kept is None:
        raise Refusal(
            "archive_unknown", f"the gateway knows no archive {file.name}", zh="网关没有该归档记录"
        )
    try:
        bulks = verified(file.read_bytes(), kept["sha256"])
    except ArchiveDamagedError as error:
        raise Refusal(
            "archive_damaged", f"{file.name}: {error}", zh=f"归档文件 {file.name} 已损坏"
        ) from None
    return {"file": file.name, "sha256": kept["sha256"], **counts_of(bulks)}
