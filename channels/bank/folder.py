"""Files dropped into a folder: as strict about *sent or not sent* as `transport.py` with sockets.

Blocking; the channel calls it from a thread. A file is written under a temporary name, forced to
the disk and renamed. Before the rename it is provably not sent; from the rename on (with a marker:
from the marker on) it is the bank's. Where a step that publishes fails, the folder itself is asked.
A file is never put over another one, and what the bank writes is read, never changed.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from channels.bank.mailbox import Listed
from channels.bank.profile import Folder
from channels.contract import Evidence, NotSent, NotSentCause, Pending, Unknown, UnknownCause

TAKEN = Pending(None, "RCVD")
"""§4.1: a file that is delivered is received, and nothing more."""


class FolderError(OSError):
    """A folder or file of the bank cannot be read."""


class Steps(Struct, frozen=True):
    """What touches the disk; tests replace one step by one that fails."""

    write: Callable[[Path, bytes], None]
    publish: Callable[[Path, Path], None]
    force: Callable[[Path], None]


def drop(
    folder: Path, delivery: Folder, name: str, body: bytes, steps: Steps | None = None
) -> Pending | NotSent | Unknown:
    """Put a file there, at most once; says what the folder proves."""
    steps = steps or STEPS
    final = folder / name
    # A name of its own: two sends at one moment must not write into one file.
    written = folder / f"{name}.{secrets.token_hex(4)}{delivery.temporary_suffix}"
    known = _already(final, body)
    if known is not None:
        return known
    try:
        steps.write(written, body)
    except OSError as error:
        _forget(written)
        return NotSent(NotSentCause.UNREACHABLE, _described(error))
    try:
        steps.publish(written, final)
    except OSError as error:
        return _after_publishing(written, final, delivery, error)
    if delivery.out_marker is not None:
        failed = _mark(folder, final, delivery, delivery.out_marker, steps)
        if failed is not None:
            return failed
    try:
        steps.force(folder)
    except OSError as error:
        # It is there, but a power cut may undo it: only the bank's files tell.
        return _unsure(error)
    return TAKEN


def listed(folder: Path, delivery: Folder) -> list[Listed]:
    """The bank's files that are complete. FolderError."""
    try:
        with os.scandir(folder) as found:
            there = {entry.name: entry for entry in found}
        files = []
        for name, entry in sorted(there.items()):
            if not name.endswith(delivery.in_suffix) or name.startswith("."):
                continue
            if delivery.in_marker is not None and f"{name}{delivery.in_marker}" not in there:
                continue
            facts = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(facts.st_mode):
                files.append(Listed(name, f"{facts.st_size}-{facts.st_mtime_ns}"))
    except OSError as error:
        raise FolderError(_described(error)) from error
    return files


def fetch(folder: Path, name: str, bytes_max: int) -> bytes:
    """A file's bytes, at most so many and one more. FolderError; a link is not followed."""
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            return file.read(bytes_max + 1)
    except OSError as error:
        raise FolderError(_described(error)) from error


def _already(final: Path, body: bytes) -> Pending | NotSent | Unknown | None:
    """A file of this name lies there still: the same one is sent, another one is in doubt."""
    try:
        there = final.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unsure(error)
    if there == body:
        return TAKEN
    message = "another file of this name waits for the bank"
    return Unknown(UnknownCause.CHANNEL_UNSURE, Evidence(message=message))


def _after_publishing(
    written: Path, final: Path, delivery: Folder, error: OSError
) -> Pending | NotSent | Unknown:
    """The rename failed, or seemed to: look whether it took place."""
    try:
        is_here, is_there = written.exists(), final.exists()
    except OSError:
        return _unsure(error)
    if is_here and not is_there:
        _forget(written)
        return NotSent(NotSentCause.UNREACHABLE, _described(error))
    if is_there and not is_here and delivery.out_marker is None:
        return TAKEN
    return _unsure(error)


def _mark(
    folder: Path, final: Path, delivery: Folder, marker: str, steps: Steps
) -> NotSent | Unknown | None:
    """Publish the marker. None if that went well; without it the file is taken back."""
    written = folder / f"{final.name}{marker}.{secrets.token_hex(4)}{delivery.temporary_suffix}"
    mark = folder / f"{final.name}{marker}"
    try:
        steps.force(folder)  # the file must not come after its marker
        steps.write(written, b"")
        steps.publish(written, mark)
    except OSError as error:
        try:
            if mark.exists():
                return _unsure(error)
            final.unlink()
            if mark.exists():
                return _unsure(error)
        except OSError:
            # Gone already: somebody took it, marker or not.
            return _unsure(error)
        _forget(written)
        return NotSent(NotSentCause.UNREACHABLE, _described(error))
    return None


def _write(path: Path, body: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _publish(written: Path, final: Path) -> None:
    written.rename(final)


def _force(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


STEPS = Steps(_write, _publish, _force)


def _forget(path: Path) -> None:
    """A temporary file left over harms nobody: the bank does not look at it."""
    with contextlib.suppress(OSError):
        path.unlink()


def _unsure(error: OSError) -> Unknown:
    return Unknown(UnknownCause.CONNECTION_LOST, Evidence(message=_described(error)))


def _described(error: OSError) -> str:
    """Name the failure without paths."""
    return type(error).__name__ + (f" (errno {error.errno})" if error.errno else "")
