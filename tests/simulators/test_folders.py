"""Files carried by folders between a customer and a pure core."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.folders import TAKEN, FolderPair, Folders
from simulators.scenario import ClockPlan, Plan
from simulators.world import World
from tests.simulators.alipay.customer import account as alipay_account
from tests.simulators.alipay.customer import config as alipay_config
from tests.simulators.bank.customer import START, Customer, account, file


def pair(folder: Path, marker: str | None = None) -> FolderPair:
    """Two folders, with or without markers."""
    for name in ("out", "in"):
        (folder / name).mkdir(exist_ok=True)
    return FolderPair(out=folder / "out", into=folder / "in", out_marker=marker, in_marker=marker)


def test_what_is_dropped_is_taken_once_and_answered_in_files(tmp_path: Path) -> None:
    """Moved away, executed, and every file of the bank given once."""
    customer, folders = Customer(), pair(tmp_path)
    carrier = Folders(customer.bank, {"bank-1": folders})
    (folders.out / "a.xml").write_bytes(file())
    ((request, answer),) = carrier.sweep(customer.bank, customer.now)
    assert (request.target, answer.op, answer.reference) == ("/a.xml", "submit", "E1")
    assert [path.name for path in folders.out.iterdir()] == [TAKEN]
    given = {path.name for path in folders.into.iterdir()}
    assert given == {name for name, _ in customer.names()}
    for path in folders.into.iterdir():
        path.unlink()
    assert list(carrier.sweep(customer.bank, customer.now)) == []
    assert list(folders.into.iterdir()) == []


def test_without_its_marker_a_file_is_left_alone(tmp_path: Path) -> None:
    """And each given file gets one."""
    customer, folders = Customer(), pair(tmp_path, ".done")
    carrier = Folders(customer.bank, {"bank-1": folders})
    (folders.out / "a.xml").write_bytes(file())
    (folders.out / "b.xml.part").write_bytes(file())
    assert list(carrier.sweep(customer.bank, customer.now)) == []
    (folders.out / "a.xml.done").touch()
    assert len(list(carrier.sweep(customer.bank, customer.now))) == 1
    assert {path.name for path in folders.out.iterdir()} == {TAKEN, "b.xml.part"}
    files = sorted(path.name for path in folders.into.glob("*.xml"))
    assert files
    assert sorted(path.name for path in folders.into.glob("*.done")) == [f"{f}.done" for f in files]


def test_a_file_that_shows_later_is_given_later(tmp_path: Path) -> None:
    """Also when younger ones were given before it."""
    customer, folders = Customer(), pair(tmp_path)
    carrier = Folders(customer.bank, {"bank-1": folders})
    customer.send(file())
    list(carrier.sweep(customer.bank, customer.now))
    before = len(list(folders.into.iterdir()))
    customer.wait(minutes=5)
    list(carrier.sweep(customer.bank, customer.now))
    assert len(list(folders.into.iterdir())) > before
    assert {path.name for path in folders.into.iterdir()} == {name for name, _ in customer.names()}


def test_a_kind_without_files_has_no_folders(tmp_path: Path) -> None:
    """Told when the world is built."""
    section = alipay_config(alipay_account(folders={"out": str(tmp_path), "into": str(tmp_path)}))
    with pytest.raises(ValueError, match="takes no files in folders"):
        World(Plan(clock=ClockPlan(mode="virtual", start=START), simulators=(section,)))


async def test_a_world_carries_and_journals_files(tmp_path: Path) -> None:
    """As the clock is moved; a reset gives the files of the fresh bank."""
    folders = pair(tmp_path)
    told = {"out": str(folders.out), "into": str(folders.into)}
    section: dict[str, object] = {
        "name": "bank",
        "kind": "bank",
        "accounts": [account(folders=told)],
    }
    plan = Plan(clock=ClockPlan(mode="virtual", start=START), simulators=(section,))
    async with World(plan) as world:
        (folders.out / "a.xml").write_bytes(file())
        await world.settle()
        (row,) = world.journal.rows()
        assert (row["op"], row["reference"], row["method"]) == ("submit", "E1", "PUT")
        assert "张三丰" not in str(row)
        await world.settle()
        count = len(list(folders.into.iterdir()))
        assert count > 0
        world.reset()
        for path in folders.into.iterdir():
            path.unlink()
        await world.settle()
        assert 0 < len(list(folders.into.iterdir())) <= count
