"""One YAML file as plain data, with the line of every key; and how its mistakes are reported.

Reads YAML the way 1.2 does where 1.1 would guess: `17:30` is text and not 1050, `0123` is text and
not 83, `no` is text and not false. A key given twice is an error, not the last one's win.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from msgspec import Struct

Key = tuple[str | int, ...]
"""Where a value stands: section, key, list position."""


class Problem(Struct, frozen=True):
    """One mistake: where (file and line, variable or flag) and what."""

    where: str
    message: str


class SettingsError(Exception):
    """The configuration cannot be used; every mistake that was found, in reading order."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep the problems, and make them the message: one line each."""
        super().__init__("\n".join(f"{p.where}: {p.message}" for p in problems))
        self.problems = problems


class Document(Struct, frozen=True):
    """A parsed file. `lines` knows every key and list item, counted from 1."""

    data: Mapping[str, object]
    lines: Mapping[Key, int]


class _Loader(yaml.SafeLoader):
    """Safe, and with the core schema of YAML 1.2 (section 10.3.2) for plain scalars."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - the base declares it so


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""]
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9_]*)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)$"),
    list("-+0123456789"),
)


def read(path: Path) -> Document:
    """Parse a file; raises `SettingsError` when it is absent, not YAML, or has a key twice."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise SettingsError([Problem(str(path), f"cannot be read: {reason}")]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([Problem(str(path), "is not UTF-8 text")]) from error
    reader = _Reader(path)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        data = {} if node is None else reader.value(loader, node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise SettingsError([Problem(where, f"not YAML: {error.problem}")]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SettingsError([Problem(str(path), "not YAML")]) from error
    if isinstance(data, dict) and not reader.problems:
        return Document(data, reader.lines)
    raise SettingsError(reader.problems or [Problem(f"{path}:1", "must be sections with keys")])


def scalar(text: str) -> object:
    """A single value as it would be read from the file; the text itself when it is no scalar."""
    try:
        value: object = yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from SafeLoader
    except yaml.YAMLError:
        return text
    return text if isinstance(value, dict | list) else value


class _Reader:
    """Turns nodes into data and remembers lines and mistakes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Key, int] = {}
        self.problems: list[Problem] = []

    def value(self, loader: _Loader, node: yaml.Node, at: Key) -> object:
        self.lines.setdefault(at, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(loader, node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(loader, n, (*at, i)) for i, n in enumerate(node.value)]
        value: object = loader.construct_object(node)
        return value

    def _mapping(self, loader: _Loader, node: yaml.MappingNode, at: Key) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(f"{self.path}:{line}", "a key must be a word"))
                continue
            key = str(key_node.value)
            if key in found:
                first = self.lines[(*at, key)]
                self.problems.append(
                    Problem(f"{self.path}:{line}", f"{key} is given twice, first in line {first}")
                )
                continue
            self.lines[(*at, key)] = line
            found[key] = self.value(loader, value_node, (*at, key))
        return found
