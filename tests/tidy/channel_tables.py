"""The parts of channels/README.md that repeat what the adapters say, made from the adapters.

`python -m tests.tidy.channel_tables` writes them between their markers; a test compares.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from channels.capabilities import rows
from channels.registry import KINDS
from tests.tidy import marks
from tests.tidy.marks import table

README = Path(__file__).parents[2] / "channels" / "README.md"


def capabilities() -> str:
    """Every kind as a column, every capability as a row."""
    kinds = {name: KINDS[name].capabilities() for name in sorted(KINDS)}
    shown = [row for row in rows(configured=False) if row.key != "kind"]
    return table(
        ("", *(f"`{name}`" for name in kinds)),
        ((f"{row.zh} {row.en}", *(row.tell(one) for one in kinds.values())) for row in shown),
    )


BLOCKS: Mapping[str, Callable[[], str]] = {"capabilities": capabilities}


def current(text: str) -> str:
    """The text with every marked part as the code has it now."""
    return marks.current(text, BLOCKS)


def marked(text: str) -> list[str]:
    """Which parts a text has markers for."""
    return marks.marked(text)


if __name__ == "__main__":
    README.write_text(current(README.read_text(encoding="utf-8")), encoding="utf-8")
