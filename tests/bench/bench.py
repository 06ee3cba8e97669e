"""What a part is given: how much to measure, on which cores, where to put its files."""

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.bench.machine import Layout, layout
from tests.bench.size import Size
from tests.bench.stage import Stage, stage


@dataclass(frozen=True, slots=True)
class Bench:
    """One run."""

    size: Size
    folder: Path
    """Empty, and removed afterwards."""
    kept: Path
    """For what people look at later: profiles and plots."""
    database: str = ""
    """A PostgreSQL with a database `gateway` and one `floor`; else SQLite."""
    workers: int = 1
    layout: Layout = field(default_factory=layout)
    known: dict[str, Any] = field(default_factory=dict)
    """What earlier parts found."""

    def stage(self, name: str, *, serve: bool = True) -> AbstractAsyncContextManager[Stage]:
        """A stage in a folder of its own."""
        return stage(
            *(self.folder / name, self.layout),
            database=self.database,
            workers=self.workers,
            serve=serve,
        )

    def say(self, text: str) -> None:
        """Tell whoever waits where we are."""
        sys.stderr.write(f"  {text}\n")

    def sized(self, **changes: Any) -> "Bench":
        """The same with other counts."""
        return replace(self, size=replace(self.size, **changes))

    async def capacity(self, here: Stage) -> float:
        """Payouts a second that a stage's gateway carries to the end: known, or found out now."""
        known = self.known.get("e2e_rps")
        if isinstance(known, float) and not self.database:
            return known
        came = await here.load(seconds=self.size.seconds, callers=self.size.callers)
        return max(float(came["rps"]), 1.0)


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    """Where a contest has one side only."""
    yield
