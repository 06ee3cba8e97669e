"""L3: deaths of the real process at a few boundaries, each followed by a clean end; controls."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.proof.crash.controls import CONTROLS
from tests.proof.crash.run import boundaries, lived
from tests.proof.crash.scenes import SCENES
from tests.proof.crash.town import IN_THE_PARENT, Town, town

DEATHS: Mapping[str, tuple[str, ...]] = {
    "paid": (
        "accept+armed: written, not committed",
        "accept+armed: committed, nobody told",
        "reply: half of it out",
        "request: half of it out",
        IN_THE_PARENT[1],
        "record paid: written, not committed",
        IN_THE_PARENT[3],
    ),
    "failover": (
        "record attempt_dead: committed, nobody told",
        "record armed: committed, nobody told",
    ),
    "resend": ("record resent: committed, nobody told",),
    "returned": ("record returned: written, not committed",),
    "first start": ("migration: written, not committed",),
}
"""Where a payout is lost or paid twice most easily."""


def in_town(folder: Path, *plays: tuple[str, tuple[str, int] | None, str | None]) -> list[object]:
    """Play scenes one after the other in one town: problems, or how often somebody died."""

    async def played() -> list[object]:
        async with town(folder) as here:
            return [await _one(here, *play) for play in plays]

    return asyncio.run(played())


async def _one(here: Town, name: str, point: tuple[str, int] | None, control: str | None) -> object:
    found = await lived(here, name, point, None, control)
    return found.problems or here.life.deaths


def test_a_death_where_it_hurts_most_harms_nobody(tmp_path: Path) -> None:
    """Each death really happens, and afterwards everybody has what is theirs, once."""
    plays = [(name, (at, 1), None) for name, points in DEATHS.items() for at in points]
    assert in_town(tmp_path, *plays) == [1] * len(plays)


def test_every_scene_ends_well_when_nobody_dies(tmp_path: Path) -> None:
    """What is judged after a death holds without one."""
    assert in_town(tmp_path, *((name, None, None) for name in SCENES)) == [0] * len(SCENES)


def test_boundaries_are_enumerated(tmp_path: Path) -> None:
    """Every kind of boundary is among those of one plain payout, each with its number."""

    async def listed() -> list[tuple[str, int]]:
        async with town(tmp_path) as here:
            return await boundaries(here, "paid", [])

    points = asyncio.run(listed())
    assert len(points) == len(set(points)) > 50
    for death in DEATHS["paid"]:
        assert (death, 1) in points


def test_broken_gateways_are_found_out(tmp_path: Path) -> None:
    """Each control breaks one promise that a death reveals; the judge says what became of it."""
    plays = [(one.scene, (one.at, 1), name) for name, one in CONTROLS.items()]
    found = dict(zip(CONTROLS, in_town(tmp_path, *plays), strict=True))
    assert [name for name, problems in found.items() if not isinstance(problems, list)] == []
