"""Values on the command line: durations, moments, amounts of money, `name=value` pairs."""

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
import orjson

from channels.money import INT64_MAX, Currency, Money, MoneyError

_PART = re.compile(r"(\d+)([smhd])", re.ASCII)
_BUSINESS_ZONE = ZoneInfo("Asia/Shanghai")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}

CURRENCY = click.Choice([currency.value for currency in Currency])


class Duration(click.ParamType[int]):
    """`30s`, `15m`, `2h`, `1d`, or several at once (`1d12h`): whole seconds, more than none."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds."""
        if isinstance(value, int):
            return value
        parts = _PART.findall(value)
        seconds = sum(int(number) * _UNIT_S[unit] for number, unit in parts)
        if "".join(number + unit for number, unit in parts) != value or not seconds:
            self.fail(f"{value!r} is not a duration; write 30s, 15m, 2h or 1d", param, ctx)
        return seconds


class Pair(click.ParamType[tuple[str, Any]]):
    """`name=value`; the value is read as JSON where it is JSON, else as text."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Name and value."""
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not name or not equals:
            self.fail(f"{value!r} is not of the form name=value", param, ctx)
        try:
            return name, orjson.loads(text)
        except orjson.JSONDecodeError:
            return name, text


class LocalMoment(click.ParamType[datetime]):
    """`2026-11-23 01:00` on the business clock (Asia/Shanghai), or with an offset of its own."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """An aware moment."""
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time; write 2026-11-23 01:00", param, ctx)
        return found if found.tzinfo is not None else found.replace(tzinfo=_BUSINESS_ZONE)


LOCAL_MOMENT = LocalMoment()


def minor_units(text: str, currency: str) -> int:
    """What `--amount 12.30 --currency CNY` comes to in minor units; a usage error otherwise."""
    try:
        money = Money.parse(text, Currency(currency))
    except MoneyError as error:
        raise click.BadParameter(str(error), param_hint="--amount") from None
    if not 0 < money.minor <= INT64_MAX // 4:
        raise click.BadParameter("must be more than zero and storable", param_hint="--amount")
    return money.minor
