"""`hangdao batch`: files of payouts, checked at home, uploaded, followed, written back."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from channels.money import Currency, Money
from gateway.api.batch_files import Examined, examine
from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Command, Group, Refusal, amount, facts, grid, moment, tell
from gateway.cli.parameters import CURRENCY, minor_units
from gateway.domain.batch import BatchMode, BatchState, Fault
from gateway.sheets.profile import Profile, ProfileError, read_profile, shipped
from gateway.sheets.write import template

_UNSURE = frozenset({"no_answer", "commit_unknown", "store_unavailable", "defect"})
_SHOWN = 200
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_MODE = click.option(
    "--mode",
    type=click.Choice(["all_or_nothing", "per_row"]),
    default="all_or_nothing",
    show_default=True,
    help="Whether one bad row keeps all from being paid.",
)
_MONEY = click.option("--currency", type=CURRENCY, default="CNY", show_default=True)
_OUT = click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to; else a name of its own in this folder. Never overwrites.",
)
_FORMAT = click.option("--format", "kind", type=click.Choice(["csv", "xlsx"]), default="xlsx")
_LANGUAGE = click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True)


@click.group(cls=Group)
def batch_command() -> None:
    """Batches of payouts: CSV (UTF-8, GBK), XLSX or JSON lines."""


@batch_command.command("check", cls=Command)
@_FILE
@_MODE
@_MONEY
@click.option("--profile", default="native", show_default=True, help="A name, or a YAML file.")
def check(file: Path, mode: BatchMode, currency: str, profile: str) -> None:
    """Look at a file without sending it: every fault with its line, column and what to do."""
    found = examine(_content(file), _profile(profile), Currency(currency), mode, None)
    document = {
        "file": str(file),
        "kind": found.kind,
        "encoding": found.encoding,
        "count": found.count,
        "total_minor": found.total_minor,
        "currency": currency,
        "errors": [_told(one) for one in found.faults],
        "refused_rows": [
            {"line": row.line, "code": row.refused.code, "detail": row.refused.en}
            for row in found.rows
            if row.refused is not None
        ],
        "warnings": [_told(one) for one in found.warnings],
    }
    if found.faults:
        raise Refusal(
            "batch_invalid",
            f"{file}: {len(found.faults)} fault(s); nothing of it would be paid\n"
            + "\n".join(_line(one) for one in found.faults[:_SHOWN]),
            zh=f"{file}：{len(found.faults)} 处错误，不会付款",
            **document,
        )
    tell(document, lambda console: _draw_check(console, found, currency))


def _draw_check(console: Console, found: Examined, currency: str) -> None:
    total = amount(found.total_minor, currency)
    console.print(f"{found.kind} ({found.encoding}): {found.count:,} rows, {total}")
    for row in found.rows:
        if row.refused is not None:
            said = f"line {row.line}: refused: {row.refused.en} / {row.refused.zh}"
            console.print(said, markup=False)
    for one in found.warnings[:_SHOWN]:
        console.print(f"warning: {_line(one)}", markup=False)
    if len(found.warnings) > _SHOWN:
        console.print(f"and {len(found.warnings) - _SHOWN} warnings more (--json shows all)")


def _line(fault: Fault) -> str:
    where = "" if fault.line is None else f"line {fault.line}"
    column = "" if fault.column is None else f", column {fault.column}"
    return f"{where}{column}: {fault.en} / {fault.zh}".lstrip(": ")


def _told(fault: Fault) -> Mapping[str, object]:
    return {
        "line": fault.line,
        "column": fault.column,
        "code": fault.code,
        "detail": fault.en,
        "detail_zh": fault.zh,
    }


@batch_command.command("create")
@_FILE
@click.option("--count", type=click.IntRange(1), required=True, help="Rows the file should have.")
@click.option("--total", required=True, metavar="1234.50", help="What they should come to.")
@_MONEY
@_MODE
@click.option("--profile", default="native", show_default=True, help="A name the gateway knows.")
@click.option("--idempotency-key", help="A name of your own; the same upload again is harmless.")
@click.option("--repeat", is_flag=True, help="The same rows are really to be paid again.")
@click.option("--wait", is_flag=True, help="Follow it until it is done or refused.")
@reaching("merchant")
def create(
    api: Api,
    /,
    *,
    file: Path,
    total: str,
    currency: str,
    idempotency_key: str | None,
    repeat: bool,
    wait: bool,
    **declared: Any,
) -> None:
    """Upload a file; the declared count and total must be what it holds."""
    query = {
        **declared,
        "total_minor": minor_units(total, currency),
        "currency": currency,
        "repeat": "true" if repeat else "false",
    }
    headers = {"Content-Type": "application/octet-stream"}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    content = _content(file)
    try:
        response = api.call("POST", "/v1/batches", params=query, headers=headers, content=content)
    except Refusal as refusal:
        if refusal.code in _UNSURE:
            refusal.advise(
                "upload the very same file again the same way: it cannot pay twice",
                "请用同一文件和参数重新上传，不会重复付款",
            )
        raise
    made = response.json()
    while wait and made["state"] not in {"done", "refused"}:
        time.sleep(0.3)
        made = api.get(f"/v1/batches/{path_of(made['id'])}")
    tell(made, lambda console: _draw(console, made))


@batch_command.command("show")
@click.argument("batch")
@click.option("--rows", is_flag=True, help="Its rows as well, with --state those of one state.")
@click.option("--state", type=click.Choice(["waiting", "accepted", "refused", "undone"]))
@click.option("--after", type=click.IntRange(0), default=0, help="The last number seen.")
@reaching("merchant")
def show(api: Api, batch: str, rows: bool, state: str | None, after: int) -> None:
    """Show a batch, how far it is, and its rows."""
    found = api.get(f"/v1/batches/{path_of(batch)}")
    page = None
    if rows or state is not None:
        page = api.get(f"/v1/batches/{path_of(batch)}/rows", state=state, after=after)
    document = found if page is None else {**found, "rows": page}

    def draw(console: Console) -> None:
        _draw(console, found)
        if page is not None:
            headings = ("no.", "line", "ref", "amount", "state", "payout", "stands", "why")
            lines = [_row(row, found["currency"]) for row in page["data"]]
            console.print(grid(headings, lines))
            if page["has_more"]:
                console.print(f"more: --after {page['data'][-1]['number']}")

    tell(document, draw)


def _row(row: Mapping[str, Any], currency: str) -> tuple[object, ...]:
    why = row["reason"] if row["refused"] is None else row["refused"]["detail"]
    minor = amount(row["amount_minor"], currency)
    head = (row["number"], row["line"], row["merchant_ref"], minor)
    return (*head, row["state"], row["payout_id"], row["payout_state"], why)


@batch_command.command("cancel")
@click.argument("batch")
@reaching("merchant")
def cancel(api: Api, batch: str) -> None:
    """Give up a batch of which nothing was accepted yet (storing, checking)."""
    found = api.post(f"/v1/batches/{path_of(batch)}/cancel")
    tell(found, lambda console: _draw(console, found))


@batch_command.command("ls")
@click.option(
    "--state",
    type=click.Choice([one.value for one in BatchState]),
    help="Only these; storing: uploads that were cut off.",
)
@click.option("--after", metavar="ID", help="The last id of the page before.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@reaching("merchant")
def ls(api: Api, state: str | None, after: str | None, limit: int) -> None:
    """List batches, newest first."""
    page = api.get("/v1/batches", state=state, after=after, limit=limit)
    headings = ("id", "state", "rows", "total", "mode", "profile", "made", "by")
    rows = [
        (
            *(one["id"], one["state"], one["count"]),
            amount(one["total_minor"], one["currency"]),
            *(one["mode"], one["profile"], moment(one["created_at"]), one["actor"]),
        )
        for one in page["data"]
    ]

    def draw(console: Console) -> None:
        console.print(grid(headings, rows))
        if page["has_more"]:
            console.print(f"more: --after {page['data'][-1]['id']}")

    tell(page, draw)


@batch_command.command("result")
@click.argument("batch")
@_FORMAT
@_LANGUAGE
@_OUT
@reaching("merchant")
def result(api: Api, batch: str, kind: str, lang: str, out: Path | None) -> None:
    """Write what became of each row, as its platform's operator needs it."""
    path = f"/v1/batches/{path_of(batch)}/result.{kind}"
    response = api.call("GET", path, params={"lang": lang})
    _kept(out or Path(f"{batch}-result.{kind}"), response.content)


