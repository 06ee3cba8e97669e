"""Log events: every name in the code is declared, and every declared name has a meaning."""

import ast

from gateway.observe import EVENTS
from tests.tidy.tree import called, modules

LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


def _names(node: ast.Call) -> list[str]:
    """The literal event name of a call that writes a log line, if it is one."""
    owner, _, method = called(node).rpartition(".")
    is_told = method in {"alarm", "defect"}
    is_logged = method in LEVELS and owner in {"log", "_log"}
    if not (is_told or is_logged) or not node.args:
        return []
    match node.args[0]:
        case ast.Constant(value=str(name)):
            return [name]
        case ast.JoinedStr(values=[ast.Constant(value="payout."), *_]):
            return []
        case ast.JoinedStr():
            return [ast.unparse(node.args[0])]
        case _:
            return []


def test_every_event_name_in_the_code_is_declared() -> None:
    """Alerts are built on names, so none may appear that nobody knows of."""
    offenders = [
        f"{path}:{node.lineno} {name}"
        for path, tree in modules("gateway")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for name in _names(node)
        if name not in EVENTS
    ]
    assert not offenders, "\n".join(offenders)


def test_every_declared_event_has_a_meaning() -> None:
    """Each name is dotted and explained in a sentence."""
    assert [
        name
        for name, meaning in EVENTS.items()
        if "." not in name or not meaning.endswith(".") or len(meaning) < 12
    ] == []
