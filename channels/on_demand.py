"""A table whose rows are made when they are looked up, so that a start pays for none it does not
use."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

Row = TypeVar("Row")


class OnDemand(Mapping[str, Row]):
    """Rows by name; each is made once. Names are known from the beginning."""

    def __init__(self, makers: Mapping[str, Callable[[], Row]]) -> None:
        """How each row is made."""
        self._makers = makers
        self._made: dict[str, Row] = {}

    def __getitem__(self, name: str) -> Row:
        """The row, made if it is not yet; KeyError for a name that there is not."""
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is such a row; makes none."""
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._makers)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._makers)
