"""The policy file: what is accepted, what each mistake says, and what the hash covers."""

from dataclasses import fields

import pytest
from pydantic import ValidationError

from policies.document import ParametersDocument, PolicyError, example, load, parse
from policies.policy import ChannelLists, Parameters

MINIMAL = "version: 1\nname: x\n"


def problems(text: str) -> list[tuple[int, str]]:
    """What is wrong with a file."""
    with pytest.raises(PolicyError) as caught:
        parse(text, "p.yaml")
    assert str(caught.value).startswith(f"p.yaml:{caught.value.problems[0][0]}: ")
    return caught.value.problems


def test_shipped_example_spells_out_the_defaults() -> None:
    """A fresh installation's policy has every parameter, with the documented default."""
    policy = load(example())
    assert policy.parameters == Parameters()
    written = parse(example()).parameters.model_fields_set
    assert written == ParametersDocument.model_fields.keys()
    assert policy.lists_for("anybody") == ChannelLists()


def test_file_model_and_decision_parameters_agree() -> None:
    """Every parameter can be set in a file and reaches the decision."""
    names = [one.name for one in fields(Parameters)]
    lines = "".join(f"  {name}: {at + 1}\n" for at, name in enumerate(names))
    parameters = load(f"{MINIMAL}parameters:\n{lines}").parameters
    assert [getattr(parameters, name) for name in names] == list(range(1, len(names) + 1))


def test_lists_reach_the_decision() -> None:
    """Each merchant's lists are kept apart."""
    policy = load(MINIMAL + "merchants:\n  '*': {deny: [a]}\n  m1: {prefer: [b], only: [b, c]}\n")
    assert policy.lists_for("m2") == ChannelLists(deny=frozenset({"a"}))
    expected = ChannelLists(prefer=frozenset({"b"}), only=frozenset({"b", "c"}))
    assert policy.lists_for("m1") == expected


def test_without_lists_everything_is_allowed() -> None:
    """A minimal file is a whole policy."""
    assert load(MINIMAL).lists_for("m1") == ChannelLists()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (MINIMAL + "parameters:\n  explore_pm: 1\n", 4, "parameters.explore_pm"),
        (MINIMAL + "extra: 1\n", 3, "extra"),
        (MINIMAL + "merchants:\n  m1:\n    dny: []\n", 5, "merchants.m1.dny"),
        (MINIMAL + "parameters:\n  explore_ppm: 1.5\n", 4, "valid integer"),
        (MINIMAL + "parameters:\n  explore_ppm: '5'\n", 4, "valid integer"),
        (MINIMAL + "parameters:\n  explore_ppm: true\n", 4, "valid integer"),
        (MINIMAL + "parameters:\n  explore_ppm: 500001\n", 4, "less than or equal"),
        (MINIMAL + "parameters:\n\n  fail_penalty_minor: -1\n", 5, "greater than or equal"),
        (MINIMAL + "merchants:\n  m1:\n    deny:\n      - a\n      - 7\n", 7, "deny.1"),
        (MINIMAL + "merchants:\n  m1:\n    deny: [a]\n    only: [a]\n", 4, "denied and wanted"),
        (MINIMAL + "merchants:\n  m1:\n    deny: [a]\n    prefer: [a]\n", 4, "denied and wanted"),
        (MINIMAL + "merchants:\n  m1:\n    only: [a]\n    prefer: [b]\n", 4, "not among only"),
        ("version: 2\nname: x\n", 1, "version"),
        ("name: x\n", 1, "version: Field required"),
        ("version: 1\nname: 'no spaces'\n", 2, "name"),
        ("version: 1\nname: x\nname: y\n", 3, "name: key is given twice"),
        ("version: 1\nname: [a\n", 3, "expected"),
        ("version: 1\nname: &n x\nmerchants: *n\n", 3, "aliases"),
        ("- 1\n", 1, "mapping"),
        ("", 1, "mapping"),
        ("version: 1\n---\nversion: 1\n", 2, "document"),
        ("version: 1\nname: \x00\n", 1, "not YAML"),
        ("version: 1\nname: 2026-13-45\n", 1, "not YAML"),
        ("version: 1\nname: !!python/name:os.system\n", 2, "constructor"),
    ],
)
def test_every_mistake_names_its_line(text: str, line: int, said: str) -> None:
    """The operator is pointed at the line to mend."""
    (problem,) = problems(text)
    assert problem[0] == line
    assert said in problem[1]


def test_all_mistakes_are_told_at_once() -> None:
    """Several mistakes come together, by line."""
    text = MINIMAL + "merchants:\n  m1: {deny: 3}\nparameters:\n  nope: 1\n  explore_ppm: x\n"
    assert [line for line, _ in problems(text)] == [4, 6, 7]


def test_hash_covers_meaning_and_not_layout() -> None:
    """Comments, key order, list order and spelled-out defaults leave the hash alone."""
    one = load("# c\nname: x\nversion: 1\nmerchants: {m: {deny: [b, a, a]}}\n")
    other = load(
        MINIMAL + "parameters: {explore_ppm: 10000}\nmerchants: {m: {deny: [a, b], only: []}}\n"
    )
    assert one.hash == other.hash
    assert len(one.hash) == 64


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nname: y\n",
        MINIMAL + "parameters: {explore_ppm: 9999}\n",
        MINIMAL + "merchants: {m: {deny: [a]}}\n",
    ],
)
def test_hash_changes_with_the_meaning(text: str) -> None:
    """Whatever may change a decision, or its name, changes the hash."""
    assert load(text).hash != load(MINIMAL).hash


def test_documents_cannot_be_changed() -> None:
    """A checked document stays as checked."""
    document = parse(MINIMAL)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(document, "name", "y")  # noqa: B010  # the type checker forbids it in plain words
