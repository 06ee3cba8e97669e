"""Where two strings to sign part, shown without any secret."""

from collections.abc import Sequence

from gateway.api.explain.recipe import HIDDEN, TAILS
from gateway.api.explain.views import Difference

AROUND = 24
SECRET_CHARS = 32
"""As long as the secrets that platforms hand out."""


def difference(ours: str, theirs: str) -> Difference | None:
    """The first difference with some text around it; None when there is none."""
    if ours == theirs:
        return None
    same = next(
        (place for place, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
        min(len(ours), len(theirs)),
    )
    return {
        "same": same,
        "before": ours[max(same - AROUND, 0) : same],
        "ours": ours[same : same + AROUND],
        "theirs": theirs[same : same + AROUND],
    }


def without_secret(text: str, tail: str, right: str, secrets: Sequence[str]) -> str:
    """A caller's own string with a placeholder where a secret is, or may be.

    Callers are told to leave it out, and do not. Whose secret it is makes no difference: what
    follows the last `key=` is hidden, else the last characters are, unless it is plain that no
    secret is among them.
    """
    text = text.rstrip("\r\n")
    head, mark, _ = text.rpartition("key=")
    if mark and head[-1:] in {"", "&"}:
        return f"{head}{mark}{HIDDEN}"
    if tail == "none" and not secrets:
        return text
    if text in {right, f"{right}&"}:
        return TAILS[tail](right if tail == "key" else text, HIDDEN)
    for secret in secrets:
        if text.endswith(secret):
            return text.removesuffix(secret) + HIDDEN
    if text.startswith(right):
        return right + HIDDEN
    return text[:-SECRET_CHARS] + HIDDEN