@batch_command.command("template", cls=Command)
@_FORMAT
@_LANGUAGE
@click.option("--profile", default="native", show_default=True, help="A name, or a YAML file.")
@_OUT
def template_file(kind: Any, lang: Any, profile: str, out: Path | None) -> None:
    """Write an empty file to fill in."""
    found = _profile(profile)
    _kept(out or Path(f"{found.name}-template.{kind}"), template(found, kind, lang))


@batch_command.command("profiles", cls=Command)
@click.argument("name", required=False)
def list_profiles(name: str | None) -> None:
    """List the profiles that are shipped; with NAME, where its file comes from and goes to."""
    if name is not None:
        one = _profile(name)
        tell(_facts(one), lambda console: console.print(facts(list(_facts(one).items()))))
        return
    known = shipped().values()
    told = [one.model_dump(include={"name", "title", "unverified"}) for one in known]
    rows = [(one.name, one.title.zh, one.title.en, "; ".join(one.unverified)) for one in known]
    headings = ("name", "用于", "for", "not verified")
    tell({"data": told}, lambda console: console.print(grid(headings, rows)))


def _facts(one: Profile) -> dict[str, str]:
    return {
        "name": one.name,
        "用于": one.title.zh,
        "for": one.title.en,
        "query": one.query or "-",
        "回写": "-" if one.back is None else one.back.zh,
        "back": "-" if one.back is None else one.back.en,
        "seen in": "; ".join(one.seen) or "-",
        "not verified": "; ".join(one.unverified) or "-",
    }


