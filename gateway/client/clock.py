"""The client's clock: wall time for signatures and replay windows, a steady one for budgets."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the client knows of time; a test may give it another."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""

    def steady(self) -> float:
        """Seconds that never go back; only differences mean something."""

    def sleep(self, seconds: float) -> None:
        """Wait, blocking the thread."""

    async def rest(self, seconds: float) -> None:
        """Wait, letting other tasks run."""


class SystemClock:
    """This machine's."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, blocking the thread."""
        time.sleep(seconds)

    async def rest(self, seconds: float) -> None:
        """Wait, letting other tasks run."""
        await asyncio.sleep(seconds)
