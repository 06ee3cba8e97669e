"""Money: an integer of minor units and its currency, inseparable.

Nothing here rounds and nothing here is a float. Text becomes money only through `Money.parse`,
which refuses whatever a person would have to guess about (signs, exponents, spare decimals).
"""

import re
from enum import StrEnum
from typing import Self

from msgspec import Struct

INT64_MAX = 2**63 - 1

_DECIMAL = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?", re.ASCII)


class Currency(StrEnum):
    """ISO 4217 codes and the two stablecoins that channels settle in."""

    CNY = "CNY"
    USD = "USD"
    EUR = "EUR"
    HKD = "HKD"
    JPY = "JPY"
    USDC = "USDC"
    EURC = "EURC"

    @property
    def exponent(self) -> int:
        """Decimal places of the minor unit (ISO 4217 table A.1; six for the Circle coins)."""
        return _EXPONENTS.get(self, 2)


_EXPONENTS = {Currency.JPY: 0, Currency.USDC: 6, Currency.EURC: 6}


class MoneyError(ValueError):
    """The text or number cannot be an amount of that currency; the message says why."""


class Money(Struct, frozen=True):
    """An amount in minor units (fen, cents). May be zero or negative only as a ledger result."""

    minor: int
    currency: Currency

    def __post_init__(self) -> None:
        """Refuse what an INT64 column could not hold, and booleans posing as integers."""
        if type(self.minor) is not int:
            raise MoneyError(f"an amount is a whole number of minor units, not {self.minor!r}")
        if abs(self.minor) > INT64_MAX:
            raise MoneyError(f"{self.minor} minor units exceed the largest storable amount")

    @classmethod
    def parse(cls, text: str, currency: Currency) -> Self:
        """Read a plain decimal of major units, e.g. `Money.parse("12.30", CNY)` is 1230 fen.

        Refuses signs, exponents, separators, leading zeros and more decimals than the currency has.
        """
        match = _DECIMAL.fullmatch(text)
        if match is None:
            raise MoneyError(f"{text[:40]!r} is not a plain decimal number such as 12.30")
        whole, fraction = match[1], match[2] or ""
        if len(fraction) > currency.exponent:
            raise MoneyError(f"{text[:40]!r} has more than {currency.exponent} decimals")
        if len(whole) > len(str(INT64_MAX)):
            raise MoneyError(f"{text[:40]!r} exceeds the largest storable amount")
        return cls(int(whole + fraction.ljust(currency.exponent, "0")), currency)

    @classmethod
    def zero(cls, currency: Currency) -> Self:
        """Nothing, in that currency."""
        return cls(0, currency)

    def __str__(self) -> str:
        """Write major units with all decimals, e.g. `12.30`; `parse` reads it back."""
        decimals = self.currency.exponent
        digits = str(abs(self.minor)).rjust(decimals + 1, "0")
        sign = "-" if self.minor < 0 else ""
        if decimals == 0:
            return sign + digits
        return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"

    def __add__(self, other: "Money") -> "Money":
        """Add money of the same currency."""
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        """Subtract money of the same currency."""
        return Money(self.minor - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        """Compare money of the same currency."""
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        """Compare money of the same currency."""
        return self.minor <= self._same(other)

    def _same(self, other: "Money") -> int:
        if other.currency is not self.currency:
            raise MoneyError(f"{self.currency} and {other.currency} do not add or compare")
        return other.minor
