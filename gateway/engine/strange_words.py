"""Words that a channel uses and no table knows: told to people once each, since enums drift.

What such a word means for the payout is settled elsewhere: nobody can tell. Here somebody hears of
it, who can ask the institution and have the table completed before a thousand payouts wait.
"""

from channels.contract import Absent, Outcome, Unknown, UnknownCause
from gateway.engine.gateway import Gateway

STRANGE = frozenset({UnknownCause.UNKNOWN_CODE, UnknownCause.UNKNOWN_STATE})
TOLD_MAX = 1_000
"""A channel that makes its words up is told of often enough with so many."""
WORD_CHARS_MAX = 64


def notice_strange(gateway: Gateway, channel: str, outcome: Outcome | Absent) -> None:
    """Raise an alarm for a word that is new to this process."""
    if not isinstance(outcome, Unknown) or outcome.cause not in STRANGE:
        return
    word = ascii(outcome.evidence.code or "")[1:-1][:WORD_CHARS_MAX]
    name = (channel, outcome.cause, word)
    if name in gateway.strange_told or len(gateway.strange_told) >= TOLD_MAX:
        return
    gateway.strange_told.add(name)
    gateway.observer.alarm("channel.strange_word", channel=channel, cause=outcome.cause, code=word)
