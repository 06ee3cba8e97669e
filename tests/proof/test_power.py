"""Power cuts under the SQLite store: nothing acknowledged is lost, and a loss would be seen."""

from collections import Counter
from random import Random

import pytest

from gateway.store.part import Part
from tests.proof.power.disk import Disk
from tests.proof.power.journal import CURRENT
from tests.proof.power.run import Result, replay, run
from tests.proof.power.stepped import Durability


@pytest.fixture(scope="module")
def result() -> Result:
    """A few hundred cuts, in this process."""
    return run(420, 1, lambda _: None, processes=1)


def test_nothing_acknowledged_is_lost_or_half_there(result: Result) -> None:
    """Every cut leaves a state that somebody was told of, or the one that was being committed."""
    assert (result.lost, result.torn, result.failed_seeds) == (0, 0, [])
    assert result.power_cuts >= 300


def test_whatever_went_out_was_armed(result: Result) -> None:
    """No cut leaves an image without the attempt for which bytes were sent."""
    assert result.unarmed == 0
    assert result.sends > 50


def test_synchronous_normal_loses_what_was_acknowledged(result: Result) -> None:
    """The control: commits that are not synced are lost, whole, and the journal sees it."""
    assert result.control_lost > 0
    assert result.control_torn == 0


@pytest.mark.parametrize("control", ["off_damaged", "lying_damaged"])
def test_a_store_or_a_drive_that_does_not_sync_is_damaged(result: Result, control: str) -> None:
    """Both halves of a sync are needed: that it is asked for, and that it is done."""
    assert getattr(result, control) > 0


def test_cuts_come_everywhere(result: Result) -> None:
    """In log and database, in syncs and checkpoints, with every way of losing a piece."""
    assert {"write wal", "write db", "sync wal", "sync db", "synced wal"} <= result.points.keys()
    assert {"kept", "dropped", "torn", "reordered", "garbled", "name kept back"} <= (
        result.faults.keys()
    )
    assert {"cut", "kill", "stop"} <= result.endings.keys()


def test_a_seed_is_lived_again_exactly() -> None:
    """The same seed tells the same story, line by line."""
    first, second = (replay(7, lambda _: None).lines for _ in range(2))

    assert first == second
    assert len(first) > 50


def test_an_answer_that_did_not_wait_for_the_drive_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a kill, "booked already" may rest on an unsynced log: without the beat it is lost."""

    beat = Part._beat

    async def only_when_asked_for(part: Part) -> None:
        if CURRENT.get() is None:
            await beat(part)

    monkeypatch.setattr(Part, "_beat", only_when_asked_for)

    assert any(replay(seed, lambda _: None).lost for seed in range(180, 400))


def test_an_unsynced_write_survives_in_every_way() -> None:
    """Whole, not at all, in part: all are seen, and bytes around the write are never touched."""
    disk = Disk()
    opened = disk.open("db", create=True)
    assert opened is not None
    file = opened[0]
    file.write(0, b"o" * 4096)
    disk.sync(file)
    disk.sync_names()
    file.write(1024, b"n" * 2048)

    seen: Counter[str] = Counter()
    for seed in range(300):
        back = disk.cut(Random(seed), Counter()).open("db", create=False)
        assert back is not None
        content = bytes(back[0].live)
        assert content[:1024] + content[3072:] == b"o" * 2048
        middle = content[1024:3072]
        kinds = {b"o" * 2048: "dropped", b"n" * 2048: "kept"}
        seen[kinds.get(middle, "torn")] += 1

    assert min(seen["kept"], seen["dropped"], seen["torn"]) > 10


def test_a_name_is_durable_only_with_its_directory() -> None:
    """A file that was synced under a new name may still be gone; an unlinked one may come back."""
    disk = Disk()
    for name in ("old", "new"):
        opened = disk.open(name, create=True)
        assert opened is not None
        opened[0].write(0, b"x")
        disk.sync(opened[0])
        if name == "old":
            disk.sync_names()
    disk.unlink("old")

    seen = set()
    for seed in range(100):
        back = disk.cut(Random(seed), Counter())
        seen.add((back.exists("old"), back.exists("new")))

    assert seen == {(True, True), (True, False), (False, True), (False, False)}


def test_the_controls_are_not_the_product() -> None:
    """Only FULL is what the gateway runs with; the others exist here alone."""
    assert [*Durability] == ["full", "normal", "off", "lying"]
