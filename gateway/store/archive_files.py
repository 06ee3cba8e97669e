"""The folder of archives on this machine: files appear whole, and stay."""

import os
from pathlib import Path

FOLDER = "archives"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class ArchiveFiles:
    """`archives` in the data folder; made when the first file is written."""

    def __init__(self, data_dir: Path) -> None:
        """Only remembers where."""
        self._folder = data_dir / FOLDER

    def write(self, name: str, content: bytes) -> None:
        """Durably, whole or not at all. Raises `OSError`."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        unfinished = self._folder / f".{name}.unfinished"
        with os.fdopen(os.open(unfinished, _NEW, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._folder / name)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises `OSError`."""
        return (self._folder / name).read_bytes()
