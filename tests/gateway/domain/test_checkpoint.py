"""Signed checkpoints: the C2SP form, whose signature counts, and what is refused."""

import base64
from datetime import timedelta

import pytest
from msgspec.structs import replace

from gateway.domain.checkpoint import Checkpoint, NoteError, Signer, Verifier, key_id
from tests.builders import NOW

SIGNER = Signer("example.com/log", bytes(range(32)))
OTHER = Signer("example.com/log", bytes(range(1, 33)))
MADE = Checkpoint("example.com/log", 7, b"r" * 32, b"c" * 32, NOW)
NOTE = SIGNER.sign(MADE)
TRUSTED = Verifier("example.com/log", (SIGNER.public_key,))


def test_a_note_has_the_documented_form() -> None:
    """C2SP tlog-checkpoint: origin, size, root; then ours; an empty line; the signature."""
    lines = NOTE.split("\n")
    assert lines[:3] == ["example.com/log", "7", base64.b64encode(b"r" * 32).decode()]
    assert lines[3:6] == [
        "at 2026-03-02T02:00:00.000000Z",
        f"chain {base64.b64encode(b'c' * 32).decode()}",
        "",
    ]
    dash, name, signature = lines[6].split(" ")
    assert (dash, name, lines[7:]) == ("—", "example.com/log", [""])
    assert base64.b64decode(signature)[:4] == key_id("example.com/log", SIGNER.public_key)


def test_the_key_id_is_that_of_the_specification() -> None:
    """C2SP signed-note's example of a verifier key: PeterNeumann+c74f20a3+ARpc2QcUPDhM…"""
    name, named, key = "PeterNeumann", "c74f20a3", "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert key_id(name, base64.b64decode(key)[1:]).hex() == named


def test_a_note_opens_to_what_was_signed() -> None:
    """By the current key or a former one, whichever signed."""
    assert TRUSTED.opened(NOTE) == MADE
    assert replace(TRUSTED, keys=(OTHER.public_key, SIGNER.public_key)).opened(NOTE) == MADE


@pytest.mark.parametrize(
    ("note", "why"),
    [
        (NOTE.replace("\n7\n", "\n8\n"), "does not fit"),
        (NOTE.replace("at 2026-03-02", "at 2026-03-03"), "does not fit"),
        (OTHER.sign(MADE), "no trusted key"),
        (Signer("other", bytes(range(32))).sign(replace(MADE, origin="other")), "of the log"),
        (NOTE.replace("\n7\n", "\n07\n"), "not a checkpoint"),
        (NOTE.replace("chain ", "chane "), "not a checkpoint"),
        (NOTE.replace("\n\n", "\n"), "not a signed note"),
        (NOTE.replace("— ", "- "), "not a signed note"),
        (NOTE.replace("==", "!!").replace("= ", "! ").replace("=\n", "!\n"), "bad Base64"),
        ("", "not a signed note"),
    ],
)
def test_anything_else_is_refused(note: str, why: str) -> None:
    """Changed, foreign, or not a note at all."""
    with pytest.raises(NoteError, match=why):
        TRUSTED.opened(note)


def test_a_key_signs_for_its_own_log_only() -> None:
    """Another origin is a mistake; the time is kept to the microsecond."""
    with pytest.raises(ValueError, match="only"):
        SIGNER.sign(replace(MADE, origin="other"))
    later = replace(MADE, at=NOW + timedelta(microseconds=1))
    assert TRUSTED.opened(SIGNER.sign(later)).at == later.at


def test_a_signer_shows_nothing_of_its_key() -> None:
    """Only the name stands in its representation."""
    assert repr(bytes(range(32))) not in repr(SIGNER)
