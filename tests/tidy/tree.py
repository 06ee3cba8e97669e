"""What the tidy tests look at: the files of the project, without what tools leave behind."""

import ast
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("gateway", "channels", "policies", "simulators")
TEXT = (".py", ".sql", ".toml", ".yaml", ".yml", ".json", ".md", ".txt", ".html", ".css", ".js", "")


@cache
def ignored() -> tuple[str, ...]:
    """The patterns of .gitignore, and git's own folder."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    return (".git", *(line.strip("/") for line in lines))


def is_ours(name: str) -> bool:
    """Whether a file or folder of this name belongs to the project."""
    return not any(fnmatch(name, pattern) for pattern in ignored())


def files(*tops: str) -> Iterator[Path]:
    """Every text file of the project, or below these top-level folders."""
    for top in tops or (".",):
        for folder, inner, names in os.walk(ROOT / top):
            inner[:] = sorted(name for name in inner if is_ours(name))
            for name in sorted(names):
                path = Path(folder, name)
                if is_ours(name) and path.suffix in TEXT:
                    yield path.relative_to(ROOT)


def modules(*tops: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file with its syntax tree."""
    for path in files(*(tops or (*PACKAGES, "tests"))):
        if path.suffix == ".py":
            yield path, ast.parse(text(path), str(path))


def text(path: Path) -> str:
    """A file's text."""
    return (ROOT / path).read_text(encoding="utf-8")


def called(node: ast.Call) -> str:
    """The last two names of what is called: `datetime.now` for `datetime.datetime.now(…)`."""
    match node.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name, value=ast.Name(id=owner) | ast.Attribute(attr=owner)):
            return f"{owner}.{name}"
        case ast.Attribute(attr=name):
            return name
        case _:
            return ""
