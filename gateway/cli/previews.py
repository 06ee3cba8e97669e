"""`hangdao history` and `hangdao policy preview`: read the past, judge a draft by it.

Everything is computed here, not in the gateway: it only hands out pages of history. Without a
gateway, an export or a generated month will do.
"""

import gzip
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import click
from msgspec import Struct
from rich.console import Console

from gateway.cli.connection import Api, Connect, connecting, reaching
from gateway.cli.output import Command, Group, Refusal, facts, grid, tell
from gateway.cli.policy_texts import misread, read_text
from gateway.compiler import compile_policy
from gateway.domain.policy_mistake import PolicyInvalidError
from policies.backtest import report, summary
from policies.backtest import suggest as suggesting
from policies.backtest.lines import (
    Header,
    HistoryError,
    header_line,
    header_of,
    masked,
    names_behind,
    page_of,
    read,
    record_line,
    record_of,
    unmasked,
)
from policies.backtest.record import Record
from policies.backtest.replay import Comparison, replay
from policies.backtest.terms import Terms
from policies.backtest.world import FULL, World
from policies.calendars.workdays import PUBLISHED, Almanac
from policies.document import load
from policies.facts import MICRO
from policies.policy import Policy

_ZONE = ZoneInfo("Asia/Shanghai")
_PAGE = 500
_SALT_BYTES = 16


class Moment(click.ParamType[datetime]):
    """A day (its beginning in Asia/Shanghai) or a moment with its time zone."""

    name = "day|moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Aware UTC."""
        text = str(value)
        try:
            if "T" not in text:
                begins = datetime.combine(date.fromisoformat(text), time(0), _ZONE)
                return begins.astimezone(UTC)
            at = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is neither 2026-03-01 nor 2026-03-01T08:00:00+08:00", param, ctx)
        if at.utcoffset() is None:
            self.fail(f"{text!r} has no time zone", param, ctx)
        return at.astimezone(UTC)


SINCE = click.option("--since", type=Moment(), help="From this day or moment on.")
UNTIL = click.option("--until", type=Moment(), help="Before this day or moment.")


class Source(Struct, frozen=True):
    """A history that is ready to be read, once or again."""

    terms: tuple[Terms, ...]
    almanac: Almanac
    records: Callable[[], Iterable[Record]]
    counted_from: datetime | None
    """What was accepted before only moves tiers and caps."""


# --- history -----------------------------------------------------------------------------------


@click.group("history", cls=Group)
def history_command() -> None:
    """Past payouts with their routing decisions, without payee data."""


@history_command.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@SINCE
@UNTIL
@click.option("--plain-merchants", is_flag=True, help="Merchants' ids as they are, no pseudonyms.")
@reaching("operator")
def export(
    api: Api,
    file: Path,
    *,
    since: datetime | None,
    until: datetime | None,
    plain_merchants: bool,
) -> None:
    """Write history to FILE as JSON lines; gzip when its name ends in .gz.

    FILE appears once it is complete.
    """
    salt = None if plain_merchants else secrets.token_hex(_SALT_BYTES)
    header = replace(_terms(api), since=since, until=until, salt=salt)
    count = 0
    partial = file.with_name(f"{file.name}.part")
    try:
        with _writing(partial, zipped=file.suffix == ".gz") as out:
            out.write(header_line(header))
            for record in _fetched(api, since, until):
                out.write(record_line(masked(record, salt) if salt else record))
                count += 1
        partial.replace(file)
    except OSError as error:
        raise Refusal("unwritable", f"{file} cannot be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
    found = {"file": str(file), "payouts": count, "channels": len(header.channels)}
    tell(found, lambda console: console.print(facts(found.items())))


@contextmanager
def _writing(file: Path, *, zipped: bool) -> Iterator[IO[bytes]]:
    with file.open("wb") as raw:
        if zipped:
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=5, mtime=0) as out:
                yield out  # type: ignore[misc]  # typeshed: GzipFile is an IO[bytes] in all but name
        else:
            yield raw


# --- preview -----------------------------------------------------------------------------------


