"""What is refused at save, with its line; and that nothing is accused which is not so."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.document import Finding, lint
from policies.expression import Language
from policies.facts import ChannelFacts
from policies.ranges import Box, boxes
from policies.vocabulary import Value
from tests.policies.builders import FRIDAY_NOON, LAW, channel
from tests.policies.test_engines import CONSTANTS, by_google

HEAD = "version: 2\nname: x\n"
POOL = [
    channel("wallet", rails=frozenset({"alipay"})),
    channel("card-a", rails=frozenset({"bank_card"})),
    channel("card-b", rails=frozenset({"bank_card"})),
]


def found(text: str, channels: Sequence[ChannelFacts] | None = POOL, **known: Any) -> list[Finding]:
    """What lint says, without what it says about missing examples."""
    told = lint(HEAD + text, channels=channels, **known)
    return [one for one in told if "no example" not in one.message]


def rules(*lines: str) -> str:
    """A list of rules in flow style, from line 4 on."""
    return "rules:\n" + "".join(f"  - {{{line}}}\n" for line in lines)


def rule(name: str, when: str, then: str = "max_attempts: 2", more: str = "") -> str:
    """One rule."""
    return f'name: {name}, when: "{when}", then: {{{then}}}{more}'


FINAL = ", final: true"


@pytest.mark.parametrize(
    "when",
    [
        "false",
        "payout.amount_minor > 5 && payout.amount_minor < 5",
        "payout.amount_minor > 5 && !(payout.amount_minor >= 3)",
        "clock.hour >= 24",
        "clock.weekday == 0",
        "payout.amount_minor < 1",
        "channel.success_ppm > 1000000",
        "payout.speed == 'express'",
        "payout.rail == 'a' && payout.rail == 'b'",
        "payout.rail in ['a', 'b'] && payout.rail != 'a' && !('b' == payout.rail)",
        "payout.has_deadline && !payout.has_deadline",
        "clock.month in [13, 14] || clock.day > 31",
        "'a' in payout.rails && !('a' in payout.rails)",
        "channel.float_minor < payout.amount_minor && channel.float_minor >= payout.amount_minor",
        "clock.hour > 3 && clock.hour < 6 && clock.hour != 4 && clock.hour != 5",
        "5 < clock.weekday && clock.weekday in [1, 2]",
    ],
)
def test_what_can_never_be_true_is_refused(when: str) -> None:
    """Contradictions, and values that no fact ever has."""
    then = "deny: this" if "channel" in when else "max_attempts: 2"
    (one,) = found(rules(rule("r", when, then)))
    assert (one.line, one.severity) == (4, "error")
    assert one.message.startswith("r: the condition can never be true")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("true", "payout.amount_minor > 5"),
        ("payout.amount_minor > 5", "payout.amount_minor > 7 && payout.rail == 'alipay'"),
        ("payout.amount_minor != 7", "payout.amount_minor < 7"),
        ("payout.rail in ['a', 'b']", "payout.rail == 'b'"),
        ("payout.rail != 'a'", "payout.rail == 'b' || payout.rail == 'c'"),
        ("clock.hour < 24", "payout.attempt == 1"),
        ("payout.speed in ['standard', 'fast', 'instant']", "payout.has_deadline"),
        ("payout.amount_minor > 9 || payout.attempt > 1", "payout.attempt == 3"),
        ("payout.bank.matches('^I')", "payout.bank.matches('^I') && payout.attempt == 1"),
        ("payout.attempt == 1", "channel.instant && payout.attempt == 1"),
    ],
)
def test_what_is_always_hidden_is_refused(first: str, second: str) -> None:
    """A final rule that matches whenever the later one does leaves it nothing."""
    then = "deny: this" if "channel" in second else "max_attempts: 2"
    text = rules(rule("one", first, more=FINAL), rule("two", second, then))
    (one,) = found(text)
    assert (one.line, one.severity) == (5, "error")
    assert one.message.startswith("two: never gets its turn: one, which is final")
    assert not found(text.replace(FINAL, ""))


@pytest.mark.parametrize(
    ("first", "second", "more"),
    [
        ("payout.amount_minor > 7", "payout.amount_minor > 5", FINAL),
        ("payout.rail == 'a'", "payout.rail != 'b'", FINAL),
        ("payout.bank.matches('^I')", "payout.attempt == 1", FINAL),
        ("payout.attempt > 1 && payout.bank.matches('^I')", "payout.attempt == 2", FINAL),
        ("true", "payout.attempt == 2", FINAL + ", until: 2030-01-01"),
        ("true", "payout.attempt == 2", FINAL + ", group: g"),
        ("clock.date >= '2026-01-01'", "clock.date >= '2026-02-01'", FINAL),
    ],
)
def test_what_may_have_its_turn_is_left_alone(first: str, second: str, more: str) -> None:
    """Narrower, dated, grouped or undecidable: no accusation."""
    assert not found(rules(rule("one", first, more=more), rule("two", second)))


def test_a_row_behind_a_wider_row_is_refused() -> None:
    """In a table and in a group the first match wins, so order matters."""
    grid = "{columns: [amount, max_attempts], rows: [[null, 1],\n  ['>5', 2]]}"
    (one,) = found(f"rules:\n  - name: t\n    table: {grid}\n")
    assert (one.line, one.severity) == (6, "error")
    assert one.message.startswith("t-2: never gets its turn: t-1, which is first in the group")


def test_rules_that_have_run_out_are_refused_when_written() -> None:
    """An old policy may still be loaded; a new one must not carry dead rules."""
    text = rules(rule("r", "payout.attempt == 1", more=", until: 2026-11-19"))
    (one,) = found(text, now=FRIDAY_NOON)
    assert (one.line, "run out" in one.message) == (4, True)
    assert not found(text)
    assert not found(text.replace("11-19", "11-20"), now=FRIDAY_NOON)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("merchants:\n  m_1: {prefer: [walet]}\n", 4, "did you mean 'wallet'"),
        ("channels:\n  walet: {}\n", 4, "did you mean 'wallet'"),
        (rules(rule("r", "true", "deny: [zzz]")), 4, "unknown channel 'zzz'"),
        (rules(rule("r", "true", "split: {wallet: 500000, x: 500000}")), 4, "unknown channel 'x'"),
        (rules(rule("r", "channel.name == 'card-c'", "avoid: this")), 4, "unknown channel"),
        (rules(rule("r", "channel.name in ['wallet', 'c']", "avoid: this")), 4, "unknown channel"),
        (
            "lists: {l: [q]}\n" + rules(rule("r", "channel.name in lists.l", "avoid: this")),
            5,
            "'q'",
        ),
        ("merchants:\n  m_9: {tier: vip}\n", 4, "unknown merchant 'm_9': did you mean 'm_1'"),
        (rules(rule("r", "merchant.id == 'm_9'")), 4, "unknown merchant 'm_9'"),
        ("values: {v: m_8}\n" + rules(rule("r", "values.v != merchant.id")), 5, "'m_8'"),
    ],
)
def test_unknown_names_are_refused(text: str, line: int, said: str) -> None:
    """Channels and merchants must exist where the installation is known."""
    (one,) = found(text, merchants={"m_1"})
    assert (one.line, one.severity) == (line, "error")
    assert said in one.message
    assert not found(text, channels=None)


@pytest.mark.parametrize(
    ("text", "severities"),
    [
        ("merchants:\n  '*': {deny: [wallet]}\n", ["error"]),
        ("merchants:\n  m: {only: [card-a]}\n", ["warning"]),
        ("merchants:\n  m: {deny: [wallet, card-a, card-b]}\n", ["error", "error"]),
        (rules(rule("r", "true", "deny: [wallet]")), ["error"]),
        (rules(rule("r", "payout.amount_minor > 5", "require: [card-b]")), ["error"]),
        (rules(rule("r", "payout.rail == 'bank_card'", "require: [card-b]")), []),
        (rules(rule("r", "'alipay' in payout.rails", "deny: [wallet]")), ["error"]),
        (rules(rule("r", "!('alipay' in payout.rails)", "deny: [wallet]")), []),
        (rules(rule("r", "payout.rail != 'alipay'", "deny: [wallet]")), []),
        (rules(rule("r", "merchant.id == 'm_1'", "deny: [wallet]")), ["warning"]),
        (rules(rule("r", "clock.hour < 6", "deny: [wallet]")), ["warning"]),
        (rules(rule("r", "payout.bank.matches('^I')", "deny: [wallet]")), ["warning"]),
        (rules(rule("r", "true", "deny: [wallet]", ", until: 2030-01-01")), ["warning"]),
        (rules(rule("r", "true", "avoid: [wallet]")), []),
    ],
)
def test_rails_left_without_a_channel(text: str, severities: list[str]) -> None:
    """Refused when it is certain and for good, told when it may be meant."""
    told = found(text)
    assert [one.severity for one in told] == severities
    assert all("without a channel" in one.message for one in told)


# --- soundness ----------------------------------------------------------------------------------

HOURS, ATTEMPTS, RAILS, SPEEDS = (0, 1, 2, 22, 23), (1, 2, 3), ("a", "b"), ("fast", "standard")
FACTS_TRIED = ("clock.hour", "payout.attempt", "payout.rail", "payout.speed", "payout.has_deadline")
WORLD: list[dict[str, Value]] = [
    dict(zip(FACTS_TRIED, values, strict=True))
    for values in itertools.product(HOURS, ATTEMPTS, RAILS, SPEEDS, (False, True))
]
"""Every case that the conditions below can tell apart is among these, or is like one of them."""

atoms = st.one_of(
    st.tuples(
        st.sampled_from(("clock.hour", "payout.attempt")),
        st.sampled_from(("==", "!=", "<", "<=", ">", ">=")),
        st.integers(0, 3) | st.just(23),
    ).map("{0[0]} {0[1]} {0[2]}".format),
    st.tuples(st.integers(0, 3), st.sampled_from(("<", ">=", "==")), st.just("clock.hour")).map(
        "{0[0]} {0[1]} {0[2]}".format
    ),
    st.tuples(st.sampled_from(("payout.rail", "payout.speed")), st.sampled_from(("==", "!="))).map(
        "{0[0]} {0[1]} 'fast'".format
    ),
    st.sampled_from(
        (
            "payout.rail in ['a', 'c']",
            "payout.rail == 'a'",
            "payout.rail == values.home",
            "clock.hour in [1, 2, 23]",
            "clock.hour < payout.attempt",
            "payout.attempt <= clock.hour",
            "payout.has_deadline",
            "payout.has_deadline == false",
            "10 / clock.hour > 3",
            "values.open",
            "false",
        )
    ),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(("&&", "||")), inner).map("({0[0]} {0[1]} {0[2]})".format),
        inner.map("!({})".format),
    ),
    max_leaves=6,
)


def analysed(text: str) -> tuple[tuple[Box, ...] | None, set[int]]:
    """What the analysis says, and in which cases the condition really holds."""
    language = Language(CONSTANTS)
    setattr(language, "_refuse_faults", lambda condition: None)  # noqa: B010  # a private seam
    condition = language.compile(text)
    holds = {at for at, case in enumerate(WORLD) if by_google(condition, case) is True}
    return boxes(condition.tree, CONSTANTS), holds


@LAW
@given(conditions)
def test_never_means_never(text: str) -> None:
    """What is called impossible holds in no case at all."""
    told, holds = analysed(text)
    assert told != () or not holds


@LAW
@given(conditions, conditions)
def test_hidden_means_hidden(first: str, second: str) -> None:
    """What is called covered holds only where the other one holds."""
    wide, wide_holds = analysed(first)
    narrow, narrow_holds = analysed(second)
    if wide is not None and narrow is not None and covered(narrow, wide):
        assert narrow_holds <= wide_holds


def covered(narrow: Iterable[Box], wide: Iterable[Box]) -> bool:
    """As lint asks."""
    return all(any(box.inside(cover) for cover in wide) for box in narrow)


def test_conditions_with_too_many_ways_are_left_alone() -> None:
    """The analysis gives up rather than take long."""
    text = " && ".join(f"(clock.hour != {n} || clock.minute != {n})" for n in range(7))
    assert boxes(Language().compile(text).tree, {}) is None
    assert not found(rules(rule("r", text)))
