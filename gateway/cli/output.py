"""How commands speak: one JSON document with `--json`, else tables; and how they refuse.

Exit codes: 0 done, 1 refused (`Refusal`: one plain sentence on stderr, and the same in Chinese when
it is known), 2 a mistake in usage or configuration (click's own, `configuration.Misconfigured`). A
refusal under `--json` is a document too: `{"error": {"code": …, "detail": …}}`.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import IO, Any
from zoneinfo import ZoneInfo

import click
import orjson
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from channels.money import Currency, Money

_JSON = "gateway.cli.json"
_PIPE_WIDTH = 220
"""Without a terminal nothing has to fit a window, and a cut id would be of no use."""
_BUSINESS_ZONE = ZoneInfo("Asia/Shanghai")


class Command(click.Command):
    """A command that can answer in JSON."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """As click's own, plus `--json`."""
        super().__init__(*arguments, **named)
        self.params.append(
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                callback=_remember,
                help="One JSON document on standard output.",
            )
        )


class Group(click.Group):
    """A group whose commands all can."""

    command_class = Command
    group_class = type


def _remember(context: click.Context, _: click.Parameter, given: bool) -> None:
    context.meta[_JSON] = given


def wants_json() -> bool:
    """Whether the running command was called with `--json`."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_JSON))


class Refusal(click.ClickException):
    """It was not done; the message says why in one sentence."""

    exit_code = 1

    def __init__(self, code: str, message: str, *, zh: str = "", **facts: object) -> None:
        """`facts` go into the JSON document beside `code` and `detail`."""
        super().__init__(message)
        self.code = code
        self.zh = zh
        self.facts = facts
        self._advice: list[tuple[str, str]] = []
        # The context is gone when click shows the error.
        self._as_json = wants_json()

    def document(self) -> dict[str, object]:
        """What `--json` answers instead of a result."""
        shown = {"code": self.code, "detail": self.message, **self.facts}
        return {"error": {**shown, "detail_zh": self.zh} if self.zh else shown}

    def show(self, file: IO[Any] | None = None) -> None:
        """Say it on standard error, and as a document where one was asked for."""
        if self._as_json:
            click.echo(orjson.dumps(self.document()))
        for sentence in self.sentences():
            click.echo(sentence, file=file, err=file is None)

    def advise(self, message: str, zh: str) -> None:
        """Add what to do now."""
        self._advice.append((message, zh))

    def sentences(self) -> list[str]:
        """The lines for people."""
        en = "; ".join((self.message, *(en for en, _ in self._advice)))
        zh = "；".join((self.zh, *(zh for _, zh in self._advice)))
        return [en, zh] if self.zh else [en]


def tell(document: object, draw: Callable[[Console], None]) -> None:
    """Answer: the document with `--json`, else whatever `draw` puts on the console."""
    if wants_json():
        click.echo(orjson.dumps(document))
    else:
        draw(console())


def console() -> Console:
    """Standard output; colours only on a terminal and without NO_COLOR."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(highlight=False, width=width)


def grid(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> RenderableType:
    """Rows under headings; numbers stand on the right. Without rows, a word that says so."""
    lines = [[_cell(value) for value in row] for row in rows]
    if not lines:
        return Text("none", style="dim")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*line)
    return table


def facts(rows: Iterable[tuple[str, object]]) -> RenderableType:
    """Names with values; what has no value is left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        if value is not None and value != "":
            table.add_row(name, Text(str(value)))
    return table


def _cell(value: object) -> Text:
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, int):
        return Text(f"{value:,}", justify="right")
    return value if isinstance(value, Text) else Text(str(value))


def amount(minor: int, currency: str) -> Text:
    """Major units with their currency, e.g. `12.30 CNY`."""
    return Text(f"{Money(minor, Currency(currency))} {currency}", justify="right")


def moment(stamp: str | None) -> str | None:
    """A moment of the API in business time (Asia/Shanghai), to the second; a date as it is."""
    if stamp is None or "T" not in stamp:
        return stamp
    local = datetime.fromisoformat(stamp).astimezone(_BUSINESS_ZONE)
    return local.strftime("%Y-%m-%d %H:%M:%S")
