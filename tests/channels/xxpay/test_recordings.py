"""The bytes on XxPay's wire, as recorded under tests/wire/xxpay."""

import pytest

from tests.channels.xxpay.gateway import NOW, SECRET, channel, instruction
from tests.channels.xxpay.record import CASES, WIRE, path


@pytest.mark.parametrize("name", CASES)
def test_recording_is_current(name: str) -> None:
    """Request, reply and meaning are, to the byte, what the file shows."""
    assert CASES[name].text() == path(name).read_text(encoding="utf-8")


def test_every_recording_has_a_case() -> None:
    """No file is left over from something that is no longer said."""
    assert {file.stem for file in WIRE.glob("*.txt")} == set(CASES)


def test_recordings_hold_no_secret() -> None:
    """Not even that of the tests: it signs and does not travel."""
    for file in WIRE.iterdir():
        text = file.read_text(encoding="utf-8")
        assert SECRET not in text, file.name
        assert "PRIVATE KEY" not in text, file.name


def test_prepare_makes_the_recorded_request() -> None:
    """What the channel arms is what a file shows."""
    prepared = channel().prepare(instruction(), NOW)
    name = next(iter(CASES))
    recorded = path(name).read_text(encoding="utf-8")
    assert f"POST {prepared.url}\n" in recorded
    assert f"\n{prepared.body.decode()}\n" in recorded
