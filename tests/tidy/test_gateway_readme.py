"""gateway/README.md says what the code does, part by part."""

import inspect
import re
from pathlib import Path

import click
import pytest

from gateway.api import app
from gateway.cli import main
from gateway.domain.lifecycle import ATTEMPT_EDGES, PAYOUT_EDGES
from gateway.observe.events import EVENTS
from tests.tidy import diagram
from tests.tidy.gateway_tables import BLOCKS, README, current, marked
from tests.tidy.tree import files, text

TEXT = README.read_text(encoding="utf-8")
FLOW = re.compile(
    r"`((?:engine|domain|api|store|webhooks|policies|channels|settings|observe)/\S+?)`"
)


def section(title: str) -> str:
    """The text under a second-level heading."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_part_that_repeats_the_code_is_there() -> None:
    """Each table and diagram has its place, once."""
    assert sorted(marked(TEXT)) == sorted(BLOCKS)


@pytest.mark.parametrize("name", BLOCKS)
def test_part_is_current(name: str) -> None:
    """It is what the code says; else run `python -m tests.tidy.gateway_tables`."""
    assert f"<!-- made from the code: {name} -->\n{BLOCKS[name]()}\n<!-- end -->" in TEXT


def test_rewriting_changes_only_what_is_out_of_date() -> None:
    """The writer puts back a part that was changed, and leaves the prose alone."""
    block = BLOCKS["routes"]()
    assert current(TEXT.replace(block, "| stale |")) == TEXT


@pytest.mark.parametrize(
    ("drawn", "edges"), [(diagram.payouts(), PAYOUT_EDGES), (diagram.attempts(), ATTEMPT_EDGES)]
)
def test_diagrams_hold_every_edge(drawn: str, edges: dict[tuple[str, type], str]) -> None:
    """Read back, the picture is the table: each event from its state to its state."""
    arrows = re.findall(r"^    (\w+) --> (\w+): (.+)$", drawn, flags=re.MULTILINE)
    read = {(b, kind, a) for b, a, kinds in arrows for kind in kinds.split(", ")}
    assert read == {(b, vars(event)["kind"], a) for (b, event), a in edges.items()}


def test_probes_are_listed() -> None:
    """Paths that need no key are not in the route table; the page names them all."""
    source = inspect.getsource(app.build_app)
    paths = re.findall(r'add_(?:get|post)\("([^"]+)"', source)
    assert paths
    assert not [path for path in paths if f"`{path}`" not in section("API")]


def test_every_alarm_says_what_to_do() -> None:
    """Whatever the code can alarm about stands in the failure table, and nothing else does."""
    called = re.compile(r"\.(?:alarm|defect)\(\s*\"([a-z_.]+)\"")
    raised = {
        name
        for path in files("gateway")
        if path.suffix == ".py"
        for name in called.findall(text(path))
    }
    raised |= {"payout.contradicted", "payout.parked"}
    shown = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", section("When something goes wrong")))
    assert shown == raised
    assert shown <= set(EVENTS)


def test_files_named_in_the_flow_exist() -> None:
    """The way of a payout leads through files that are there."""
    named = set(FLOW.findall(section("The way of a payout")))
    root = README.parents[1]
    homes = (README.parent, root)
    assert len(named) > 10
    assert not [one for one in named if not any(Path(home, one).exists() for home in homes)]


def test_commands_named_exist() -> None:
    """Whoever types what the page says meets no "no such command"."""
    named = set(re.findall(r"`hangdao ([a-z]+(?: [a-z]+)?)", TEXT))
    assert len(named) > 5
    for line in named:
        group: click.Command = main
        for word in line.split():
            assert isinstance(group, click.Group), f"hangdao {line}"
            found = group.get_command(click.Context(group), word)
            assert found is not None, f"hangdao {line}"
            group = found
