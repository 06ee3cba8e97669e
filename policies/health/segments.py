"""The parts of a channel whose health is kept apart: rail, well-known bank, amount band.

A segment is text, `rail[:bank[:band]]`; the whole channel is the empty one. Every list here is
closed, so that whoever names a bank or an amount cannot make the estimators grow.
"""

from bisect import bisect_right
from collections.abc import Container, Mapping
from functools import lru_cache
from typing import Final

from policies.facts import Rail

WHOLE: Final = ""
"""The segment of a channel's overall state, the ancestor of all its other segments."""

BANKS: Final = frozenset(
    {
        *("ICBC", "ABC", "BOC", "CCB", "COMM", "PSBC", "CMB", "CITIC", "CEB", "CMBC", "CIB"),
        *("SPDB", "PAB", "HXB", "GDB", "CZB", "BOHAIB", "HFB", "BJBANK", "SHBANK", "NJCB"),
        *("NBBANK", "HZCB", "JSBANK", "GZB", "CDCB", "WHCCB", "QDCCB", "XACB", "TCCB"),
    }
)
"""Banks whose health is kept apart: the national ones and the largest city banks. Merchants name
the bank, so an open set would let anybody grow the estimators without bound."""

BANDS: Final[Mapping[str, tuple[int, ...]]] = {"CNY": (100_000, 1_000_000, 5_000_000)}
"""Where amount bands meet, in minor units: ¥1,000, ¥10,000 and ¥50,000. Round sums are where payers
and banks draw lines (single-payment limits, extra checks), so what fails for its amount fails on
one side of such a line. Four bands are few enough to fill; other currencies have one band."""

_BAND_NAMES: Final = ("b1", "b2", "b3", "b4")


def segment_of(rail: Rail, bank: str | None, amount_minor: int, currency: str) -> str:
    """The finest segment of a payout; a bank that is not kept apart leaves only the rail."""
    if bank not in BANKS:
        return rail
    edges = BANDS.get(currency)
    if edges is None:
        return f"{rail}:{bank}"
    return f"{rail}:{bank}:{_BAND_NAMES[bisect_right(edges, amount_minor)]}"


@lru_cache(maxsize=4096)
def path_of(segment: str) -> tuple[str, ...]:
    """A segment and all its ancestors, the whole channel first."""
    if segment == WHOLE:
        return (WHOLE,)
    parts = segment.split(":")
    return (WHOLE, *(":".join(parts[: depth + 1]) for depth in range(len(parts))))


def rail_of(segment: str) -> str:
    """The rail that a segment lies on."""
    return segment.partition(":")[0]


def bank_of(segment: str) -> str | None:
    """The bank that a segment lies in, if it names one."""
    _, _, rest = segment.partition(":")
    return rest.partition(":")[0] or None


def is_segment(text: str, rails: Container[Rail]) -> bool:
    """Whether `segment_of` could have made it."""
    rail, *rest = text.split(":")
    if rail not in rails or len(rest) > 2:
        return False
    return (not rest or rest[0] in BANKS) and (len(rest) < 2 or rest[1] in _BAND_NAMES)
