"""The bytes on UnionPay's wire, as recorded under tests/wire/unionpay."""

import pytest

from channels.unionpay.channel import build
from tests.channels.unionpay.platform import NOW, TERMS, instruction
from tests.channels.unionpay.record import CASES, KEYS, SETTINGS, WIRE, notice, path


@pytest.mark.parametrize("name", CASES)
def test_recording_is_current(name: str) -> None:
    """Request, reply and meaning are, to the byte, what the file shows."""
    assert CASES[name].text() == path(name).read_text(encoding="utf-8")


def test_recorded_notice_is_current() -> None:
    """So is what is told to backUrl."""
    assert notice() == path("notice").read_text(encoding="utf-8")


def test_every_recording_has_a_case() -> None:
    """No file is left over from something that is no longer said."""
    assert {file.stem for file in WIRE.glob("*.txt")} == {*CASES, "notice"}


def test_prepare_makes_the_recorded_request() -> None:
    """What the channel arms is what the file shows, and the digest names it."""
    channel = build("unionpay-test", SETTINGS, TERMS, lambda: NOW)
    prepared = channel.prepare(instruction(), NOW)
    recorded = path("payout-taken").read_text(encoding="utf-8")
    assert f"POST {prepared.url}\n" in recorded
    assert f"\n{prepared.body.decode()}\n" in recorded
    assert prepared.digest == CASES["payout-taken"].request().digest


def test_recordings_hold_no_key() -> None:
    """Not a line of the private keys they were signed with."""
    lines = [
        line
        for file in KEYS.glob("*_test_only.pem")
        for line in file.read_text(encoding="ascii").splitlines()
        if not line.startswith("-----")
    ]
    assert len(lines) > 40
    recorded = "".join(file.read_text(encoding="utf-8") for file in WIRE.glob("*.txt"))
    assert not [line for line in lines if line in recorded]
