"""The suite of the contract once more, with files dropped into folders instead of uploaded."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from channels.bank.channel import BankChannel, build
from channels.bank.settings import BankSettings
from channels.contract import Absent, Channel, Inquiry, Outcome, Pending, Prepared, Terms
from simulators.world import World
from tests.channels.bank import house
from tests.contracts.channels.bank import RIG
from tests.contracts.channels.rig import Expect, Place, Wish, world_of
from tests.contracts.channels.scene import staged
from tests.contracts.channels.suite import SUITE

_UNHEARD = "nobody answers a file in a folder"


class Carried(BankChannel):
    """The channel, with a front-end machine that looks at the folders at once."""

    world: World

    async def send(self, prepared: Prepared) -> Outcome:
        """Drop the file and let it be carried."""
        outcome = await super().send(prepared)
        await self.world.settle()
        return outcome

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Let the bank's files be carried, and look."""
        await self.world.settle()
        return await super().inquire(inquiry)


def carried(settings: BankSettings, terms: Terms, world: World) -> Channel:
    """Make one."""
    made = Carried("bank-main", settings, terms, world.clock.now)
    made.world = world
    return made


def pair(folder: Path) -> Mapping[str, str]:
    """The two folders as the simulator is told of them."""
    return {
        "out": str(folder / "out"),
        "into": str(folder / "in"),
        "out_marker": ".done",
        "in_marker": ".done",
    }


@asynccontextmanager
async def _open(wish: Wish) -> AsyncIterator[Place]:
    settings = house.folders(wish.folder)
    section = house.section(folders=pair(wish.folder))
    async with world_of(section, wish.start) as world:
        yield Place(world, "bank", lambda: carried(settings, house.TERMS, world))


_TAKEN = Expect(Pending, why=_UNHEARD)
FOLDERS = replace(
    RIG,
    open=_open,
    secrets=("no secret at all, for the folders' rights are the only lock",),
    lacks={
        **RIG.lacks,
        "notices": "a folder pushes nothing at all",
        "balance": "this bank's profile names no message that tells it",
        "at_once": "two files of one name are one file",
        "stranger": "whoever may write into the folder is us",
        "refuse": "there is no connection to refuse",
        **dict.fromkeys(
            ("slow", "garbage", "http_error", "throttle", "maintenance", "reset_mid"), _UNHEARD
        ),
        **{
            case.id: _UNHEARD
            for case in SUITE.values()
            if case.id.startswith("ask_") and case.id not in RIG.lacks
        },
    },
    answers={
        **{key: one for key, one in RIG.answers.items() if not key.startswith("stranger")},
        "lost_before.send": _TAKEN,
        "lost_after.send": _TAKEN,
    },
)
HAS = [case.id for case in SUITE.values() if case.lacked_by(FOLDERS) is None]


@pytest.mark.parametrize("case_id", HAS)
async def test_channel_keeps_the_contract_in_folders(case_id: str, tmp_path: Path) -> None:
    """One behaviour of the contract, with no connection at all."""
    case = SUITE[case_id]
    async with staged(FOLDERS, case.expected(FOLDERS), tmp_path, case.total_timeout_s) as scene:
        await case.run(scene)


def test_a_folder_channel_is_made_like_any_other(tmp_path: Path) -> None:
    """Nothing is opened or written by making one."""
    channel = build("bank-main", house.folders(tmp_path), house.TERMS, lambda: house.NOW)
    assert channel.traits.notices is False
    assert not list(tmp_path.glob("*/*"))
