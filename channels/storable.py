"""Whether what an institution says can be kept, and what is made of it if not. Pure.

No store keeps every text: PostgreSQL takes no NUL and no half of a character, and an index no
number of arbitrary length. A verdict that could not be committed would be asked for and heard again
for ever, so it is turned into one that can: a number is never mended, for a mended one would be
another number, but free text is.
"""

import hashlib
import re
from typing import overload

from msgspec.structs import replace

from channels.contract import (
    Absent,
    Evidence,
    Notice,
    NoticeRefused,
    NotSent,
    Outcome,
    Paid,
    Pending,
    Rejected,
    Returned,
    StatementLine,
    Unknown,
    UnknownCause,
)

REFERENCE_CHARS_MAX = 256
"""Longer than any institution's number, and short enough for every index."""
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that turn the order of others around, and halves of characters."""
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""The same in free text, which may have lines."""


def is_storable(reference: str) -> bool:
    """Whether a number can be kept, compared and shown as it is."""
    if len(reference) > REFERENCE_CHARS_MAX:
        return False
    # What is printable throughout, as nearly every number is, has none of them.
    return reference.isprintable() or _UNFIT.search(reference) is None


@overload
def storable(said: Outcome) -> Outcome: ...


@overload
def storable(said: Outcome | Absent) -> Outcome | Absent: ...


def storable(said: Outcome | Absent) -> Outcome | Absent:
    """The same verdict; `Unknown` if it names its order by what cannot be kept."""
    match said:
        case (
            Paid(channel_ref=str(ref))
            | Pending(channel_ref=str(ref))
            | Rejected(channel_ref=str(ref))
            | Returned(channel_ref=str(ref))
        ) if not is_storable(ref):
            return _unkept("channel_ref", ref)
        case Pending(action=action) if action and _UNFIT.search(action.package_info):
            return _unkept("package_info", action.package_info)
        case Pending(stage=stage) if _UNSTORABLE.search(stage):
            return replace(said, stage=_mended(stage))
        case Rejected(code=code, message=message) if _UNSTORABLE.search(code + message):
            return replace(said, code=_mended(code), message=_mended(message))
        case NotSent(detail=detail) if _UNSTORABLE.search(detail):
            return replace(said, detail=_mended(detail))
        case Unknown(evidence=evidence) | Absent(evidence=evidence):
            told = (evidence.code or "") + (evidence.message or "")
            if _UNSTORABLE.search(told):
                return replace(said, evidence=_evidence(evidence))
    return said


def storable_notice(read: Notice | NoticeRefused) -> Notice | NoticeRefused:
    """The same; refused, with the answer that ends it, if it names what we could not look up."""
    if isinstance(read, NoticeRefused):
        return read
    if is_storable(read.reference) and is_storable(read.channel_ref or ""):
        return read
    return NoticeRefused("genuine, but its numbers cannot be kept", read.reply)


def storable_line(line: StatementLine) -> StatementLine:
    """The same movement of money; mended numbers match none of ours, so a person looks at it."""
    numbers = (line.reference or "", line.channel_ref or "", line.line_ref)
    if all(map(is_storable, numbers)) and _UNSTORABLE.search(line.memo) is None:
        return line
    return replace(
        line,
        reference=line.reference and _marked(line.reference),
        channel_ref=line.channel_ref and _marked(line.channel_ref),
        line_ref=_marked(line.line_ref),
        memo=_mended(line.memo),
    )


def _unkept(name: str, given: str) -> Unknown:
    seen = ascii(given)[:REFERENCE_CHARS_MAX].encode()
    message = f"{name} has control characters, or more than {REFERENCE_CHARS_MAX} characters"
    return Unknown(UnknownCause.UNREADABLE, Evidence(message=message, body=seen))


def _evidence(evidence: Evidence) -> Evidence:
    code, message = evidence.code, evidence.message
    return replace(evidence, code=code and _mended(code), message=message and _mended(message))


def _mended(text: str) -> str:
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _marked(reference: str) -> str:
    """Readable, as long as it may be, and as different from others as it was."""
    if is_storable(reference):
        return reference
    mark = "\N{REPLACEMENT CHARACTER}" + hashlib.sha256(ascii(reference).encode()).hexdigest()[:16]
    shown = _UNFIT.sub("\N{REPLACEMENT CHARACTER}", reference)
    return shown[: REFERENCE_CHARS_MAX - len(mark)] + mark
