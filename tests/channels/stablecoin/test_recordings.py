"""The bytes on Circle Mint's wire, as recorded under tests/wire/stablecoin."""

import re

import pytest

from channels.stablecoin.settings import rsa_key
from channels.stablecoin.signing import load_certificate, sns_verifies
from tests.channels.stablecoin.platform import (
    API_KEY,
    BANK,
    IDEMPOTENCY_KEY,
    KEYS,
    NOW,
    WIRE,
    channel,
    instruction,
)
from tests.channels.stablecoin.record import CASES, path


@pytest.mark.parametrize("name", CASES)
def test_recording_is_current(name: str) -> None:
    """Request, reply and meaning are, to the byte, what the file shows."""
    assert CASES[name].text() == path(name).read_text(encoding="utf-8")


def test_every_recording_has_a_case() -> None:
    """No file is left over from something that is no longer said."""
    assert {file.stem for file in WIRE.glob("*.txt")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_no_recording_holds_a_secret(name: str) -> None:
    """Neither the API key nor a part of it, nor any private key."""
    text = path(name).read_text(encoding="utf-8")
    assert not any(part in text for part in API_KEY.split(":")[1:])
    assert "PRIVATE KEY" not in text
    assert "Bearer ***" in text or "Authorization" not in text


def test_prepare_makes_the_recorded_request() -> None:
    """What the channel arms is what the file shows, and the digest names it."""
    prepared = channel().prepare(instruction(BANK), NOW)
    recorded = path("submit-wire-pending").read_text(encoding="utf-8")
    assert f"\n{prepared.body.decode()}\n" in recorded
    assert IDEMPOTENCY_KEY in recorded
    assert re.fullmatch(r"[0-9a-f]{64}", prepared.digest)


def test_a_recorded_notice_verifies() -> None:
    """The signature in the file fits its own lines."""
    text = path("notice-complete").read_text(encoding="utf-8")
    lines = text.partition("=== notice\n")[2].partition("\n\n")[0].splitlines()
    message = dict(line.split(": ", 1) for line in lines)
    key = rsa_key(load_certificate((KEYS / "sns_certificate.pem").read_bytes()))
    assert sns_verifies(key, message)
    assert not sns_verifies(key, message | {"MessageId": "another"})
