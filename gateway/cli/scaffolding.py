"""`hangdao channel scaffold`: begin a new kind of channel."""

from pathlib import Path

import click
from rich.console import Console

from channels.contract import Rail
from channels.money import Currency
from channels.registry import KINDS
from gateway.cli.output import Command, Refusal, tell
from gateway.scaffold.kind import NameRefusedError, NewKind
from gateway.scaffold.making import CannotMakeError, Entry, entries, make

_HERE = Path()
_THEN = "ruff check --fix . && python -m tests.tidy.channel_tables && make test"


@click.command("scaffold", cls=Command)
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=_HERE,
    help="The project's folder; else this one.",
)
@click.option(
    "--rail",
    type=click.Choice([rail.value for rail in Rail]),
    default=Rail.BANK_CARD.value,
    show_default=True,
    help="How it reaches beneficiaries.",
)
@click.option(
    "--currency",
    type=click.Choice([currency.value for currency in Currency]),
    default=Currency.CNY.value,
    show_default=True,
    help="What it pays.",
)
def scaffold(name: str, folder: Path, rail: str, currency: str) -> None:
    """Write the files of a new kind NAME: adapter, simulator, tests; nothing is overwritten.

    Until its wire is written it refuses every payout and sends nothing. What is to be added to the
    files that are there already is told.
    """
    if name in KINDS:
        said = f"there is a kind {name} already"
        raise Refusal("kind_exists", said, zh=f"渠道类型 {name} 已存在")
    try:
        new = NewKind(name, Rail(rail), Currency(currency))
        written = [str(path) for path in make(folder, new)]
    except (NameRefusedError, CannotMakeError) as error:
        code = "name_refused" if isinstance(error, NameRefusedError) else "cannot_make"
        raise Refusal(code, str(error), zh=error.zh) from None
    listed = [
        {"file": one.file, "where": one.after, "lines": list(one.lines)} for one in entries(new)
    ]
    tell({"written": written, "add": listed}, lambda console: _draw(console, written, entries(new)))


def _draw(console: Console, written: list[str], added: tuple[Entry, ...]) -> None:
    console.print("已生成 written:", style="bold")
    for path in written:
        console.print(f"  {path}", markup=False)
    console.print("\n请手工加入 add by hand:", style="bold")
    for one in added:
        console.print(f"\n  {one.file}, {one.after}:", markup=False)
        for line in one.lines:
            console.print(f"    {line}", markup=False)
    console.print(f"\n之后 then: {_THEN}", markup=False)
