"""The channels' README states facts about adapters; these tests hold it to them."""

import re
from pathlib import Path

import channels
from channels.contract import Channel, Funded, Outcome, Recallable
from channels.registry import KINDS
from tests.tidy import channel_tables

FOLDER = Path(channels.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_table_of_kinds_is_made_from_the_adapters() -> None:
    """It is what the code says; else run `python -m tests.tidy.channel_tables`."""
    assert channel_tables.current(README) == README
    assert channel_tables.marked(README) == ["capabilities"]


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
