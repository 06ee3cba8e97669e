"""Payout classes: what a plan tells apart. Rail, need of speed and a band of amounts."""

from bisect import bisect_right
from typing import Final, NamedTuple, cast, get_args

from policies.facts import PayoutFacts, Rail, Speed

BOUNDS_MINOR: Final = (
    *(10_000, 20_000, 30_000, 40_000, 50_000, 65_000, 80_000, 100_000, 130_000, 170_000),
    *(250_000, 400_000, 600_000, 900_000, 1_200_000, 1_700_000, 2_500_000, 5_000_000, 10_000_000),
)
"""Where a band ends and the next begins, in minor units; narrow where flat fees cross rates."""
BANDS: Final = len(BOUNDS_MINOR) + 1


class PayoutClass(NamedTuple):
    """Payouts that a plan treats alike; `band` is an index into the bounds."""

    rail: Rail
    speed: Speed
    band: int

    @property
    def text(self) -> str:
        """A stable key for JSON and tables."""
        return f"{self.rail}/{self.speed}/{self.band}"

    @property
    def floor_minor(self) -> int:
        """The smallest amount of the band."""
        return BOUNDS_MINOR[self.band - 1] if self.band else 1

    @property
    def end_minor(self) -> int | None:
        """The first amount above the band; None for the last one."""
        return BOUNDS_MINOR[self.band] if self.band < len(BOUNDS_MINOR) else None


def class_from(text: str) -> PayoutClass:
    """The class of a key made by `text`; ValueError for anything else."""
    rail, speed, band = text.rsplit("/", 2)
    index = int(band)
    if not 0 <= index < BANDS:
        raise ValueError(f"no such band: {band}")
    if speed not in get_args(Speed):
        raise ValueError(f"no such speed: {speed}")
    return PayoutClass(rail, cast("Speed", speed), index)


def class_of(payout: PayoutFacts) -> PayoutClass:
    """The class of a payout, by the instrument that its merchant prefers."""
    return PayoutClass(payout.instruments[0].rail, payout.speed, band_of(payout.amount_minor))


def band_of(amount_minor: int) -> int:
    """The index of the amount's band."""
    return bisect_right(BOUNDS_MINOR, amount_minor)
