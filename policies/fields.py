"""The kinds of values in a policy file, with their bounds; strict, so that nothing is guessed."""

import re
from datetime import timedelta
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field

from policies.rules import THIS

Ppm: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
Minor: TypeAlias = Annotated[int, Field(ge=0, le=10**12)]
ChannelName: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
MerchantId: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
Label: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Constant: TypeAlias = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
_DURATION: Final = re.compile(r"^([1-9][0-9]{0,5})(m|h|d)$")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def duration(text: object) -> object:
    """`30m`, `2h` or `3d` as a time span. Raises ValueError for anything else."""
    found = _DURATION.match(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("write a duration as 30m, 2h or 3d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _names(value: object) -> object:
    """`this` alone stands for a list that holds it."""
    return [value] if value == THIS else value


Duration: TypeAlias = Annotated[timedelta, BeforeValidator(duration)]
Names: TypeAlias = Annotated[list[ChannelName], BeforeValidator(_names), Field(max_length=100)]

STRICT: Final = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
"""No unknown keys, no guessing of types, no changes; a whole document's validator is built once,
with its parts', and not one for each part at every start."""
