"""Differences in words: complete, in order, and silent where nothing differs."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example as case
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.diff import Sentence, _document, diff
from policies.document import PolicyDocument, example, parse

BASE: Mapping[str, Any] = {"version": 1, "name": "night"}
CHANNELS = ("alipay-a", "alipay-b", "wechat-a")


def document(**changes: Any) -> PolicyDocument:
    """A policy with some keys set."""
    return parse(json.dumps({**BASE, **changes}))


def said(old: PolicyDocument, new: PolicyDocument) -> list[tuple[str, str]]:
    """Both languages."""
    return [(one.zh, one.en) for one in diff(old, new)]


def generic(old: Any, new: Any) -> list[Sentence]:
    """Of documents with parts this test makes up."""
    return list(_document(old, new))


lists = st.fixed_dictionaries(
    {},
    optional={
        "deny": st.lists(st.sampled_from(CHANNELS[:1]), max_size=1),
        "prefer": st.lists(st.sampled_from(CHANNELS[1:]), max_size=3),
        "only": st.just(list(CHANNELS[1:])),
    },
)
policies = st.fixed_dictionaries(
    {"name": st.sampled_from(["night", "day"])},
    optional={
        "parameters": st.fixed_dictionaries(
            {},
            optional={
                "capital_rate_ppm": st.integers(0, 1_000_000),
                "explore_ppm": st.integers(0, 500_000),
                "in_doubt_max": st.integers(1, 5),
                "probe_max_minor": st.integers(0, 10**12),
            },
        ),
        "merchants": st.dictionaries(st.sampled_from(["*", "m-1", "m-2"]), lists, max_size=3),
    },
).map(lambda changes: document(**changes))


@settings(max_examples=150)
@given(policies, policies)
def test_there_is_a_difference_exactly_when_the_meaning_differs(
    old: PolicyDocument, new: PolicyDocument
) -> None:
    """Equal meanings have none; every changed parameter and merchant has one; and so it stays."""
    found = diff(old, new)
    assert (found == []) == (old.canonical() == new.canonical())
    assert found == diff(old, new)
    paths = {one.path for one in found}
    before, after = old.model_dump(), new.model_dump()
    for name, value in before["parameters"].items():
        assert (f"parameters.{name}" in paths) == (value != after["parameters"][name])
    for merchant in before["merchants"].keys() | after["merchants"].keys():
        was, now = (one["merchants"].get(merchant) for one in (before, after))
        lists_of = [
            one and {key: sorted(set(names)) for key, names in one.items()} for one in (was, now)
        ]
        touched = any(path.startswith(f"merchants.{merchant}") for path in paths)
        assert touched == (lists_of[0] != lists_of[1])
    assert all(one.zh and one.en for one in found)


def test_a_parameter_says_what_it_does() -> None:
    """From, to, and who wins more or less often."""
    old = document(parameters={"capital_rate_ppm": 120_000})
    new = document(parameters={"capital_rate_ppm": 155_000, "fail_penalty_minor": 150})
    assert said(old, new) == [
        (
            "资金成本由 每年 12 % 升至 每年 15.5 %，慢渠道更少胜出",
            "capital cost rises from 12 % a year to 15.5 % a year, so slow channels win less often",
        ),
        (
            "失败代价由 2.00 降至 1.50，易失败的渠道更多胜出",
            "the price of a failed attempt falls from 2.00 to 1.50, "
            "so channels that fail win more often",
        ),
    ]


def test_merchants_lists_say_who_may_use_what() -> None:
    """Denied, allowed again, preferred, limited."""
    old = document(merchants={"m-1": {"prefer": ["wechat-a"], "deny": ["alipay-a"]}, "*": {}})
    new = document(merchants={"m-1": {"deny": ["alipay-b"]}, "*": {"only": ["alipay-a"]}})
    assert [en for _, en in said(old, new)] == [
        "every other merchant may use only alipay-a",
        "merchant m-1 may no longer use alipay-b",
        "merchant m-1 may use alipay-a again",
        "merchant m-1 no longer prefers wechat-a",
    ]
    assert said(old, new)[1][0] == "商户 m-1 不得再使用 alipay-b"


def test_an_entry_of_its_own_replaces_what_held_for_all() -> None:
    """Even an empty one, so it is said."""
    old, new = (
        document(merchants={"*": {"deny": ["alipay-a"]}}),
        document(merchants={"*": {"deny": ["alipay-a"]}, "m-1": {}}),
    )
    assert [en for _, en in said(old, new)] == [
        "merchant m-1 has an entry of its own, which replaces the one for all others"
    ]
    assert "不再有单独的规定" in said(new, old)[0][0]


RULE = {"name": "big", "when": "payout.amount_minor > 5", "then": {"deny": ["alipay-a"]}}


@pytest.mark.parametrize(
    ("old", "new", "en"),
    [
        ([], [RULE], ["new rule 'big' at place 1: when payout.amount_minor > 5; then "
                      '{"deny": ["alipay-a"]}']),
        ([RULE], [], ["rule 'big' is gone"]),
        (
            [RULE],
            [{**RULE, "when": "true", "until": "2026-05-01"}],
            ["rule 'big': when is now true (was payout.amount_minor > 5)",
             "rule 'big': until is now 2026-05-01"],
        ),
        (
            [RULE],
            [{**RULE, "then": {"deny": ["alipay-a"], "final": True}}],
            ["rule 'big': then.final is now true"],
        ),
    ],
)  # fmt: skip
def test_rules_are_told_by_name(old: list[Any], new: list[Any], en: list[str]) -> None:
    """Added, removed, changed field by field, whatever fields they have."""
    assert [one.en for one in generic({"rules": old}, {"rules": new})] == en


def test_a_moved_rule_is_told_and_those_that_only_made_room_are_not() -> None:
    """The last of five goes to the front: one sentence."""
    old = [{"name": name} for name in "abcde"]
    new = [{"name": name} for name in "eabcd"]
    assert [one.en for one in generic({"rules": old}, {"rules": new})] == [
        "rule 'e' moves from place 5 to place 1"
    ]
    fewer = [{"name": name} for name in "bcde"]
    assert [one.en for one in generic({"rules": old}, {"rules": fewer})] == ["rule 'a' is gone"]


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from(["x", "y"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["name", "p", "q"]), inner, max_size=2),
    ),
    max_leaves=6,
)
anything = st.dictionaries(
    st.sampled_from(["rules", "examples", "table", "lists", "parameters", "merchants"]),
    st.one_of(
        json_values,
        st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("abc")}, optional={"when": json_values}),
            max_size=4,
        ),
    ),
    max_size=3,
)


def meant(key: str, document: Mapping[str, Any]) -> str:
    """A part as it is compared: a merchant's empty list says as little as none."""
    part = document.get(key, "absent")
    if key == "merchants" and isinstance(part, dict):
        part = {
            name: {item: value for item, value in entry.items() if value not in (None, [], {}, "")}
            if isinstance(entry, dict)
            else entry
            for name, entry in part.items()
        }
    return json.dumps(part, sort_keys=True)


@settings(max_examples=300)
@given(anything, anything)
@case({"merchants": {}}, {"merchants": {"name": None}})
def test_parts_it_has_never_heard_of_are_told_as_well(old: Any, new: Any) -> None:
    """Whatever the language grows: each part that differs is named, and no other."""
    found = generic(old, new)
    for key in old.keys() | new.keys():
        differs = meant(key, old) != meant(key, new)
        told = any(one.path == key or one.path.startswith(f"{key}.") for one in found)
        assert told == differs, (key, found)


def test_a_long_value_is_cut() -> None:
    """The sentence stays one; the text itself has the rest."""
    (one,) = generic({"table": "x"}, {"table": "y" * 5000})
    assert len(one.en) < 400


def test_the_shipped_policy_does_not_differ_from_itself() -> None:
    """However its file is laid out."""
    text = example()
    assert diff(parse(text), parse(f"# a remark\n{text}")) == []
