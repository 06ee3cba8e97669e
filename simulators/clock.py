"""The simulators' time: real with an offset, or frozen until somebody moves it.

Also reads durations as people write them (`90`, `1.5s`, `2h`, `1d12h`). Time never runs backwards.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")
"""Both simulated institutions keep Chinese business time."""

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str | float) -> timedelta:
    """Read a length of time; a bare number is seconds. Raises ValueError."""
    if isinstance(text, bool):
        raise ValueError("a duration is a number of seconds or like '2h'")  # noqa: TRY004 - pydantic turns only ValueError into a field error
    if isinstance(text, int | float):
        return timedelta(seconds=text)
    stripped = text.strip()
    parts = _PART.findall(stripped)
    if parts and "".join(n + u for n, u in parts) == stripped:
        return timedelta(seconds=sum(float(n) * _UNIT_S[u] for n, u in parts))
    if re.fullmatch(r"\d+(\.\d+)?", stripped):
        return timedelta(seconds=float(stripped))
    raise ValueError(f"not a duration: {text!r} (write seconds, or 500ms, 10s, 5m, 2h, 1d)")


class VirtualClock:
    """A clock that can be moved forward."""

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        """Real time unless `start` is given; then it runs on from there, or stands if `frozen`."""
        if start is not None and start.tzinfo is None:
            raise ValueError("the start of a clock needs a time zone")
        self.frozen = frozen
        self._stands_at = (start or datetime.now(UTC)).astimezone(UTC)
        self._offset = timedelta() if start is None else self._stands_at - datetime.now(UTC)

    def now(self) -> datetime:
        """Aware UTC."""
        return self._stands_at if self.frozen else datetime.now(UTC) + self._offset

    def advance(self, by: timedelta) -> datetime:
        """Move forward by a length of time; returns the new time."""
        return self.set(self.now() + by)

    def set(self, at: datetime) -> datetime:
        """Move forward to a moment; an earlier one raises ValueError: books cannot un-happen."""
        if at.tzinfo is None:
            raise ValueError("the time needs a time zone")
        now = self.now()
        if at < now:
            raise ValueError(f"the clock stands at {now.isoformat()} and does not go back")
        self._stands_at = at.astimezone(UTC)
        self._offset += self._stands_at - now
        return self.now()