def sourced(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which history it reads."""
    for option in (
        click.option(
            "--generated",
            metavar="SEED[:COUNT]",
            help=f"A generated month instead ({FULL:,} payouts unless COUNT says).",
        ),
        click.option(
            "--history",
            "file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="An export instead of a gateway.",
        ),
        UNTIL,
        SINCE,
    ):
        command = option(command)
    return command


@click.command("preview", cls=Command)
@click.argument("policy", type=click.Path(dir_okay=False, path_type=Path))
@sourced
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write report.html and report.csv into this folder.",
)
@click.option(
    "--prices",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A policy whose capital rate and penalties price both sides; else the draft's do.",
)
@click.option(
    "--float",
    "floats",
    multiple=True,
    metavar="CHANNEL=MINOR",
    help="What a channel's account holds each morning; else without limit.",
)
@connecting("operator")
def preview(
    connect: Connect,
    policy: Path,
    *,
    since: datetime | None,
    until: datetime | None,
    file: Path | None,
    generated: str | None,
    out: Path | None,
    prices: Path | None,
    floats: tuple[str, ...],
) -> None:
    """What the draft POLICY would have cost, on real history.

    Nothing is changed and nothing is sent. Fees, capital and tiers are computed exactly; success
    is judged from logged exploration, or not at all while that is too little.
    """
    text = read_text(policy)
    draft = _policy(text, policy)
    yardstick = None if prices is None else _policy(read_text(prices), prices).parameters
    with _source(connect, text, since, until, file, generated) as source:
        try:
            compared = replay(
                source.records(),
                source.terms,
                draft,
                yardstick=yardstick,
                floats=dict(map(_float, floats)),
                counted_from=source.counted_from,
                almanac=source.almanac,
            )
        except HistoryError as error:
            raise Refusal("history_invalid", f"{file or 'history'}: {error}") from None
    written = [] if out is None else _write(out, compared)
    found = {**summary.figures(compared), "written": [str(one) for one in written]}
    tell(found, lambda console: _draw(console, compared, written))


@contextmanager
def _source(
    connect: Connect,
    policy_text: str,
    since: datetime | None,
    until: datetime | None,
    file: Path | None,
    generated: str | None,
) -> Iterator[Source]:
    if file is not None and generated is not None:
        raise click.UsageError("--history and --generated exclude each other")
    if generated is not None:
        world = _world(generated)
        yield Source(world.terms, PUBLISHED, lambda: _between(world.records(), since, until), since)
        return
    if file is not None:
        try:
            header, _ = read(_lines(file))
        except HistoryError as error:
            raise Refusal("history_invalid", f"{file}: {error}") from None
        names = names_behind(policy_text, header.salt) if header.salt else {}

        def from_file() -> Iterable[Record]:
            _, records = read(_lines(file))
            return _between(unmasked(records, names), since, until)

        yield Source(header.channels, header.almanac or PUBLISHED, from_file, since)
        return
    with connect() as api:
        header = _terms(api)
        begins = None if since is None else _month_start(since)
        yield Source(
            header.channels,
            header.almanac or PUBLISHED,
            lambda: _fetched(api, begins, until),
            since,
        )


def _between(
    records: Iterable[Record], since: datetime | None, until: datetime | None
) -> Iterator[Record]:
    """From the beginning of `since`'s month: tiers and caps depend on what came before."""
    begins = None if since is None else _month_start(since)
    for record in records:
        if until is not None and record.accepted_at >= until:
            continue
        if begins is None or record.accepted_at >= begins:
            yield record


def _month_start(at: datetime) -> datetime:
    first = at.astimezone(_ZONE).date().replace(day=1)
    return datetime.combine(first, time(0), _ZONE).astimezone(UTC)


def _fetched(api: Api, since: datetime | None, until: datetime | None) -> Iterator[Record]:
    query: dict[str, Any] = {"limit": _PAGE}
    for name, at in (("since", since), ("until", until)):
        if at is not None:
            query[name] = at.isoformat()
    while True:
        answer = api.call("GET", "/v1/admin/history", params=query)
        try:
            page = page_of(answer.content)
        except HistoryError as error:
            raise Refusal("history_invalid", f"the gateway's history: {error}") from None
        yield from page.data
        if page.next is None:
            return
        query["after"] = page.next


def _terms(api: Api) -> Header:
    return header_of(api.call("GET", "/v1/admin/history/terms").content)


def _world(text: str) -> World:
    seed, _, count = text.partition(":")
    try:
        world = World(int(seed), int(count) if count else FULL)
    except ValueError:
        raise click.BadParameter("is not SEED or SEED:COUNT", param_hint="--generated") from None
    if not 1 <= world.count <= 10 * FULL:
        raise click.BadParameter(f"COUNT is 1 to {10 * FULL:,}", param_hint="--generated")
    return world


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if zipped:
                with gzip.GzipFile(fileobj=raw) as unzipped:
                    yield from unzipped
            else:
                yield from raw
    except (EOFError, gzip.BadGzipFile) as error:
        raise HistoryError(0, f"the file is cut off or not gzip ({error})") from None
    except OSError as error:
        raise Refusal("unreadable", f"{file} cannot be read: {error.strerror}") from None


def _policy(text: str, file: Path) -> Policy:
    try:
        return compile_policy(text, str(file))
    except PolicyInvalidError as error:
        raise misread(error) from None


def _float(text: str) -> tuple[str, int]:
    channel, _, minor = text.partition("=")
    if not channel or not minor.isdecimal():
        raise click.BadParameter(f"{text!r} is not CHANNEL=MINOR", param_hint="--float")
    return channel, int(minor)


def _write(folder: Path, compared: Comparison) -> list[Path]:
    made = {"report.html": report.page(compared), "report.csv": report.table(compared)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refusal("unwritable", f"{folder} cannot be written: {error.strerror}") from None
    return [folder / name for name in made]


def _draw(console: Console, compared: Comparison, written: list[Path]) -> None:
    for one in summary.headline(compared):
        console.print(one.zh, markup=False, soft_wrap=True)
        console.print(one.en, markup=False, soft_wrap=True)
    for money in summary.by_currency(compared):
        rows: list[tuple[object, ...]] = [
            (
                f"{zh} {en}",
                summary.amount(money.old[key], money.currency),
                summary.amount(money.new[key], money.currency),
                summary.amount(money.new[key] - money.old[key], money.currency),
            )
            for key, zh, en in summary.PARTS
            if money.old[key] or money.new[key]
        ]
        total = (money.before, money.after, money.change)
        rows.append(("合计 total", *(summary.amount(one, money.currency) for one in total)))
        console.print(grid(("成本 cost", "历史 history", "草案 draft", "变化 change"), rows))
    shares = [
        (
            line.name,
            line.old.payouts // MICRO,
            line.new.payouts // MICRO,
            summary.amount(line.change, line.currency),
            f"{line.days_change:+.2f}",
        )
        for line in summary.by_channel(compared)
    ]
    headings = ("渠道 channel", "历史笔数 before", "草案笔数 after", "成本变化 cost", "天 days")
    console.print(grid(headings, shares))
    for file in written:
        console.print(str(file), markup=False)


# --- suggest -----------------------------------------------------------------------------------


@click.command("suggest", cls=Command)
@click.argument("policy", type=click.Path(dir_okay=False, path_type=Path))
@sourced
@click.option(
    "--days",
    "horizon",
    type=click.IntRange(1, 365),
    default=14,
    show_default=True,
    help="How soon exploration shall allow a verdict on a channel.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the proposed policy to this file.",
)
@connecting("operator")
def suggest(
    connect: Connect,
    policy: Path,
    *,
    since: datetime | None,
    until: datetime | None,
    file: Path | None,
    generated: str | None,
    horizon: int,
    out: Path | None,
) -> None:
    """What history says about the POLICY in force: savings, and a draft to propose.

    Candidates are chosen by the first part of the history and judged by the rest. Nothing is
    activated: `policy preview` the draft, then propose it.
    """
    text = read_text(policy)
    _policy(text, policy)
    with _source(connect, text, since, until, file, generated) as source, _kept(source) as records:
        try:
            advice = suggesting.suggest(
                records,
                source.terms,
                text,
                lambda draft: load(draft, str(policy)),
                horizon_days=horizon,
                almanac=source.almanac,
            )
        except HistoryError as error:
            raise Refusal("history_invalid", f"{file or 'history'}: {error}") from None
    if out is not None:
        try:
            out.write_text(advice.text, encoding="utf-8")
        except OSError as error:
            raise Refusal("unwritable", f"{out} cannot be written: {error.strerror}") from None
    found = {
        "suggestions": [
            {
                "kind": one.kind,
                "zh": one.said.zh,
                "en": one.said.en,
                "saving_micro": _saving(one.saving),
                "applied": one.applied,
            }
            for one in advice.suggestions
        ],
        "changed": advice.changed,
        "whole_micro": _saving(advice.whole),
        "judged_days": advice.judged_days,
        "untried": advice.untried,
        "policy": advice.text,
        "written": None if out is None else str(out),
    }
    tell(found, lambda console: _advise(console, advice, out))


@contextmanager
def _kept(source: Source) -> Iterator[Callable[[], Iterable[Record]]]:
    """The records of the asked span, fetched once and read again from a temporary file."""
    with tempfile.TemporaryFile() as kept:
        for record in source.records():
            if source.counted_from is None or record.accepted_at >= source.counted_from:
                kept.write(record_line(record))

        def again() -> Iterator[Record]:
            kept.seek(0)
            for line in kept:
                yield record_of(line)

        yield again


def _saving(saving: suggesting.Saving | None) -> dict[str, object] | None:
    if saving is None:
        return None
    return {"month": saving.micro, "interval": [saving.low, saving.high], "sure": saving.sure}


def _advise(console: Console, advice: suggesting.Advice, out: Path | None) -> None:
    if not advice.suggestions:
        console.print("没有可改进之处 nothing to improve was found")
    for one in advice.suggestions:
        mark = "✓" if one.applied else "·"
        console.print(f"{mark} {one.said.zh}", markup=False, soft_wrap=True)
        console.print(f"  {one.said.en}", markup=False, soft_wrap=True)
        if one.saving is not None:
            console.print(f"  {_range(one.saving)}", markup=False, soft_wrap=True)
    if advice.untried:
        told = f"{advice.untried} 个候选未试 candidates were not tried"
        console.print(told, markup=False)
    if not advice.changed:
        return
    if advice.whole is not None:
        told = f"合计（后 {advice.judged_days} 天验证）in all, judged on the last days"
        console.print(f"{told}: {_range(advice.whole)}", markup=False, soft_wrap=True)
    if out is None:
        console.print(advice.text, markup=False, soft_wrap=True)
    else:
        console.print(str(out), markup=False)


def _range(saving: suggesting.Saving) -> str:
    low, mean, high = (
        summary.amount(one, "CNY") for one in (saving.low, saving.micro, saving.high)
    )
    return f"{mean} /月 a month (95 %: {low} – {high}; 把握 sure: {100 * saving.sure:.0f} %)"
