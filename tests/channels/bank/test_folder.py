"""Sent or not, decided by the disk: every step of dropping a file, failing before and after."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from channels.bank.folder import STEPS, FolderError, Steps, drop, fetch, listed
from channels.bank.profile import Folder
from channels.contract import NotSent, Pending, Unknown

PLAIN = Folder()
MARKED = Folder(out_marker=".done", in_marker=".done")
BODY = b"<Document/>"
NAME = "P1.xml"

Step = Callable[..., None]


def broken(*_: object) -> None:
    """A step that the disk refuses."""
    raise OSError(errno.EIO, "broken")


def done_then_broken(step: Step) -> Step:
    """A step that took place, and then reports an error."""

    def run(*given: object) -> None:
        step(*given)
        raise OSError(errno.EIO, "broken")

    return run


def names(where: Path) -> set[str]:
    """What lies in a folder."""
    return {path.name for path in where.iterdir()}


def test_a_file_is_written_under_another_name_and_renamed(tmp_path: Path) -> None:
    """Nobody sees half a file; nothing is left beside it."""
    seen: list[set[str]] = []

    def publish(written: Path, final: Path) -> None:
        seen.append(names(tmp_path))
        STEPS.publish(written, final)

    outcome = drop(tmp_path, PLAIN, NAME, BODY, replace(STEPS, publish=publish))
    assert outcome == Pending(None, "RCVD")
    assert all(name.startswith("P1.xml.") and name.endswith(".part") for name in seen[0])
    assert names(tmp_path) == {NAME}
    assert (tmp_path / NAME).read_bytes() == BODY


def test_a_marker_comes_after_its_file(tmp_path: Path) -> None:
    """Whoever sees the marker finds the file whole."""
    order: list[str] = []

    def publish(written: Path, final: Path) -> None:
        order.append(final.name)
        STEPS.publish(written, final)

    outcome = drop(tmp_path, MARKED, NAME, BODY, replace(STEPS, publish=publish))
    assert isinstance(outcome, Pending)
    assert order == [NAME, f"{NAME}.done"]
    assert names(tmp_path) == {NAME, f"{NAME}.done"}


@pytest.mark.parametrize("delivery", [PLAIN, MARKED], ids=["plain", "marked"])
def test_a_file_that_could_not_be_written_was_not_sent(tmp_path: Path, delivery: Folder) -> None:
    """No byte is where the bank looks."""
    for write in (broken, done_then_broken(STEPS.write)):
        outcome = drop(tmp_path, delivery, NAME, BODY, replace(STEPS, write=write))
        assert isinstance(outcome, NotSent)
        assert names(tmp_path) == set()


def test_a_missing_folder_was_sent_nothing(tmp_path: Path) -> None:
    """Unmounted, say."""
    assert isinstance(drop(tmp_path / "gone", PLAIN, NAME, BODY), NotSent)


def test_a_rename_that_did_not_take_place_was_not_sent(tmp_path: Path) -> None:
    """The file still has its temporary name, and loses it."""
    outcome = drop(tmp_path, PLAIN, NAME, BODY, replace(STEPS, publish=broken))
    assert isinstance(outcome, NotSent)
    assert names(tmp_path) == set()


def test_a_rename_that_took_place_was_sent_whatever_it_said(tmp_path: Path) -> None:
    """The file is where the bank looks."""
    steps = replace(STEPS, publish=done_then_broken(STEPS.publish))
    assert drop(tmp_path, PLAIN, NAME, BODY, steps) == Pending(None, "RCVD")
    assert names(tmp_path) == {NAME}


def test_a_rename_of_which_nothing_is_left_is_in_doubt(tmp_path: Path) -> None:
    """The bank may have taken it within the moment."""

    def publish(written: Path, final: Path) -> None:
        STEPS.publish(written, final)
        final.unlink()
        raise OSError(errno.EIO, "broken")

    outcome = drop(tmp_path, PLAIN, NAME, BODY, replace(STEPS, publish=publish))
    assert isinstance(outcome, Unknown)


def test_a_folder_that_cannot_be_forced_is_in_doubt(tmp_path: Path) -> None:
    """It is there, but a power cut might undo it."""
    assert isinstance(drop(tmp_path, PLAIN, NAME, BODY, replace(STEPS, force=broken)), Unknown)
    assert names(tmp_path) == {NAME}


def _marker_fails(how: str) -> Steps:
    """The file goes well; its marker does not."""

    def write(path: Path, body: bytes) -> None:
        if ".done" in path.name and how == "write":
            broken()
        STEPS.write(path, body)

    def publish(written: Path, final: Path) -> None:
        if final.name.endswith(".done") and how == "before":
            broken()
        STEPS.publish(written, final)
        if final.name.endswith(".done") and how == "after":
            broken()
        if final.name.endswith(".done") and how == "taken":
            final.unlink()
            (final.parent / NAME).unlink()
            broken()

    return replace(STEPS, write=write, publish=publish)


@pytest.mark.parametrize("how", ["write", "before"])
def test_without_its_marker_a_file_is_taken_back(tmp_path: Path, how: str) -> None:
    """It was never the bank's: not sent, and not left lying."""
    outcome = drop(tmp_path, MARKED, NAME, BODY, _marker_fails(how))
    assert isinstance(outcome, NotSent)
    assert not {NAME, f"{NAME}.done"} & names(tmp_path)


