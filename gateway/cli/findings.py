"""One line of `hangdao doctor`: what was looked at, how it stands, in both languages."""

from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """It works; somebody should look at it."""
    FAIL = "fail"
    """The gateway will not start, or will not do its work."""


class Finding(Struct, frozen=True):
    """A check's result. Neither sentence ever shows a secret."""

    check: str
    state: State
    en: str
    zh: str
