"""The channels' README states facts about adapters; these tests hold it to them."""

import re
from importlib import import_module
from pathlib import Path

import channels
from channels.contract import Channel, Funded, Outcome, Recallable
from channels.registry import KINDS

FOLDER = Path(channels.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def _rows() -> dict[str, list[str]]:
    """The adapters' table, by kind."""
    table = README.split("## Adapters")[1].split("##")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("| `")
    ]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_every_kind_has_a_row_and_every_row_a_kind() -> None:
    """The table lists exactly the registered kinds."""
    assert _rows().keys() == KINDS.keys()


def test_optional_powers_are_told_as_they_are() -> None:
    """Recall and balance in the table are what the adapters' classes implement."""
    for kind, row in _rows().items():
        source = (FOLDER / kind / "channel.py").read_text(encoding="utf-8")
        assert row[4].startswith("yes") == ("async def recall(" in source), kind
        assert row[5].startswith("yes") == ("async def balance(" in source), kind


def test_every_adapter_has_the_six_files() -> None:
    """Who knows one adapter finds his way in all; only a statement may be missing."""
    always = {"channel.py", "wire.py", "signing.py", "codes.py", "settings.py"}
    for kind, row in _rows().items():
        named = always | ({"statement.py"} if row[2] != "no" else set())
        assert named <= {path.name for path in (FOLDER / kind).iterdir()}, kind


def test_only_the_channel_file_awaits() -> None:
    """All other files of an adapter are pure."""
    for kind in KINDS:
        awaiting = {
            path.name
            for path in (FOLDER / kind).glob("*.py")
            if re.search(r"^\s*(async def|await )", path.read_text(encoding="utf-8"), re.M)
        }
        assert awaiting == {"channel.py"}, kind


def test_the_contract_table_names_the_protocols_methods() -> None:
    """Each method of the protocol stands in the README's table."""
    told = set(re.findall(r"^\| `(\w+)` \|", README, re.M))
    methods = {name for name in vars(Channel) if not name.startswith("_")} - {"name", "aclose"}
    assert methods <= told
    assert "recall" in vars(Recallable)
    assert "balance" in vars(Funded)


def test_the_outcomes_named_are_the_union() -> None:
    """The five sentences list every outcome there is."""
    sentence = README.split("is one of")[1].split("(`Absent`")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == {one.__name__ for one in Outcome.__args__}


def test_what_silence_proves_is_told_as_the_profiles_say() -> None:
    """C5, C6 and the window of every kind stand in the second table."""
    table = README.split("## What silence proves")[1].split("##")[0]
    rows = {
        cells[0].strip("`"): cells[1:]
        for line in table.splitlines()
        if line.startswith("| `")
        for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
    }
    assert rows.keys() == KINDS.keys()
    for kind, (window, absence, statements) in rows.items():
        profile = import_module(f"channels.{kind}.profile").PROFILE
        known = profile.acceptance_window_s
        assert window == ("none published" if known is None else f"{known} s"), kind
        assert absence.startswith("yes") == profile.absence_proves, kind
        assert statements.startswith("yes") == (bool(profile.finality) and known is not None), kind
