"""The bytes on Alipay's wire, as recorded under tests/wire/alipay."""

import re

import pytest

from channels.alipay import wire
from tests.channels.alipay.platform import ACCOUNT, NOW, SETTINGS, WIRE, channel, instruction
from tests.channels.alipay.record import CASES, path


@pytest.mark.parametrize("name", CASES)
def test_recording_is_current(name: str) -> None:
    """Request, reply and meaning are, to the byte, what the file shows."""
    assert CASES[name].text() == path(name).read_text(encoding="utf-8")


def test_every_recording_has_a_case() -> None:
    """No file is left over from something that is no longer said."""
    recorded = {file.stem for file in WIRE.glob("*.txt")} - {"statement.csv"}
    assert recorded == set(CASES)


def test_prepare_makes_the_recorded_request() -> None:
    """What the channel arms is what the file shows, and the digest names it."""
    prepared = channel().prepare(instruction(ACCOUNT), NOW)
    recorded = path("transfer-account-success").read_text(encoding="utf-8")
    assert f"POST {prepared.url}\n" in recorded
    assert f"\n{prepared.body.decode()}\n" in recorded
    assert prepared.digest == CASES["transfer-account-success"].request().digest
    assert re.fullmatch(r"[0-9a-f]{64}", prepared.digest)


def test_same_instruction_makes_the_same_business_fields() -> None:
    """Only timestamp and signature change with time."""
    later = NOW.replace(hour=5)
    first, second = (channel().prepare(instruction(), at) for at in (NOW, later))
    assert first.body == second.body
    assert first.url != second.url
    assert wire.transfer(instruction(), SETTINGS) == wire.transfer(instruction(), SETTINGS)
