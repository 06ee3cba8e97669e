"""`hangdao calendar`: which days are worked, as the gateway counts them, and saying so."""

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console

from gateway.cli.connection import Api, reaching
from gateway.cli.output import Group, Refusal, facts, grid, moment, tell

_PATH = "/v1/admin/calendar"


class Day(click.ParamType[str]):
    """A day such as 2027-02-06."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The same, in the one form."""
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            self.fail(f"{value!r} is not a day such as 2027-02-06", param, ctx)


@click.group(cls=Group)
def calendar_command() -> None:
    """The working calendar (with an operator's key)."""


@calendar_command.command("check")
@click.argument("day", type=Day(), required=False)
@reaching("operator")
def check(api: Api, day: str | None) -> None:
    """Whether every year that is needed is known (else it is refused); with DAY, how it counts."""
    found = api.get(_PATH, day=day) if day else api.get(_PATH)
    if day is None and found["missing_year"] is not None:
        raise Refusal(
            "calendar_missing",
            found["problem"],
            zh=found["problem_zh"],
            missing_year=found["missing_year"],
        )
    tell(found, lambda console: _draw(console, found))


@calendar_command.command("ls")
@reaching("operator")
def ls(api: Api) -> None:
    """List the days that people have said something of, and years declared complete."""
    found = api.get(_PATH)

    def draw(console: Console) -> None:
        days = [
            (one["on"], _word(one["works"]), _word(one["published"]), one["note"], one["by"])
            for one in found["days"]
        ]
        console.print(grid(("day", "said", "published", "note", "by"), days))
        years = [
            (str(one["year"]), one["note"], one["by"], moment(one["at"])) for one in found["years"]
        ]
        if years:
            console.print(grid(("complete year", "note", "by", "at"), years))

    tell(found, draw)


@calendar_command.command("set")
@click.argument("day", type=Day())
@click.argument("kind", type=click.Choice(["work", "rest"]))
@click.option("--note", required=True, help="Why: the notice, the institution; kept for ever.")
@reaching("operator")
def set_day(api: Api, day: str, kind: str, note: str) -> None:
    """Say that a day is worked or not; every replica counts so within seconds."""
    body = {"days": [{"on": day, "works": kind == "work"}], "note": note}
    found = api.post(_PATH, body)
    tell(found, lambda console: _draw(console, found))


@calendar_command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--note", required=True, help="Where it comes from, e.g. the notice's number.")
@reaching("operator")
def take_in(api: Api, file: Path, note: str) -> None:
    """Take in a whole year and declare it complete.

    FILE is JSON as in NateScarlet/holiday-cn ({"year": …, "days": [{"date": …, "isOffDay": …}]}),
    or TOML as in policies/calendars/cn.toml ([2027] with rest and work).
    """
    year, days = _read(file)
    body = {
        "days": [{"on": day, "works": works} for day, works in sorted(days.items())],
        "note": note,
        "complete": year,
    }
    found = api.post(_PATH, body)
    tell(found, lambda console: _draw(console, found))


def _read(file: Path) -> tuple[int, dict[str, bool]]:
    """The one year of a file, and which of its days are worked. Raises `BadParameter`."""
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".toml":
            return _from_toml(tomllib.loads(text))
        return _from_json(orjson.loads(text))
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise click.BadParameter(
            f"{file.name} is not a year's calendar: {type(error).__name__}: {error}",
            param_hint="FILE",
        ) from None


def _from_json(content: Mapping[str, Any]) -> tuple[int, dict[str, bool]]:
    days: dict[str, bool] = {}
    for one in content["days"]:
        if not isinstance(one["isOffDay"], bool):
            raise TypeError("isOffDay must be true or false")
        days[date.fromisoformat(one["date"]).isoformat()] = not one["isOffDay"]
    return int(content["year"]), days


def _from_toml(content: Mapping[str, Any]) -> tuple[int, dict[str, bool]]:
    years = {name: lists for name, lists in content.items() if name.isdigit()}
    if len(years) != 1:
        raise ValueError("it must hold exactly one year")
    ((year, lists),) = years.items()
    days = {
        date.fromisoformat(f"{year}-{day}").isoformat(): kind == "work"
        for kind in ("rest", "work")
        for day in lists[kind]
    }
    return int(year), days


def _draw(console: Console, found: Mapping[str, Any]) -> None:
    day = found["day"]
    rows: list[tuple[str, object]] = [
        ("years known", f"{found['first_year']}-{found['last_year']}"),
        ("days overridden", len(found["days"])),
    ]
    if day is not None:
        rows += [
            ("day", day["on"]),
            ("cn_statutory", _word(day["cn_statutory"])),
            ("cn_no_makeup", _word(day["cn_no_makeup"])),
            ("", None if day["known"] else "a guess: its year is not published"),
        ]
    console.print(facts(rows))
    if found["problem"]:
        console.print(found["problem"])
        console.print(found["problem_zh"])


def _word(works: object) -> str:
    return "work" if works else "rest"
