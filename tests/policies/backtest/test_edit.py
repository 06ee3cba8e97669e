"""Edits of a policy's text: the meaning asked for, and comments left alone."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.backtest.edit import with_parameter, without_list, without_rule
from policies.document import example, load
from tests.policies.builders import LAW

LISTS = """\
# Who may use what.
version: 1
name: lists
merchants:
  "*":
    deny: [a, b] # never
    prefer:
      - c
      # the second choice
      - d
    # nothing else
    only: []
  m_1:
    prefer: [d]
"""

RULES = """\
version: 1
name: rules
rules:
  # large ones
  - name: large
    when: payout.amount > 100
    then:
      prefer: [a]
  - name: small
    when: >
      payout.amount < 5
    then: {avoid: [b]}
  # the last one
  - name: rest
    when: "true"
    then:
      prefer:
        - c
merchants: {}
"""


def test_a_parameter_changes_and_its_comment_stays() -> None:
    """One number of the default policy."""
    text = with_parameter(example(), "explore_ppm", 5_000)
    assert load(text).parameters.explore_ppm == 5_000
    assert "explore_ppm: 5000               # 1 %" not in text
    assert "# 1 % of first attempts keep the estimates of others alive" in text
    assert [line for line in example().splitlines() if line not in text.splitlines()] == [
        line for line in example().splitlines() if "explore_ppm" in line
    ]


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nname: x\nparameters:\n  # one\n  fail_penalty_minor: 5\n",
        "version: 1\nname: x\nparameters: {fail_penalty_minor: 5}\n",
        "version: 1\nname: x\n",
    ],
)
def test_a_parameter_that_is_not_there_is_added(text: str) -> None:
    """Wherever the file has its parameters, or none."""
    changed = with_parameter(text, "explore_ppm", 7_000)
    assert load(changed).parameters.explore_ppm == 7_000
    assert load(changed).name == "x"


@pytest.mark.parametrize(
    ("merchant", "key", "kept"),
    [
        ("*", "deny", "# never"),
        ("*", "prefer", "# nothing else"),
        ("m_1", "prefer", "# Who may use what."),
    ],
)
def test_a_list_is_emptied_and_all_else_stays(merchant: str, key: str, kept: str) -> None:
    """Written in a line or as a block."""
    text = without_list(LISTS, merchant, key)
    wanted = yaml.safe_load(LISTS)
    wanted["merchants"][merchant][key] = []
    assert yaml.safe_load(text) == wanted
    assert kept in text


@pytest.mark.parametrize("name", ["large", "small", "rest"])
def test_a_rule_is_taken_out_and_the_others_stay(name: str) -> None:
    """The first, one with a folded condition, and the last."""
    text = without_rule(RULES, name)
    wanted = yaml.safe_load(RULES)
    wanted["rules"] = [rule for rule in wanted["rules"] if rule["name"] != name]
    assert yaml.safe_load(text) == wanted
    assert "# the last one" in text


def test_the_only_rule_leaves_an_empty_list() -> None:
    """A block without items would mean null."""
    text = "version: 1\nname: x\nrules:\n  - {name: a, when: 'true', then: {prefer: [b]}}\n"
    assert yaml.safe_load(without_rule(text, "a"))["rules"] == []


@LAW
@given(
    names=st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True),
    value=st.integers(0, 500_000),
)
def test_edits_one_after_the_other_mean_both(names: list[str], value: int) -> None:
    """In either order."""
    text = f"version: 1\nname: x\nmerchants:\n  '*':\n    prefer: [{', '.join(names)}]\n"
    one = with_parameter(without_list(text, "*", "prefer"), "explore_ppm", value)
    other = without_list(with_parameter(text, "explore_ppm", value), "*", "prefer")
    assert yaml.safe_load(one) == yaml.safe_load(other)
    assert load(one).parameters.explore_ppm == value
    assert not load(one).lists_for("m").prefer
