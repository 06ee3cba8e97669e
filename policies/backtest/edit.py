"""Small edits to a policy's text that leave its comments alone.

Each edit changes the few characters it is about, found by the YAML parser's own marks. The result
must mean exactly what the edited content means; where that cannot be had by a small edit, the whole
text is written anew (without comments) rather than wrong.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import yaml

Path: TypeAlias = Sequence[str | int]


def with_parameter(text: str, name: str, value: int) -> str:
    """The policy with a parameter set."""

    def change(content: dict[str, Any]) -> None:
        content.setdefault("parameters", {})[name] = value

    node = _node(text, ("parameters", name))
    if isinstance(node, yaml.ScalarNode):
        tried = _replaced(text, node.start_mark.index, node.end_mark.index, str(value))
        return _meaning(text, tried, change)
    parent = _node(text, ("parameters",))
    if isinstance(parent, yaml.MappingNode) and parent.value and not parent.flow_style:
        first = parent.value[0][0].start_mark
        line = f"{name}: {value}\n{' ' * first.column}"
        return _meaning(text, _replaced(text, first.index, first.index, line), change)
    return _meaning(text, text, change)


def without_list(text: str, merchant: str, key: str) -> str:
    """The policy with one of a merchant's lists emptied."""

    def change(content: dict[str, Any]) -> None:
        content["merchants"][merchant][key] = []

    node = _node(text, ("merchants", merchant, key))
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        return _meaning(text, text, change)
    start, end = node.start_mark.index, node.end_mark.index
    if not node.flow_style:
        # A block's end is where the next thing begins; its last item ends earlier, and what stands
        # between may be a comment on the next thing. The dash belongs to the block.
        start, end = text.rindex(":", 0, start) + 1, node.value[-1].end_mark.index
        return _meaning(text, _replaced(text, start, end, " []"), change)
    return _meaning(text, _replaced(text, start, end, "[]"), change)


def without_rule(text: str, name: str) -> str:
    """The policy without the rule of that name."""
    rules = yaml.safe_load(text).get("rules") or []
    at = next(index for index, rule in enumerate(rules) if rule.get("name") == name)

    def change(content: dict[str, Any]) -> None:
        del content["rules"][at]

    node = _node(text, ("rules",))
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or len(node.value) == 1:
        return _meaning(text, text, change)
    lines = text.splitlines(keepends=True)
    first = node.value[at].start_mark.line
    last = _last_line(node.value[at])
    return _meaning(text, "".join(lines[:first] + lines[last + 1 :]), change)


def _meaning(text: str, tried: str, change: Callable[[dict[str, Any]], None]) -> str:
    content = yaml.safe_load(text)
    change(content)
    try:
        if yaml.safe_load(tried) == content:
            return tried
    except yaml.YAMLError:
        pass
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _node(text: str, path: Path) -> yaml.Node | None:
    """The node at a path of mapping keys; None where there is none."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for name, value in node.value if name.value == key), None)
    return node


def _last_line(node: yaml.Node) -> int:
    """The line of a node's last character; a block scalar or collection ends before its mark."""
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return _last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return _last_line(node.value[-1])
    mark: yaml.Mark = node.end_mark
    block = isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}
    return mark.line - 1 if block or mark.column == 0 else mark.line


def _replaced(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]
