"""Time and randomness from the operating system: the only module that reads either."""

import os
import random
from datetime import UTC, datetime, timedelta

ID_BYTES = 8
IDS = 256
"""Drawn at once."""


class SystemClock:
    """Real time, plus what a sandbox has added to it."""

    def __init__(self) -> None:
        """Begin at real time."""
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: int) -> None:
        """Jump forward; never back, as time already seen must stay in the past."""
        if seconds < 0:
            raise ValueError("a clock only moves forward")
        self._ahead += timedelta(seconds=seconds)


class SystemEntropy:
    """Unpredictable bytes and draws."""

    def __init__(self) -> None:
        """Draw nothing yet."""
        self._ids: list[bytes] = []

    def bytes(self, count: int) -> bytes:
        """From the operating system's generator."""
        if count != ID_BYTES:
            return os.urandom(count)
        # Every request takes an id, and every draw gives the interpreter's lock away.
        while True:
            try:
                return self._ids.pop()
            except IndexError:
                drawn = os.urandom(IDS * ID_BYTES)
                self._ids += [drawn[at : at + ID_BYTES] for at in range(0, len(drawn), ID_BYTES)]

    def ppm(self) -> int:
        """Uniform from 0 to 999,999: which channel is explored, never a secret."""
        return random.randrange(1_000_000)  # noqa: S311 - the system's generator costs a wait