def _profile(named: str) -> Profile:
    known = shipped()
    if named in known:
        return known[named]
    file = Path(named)
    if not file.is_file():
        raise click.BadParameter(
            f"{named!r} is neither a file nor one of {', '.join(known)}", param_hint="--profile"
        )
    try:
        return read_profile(file.read_text("utf-8"), named)
    except (ProfileError, OSError, UnicodeDecodeError) as error:
        raise Refusal("profile_invalid", str(error), zh=f"格式文件无效：{error}") from None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Refusal("not_read", f"{file} cannot be read: {error.strerror}") from None


def _kept(file: Path, content: bytes) -> None:
    try:
        with file.open("xb") as opened:
            opened.write(content)
    except FileExistsError:
        raise Refusal(
            "file_exists", f"{file} is there already; name another one with -o", zh="文件已存在"
        ) from None
    except OSError as error:
        raise Refusal("not_written", f"{file} cannot be written: {error.strerror}") from None
    said = {"file": str(file), "size": len(content)}
    tell(said, lambda console: console.print(f"{file}: {len(content):,} bytes", markup=False))


def _draw(console: Console, one: Mapping[str, Any]) -> None:
    refused = one["refused"]
    console.print(
        facts(
            [
                ("id", one["id"]),
                ("state", one["state"]),
                ("mode", one["mode"]),
                ("rows", f"{one['count']:,}"),
                ("total", f"{Money(one['total_minor'], Currency(one['currency']))}"),
                ("progress", f"{one['progress_ppm'] / 10_000:.1f} %"),
                ("because", None if refused is None else refused["detail"]),
                ("原因", None if refused is None else refused["detail_zh"]),
            ]
        )
    )
    headings = ("rows are", "payouts are", "rows", "amount")
    counts = [
        (row["state"], row["payout_state"], row["rows"], amount(row["minor"], one["currency"]))
        for row in one["counts"]
    ]
    console.print(grid(headings, counts))
