"""What happened, in virtual time: kept as text when somebody wants to read it, always as a hash."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zlib import crc32


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened. `about` is the payout's number in the plan, 0 for the world."""

    at: float
    who: str
    about: int
    text: str


@dataclass(slots=True)
class Story:
    """Everything of one run."""

    start: datetime
    now: Callable[[], float]
    keeps: bool
    lines: list[Line] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    hash: int = 0

    def tell(self, who: str, about: int, text: str) -> None:
        """Add a line."""
        at = self.now()
        self.hash = crc32(f"{at:.6f}{who}{about}{text}".encode(), self.hash)
        if self.keeps:
            self.lines.append(Line(at, who, about, text))

    def fault(self, kind: str, who: str, about: int, text: str = "") -> None:
        """Add a line about something that was made to go wrong."""
        self.faults[kind] += 1
        self.tell(who, about, f"FAULT {kind} {text}".rstrip())

    def of(self, about: int) -> str:
        """The story of one payout, with what befell the processes around it."""
        own = [line for line in self.lines if line.about == about]
        until = own[-1].at if own else 0.0
        told = [line for line in self.lines if line.about in {about, 0} and line.at <= until]
        return "\n".join(self._written(line) for line in told)

    def _written(self, line: Line) -> str:
        at = self.start + timedelta(seconds=line.at)
        return f"{at:%d %H:%M:%S}.{at.microsecond // 1000:03d}  {line.who:<12} {line.text}"
