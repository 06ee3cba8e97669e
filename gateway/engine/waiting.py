"""Payouts of this process that wait for somebody to recover, in the order in which they began to.

In memory: a payout has one worker. After a restart or a change of worker they wait anew, never
beyond their deadlines.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.payout import PayoutId

AT_ONCE = 200
"""So many are let go at a time, so that a bank's recovery does not drown everything else."""
AGAIN = timedelta(seconds=30)
"""One that was let go in vain is left alone for so long."""


@dataclass(slots=True)
class _Waiting:
    since: datetime
    segments: tuple[str, ...]
    is_small: bool
    let_go_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opening:
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
            if one.let_go_at is not None and one.let_go_at <= now < one.let_go_at + AGAIN:
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