@pytest.mark.parametrize("how", ["after", "taken"])
def test_a_marker_that_was_there_leaves_doubt(tmp_path: Path, how: str) -> None:
    """The bank may have it."""
    assert isinstance(drop(tmp_path, MARKED, NAME, BODY, _marker_fails(how)), Unknown)


def test_a_file_is_never_put_over_another(tmp_path: Path) -> None:
    """The same one is there already; another one under its name is in doubt, and stays."""
    assert isinstance(drop(tmp_path, PLAIN, NAME, BODY), Pending)
    assert isinstance(drop(tmp_path, PLAIN, NAME, BODY), Pending)
    assert isinstance(drop(tmp_path, PLAIN, NAME, b"<Other/>"), Unknown)
    assert (tmp_path / NAME).read_bytes() == BODY


def test_causes_name_no_path(tmp_path: Path) -> None:
    """Details go into logs and records."""
    outcome = drop(tmp_path / "gone", PLAIN, NAME, BODY)
    assert isinstance(outcome, NotSent)
    assert "gone" not in outcome.detail
    assert "FileNotFoundError" in outcome.detail


def test_only_complete_files_are_listed(tmp_path: Path) -> None:
    """By suffix, and by marker where there is one; no link, no folder, no hidden file."""
    for name in ("a.xml", "b.xml", "b.xml.done", "c.xml.part", ".d.xml", "e.txt"):
        (tmp_path / name).write_bytes(BODY)
    (tmp_path / "f.xml").mkdir()
    (tmp_path / "g.xml").symlink_to(tmp_path / "a.xml")
    assert [one.name for one in listed(tmp_path, PLAIN)] == ["a.xml", "b.xml"]
    assert [one.name for one in listed(tmp_path, MARKED)] == ["b.xml"]


def test_a_rewritten_file_is_another_version(tmp_path: Path) -> None:
    """So that it is read again."""
    path = tmp_path / "a.xml"
    path.write_bytes(BODY)
    (first,) = listed(tmp_path, PLAIN)
    path.write_bytes(BODY + b"\n")
    (second,) = listed(tmp_path, PLAIN)
    assert first.name == second.name
    assert first != second


def test_reading_follows_no_link_and_stops_at_its_bound(tmp_path: Path) -> None:
    """A link could lead anywhere, and a file could have any size."""
    (tmp_path / "a.xml").write_bytes(b"x" * 100)
    (tmp_path / "g.xml").symlink_to(tmp_path / "a.xml")
    assert len(fetch(tmp_path, "a.xml", 10)) == 11
    for name in ("g.xml", "gone.xml"):
        with pytest.raises(FolderError):
            fetch(tmp_path, name, 10)
    with pytest.raises(FolderError):
        listed(tmp_path / "gone", PLAIN)


def test_files_are_readable_by_the_group_and_nobody_else(tmp_path: Path) -> None:
    """They hold names and account numbers."""
    drop(tmp_path, PLAIN, NAME, BODY)
    assert (tmp_path / NAME).stat().st_mode & 0o007 == 0
