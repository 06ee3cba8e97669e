"""Every registered kind of channel is whole: adapter, simulator, recordings, suite, page."""

from pathlib import Path

import pytest

from channels.registry import KINDS
from simulators.registry import KINDS as SIMULATED
from tests.contracts.channels.rigs import RIGS
from tests.tidy.channel_tables import README, capabilities
from tests.tidy.tree import ROOT

ADAPTER = {
    *("__init__.py", "channel.py", "wire.py", "signing.py", "codes.py", "settings.py"),
    "profile.py",
}
SIMULATOR = {"__init__.py", "core.py", "opening.py", "magic.py"}


def missing(folder: str, wanted: set[str]) -> set[str]:
    """What a folder lacks; everything, when it is not there."""
    place = ROOT / folder
    return wanted - ({path.name for path in place.iterdir()} if place.is_dir() else set())


def recordings(kind: str) -> list[Path]:
    """Recorded bytes, without the keys they were signed with."""
    found = (ROOT / "tests" / "wire" / kind).rglob("*")
    return [path for path in found if path.is_file() and "keys" not in path.parts]


def test_every_kind_has_a_simulator_and_an_entry_in_the_suite() -> None:
    """And neither table knows of others."""
    assert SIMULATED.keys() == KINDS.keys()
    assert RIGS.keys() >= KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_the_adapter_has_its_files(kind: str) -> None:
    """Who knows one adapter finds his way in all."""
    wanted = ADAPTER | ({"statement.py"} if KINDS[kind].capabilities().traits.statement else set())
    assert missing(f"channels/{kind}", wanted) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_the_simulator_has_its_files(kind: str) -> None:
    """The same names for all."""
    assert missing(f"simulators/{kind}", SIMULATOR) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_tests_and_recorded_bytes(kind: str) -> None:
    """More than the page that says what belongs there."""
    assert list((ROOT / "tests" / "channels" / kind).glob("test_*.py"))
    assert list((ROOT / "tests" / "simulators" / kind).glob("test_*.py"))
    assert [path for path in recordings(kind) if path.name != "README.md"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_entry_in_the_suite_has_its_own_file(kind: str) -> None:
    """Named like the kind."""
    assert missing("tests/contracts/channels", {f"{kind}.py"}) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_the_kind(kind: str) -> None:
    """As a column of the table of capabilities, as it is made now."""
    assert capabilities() in README.read_text(encoding="utf-8")
    assert f"`{kind}`" in capabilities().splitlines()[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_names_its_credentials(kind: str) -> None:
    """Expiry is watched by what the settings say, so all must say it."""
    assert callable(getattr(KINDS[kind].settings, "credentials", None))
