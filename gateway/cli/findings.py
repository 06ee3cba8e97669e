"""One line of `hangdao doctor`: what was looked at, how it stands, in both languages."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """It works; somebody should look at it."""
    FAIL = "fail"
    """The gateway will not start, or will not do its work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's result. Neither sentence ever shows a secret."""

    check: str
    state: State
    en: str
    zh: str
