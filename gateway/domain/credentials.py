"""When channels' keys and certificates end, and what that means for a channel.

The institution may have two live while it changes its own, so its last one counts; of ours, every
one is needed, so the first one counts. A certificate outside its dates proves nothing: with an
ended one of ours the institution refuses us, with none of theirs left no answer can be believed.
Either way payouts sent there would only come to be in doubt, so the channel takes no new ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec import Struct

from channels.contract import Credential

WARN_DAYS: Final = (30, 14, 7, 1)
"""People are told when so many days are left, and when none is."""


class End(Struct, frozen=True):
    """When one of the settings' keys stops working."""

    name: str
    """The key of the channel's settings."""
    holder: Literal["ours", "theirs"]
    at: datetime

    def days_left(self, now: datetime) -> int:
        """Whole days, at least 0."""
        return max((self.at - now) // timedelta(days=1), 0)

    def step(self, now: datetime) -> int | None:
        """The least number of `WARN_DAYS` that is left at most; 0 once it has ended; None before.

        It only ever falls, so that a fall is news.
        """
        left = self.at - now
        if left <= timedelta(0):
            return 0
        return min((days for days in WARN_DAYS if left <= timedelta(days=days)), default=None)


def ends(credentials: Iterable[Credential]) -> list[End]:
    """When each key of the settings stops working, soonest first; what never ends is left out."""
    groups: dict[tuple[str, Literal["ours", "theirs"]], list[datetime | None]] = {}
    for one in credentials:
        groups.setdefault((one.name, one.holder), []).append(one.not_after)
    found = []
    for (name, holder), given in groups.items():
        dated = [at for at in given if at is not None]
        if holder == "ours" and dated:
            found.append(End(name, holder, min(dated)))
        elif dated and len(dated) == len(given):
            found.append(End(name, holder, max(dated)))
    return sorted(found, key=lambda end: (end.at, end.name))


def expired(credentials: Sequence[Credential], now: datetime) -> End | None:
    """What keeps the channel from working: an ended one of ours, or theirs all ended."""
    if all(one.not_after is None or one.not_after > now for one in credentials):
        return None
    over = [end for end in ends(credentials) if end.at <= now]
    ours = [end for end in over if end.holder == "ours"]
    if ours:
        return ours[0]
    theirs = [one for one in credentials if one.holder == "theirs"]
    live = any(one.not_after is None or one.not_after > now for one in theirs)
    return None if live or not theirs else over[-1]


def shared(credentials: Mapping[str, Sequence[Credential]]) -> list[tuple[Credential, list[str]]]:
    """Credentials of ours that several channels work with, each with the channels' names.

    Theirs may be shared: an institution has one certificate for all its merchants.
    """
    users: dict[str, dict[str, Credential]] = {}
    for channel, some in credentials.items():
        for one in some:
            if one.holder == "ours":
                users.setdefault(one.fingerprint, {}).setdefault(channel, one)
    return [(next(iter(found.values())), list(found)) for found in users.values() if len(found) > 1]
