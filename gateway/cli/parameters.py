"""Values on the command line: durations, moments, amounts of money, `name=value` pairs."""

import re
from datetime import datetime, time, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

import click
import orjson

from channels.money import INT64_MAX, Currency, Money, MoneyError

_UNIT_S = {
    **dict.fromkeys(("s", "sec", "second", "seconds", "秒"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes", "分", "分钟"), 60),
    **dict.fromkeys(("h", "hour", "hours", "小时"), 3600),
    **dict.fromkeys(("d", "day", "days", "天"), 86400),
}
_PART = re.compile(rf"([0-9]+ ?)({'|'.join(sorted(_UNIT_S, key=len, reverse=True))})")
_BUSINESS_ZONE = ZoneInfo("Asia/Shanghai")

CURRENCY = click.Choice([currency.value for currency in Currency])


class Duration(click.ParamType[int]):
    """`30s`, `15m`, `2h`, `1d`, or several at once (`1d12h`, `1 day 12 hours`, `1天`): whole
    seconds, more than none."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds."""
        if isinstance(value, int):
            return value
        parts = _PART.findall(value)
        seconds = sum(int(number) * _UNIT_S[unit] for number, unit in parts)
        written = [number + unit for number, unit in parts]
        if value not in {"".join(written), " ".join(written)} or not seconds:
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


class NextMoment(click.ParamType[datetime | time]):
    """`09:00`, the next time it is that on the business clock; or a whole `2026-11-23 01:00`."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | time:
        """An aware moment, or a time of day that the caller puts after what it calls now."""
        if isinstance(value, str) and "-" not in value:
            try:
                return time.fromisoformat(value).replace(tzinfo=None)
            except ValueError:
                self.fail(f"{value!r} is not a time of day; write 09:00", param, ctx)
        return LOCAL_MOMENT.convert(value, param, ctx)


def seconds_until(wanted: datetime | time, now: datetime) -> int:
    """How long from `now` until then, at least; less than one when it is past."""
    if isinstance(wanted, time):
        local = now.astimezone(_BUSINESS_ZONE)
        then = datetime.combine(local.date(), wanted, _BUSINESS_ZONE)
        wanted = then if then > local else then + timedelta(days=1)
    return ceil((wanted - now).total_seconds())


def minor_units(text: str, currency: str) -> int:
    """What `--amount 12.30 --currency CNY` comes to in minor units; a usage error otherwise."""
    try:
        money = Money.parse(text, Currency(currency))
    except MoneyError as error:
        raise click.BadParameter(str(error), param_hint="--amount") from None
    if not 0 < money.minor <= INT64_MAX // 4:
        raise click.BadParameter("must be more than zero and storable", param_hint="--amount")
    return money.minor
