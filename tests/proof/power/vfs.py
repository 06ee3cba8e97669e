"""SQLite's view of the modelled drive: an APSW VFS, and the power switch.

Locks and the WAL's shared memory are the real ones of the unix VFS, on an empty file: they do not
outlive a machine. Every byte of database, log and journal, and every name, is on the `Disk`.
Directories are synced where the unix VFS syncs them (sqlite os_unix.c, unixOpen and unixSync): on
the first sync of every journal or log opened with leave to create it, also when it was there
already, and on an unlink that asks for it.
"""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal

import apsw

from tests.proof.power.disk import Disk

NAME = "hangdao-power"

Call = Literal["open", "write", "truncate", "sync", "synced", "unlink"]
"""Where a cut may come: after the drive has got the piece, and before (sync) and after (synced) it
has made it durable. Nothing has returned to SQLite by then."""

_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL


class PowerLostError(apsw.IOError):
    """The machine is off. SQLite sees an I/O error; nobody would see anything."""


class Machine:
    """A computer with one drive: on, until it is switched off or its process is killed."""

    def __init__(self, disk: Disk, watch: Callable[[Call, str], None] | None = None) -> None:
        """`watch` hears of every call that changes the drive and may switch the machine off."""
        self.disk = disk
        self.off = False
        self._watch = watch

    def reached(self, call: Call, name: str) -> None:
        """Let the watcher look; raises when the machine is off then."""
        if self._watch is not None and not self.off:
            self._watch(call, name)
        self.must_be_on()

    def must_be_on(self) -> None:
        """Raise `PowerLostError` when it is not."""
        if self.off:
            raise PowerLostError("the power is gone")


class _File(apsw.VFSFile):
    """One open file; only the database has a real one under it, for locks and shared memory."""

    def __init__(self, machine: Machine, name: str | apsw.URIFilename, flags: list[int]) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._machine = machine
        self._name = path.rpartition("/")[2]
        self._locks = bool(flags[0] & apsw.SQLITE_OPEN_MAIN_DB)
        opened = machine.disk.open(self._name, create=bool(flags[0] & apsw.SQLITE_OPEN_CREATE))
        if opened is None:
            raise apsw.CantOpenError(f"there is no {self._name}")
        self._inode, made = opened
        if made:
            machine.reached("open", self._name)
        self._sync_names = bool(flags[0] & apsw.SQLITE_OPEN_CREATE) and bool(flags[0] & _JOURNALS)
        if self._locks:
            super().__init__("unix", name, flags)

    def excepthook(
        self,
        etype: type[BaseException] | None,
        evalue: BaseException | None,
        etraceback: TracebackType | None,
    ) -> bool:
        """After the cut there is nobody to tell."""
        return self._machine.off or super().excepthook(etype, evalue, etraceback)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - APSW's name
        self._machine.must_be_on()
        return bytes(self._inode.live[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - APSW's name
        self._machine.must_be_on()
        self._inode.write(offset, bytes(data))
        self._machine.reached("write", self._name)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - APSW's name
        self._machine.must_be_on()
        self._inode.truncate(newsize)
        self._machine.reached("truncate", self._name)

    def xSync(self, flags: int) -> None:  # noqa: N802 - APSW's name
        self._machine.must_be_on()
        self._machine.reached("sync", self._name)
        self._machine.disk.sync(self._inode)
        if self._sync_names:
            # The unix VFS opens and syncs the directory after the file itself.
            self._machine.reached("sync", self._name)
            self._machine.disk.sync_names()
            self._sync_names = False
        self._machine.reached("synced", self._name)

    def xFileSize(self) -> int:  # noqa: N802 - APSW's name
        self._machine.must_be_on()
        return len(self._inode.live)

    def xClose(self) -> None:  # noqa: N802 - APSW's name
        if self._locks:
            super().xClose()

    def xSectorSize(self) -> int:  # noqa: N802 - APSW's name
        return 4096  # what the unix VFS says

    def xDeviceCharacteristics(self) -> int:  # noqa: N802 - APSW's name
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE  # what the unix VFS says

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: N802 - APSW's name
        return super().xFileControl(op, ptr) if self._locks else False

    def xCheckReservedLock(self) -> bool:  # noqa: N802 - APSW's name
        return super().xCheckReservedLock() if self._locks else False

    def xLock(self, level: int) -> None:  # noqa: N802 - APSW's name
        if self._locks:
            super().xLock(level)

    def xUnlock(self, level: int) -> None:  # noqa: N802 - APSW's name
        if self._locks:
            super().xUnlock(level)


class PowerVfs(apsw.VFS):
    """All machines of this process, told apart by the directory their database is in."""

    def __init__(self) -> None:
        """Register under `NAME`."""
        self._machines: dict[str, Machine] = {}
        super().__init__(NAME, "unix")

    def boot(self, directory: Path, machine: Machine) -> None:
        """From now on the database in a directory is on this machine's drive."""
        self._machines[str(directory)] = machine

    def excepthook(
        self,
        etype: type[BaseException] | None,
        evalue: BaseException | None,
        etraceback: TracebackType | None,
    ) -> bool:
        """After a cut there is nobody to tell; anything else is a defect of this model."""
        lost = isinstance(evalue, PowerLostError)
        return lost or super().excepthook(etype, evalue, etraceback)

    def xOpen(  # noqa: N802 - APSW's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        if name is None:
            raise apsw.CantOpenError("temporary files are kept in memory")
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        machine = self._machine(path)
        machine.must_be_on()
        return _File(machine, name, flags)

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802 - APSW's name
        machine = self._machine(pathname)
        machine.must_be_on()
        return machine.disk.exists(pathname.rpartition("/")[2])

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - APSW's name
        machine = self._machine(filename)
        machine.must_be_on()
        name = filename.rpartition("/")[2]
        if not machine.disk.unlink(name):
            raise apsw.IOError(f"there is no {name}")
        machine.reached("unlink", name)
        if syncdir:
            machine.disk.sync_names()
            machine.reached("synced", name)

    def _machine(self, path: str) -> Machine:
        return self._machines[path.rpartition("/")[0]]
