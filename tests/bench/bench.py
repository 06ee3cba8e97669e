"""What a part is given: how much to measure, on which cores, where to put its files."""

import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.bench.machine import Layout, layout
from tests.bench.server import Server
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
    server: Server | None = None
    """A PostgreSQL; else SQLite."""
    layout: Layout = field(default_factory=layout)
    known: dict[str, Any] = field(default_factory=dict)
    """What earlier parts found, on SQLite."""

    def stage(
        self, name: str, *, workers: int = 1, spread: bool = False
    ) -> AbstractAsyncContextManager[Stage]:
        """A stage in a folder of its own, with a database of its own."""
        database = floor = ""
        if self.server is not None:
            name = f"postgres_{name}"
            database, floor = self.server.fresh(name), self.server.fresh(f"{name}_floor")
        return stage(
            *(self.folder / name, self.layout),
            database=database,
            floor_database=floor,
            workers=workers,
            spread=spread,
        )

    def say(self, text: str) -> None:
        """Tell whoever waits where we are."""
        sys.stderr.write(f"  {text}\n")
        sys.stderr.flush()

    def sized(self, **changes: Any) -> "Bench":
        """The same with other counts."""
        return replace(self, size=replace(self.size, **changes))

    async def capacity(self, here: Stage) -> float:
        """Payouts a second that a stage's gateway carries to the end: known, or found out now."""
        known = self.known.get("e2e_rps")
        if isinstance(known, float) and self.server is None:
            return known
        await here.load(seconds=self.size.warm_s, callers=self.size.callers)
        came = await here.load(seconds=self.size.seconds, callers=self.size.callers)
        return max(float(came["rps"]), 1.0)
