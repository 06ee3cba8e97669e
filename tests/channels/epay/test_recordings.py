"""The bytes on Epay's wire, as recorded under tests/wire/epay."""

from urllib.parse import parse_qsl

import pytest

from tests.channels.epay.platform import (
    ACCOUNT,
    MD5_KEY,
    MERCHANT_FILE,
    NOW,
    PLATFORM_FILE,
    WIRE,
    channel,
    instruction,
)
from tests.channels.epay.record import CASES, path


@pytest.mark.parametrize("name", CASES)
def test_recording_is_current(name: str) -> None:
    """Request, reply and meaning are, to the byte, what the file shows."""
    assert CASES[name].text() == path(name).read_text(encoding="utf-8")


def test_every_recording_has_a_case() -> None:
    """No file is left over from something that is no longer said."""
    assert {file.stem for file in WIRE.glob("*.txt")} == set(CASES)


def test_no_recording_holds_a_key() -> None:
    """Neither half of a private key nor the shared one."""
    hidden = [MD5_KEY, *MERCHANT_FILE.read_text().split(), *PLATFORM_FILE.read_text().split()]
    hidden = [part for part in hidden if len(part) > 20]
    shown = "".join(file.read_text(encoding="utf-8") for file in WIRE.glob("*.txt"))
    assert not [part for part in hidden if part in shown]


def test_keys_are_marked_as_tests_own() -> None:
    """So that nobody takes them for keys of anything."""
    assert all(file.stem.endswith("_test_only") for file in (WIRE / "keys").iterdir())


def test_prepare_makes_the_recorded_request() -> None:
    """What the channel arms is what the file shows, and the digest names it."""
    prepared = channel(base_url="https://pay.example.com/").prepare(instruction(ACCOUNT), NOW)
    recorded = path("submit-paid").read_text(encoding="utf-8")
    assert f"POST {prepared.url}\n" in recorded
    assert f"\n{prepared.body.decode()}\n" in recorded
    assert prepared.digest == CASES["submit-paid"].request().digest


def test_same_instruction_makes_the_same_business_fields() -> None:
    """Only timestamp and signature change with time."""
    first, second = (
        dict(parse_qsl(channel().prepare(instruction(), at).body.decode()))
        for at in (NOW, NOW.replace(hour=5))
    )
    different = {name for name in first if first[name] != second[name]}
    assert (different, first.keys()) == ({"timestamp", "sign"}, second.keys())
