"""A copy of one package with one place changed, to be imported instead of the shipped one."""

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


class NoSuchPlaceError(Exception):
    """The text to be replaced is not in the file exactly once: the mutant is out of date."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in one file; `old` stands there exactly once."""

    file: str
    old: str
    new: str

    @property
    def package(self) -> str:
        """The top-level package the file belongs to."""
        return self.file.partition("/")[0]

    def applied(self, text: str) -> str:
        """The file's text with the edit. Raises `NoSuchPlaceError`."""
        if text.count(self.old) != 1:
            raise NoSuchPlaceError(f"{self.file}: {text.count(self.old)} times {self.old!r}")
        return text.replace(self.old, self.new)


def plant(edits: tuple[Edit, ...], folder: Path) -> None:
    """Copy every package that is edited to `folder`, edited."""
    for package in {edit.package for edit in edits}:
        shutil.copytree(ROOT / package, folder / package)
    for edit in edits:
        file = folder / edit.file
        file.write_text(edit.applied(file.read_text(encoding="utf-8")), encoding="utf-8")
