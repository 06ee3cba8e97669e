"""From a policy's text to what decides by it: the one place where the gateway meets the language.

Also what differs between two texts, in words. Everything else handles text, hash and `Policy`.
"""

from collections.abc import Iterable

from gateway.domain.policy_mistake import Mistake, PolicyInvalidError
from policies import document
from policies.diff import Sentence, diff
from policies.document import PolicyDocument, PolicyError
from policies.policy import Policy


class PolicyCompiler:
    """Knows which channels there are; `engine.policies.Compiler` is its port."""

    def __init__(self, channels: Iterable[str]) -> None:
        """The names of the configured channels."""
        self._channels = frozenset(channels)

    def check(self, text: str, source: str, merchants: frozenset[str]) -> Policy:
        """For a text that somebody wants to use. Raises `PolicyInvalidError` with every mistake."""
        del merchants
        return compile_policy(text, source)

    def load(self, text: str, source: str) -> Policy:
        """For a text that was checked once."""
        return compile_policy(text, source)


def compile_policy(text: str, source: str = "policy") -> Policy:
    """The compiled policy of a text. Raises `PolicyInvalidError` with every mistake."""
    try:
        return document.load(text, source)
    except PolicyError as error:
        raise _invalid(error) from None


def compare(old: str, new: str) -> list[Sentence]:
    """What changes for whom from one text to the other. Raises `PolicyInvalidError`."""
    return diff(_parsed(old, "the policy in use"), _parsed(new, "policy"))


def built_in() -> str:
    """The text of the policy that a fresh installation starts with."""
    return document.example()


def _parsed(text: str, source: str) -> PolicyDocument:
    try:
        return document.parse(text, source)
    except PolicyError as error:
        raise _invalid(error) from None


def _invalid(error: PolicyError) -> PolicyInvalidError:
    return PolicyInvalidError(
        error.source, [Mistake(line, message) for line, message in error.problems]
    )
