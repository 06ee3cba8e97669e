"""The style sheet on code: time, money, names, sizes, docstrings. There is no exemption list."""

import ast
import re
from pathlib import Path

from tests.tidy.tree import PACKAGES, called, files, modules, text

FUNCTION_LINES_MAX = 70
CLOCKS = {
    Path("gateway/clock.py"),
    Path("gateway/client/clock.py"),
    Path("simulators/clock.py"),
}
WALL_CLOCK = {
    *(
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "time.time",
        "time.time_ns",
    ),
}
SPEAKERS = ("gateway/cli", "gateway/demo")
SAYS_NOTHING = {
    *("util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"),
    *("service", "services", "processor", "processors", "data", "info"),
}


def test_only_clocks_read_the_wall_clock() -> None:
    """Everything else is given the time, so that rehearsals and tests can move it."""
    offenders = [
        f"{path}:{node.lineno} {called(node)}"
        for path, tree in modules(*PACKAGES)
        if path not in CLOCKS
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) in WALL_CLOCK
    ]
    assert not offenders, "\n".join(offenders)


def test_only_commands_print() -> None:
    """A library that prints corrupts the JSON on standard output."""
    offenders = [
        f"{path}:{node.lineno}"
        for path, tree in modules(*PACKAGES)
        if not str(path).startswith(SPEAKERS)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) == "print"
    ]
    assert not offenders, "\n".join(offenders)


def test_nothing_near_money_becomes_a_float() -> None:
    """Channels, the domain and routing costs count in integers."""
    offenders = [
        f"{path}:{node.lineno}"
        for path, tree in modules("channels", "gateway/domain", "policies")
        if path.parts[0] != "policies" or path.name == "cost.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) == "float"
    ]
    assert not offenders, "\n".join(offenders)


def test_every_module_says_what_it_is_for() -> None:
    """Each file with code opens with a docstring."""
    offenders = [
        str(path) for path, tree in modules() if tree.body and ast.get_docstring(tree) is None
    ]
    assert not offenders, "\n".join(offenders)


def test_every_test_says_what_it_proves() -> None:
    """Each test has a docstring of one behaviour."""
    offenders = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in modules("tests")
        if path.name.startswith("test_")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and ast.get_docstring(node) is None
    ]
    assert not offenders, "\n".join(offenders)


def test_no_test_is_skipped() -> None:
    """Skipped is not green."""
    offenders = [
        f"{path}:{node.lineno}"
        for path, tree in modules("tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"skip", "skipif", "importorskip", "xfail"}
    ]
    assert not offenders, "\n".join(offenders)


def test_functions_fit_on_a_screen() -> None:
    """No function is longer than 70 lines, docstring included."""
    offenders = [
        f"{path}:{node.lineno} {node.name} {lines}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not offenders, "\n".join(offenders)


def test_modules_are_named_after_nouns() -> None:
    """A name that could hold anything ends up holding everything."""
    offenders = [
        str(path)
        for path in files(*PACKAGES, "tests")
        if path.suffix == ".py" and SAYS_NOTHING & {path.stem, *path.parts[:-1]}
    ]
    assert not offenders, "\n".join(offenders)


def test_a_silenced_check_has_a_reason() -> None:
    """Both `type: ignore` and `noqa` name the rule, and say why it does not apply."""
    silenced = re.compile(r"#\s*(?:type:\s*ignore|noqa)(?P<rest>.*)")
    reasoned = re.compile(
        r"(?:\[[a-z-]+(?:,\s*[a-z-]+)*\]|:\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*)\W+\w+"
    )
    offenders = [
        f"{path}:{number}"
        for path, _ in modules()
        for number, line in enumerate(text(path).splitlines(), start=1)
        if (found := silenced.search(line)) and not reasoned.match(found["rest"])
    ]
    assert not offenders, "\n".join(offenders)
