"""From a policy's text to what decides by it: the one place where the gateway meets the language.

Also what differs between two texts, in words. Everything else handles text, hash and `Policy`.
"""

from collections.abc import Mapping

from channels.contract import Channel
from gateway.domain.policy_mistake import Mistake, PolicyInvalidError
from gateway.engine.idle import idle_facts
from gateway.ports import Clock
from policies import document
from policies.diff import Sentence, diff
from policies.document import PolicyDocument, PolicyError
from policies.policy import Policy


class PolicyCompiler:
    """Knows which channels there are; `engine.policies.Compiler` is its port."""

    def __init__(self, channels: Mapping[str, Channel], clock: Clock) -> None:
        """The configured channels, by name."""
        self._channels = channels
        self._clock = clock

    def check(self, text: str, source: str, merchants: frozenset[str]) -> Policy:
        """For a text that somebody wants to use: examples run, names must exist, time counts.

        Raises `PolicyInvalidError` with every mistake.
        """
        now = self._clock.now()
        try:
            return document.load(
                *(text, source),
                channels=idle_facts(self._channels, now),
                merchants=merchants,
                now=now,
            )
        except PolicyError as error:
            raise _invalid(error) from None

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
        error.source,
        [
            Mistake(one.line, one.message, one.column or None)
            for one in error.findings
            if one.severity == "error"
        ],
    )
