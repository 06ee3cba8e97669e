"""Statements in both languages, and how money, shares and moments read in them."""

from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

PPM: Final = 1_000_000
_NO_DECIMALS: Final = frozenset({"JPY", "KRW", "VND"})
_SYMBOLS: Final = {"CNY": "¥"}
_BEIJING: Final = ZoneInfo("Asia/Shanghai")


class Sentence(NamedTuple):
    """The same statement in both languages."""

    zh: str
    en: str


def money(micro: int, currency: str) -> str:
    """Micro units as an amount with two digits below the minor unit, rounded half up."""
    return _shown((abs(micro) + PPM // 200) // (PPM // 100), 2, currency, negative=micro < 0)


def amount(minor: int, currency: str) -> str:
    """Minor units as an amount."""
    return _shown(abs(minor), 0, currency, negative=minor < 0)


def _shown(count: int, digits: int, currency: str, *, negative: bool) -> str:
    """A count of the last digit's units, `digits` of which are below the minor unit."""
    digits += 0 if currency in _NO_DECIMALS else 2
    whole, part = divmod(count, 10**digits)
    text = f"{whole:,}.{part:0{digits}d}" if digits else f"{whole:,}"
    symbol, sign = _SYMBOLS.get(currency), "-" if negative else ""
    return f"{sign}{symbol}{text}" if symbol else f"{sign}{text} {currency}"


def percent(ppm: int) -> str:
    """Parts per million as a percentage, exactly."""
    whole, part = divmod(abs(ppm), PPM // 100)
    digits = f"{whole}.{part:04d}".rstrip("0").rstrip(".")
    return f"{'-' if ppm < 0 else ''}{digits} %"


def moment(at: datetime) -> str:
    """A time as people in operations read it: Beijing time, to the minute."""
    return f"{at.astimezone(_BEIJING):%Y-%m-%d %H:%M}"
