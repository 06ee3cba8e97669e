"""The messages on a bank's wire, as recorded under tests/wire/bank."""

import re

import pytest

from tests.channels.bank.house import NOTICE_SECRET, WIRE
from tests.channels.bank.record import CASES, path


@pytest.mark.parametrize("name", CASES)
def test_recording_is_current(name: str) -> None:
    """Message and meaning are, to the byte, what the file shows."""
    assert CASES[name].text() == path(name).read_text(encoding="utf-8")


def test_every_recording_has_a_case() -> None:
    """No file is left over from something that is no longer said."""
    assert {file.stem for file in WIRE.iterdir()} == set(CASES)


def test_recordings_hold_no_secret() -> None:
    """No key, no certificate, no secret of tests either."""
    secret = re.compile(f"-----BEGIN|{NOTICE_SECRET}|signature|password", re.IGNORECASE)
    shown = [file.name for file in WIRE.iterdir() if secret.search(file.read_text("utf-8"))]
    assert not shown
