"""Marked parts of a page that are made from the code, and the tables in them."""

import re
from collections.abc import Callable, Iterable, Mapping

_MARKED = re.compile(r"(<!-- made from the code: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    heads = list(head)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def current(text: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """The text with every marked part as the code has it now."""
    return _MARKED.sub(lambda found: found[1] + blocks[found[2]]() + "\n" + found[3], text)


def marked(text: str) -> list[str]:
    """Which parts a text has markers for."""
    return [found[2] for found in _MARKED.finditer(text)]
