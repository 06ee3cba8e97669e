"""Why a routing policy's text must not be used: every mistake with its place."""

from collections.abc import Sequence

from msgspec import Struct

from gateway.domain.errors import InvalidError


class Mistake(Struct, frozen=True):
    """One thing that is wrong in a text, and where; lines and columns count from 1."""

    line: int
    message: str
    column: int | None = None
    code: str = "invalid"
    zh: str = ""


class PolicyInvalidError(InvalidError):
    """A routing policy that must not be used; whatever was in use stays in use."""

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        """`source` is how the text is called in the message, a file or `policy`."""
        self.source = source
        self.mistakes = tuple(mistakes)
        said = "; ".join(f"{source}:{one.line}: {one.message}" for one in mistakes)
        lines = "、".join(str(one.line) for one in mistakes)
        super().__init__("policy_invalid", said, zh=f"路由策略有误（第 {lines} 行）", param="text")
