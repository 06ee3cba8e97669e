"""The policy file: what is accepted, what each mistake says, and what the hash covers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields
from pydantic import ValidationError

from policies.document import ParametersDocument, PolicyError, example, lint, load, parse
from policies.policy import ChannelLists, MerchantTerms, Parameters
from tests.policies.builders import FRIDAY_NOON, LAW, channel

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
        ("version: 3\nname: x\n", 1, "version"),
        ("version: 1\nname: x\nrules: []\n", 1, "rules needs version: 2"),
        ("version: 1\nname: x\nmerchants: {m: {tier: a}}\n", 1, "need version: 2"),
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


# --- version 2 ----------------------------------------------------------------------------------

TWO = """\
version: 2
name: x
channels: {a: {flat_minor: 10}, b: {flat_minor: 20}}
"""
RULE = """\
rules:
  - name: large
    when: payout.amount_minor > 500
    then: {prefer: [b]}
"""
EXAMPLE = """\
examples:
  - name: large ones go to b
    payout: {amount_minor: 501}
    expect: {chosen: b}
"""


@pytest.mark.parametrize("name", ["default", "tiered", "split"])
def test_every_shipped_policy_is_whole(name: str) -> None:
    """Nothing to say about any of them, and each shows its rules in examples."""
    assert lint(example(name)) == []
    policy = load(example(name), name)
    assert policy.name == name
    assert bool(policy.rules) is (name != "default")


def test_a_whole_policy_is_loaded() -> None:
    """Rules, terms and hash are there; comments and key order leave the hash alone."""
    policy = load(TWO + "merchants: {m: {tier: vip, tags: [b, a]}}\n" + RULE + EXAMPLE)
    assert policy.rules.names(1) == ("large",)
    assert policy.terms_for("m") == MerchantTerms("vip", ("a", "b"))
    assert policy.terms_for("other") == MerchantTerms()
    other = load(EXAMPLE + RULE + "# c\nmerchants: {m: {tags: [a, b], tier: vip}}\n" + TWO)
    assert other.hash == policy.hash
    assert load(TWO + RULE.replace("500", "499") + EXAMPLE).hash != policy.hash


def test_version_1_hashes_are_what_they_were() -> None:
    """Stored decisions name them."""
    text = "version: 1\nname: x\nmerchants: {m: {deny: [b, a]}}\n"
    expected = "8d01fe984d6ad971d98e356e4821cbec8917d7e149104f90b198fcf1c3c54afa"
    assert load(text).hash == expected


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (TWO + RULE.replace("amount_minor", "amount_minr"), 6, "column 11: large: 'payout.amount_"),
        (TWO + RULE.replace("> 500", "> 'x'"), 6, "column 31: large: `>` does not work"),
        (TWO + RULE.replace("> 500", "/ 0 > 5"), 6, "column 31: large: divides by zero"),
        (TWO + RULE.replace("payout.amount_minor > 500", "{a: b}"), 6, "rules.0.when: Input"),
        (TWO + RULE.replace("payout.amount_minor > 500", "true"), 6, "rules.0.when: Input"),
        (TWO + RULE.replace("prefer: [b]", ""), 7, "does nothing"),
        (TWO + RULE.replace("prefer: [b]", "prefr: [b]"), 7, "rules.0.then.prefr"),
        (TWO + RULE.replace("prefer: [b]", "prefer: [b], deny: [b]"), 7, "denied and wanted"),
        (TWO + RULE.replace("prefer: [b]", "prefer: [b], avoid: [b]"), 7, "preferred and avoided"),
        (TWO + RULE.replace("prefer: [b]", "prefer: [b], require: [a]"), 7, "not among require"),
        (TWO + RULE.replace("prefer: [b]", "split: {a: 1, b: 2}"), 7, "add up to 3, not"),
        (TWO + RULE.replace("prefer: [b]", "split: {a: 1000000.0}"), 7, "valid integer"),
        (TWO + RULE.replace("prefer: [b]", "weight: {a: 0}"), 7, "greater than or equal to 1"),
        (TWO + RULE.replace("prefer: [b]", "deadline: 90"), 7, "30m, 2h or 3d"),
        (TWO + RULE.replace("prefer: [b]", "deadline: 0m"), 7, "30m, 2h or 3d"),
        (TWO + RULE.replace("prefer: [b]", "review: a, pass: true"), 7, "review and pass"),
        (TWO + RULE.replace("prefer: [b]", "pass: false"), 7, "rules.0.then.pass"),
        (TWO + RULE.replace("prefer: [b]", "prefer: this"), 5, "names no channel fact"),
        (TWO + RULE.replace("    then: {prefer: [b]}\n", ""), 5, "either then or table"),
        (TWO + RULE + "    until: soon\n", 8, "rules.0.until"),
        (TWO + RULE + "    group: 'no spaces'\n", 8, "rules.0.group"),
        (TWO + RULE + RULE.removeprefix("rules:\n") + EXAMPLE, 8, "another rule has this name"),
        (TWO + "lists: {x: []}\n", 4, "at least 1 item"),
        (TWO + "lists: {x: [1, a]}\n", 4, "lists.x"),
        (TWO + "values: {x: 1.5}\n", 4, "values.x"),
        (TWO + "rules:\n" + "  - {name: a, then: {pass: true}}\n" * 201, 4, "at most 200"),
    ],
)
def test_every_mistake_in_rules_names_its_line(text: str, line: int, said: str) -> None:
    """Nothing of a policy with a mistake is used."""
    with pytest.raises(PolicyError) as caught:
        load(text)
    assert caught.value.problems[0][0] == line
    assert said in caught.value.problems[0][1]


@pytest.mark.parametrize(
    ("then", "when", "said"),
    [
        ("deny: [a]", "channel.instant", "deny: say `this`"),
        ("require: [a]", "channel.instant", "require: it belongs into"),
        ("split: {a: 1000000}", "channel.instant", "split: it belongs into"),
        ("weight: {a: 5, this: 5}", "channel.instant", "weight: say `this`"),
        ("max_attempts: 2", "channel.instant", "max_attempts holds for the whole payout"),
        ("deadline: 2h", "channel.instant", "deadline holds"),
        ("review: why", "channel.instant", "review holds"),
        ("pass: true", "channel.instant", "pass holds"),
        ("deny: this}, final: true, group: {", "channel.instant", "rules.0"),
    ],
)
def test_effects_must_fit_the_condition(then: str, when: str, said: str) -> None:
    """What is asked for each channel cannot decide for the whole payout."""
    text = f"{TWO}rules:\n  - {{name: r, when: {when}, then: {{{then}}}}}\n"
    with pytest.raises(PolicyError) as caught:
        load(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("expect", "line", "said"),
    [
        ("chosen: a", 11, "b was chosen; rules large"),
        ("chosen: null", 11, "b was chosen"),
        ("order_starts: [b, c]", 11, "the order was b, a"),
        ("excluded: {a: paused}", 11, "a was not excluded"),
        ("rules: []", 11, "rules was large"),
        ("review: no", 11, "expect.review"),
        ("review: odd", 11, "review was none"),
        ("max_attempts: 2", 11, "max_attempts was none"),
        ("", 11, "expects nothing"),
    ],
)
def test_a_failing_example_is_refused(expect: str, line: int, said: str) -> None:
    """With its line, and with what was decided instead."""
    with pytest.raises(PolicyError) as caught:
        load(TWO + RULE + EXAMPLE.replace("chosen: b", expect))
    assert caught.value.problems[0][0] == line
    assert said in caught.value.problems[0][1]


def test_an_example_says_why_the_others_were_out() -> None:
    """Who mends the policy sees the reasons at once."""
    more = EXAMPLE.replace("expect:", "channels: {b: {status: paused}}\n    expect:")
    with pytest.raises(PolicyError, match=r"a was chosen \(b: paused; rules large\)"):
        load(TWO + RULE + more)


def test_every_rule_needs_an_example_in_which_it_matches() -> None:
    """What was never seen to match is not trusted."""
    for examples in ("", EXAMPLE.replace("501", "500").replace("chosen: b", "chosen: a")):
        with pytest.raises(PolicyError) as caught:
            load(TWO + RULE + examples)
        ((line, said),) = caught.value.problems
        assert (line, said[:22]) == (5, "large: no example in w")


def test_examples_run_on_the_installations_channels_without_a_sketch() -> None:
    """Where neither is known they wait for a caller who knows; then they run."""
    text = "version: 2\nname: x\n" + RULE + EXAMPLE
    assert load(text).rules.names(1) == ("large",)
    assert [one.severity for one in lint(text)] == ["warning"]
    assert load(text, channels=[channel("a"), channel("b")]).name == "x"
    with pytest.raises(PolicyError, match="unknown channel 'b'"):
        load(text, channels=[channel("a")])
    more = text + "    channels: {c: {status: paused}}\n"
    with pytest.raises(PolicyError, match="large ones go to b: unknown channel 'c'"):
        load(more, channels=[channel("a"), channel("b")])


@settings(LAW, max_examples=40)
@given(st.data())
def test_a_damaged_policy_is_loaded_whole_or_refused(data: st.DataObject) -> None:
    """Whatever a slip of the hand does to a good file, there is a policy or a list of mistakes."""
    text = example(data.draw(st.sampled_from(("tiered", "split", "default"))))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        put = data.draw(
            st.sampled_from(("", " ", "\n", ":", "'", "}", "- x", "1", "999999d", "&a "))
        )
        text = text[:start] + put + text[end:]
    mistakes = [one for one in lint(text) if one.severity == "error"]
    assert all(1 <= one.line <= len(text.splitlines()) + 1 for one in mistakes)
    if mistakes:
        with pytest.raises(PolicyError):
            load(text)
    else:
        assert load(text).hash


def test_a_sketch_that_cannot_be_is_refused() -> None:
    """A cycle has its own rules."""
    with pytest.raises(PolicyError, match="instant cycle has 0 days"):
        load("version: 2\nname: x\nchannels: {a: {instant: true, cycle_days: 1}}\n")
    text = TWO + RULE + EXAMPLE + "    channels: {a: {instant: true, cycle_days: 1}}\n"
    with pytest.raises(PolicyError, match="instant cycle has 0 days"):
        load(text)


def test_lint_tells_everything_and_never_raises() -> None:
    """For an editor: broken files give their mistakes, good ones at most warnings."""
    assert [one.line for one in lint("version: 2\n")] == [1]
    assert [one.line for one in lint("- 1\n")] == [1]
    expired = TWO + RULE + "    until: 2026-01-01\n" + EXAMPLE.replace("{chosen: b}", "{chosen: a}")
    assert "run out" in lint(expired, now=FRIDAY_NOON)[0].message
