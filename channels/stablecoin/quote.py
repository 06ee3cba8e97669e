"""The rate at which a balance in one currency pays out another: watched, never trusted as final.

Pure. Circle calls its rate an estimate, subject to change until the request is made, and whether a
quote is ever locked is UNVERIFIED (wire-protocols.md §5.6). So a payout names what the payee gets
(`toAmount`) and leaves to Circle what that costs; we bound the risk from outside:

- no payout leaves without a recent quote (`quote_max_age_s`), nor while the quotes of the last
  hour are further apart than `quote_max_move_ppm`: `objection` says why, and nothing is sent;
- what remains is priced: `exposed` adds `exposure_ppm_per_hour` times `exposure_hours` to the
  surcharge of every tariff, so that routing weighs it and the float keeps room for it.

Worked example: 500 ppm an hour and 2 hours cost 0.1 % of the amount.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from channels.contract import Terms
from channels.stablecoin.settings import StablecoinSettings

PPM = 1_000_000
WATCHED = timedelta(hours=1)


class Quote(Struct, frozen=True):
    """What one unit of the payout's currency costs in the balance's currency."""

    rate: Decimal
    at: datetime
    """When the institution made it, or when we got it, whichever is earlier."""


@dataclass(slots=True)
class Quotes:
    """The quotes of the last hour, oldest first."""

    max_age: timedelta
    max_move_ppm: int
    kept: list[Quote] = field(default_factory=list)

    def keep(self, quote: Quote) -> None:
        """Take a new one in, and let go of what is older than an hour."""
        newest = max([quote.at, *(one.at for one in self.kept)])
        known = [one for one in self.kept if one.at != quote.at]
        self.kept = sorted(
            (one for one in (*known, quote) if newest - one.at <= WATCHED),
            key=lambda one: one.at,
        )

    def objection(self, now: datetime) -> str | None:
        """Why nothing may be sent at this rate now; None if it may."""
        if not self.kept:
            return "no quote yet"
        age = now - self.kept[-1].at
        if age > self.max_age:
            return f"the quote is {int(age.total_seconds())} s old"
        rates = [one.rate for one in self.kept if now - one.at <= WATCHED]
        moved = int((max(rates) - min(rates)) * PPM / min(rates))
        if moved > self.max_move_ppm:
            return f"the rate has moved by {moved} ppm within an hour"
        return None


def quotes_of(settings: StablecoinSettings) -> Quotes | None:
    """Where nothing is converted, nothing is watched."""
    if settings.source_currency is None:
        return None
    return Quotes(timedelta(seconds=settings.quote_max_age_s), settings.quote_max_move_ppm)


def exposed(terms: Terms, settings: StablecoinSettings) -> Terms:
    """The operator's terms with the exposure to the rate in every tariff's surcharge."""
    if settings.source_currency is None:
        return terms
    ppm = settings.exposure_ppm_per_hour * settings.exposure_hours
    priced = (replace(one, surcharge_ppm=one.surcharge_ppm + ppm) for one in terms.tariffs)
    return replace(terms, tariffs=tuple(priced))
