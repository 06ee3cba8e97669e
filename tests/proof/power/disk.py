"""A drive with a volatile cache, in memory: what was written, what is durable, what a cut leaves.

Knows nothing of SQLite. A write changes what a program reads at once and joins its file's list of
unsynced writes; a sync of the file makes them durable; names (create, unlink) become durable with a
sync of the directory. A cut keeps, drops or tears every unsynced piece on its own.
"""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

SECTOR = 512
"""What a drive writes as one; an unsynced write may stop at, or inside, any of them."""

_GARBLED = 0.05
"""How often a torn write also leaves one sector of garbage: the one under the head."""


@dataclass(slots=True)
class Inode:
    """One file, whatever its name."""

    live: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Unsynced, in order: a write (offset, bytes) or a truncation (size, None)."""

    def write(self, offset: int, data: bytes) -> None:
        """Change what is read; durable only later."""
        self._part()
        _put(self.live, offset, data)
        self.pending.append((offset, data))

    def truncate(self, size: int) -> None:
        """Cut to a size; durable only later."""
        self._part()
        _cut(self.live, size)
        self.pending.append((size, None))

    def sync(self) -> None:
        """Make everything so far durable."""
        if self.durable is self.live:
            return
        for place, data in self.pending:
            _apply(self.durable, place, data)
        self.pending.clear()

    def copy(self) -> "Inode":
        """The same file on another drive."""
        return Inode(bytearray(self.live), bytearray(self.durable), list(self.pending))

    def survivor(self, rng: Random, faults: Counter[str]) -> "Inode":
        """What a cut leaves of it."""
        content = bytearray(self.durable)
        kept = _kept(rng, len(self.pending))
        tearing = rng.choice((0.0, 0.2, 0.8))
        gap = False
        for index, (place, data) in enumerate(self.pending):
            if index not in kept:
                faults["dropped"] += 1
                gap = True
                continue
            if gap:
                faults["reordered"] += 1
            if data is not None and rng.random() < tearing:
                faults["torn"] += 1
                _tear(content, place, data, rng, faults)
            else:
                faults["kept"] += 1
                _apply(content, place, data)
        return Inode(content, content)

    def _part(self) -> None:
        """One buffer is enough until a survivor is written to: most are only read."""
        if self.durable is self.live:
            self.durable = bytearray(self.live)


class Disk:
    """One directory of files behind a volatile cache."""

    def __init__(self, *, honest: bool = True) -> None:
        """A drive that is not `honest` says that it has synced and has not."""
        self.honest = honest
        self._names: dict[str, Inode] = {}
        self._durable: dict[str, Inode] = {}
        self._pending: list[tuple[str, Inode | None]] = []

    def open(self, name: str, *, create: bool) -> tuple[Inode, bool] | None:
        """A file by name and whether it was made just now; None when there is none."""
        inode = self._names.get(name)
        if inode is not None:
            return inode, False
        if not create:
            return None
        inode = self._names[name] = Inode()
        self._pending.append((name, inode))
        return inode, True

    def exists(self, name: str) -> bool:
        """Whether a program sees a file of that name."""
        return name in self._names

    def unlink(self, name: str) -> bool:
        """Take a name away; until the directory is synced, a cut may bring it back."""
        if self._names.pop(name, None) is None:
            return False
        self._pending.append((name, None))
        return True

    def sync(self, inode: Inode) -> None:
        """Make a file's content durable. Its name is the directory's affair."""
        if self.honest:
            inode.sync()

    def sync_names(self) -> None:
        """Sync the directory: creations and unlinks so far are durable."""
        if self.honest:
            self._durable = dict(self._names)
            self._pending.clear()

    def copy(self) -> "Disk":
        """The same drive with the same unsynced pieces, to go another way from here."""
        inodes: dict[int, Inode] = {}

        def twin(inode: Inode) -> Inode:
            return inodes.setdefault(id(inode), inode.copy())

        disk = Disk(honest=self.honest)
        disk._names = {name: twin(inode) for name, inode in self._names.items()}
        disk._durable = {name: twin(inode) for name, inode in self._durable.items()}
        disk._pending = [
            (name, None if inode is None else twin(inode)) for name, inode in self._pending
        ]
        return disk

    def cut(self, rng: Random, faults: Counter[str]) -> "Disk":
        """What is on the drive when the power is back; this drive is left as it was."""
        names = dict(self._durable)
        # Half of the file systems keep the order of changes to a directory, half keep none.
        ordered = rng.random() < 0.5
        until = rng.randint(0, len(self._pending))
        for index, (name, inode) in enumerate(self._pending):
            if index >= until if ordered else rng.random() < 0.5:
                faults["name kept back"] += 1
            elif inode is None:
                names.pop(name, None)
            else:
                names[name] = inode
        disk = Disk(honest=self.honest)
        for name in sorted(names):
            disk._names[name] = names[name].survivor(rng, faults)
        disk._durable = dict(disk._names)
        return disk


def _kept(rng: Random, count: int) -> set[int]:
    """Which of the unsynced pieces reached the platter, by one of several ways to fail."""
    everything = set(range(count))
    match rng.randrange(7):
        case 0:
            return set()
        case 1:
            return everything
        case 2:
            return set(range(rng.randint(0, count)))
        case 3:
            return everything - {rng.randrange(count)} if count else everything
        case 4:
            return {rng.randrange(count)} if count else everything
        case _:
            chance = rng.choice((0.1, 0.5, 0.9))
            return {index for index in range(count) if rng.random() < chance}


def _tear(content: bytearray, offset: int, data: bytes, rng: Random, faults: Counter[str]) -> None:
    """Let a part of a write through. Bytes outside the write are never touched.

    That is the power-safe overwrite SQLite's own unix VFS promises (sqlite.org, psow.html); a drive
    without it is out of scope here as it is there.
    """
    end = offset + len(data)
    at = rng.randint(0, len(data))
    match rng.randrange(3):
        case 0:
            _put(content, offset, data[:at])
        case 1:
            _put(content, offset + at, data[at:])
        case _:
            start = offset
            while start < end:
                stop = min((start // SECTOR + 1) * SECTOR, end)
                if rng.random() < 0.5:
                    # Mostly whole sectors; sometimes the head stopped within one.
                    if rng.random() < 0.1:
                        stop = rng.randint(start, stop)
                    _put(content, start, data[start - offset : stop - offset])
                start = (start // SECTOR + 1) * SECTOR
    if rng.random() < _GARBLED:
        faults["garbled"] += 1
        start = max(offset, (offset + at) // SECTOR * SECTOR)
        _put(content, start, rng.randbytes(min(SECTOR, end - start)))


def _apply(content: bytearray, place: int, data: bytes | None) -> None:
    if data is None:
        _cut(content, place)
    else:
        _put(content, place, data)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _cut(content: bytearray, size: int) -> None:
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))
