"""The recorded bytes under tests/wire/<kind>: there for every kind, and holding no secret."""

from pathlib import Path

import pytest

from channels.registry import KINDS
from tests.contracts.channels.personal import fragments
from tests.contracts.channels.rigs import RIGS

WIRE = Path(__file__).parents[2] / "wire"


@pytest.mark.parametrize("kind", KINDS)
def test_recordings_hold_no_secret(kind: str) -> None:
    """Neither a private key nor a line of one, nor what the suite's channels are opened with."""
    kept = [file for file in sorted((WIRE / kind).rglob("*")) if file.is_file()]
    recordings = [file for file in kept if "keys" not in file.parent.parts]
    assert recordings, f"nothing is recorded under tests/wire/{kind}"
    keys = [file.read_text() for file in kept if b"PRIVATE KEY" in file.read_bytes()]
    hidden = fragments([*keys, *RIGS[kind].secrets])
    for file in recordings:
        recorded = file.read_bytes()
        assert b"PRIVATE KEY" not in recorded, file.name
        assert not [one for one in hidden if one in recorded], file.name
