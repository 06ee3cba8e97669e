"""Files carried by folders instead of HTTP: what a bank's front-end machine does for its customer.

The shell calls `sweep` whenever it looks for work. What a customer has dropped is handed to the
pure core and moved away; what the core has laid out is put into the other folder, each file once:
written under a temporary name, renamed, then marked. Faults of the wire mean for a file: reset
before it was executed, it is lost on the way; anything else, its reply reaches nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from simulators.kernel import Answer, Filing, Request, Simulator

TAKEN = "taken"
"""The folder below the customer's into which files go that were taken."""


class FolderPair(BaseModel):
    """One account's two folders, as its customer calls them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    out: Path
    """What the customer drops."""
    into: Path
    """What the customer picks up."""
    suffix: str = ".xml"
    out_marker: str | None = None
    """A file is taken only once FILE + marker exists."""
    in_marker: str | None = None
    """FILE + marker is put beside each file once that is complete."""
    temporary_suffix: str = ".part"


@dataclass(slots=True)
class Folders:
    """The folders of one simulator's accounts."""

    simulator: Simulator
    pairs: Mapping[str, FolderPair]
    _given: set[tuple[str, str]] = field(default_factory=set)
    """Account and name of every file that was put there."""

    def __post_init__(self) -> None:
        """Raises ValueError for a kind that takes no files."""
        if self.pairs and not isinstance(self.simulator, Filing):
            raise ValueError(f"{self.simulator.kind} takes no files in folders")

    def sweep(self, simulator: Simulator, now: datetime) -> Iterator[tuple[Request, Answer]]:
        """Carry everything there is, both ways; gives what was taken and the unheard answers."""
        if not isinstance(simulator, Filing) or not self.pairs:
            return
        if simulator is not self.simulator:  # started over, with nothing given yet
            self.simulator = simulator
            self._given.clear()
        for account, pair in self.pairs.items():
            for path in _dropped(pair):
                body = path.read_bytes()
                answer = simulator.take_file(account, body, now)
                _move_away(path, pair)
                yield Request("PUT", f"/{path.name}", {}, body), answer
            for file in simulator.files_of(account, now):
                if (account, file.name) not in self._given:
                    _give(pair, file.name, file.body)
                    self._given.add((account, file.name))


def _dropped(pair: FolderPair) -> list[Path]:
    """Complete files, in the order of their names."""
    found = sorted(path for path in pair.out.glob(f"*{pair.suffix}") if path.is_file())
    if pair.out_marker is None:
        return found
    return [path for path in found if Path(f"{path}{pair.out_marker}").exists()]


def _move_away(path: Path, pair: FolderPair) -> None:
    kept = pair.out / TAKEN
    kept.mkdir(exist_ok=True)
    if pair.out_marker is not None:
        Path(f"{path}{pair.out_marker}").unlink()
    path.replace(kept / path.name)


def _give(pair: FolderPair, name: str, body: bytes) -> None:
    final = pair.into / name
    written = pair.into / f"{name}{pair.temporary_suffix}"
    written.write_bytes(body)
    written.rename(final)
    if pair.in_marker is not None:
        Path(f"{final}{pair.in_marker}").touch()
