"""YAML text to plain values, with the line and column of every part, down to a scalar's characters.

Refused at once: aliases (a small file could unfold into a huge one), keys given twice (YAML would
keep the last), more than one document, and files beyond the size limit.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

import yaml

Path: TypeAlias = tuple[str | int, ...]
SIZE_MAX: Final = 256 * 1024
"""Characters of a whole file."""
_DEPTH_MAX: Final = 20
_BLANK_ESCAPES: Final = ("n", "t", "r", " ", "\n")


class Finding(NamedTuple):
    """One thing to tell about a file; line and column count from 1, column 0 means the line."""

    line: int
    column: int
    message: str
    severity: Literal["error", "warning"] = "error"


class Remark(NamedTuple):
    """A finding by the keys that lead to it; `offset` points at a character of a text value."""

    path: Path
    message: str
    severity: Literal["error", "warning"] = "error"
    offset: int | None = None


class SourceError(ValueError):
    """A text that is not one plain YAML document."""

    def __init__(self, findings: list[Finding]) -> None:
        """Keep what was found."""
        self.findings = findings
        super().__init__("; ".join(one.message for one in findings))


class Place(NamedTuple):
    """Where a value stands in the text; `node` is None for what has no text of its own."""

    line: int
    column: int
    node: yaml.Node | None


class Source:
    """The values of a file and the place of each."""

    def __init__(self, text: str) -> None:
        """Read the text. Raises SourceError."""
        self._text = text
        if len(text) > SIZE_MAX:
            raise SourceError([Finding(1, 0, f"the file has more than {SIZE_MAX} characters")])
        try:
            _refuse_aliases(text)
            loader = yaml.SafeLoader(text)
            try:
                node = loader.get_single_node()
                if not isinstance(node, yaml.MappingNode):
                    raise SourceError([Finding(1, 0, "the file must be a mapping")])
                self._places, repeated = _walk(node)
                self.content: object = loader.construct_document(node)
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line = mark.line + 1 if mark is not None else 1
            raise SourceError([Finding(line, 0, error.problem or "not YAML")]) from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError([Finding(1, 0, f"not YAML: {error}")]) from error
        if repeated:
            raise SourceError(repeated)

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest enclosing one that the file has."""
        while path and path not in self._places:
            path = path[:-1]
        return self._places[path].line if path in self._places else 1

    def nearest(self, path: Path) -> Path:
        """The path without parts that are not keys of the file, such as a checker's own names."""
        found: Path = ()
        for at, part in enumerate(path):
            if (*found, part) in self._places or at + 1 == len(path):
                found = (*found, part)
        return found

    def finding(self, remark: Remark) -> Finding:
        """The remark with its place in the text."""
        if remark.offset is None:
            return Finding(self.line(remark.path), 0, remark.message, remark.severity)
        return Finding(*self.inside(remark.path, remark.offset), remark.message, remark.severity)

    def inside(self, path: Path, offset: int) -> tuple[int, int]:
        """Line and column of one character of the text value at a path."""
        place = self._places.get(path)
        if place is None or not isinstance(place.node, yaml.ScalarNode):
            return self.line(path), 0
        node = place.node
        at = node.start_mark.index + _distance(
            self._text[node.start_mark.index : node.end_mark.index], node, offset
        )
        before = self._text[:at]
        return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1


def spelled(path: Path) -> str:
    """A path as people write it."""
    return ".".join(str(part) for part in path) or "file"


def told(message: str) -> str:
    """A validator's message as people would write it."""
    return message.removeprefix("Value error, ")


def _distance(raw: str, node: yaml.ScalarNode, offset: int) -> int:
    """How far into the raw text the value's character at `offset` stands.

    White space may be folded, indented or stripped, everything else comes in the same order; so
    the character is found by counting the visible ones before it.
    """
    value = str(node.value)
    at = raw.find("\n") + 1 if node.style in ("|", ">") else len(node.style or "")
    for _ in range(sum(not one.isspace() for one in value[:offset])):
        at = _skip(raw, at, node.style)
        at += _width(raw, at, node.style)
    visible = offset < len(value) and not value[offset].isspace()
    return _skip(raw, at, node.style) if visible else at


def _skip(raw: str, at: int, style: str | None) -> int:
    """The next visible character from `at` on."""
    while at < len(raw):
        if raw[at].isspace():
            at += 1
        elif style == '"' and raw[at] == "\\" and raw[at + 1 : at + 2] in _BLANK_ESCAPES:
            at += 2
        else:
            break
    return at


def _width(raw: str, at: int, style: str | None) -> int:
    """How many raw characters stand for one character of the value."""
    if style == "'" and raw[at : at + 2] == "''":
        return 2
    if style == '"' and raw[at] == "\\":
        return {"x": 4, "u": 6, "U": 10}.get(raw[at + 1 : at + 2], 2)
    return 1


def _refuse_aliases(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        mark = event.start_mark
        line = mark.line + 1 if mark is not None else 1
        if isinstance(event, yaml.AliasEvent):
            raise SourceError([Finding(line, 0, "aliases are not allowed")])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEPTH_MAX:
            raise SourceError([Finding(line, 0, f"nested more than {_DEPTH_MAX} deep")])


def _walk(root: yaml.Node) -> tuple[dict[Path, Place], list[Finding]]:
    """The place of every path, and the keys that are given twice."""
    places: dict[Path, Place] = {}
    repeated: list[Finding] = []
    waiting: list[tuple[Path, yaml.Node]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        places.setdefault(path, _place(node, node))
        seen: set[str | int] = set()
        for key, mark, child in _children(node):
            if isinstance(node, yaml.MappingNode) and key in seen:
                line = mark.start_mark.line + 1
                repeated.append(Finding(line, 0, f"{spelled((*path, key))}: key is given twice"))
            seen.add(key)
            places[*path, key] = _place(mark, child)
            waiting.append(((*path, key), child))
    return places, sorted(repeated)


def _place(mark: yaml.Node, node: yaml.Node) -> Place:
    return Place(mark.start_mark.line + 1, mark.start_mark.column + 1, node)


def _children(node: yaml.Node) -> Iterator[tuple[str | int, yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            yield str(key.value), key, child
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield index, child, child
