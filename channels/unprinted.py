"""Values of which some fields never appear where a value is printed: in logs, traces, tests."""

from typing import ClassVar

from msgspec import Struct


class Unprinted(Struct, frozen=True):
    """A value that is printed without its `hidden` fields: secrets, payees, whole messages."""

    hidden: ClassVar[frozenset[str]]

    def __repr__(self) -> str:
        """As every value is printed, but for those fields."""
        shown = (name for name in self.__struct_fields__ if name not in self.hidden)
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__name__}({told})"
