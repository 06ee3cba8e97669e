"""Texts of policies on the command line: show, list, compare, take in and hand out."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gateway.cli.configuration import Misconfigured, configured
from gateway.cli.connection import Api, Connect, connecting, path_of, reaching
from gateway.cli.output import Command, Refusal, facts, grid, moment, tell
from gateway.compiler import compare, compile_policy
from gateway.domain.errors import ConflictError
from gateway.domain.policy_mistake import PolicyInvalidError
from gateway.engine.policy_file import PolicyFile
from gateway.settings import Loaded, Problem
from gateway.wiring import seed_policy

NAMED = "HASH (or its first six digits), vNUMBER, active, canary, shadow"


def misread(error: PolicyInvalidError) -> Misconfigured:
    """Every mistake of a file on a line of its own."""
    problems = []
    for one in error.mistakes:
        column = "" if one.column is None else f":{one.column}"
        zh = f" / {one.zh}" if one.zh else ""
        problems.append(Problem(f"{error.source}:{one.line}{column}", f"{one.message}{zh}"))
    return Misconfigured("policy_invalid", problems)


def read_text(file: Path) -> str:
    """A policy file's text. Raises `Misconfigured`."""
    try:
        return PolicyFile(file).begin()
    except PolicyInvalidError as error:
        raise misread(error) from None


def checked_text(file: Path) -> str:
    """The text of a policy file that a gateway may well take. Raises `Misconfigured`."""
    text = read_text(file)
    try:
        compile_policy(text, str(file))
    except PolicyInvalidError as error:
        raise misread(error) from None
    return text


def draw_differences(console: Console, differences: Sequence[Mapping[str, str]]) -> None:
    """One sentence a line, in Chinese and English."""
    if not differences:
        console.print("no difference / 无差异")
    for one in differences:
        console.print(f"• {one['zh']}\n  {one['en']}", markup=False)


@click.command("ls", cls=Command)
@reaching("operator")
def ls(api: Api) -> None:
    """List stored policies, newest first."""
    found = api.get("/v1/admin/policies")
    headings = ("version", "name", "hash", "made", "by", "note")
    rows = [
        (
            f"v{one['version']}",
            one["name"],
            one["hash"][:12],
            moment(one["made_at"]),
            one["person"] or one["made_by"],
            one["note"],
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


@click.command("show", cls=Command)
@click.argument("policy", default="active")
@reaching("operator")
def show(api: Api, policy: str) -> None:
    """Show a stored POLICY: HASH (or its beginning), vNUMBER, active, canary or shadow."""
    found = api.get(f"/v1/admin/policies/{path_of(policy)}")

    def draw(console: Console) -> None:
        rows = [
            ("policy", f"{found['name']} (v{found['version']})"),
            ("hash", found["hash"]),
            ("made", moment(found["made_at"])),
            ("by", found["person"] or found["made_by"]),
            ("note", found["note"]),
        ]
        console.print(facts(rows))
        console.print()
        console.print(found["text"], markup=False, end="")

    tell(found, draw)


@click.command("export", cls=Command)
@click.argument("policy", default="active")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it there.")
@reaching("operator")
def export(api: Api, policy: str, out: Path | None) -> None:
    """Hand out the text of a stored POLICY, byte for byte as it was given."""
    found = api.get(f"/v1/admin/policies/{path_of(policy)}")
    if out is not None:
        try:
            out.write_text(found["text"], encoding="utf-8")
        except OSError as error:
            raise Refusal("unwritable", f"{out}: {error.strerror}") from None
    shown = f"written to {out}\n" if out is not None else found["text"]
    tell(found, lambda _: click.echo(shown, nl=False))


@click.command("diff", cls=Command)
@click.argument("new")
@click.argument("old", default="active")
@connecting("operator")
def diff(connect: Connect, new: str, old: str) -> None:
    """Say in words what changes for whom from OLD (default: active) to NEW.

    Each is a FILE, or a stored policy: HASH (or its beginning), vNUMBER, active, canary, shadow.
    """
    try:
        sentences = compare(_text(connect, old), _text(connect, new))
    except PolicyInvalidError as error:
        raise misread(error) from None
    differences = [{"path": one.path, "zh": one.zh, "en": one.en} for one in sentences]
    found = {"old": old, "new": new, "differences": differences}
    tell(found, lambda console: draw_differences(console, differences))


def _text(connect: Connect, named: str) -> str:
    file = Path(named)
    if file.is_file() or file.suffix in {".yaml", ".yml"}:
        return read_text(file)
    with connect() as api:
        found: Any = api.get(f"/v1/admin/policies/{path_of(named)}")
    return str(found["text"])


@click.command("import", cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@configured
def take_in(loaded: Loaded, file: Path) -> None:
    """Make FILE the first policy of an installation, straight in the store.

    Only before people have changed the policy, and while the gateway stands still.
    """
    if loaded.settings.policy.is_file:
        named = loaded.settings.policy.file
        raise Refusal(
            "policy_file_mode",
            f"edit {named}, it is watched: the file is the only writer here",
            zh=f"当前为文件模式，请直接修改 {named}",
        )
    try:
        standing = asyncio.run(seed_policy(loaded, read_text(file), str(file)))
    except PolicyInvalidError as error:
        raise misread(error) from None
    except ConflictError as error:
        raise Refusal(error.code, error.message, zh=error.zh) from None
    found = {"active": standing.active_hash}
    tell(found, lambda console: console.print(f"{standing.active_hash} is active"))


TEXTS = (ls, show, export, diff, take_in)
