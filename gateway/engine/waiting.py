"""Payouts of this process that wait for somebody to recover, or for money, in their order.

In memory: a payout has one worker. After a restart or a change of worker they wait anew, never
beyond their deadlines.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import Struct

from gateway.domain.payout import PayoutId

AT_ONCE = 200
"""So many are let go at a time, so that what they waited for does not drown everything else."""
AGAIN = timedelta(seconds=30)
"""One that was let go in vain is left alone for so long."""


@dataclass(slots=True)
class _Waiting:
    since: datetime
    segments: tuple[str, ...]
    is_small: bool
    let_go_at: datetime | None = None


class Opening(Struct, frozen=True):
    """What a segment has to offer now."""

    well: bool
    """Some channel there may carry anything."""
    probe: bool
    """One small payout may go, to see whether somebody has recovered."""


class Waiting:
    """Who waits, and who need not any more."""

    def __init__(self) -> None:
        """Nobody does."""
        self._all: dict[PayoutId, _Waiting] = {}

    def __len__(self) -> int:
        """How many wait."""
        return len(self._all)

    def since(self, payout_id: PayoutId) -> datetime | None:
        """Since when it has waited; None when it does not."""
        found = self._all.get(payout_id)
        return None if found is None else found.since

    def join(
        self, payout_id: PayoutId, now: datetime, segments: tuple[str, ...], *, is_small: bool
    ) -> None:
        """It waits from now on, or goes on waiting."""
        found = self._all.get(payout_id)
        if found is None:
            self._all[payout_id] = _Waiting(now, segments, is_small)
        else:
            # Never since the future: a clock that was set back must not lengthen the wait.
            found.since = min(found.since, now)

    def leave(self, payout_id: PayoutId) -> None:
        """It waits no more, or for something else."""
        self._all.pop(payout_id, None)

    def ready(self, opening: Callable[[str], Opening], now: datetime) -> list[PayoutId]:
        """Who may go now: everybody to where somebody is well, one small one to each due probe."""
        known: dict[str, Opening] = {}
        found: list[PayoutId] = []
        for payout_id, one in self._all.items():
            if _is_let_go(one.let_go_at, now):
                continue
            for segment in one.segments:
                there = known.get(segment)
                if there is None:
                    there = known[segment] = opening(segment)
                if there.well or (there.probe and one.is_small):
                    known[segment] = Opening(there.well, probe=False)
                    one.let_go_at = now
                    found.append(payout_id)
                    break
            if len(found) >= AT_ONCE:
                break
        return found


@dataclass(slots=True)
class _Short:
    needs: Mapping[str, int]
    let_go_at: datetime | None = None


class WaitingForMoney:
    """Who waits for a float to grow, and who need not any more; all amounts in minor units."""

    def __init__(self) -> None:
        """Nobody does."""
        self._all: dict[PayoutId, _Short] = {}
        self._held: dict[str, int] = {}
        """What each channel's float held when it was last looked at, or found too short."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._all)

    def join(self, payout_id: PayoutId, short: Mapping[str, tuple[int, int]]) -> None:
        """It waits, or goes on waiting: by channel, what the float held and what it needs."""
        needs = {}
        for channel, (held, needed) in short.items():
            needs[channel] = needed
            self._held[channel] = min(held, self._held.get(channel, held))
        found = self._all.setdefault(payout_id, _Short(needs))
        found.needs = needs

    def leave(self, payout_id: PayoutId) -> None:
        """It waits no more, or for something else."""
        self._all.pop(payout_id, None)

    def ready(self, floats: Mapping[str, int], now: datetime) -> list[PayoutId]:
        """Who may go now, the oldest first: no more than the floats that have grown can carry."""
        left = {
            channel: floats.get(channel, 0)
            for channel, held in self._held.items()
            if floats.get(channel, 0) > held
        }
        found: list[PayoutId] = []
        for payout_id, one in self._all.items() if left else ():
            if len(found) >= AT_ONCE:
                # The others have their turn at the next look, whether or not more money comes.
                return found
            if _is_let_go(one.let_go_at, now):
                continue
            for channel, needed in one.needs.items():
                if needed <= left.get(channel, 0):
                    left[channel] -= needed
                    one.let_go_at = now
                    found.append(payout_id)
                    break
        self._held = {channel: floats.get(channel, 0) for channel in self._held}
        return found


def _is_let_go(let_go_at: datetime | None, now: datetime) -> bool:
    """Whether it was let go a moment ago, and is to be left alone."""
    return let_go_at is not None and let_go_at <= now < let_go_at + AGAIN
