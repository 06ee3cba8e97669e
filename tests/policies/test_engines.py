"""Three ways to compute a condition agree: Google's CEL, the Rust CEL, and our own Python code.

Google's is the reference. The Rust engine counts the bytes of a text where the specification says
characters and negates the smallest integer without complaint, so it takes part with plain values.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import cel as rust
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.expression import Language
from policies.judge import Judge
from policies.situation import Asked, AtHand, Clock, Merchant, Pool, clock_at
from policies.syntax import ConditionError
from policies.vocabulary import FACTS, Kind, Value
from tests.policies.builders import FRIDAY_NOON, LAW, channel, payout

CONSTANTS: Mapping[str, Value] = {
    "lists.banks": ("ICBC", "CCB"),
    "lists.hours": (9, 10, 11),
    "values.large": 5_000_000,
    "values.open": True,
    "values.home": "alipay",
}
LANGUAGE = Language(CONSTANTS)
INTS = ("payout.amount_minor", "payout.attempt", "clock.hour", "channel.success_ppm")
STRINGS = ("payout.rail", "payout.bank", "merchant.tier")
BOOLS = ("payout.has_deadline", "channel.instant")
LISTS = ("payout.rails", "merchant.tags", "lists.banks")
FAULT = "fault"

CORPUS = [
    "true",
    "payout.amount_minor >= values.large",
    "payout.amount_minor > 100 && payout.rail == 'alipay' || payout.bank in lists.banks",
    "!(payout.has_deadline && values.open)",
    "payout.bank in ['ICBC', 'ABC'] && clock.hour in lists.hours",
    "clock.hour in [1, 2, 9] == values.open",
    "payout.amount_minor * 3 / 7 % 5 == 2",
    "payout.amount_minor / payout.attempt > 3",
    "payout.attempt != 0 && payout.amount_minor / payout.attempt > 3",
    "payout.amount_minor / payout.attempt > 3 || payout.rail == 'alipay'",
    "payout.rail == 'alipay' || payout.amount_minor / payout.attempt > 3",
    "payout.amount_minor % payout.attempt == 0 ? payout.has_deadline : channel.instant",
    "-payout.amount_minor < -5 - 3",
    "payout.rails.exists(r, r == values.home)",
    "payout.rails.all(r, r in merchant.tags)",
    "merchant.tags.exists(t, t.startsWith('pay') && t.endsWith('roll'))",
    "payout.bank.contains('C') && size(payout.bank) > 2 && payout.rails.size() < 3",
    "payout.bank.matches('^I.*C$')",
    "payout.bank < 'D' && 'D' > payout.bank && payout.bank >= 'A'",
    "payout.bank == 'it\\'s \"quoted\" \\\\ \\n'",
    "[payout.rail, 'x'].exists(r, r == 'x')",
    "payout.rails == ['alipay']",
    "size(lists.banks) == 2",
    "payout.amount_minor * payout.amount_minor > 0",
    "9223372036854775807 + payout.amount_minor > 0",
    "payout.attempt - -9223372036854775808 > 0",
    "-9223372036854775808 / payout.attempt < 0",
    "-9223372036854775808 % payout.attempt == 0",
]


def compiled(text: str) -> Any:
    """The condition without the trial at corner values, which these tests go beyond."""
    language = Language(CONSTANTS)
    setattr(language, "_refuse_faults", lambda condition: None)  # noqa: B010  # a private seam
    return language.compile(text)


def by_google(condition: Any, values: Mapping[str, Value]) -> bool | str:
    """The reference."""
    answer = condition.program.evaluate({name: values[name] for name in condition.facts})
    return answer if isinstance(answer, bool) else FAULT


def by_us(condition: Any, values: Mapping[str, Value]) -> bool | str:
    """Generated code with the engine behind it, as rules are asked."""
    bits = Judge([condition], [True])
    shared = [values[name] for name in condition.facts if FACTS[name].root != "channel"]
    at_hand = _Stub({FACTS[name].read: values[name] for name in condition.facts})
    found = bits.each(tuple(shared), at_hand)  # type: ignore[arg-type]  # reads only what it holds
    return FAULT if found & 2 else bool(found & 1)


class _Stub:
    """A channel at hand that has the given values where the facts are read."""

    def __init__(self, values: Mapping[Any, Value]) -> None:
        self.health = self
        self.facts = self
        self.cycle = self
        for path in ("health.success_ppm", "facts.cycle.instant"):
            if path in values:
                setattr(self, path.rpartition(".")[2], values[path])


def by_rust(condition: Any, values: Mapping[str, Value]) -> bool | str:
    """The second engine, with nested values."""
    nested: dict[str, dict[str, object]] = {}
    for name, value in {**values, **CONSTANTS}.items():
        root, _, leaf = name.partition(".")
        nested.setdefault(root, {})[leaf] = list(value) if isinstance(value, tuple) else value
    try:
        return bool(rust.evaluate(condition.text, nested))
    except (ArithmeticError, ValueError, RuntimeError, TypeError):
        return FAULT


plain = st.sampled_from((0, 1, -1, 10**12)) | st.integers(-20, 20)
big = st.sampled_from((0, 1, -1, 2**63 - 1, -(2**63))) | st.integers(-20, 20)
words = st.sampled_from(("", "a", "alipay", "ICBC", "payroll"))


def valuations(ints: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, Any]]:
    """A value for every fact that the generated conditions name."""
    return st.fixed_dictionaries(
        dict.fromkeys(INTS, ints)
        | dict.fromkeys(STRINGS, words)
        | dict.fromkeys(BOOLS, st.booleans())
        | dict.fromkeys(("payout.rails", "merchant.tags"), st.lists(words, max_size=3).map(tuple))
    )


def _texts(kind: Kind, depth: int) -> st.SearchStrategy[str]:
    """Conditions and parts of conditions of one kind."""
    if kind is Kind.STRING:
        return st.sampled_from((*STRINGS, "values.home", "'a'", "'ICBC'", '""'))
    if kind is Kind.STRINGS:
        return st.sampled_from((*LISTS, "['a', 'ICBC']", "['alipay']"))
    leaf = st.sampled_from((*INTS, "values.large", "0", "1", "7", "-3"))
    if kind is Kind.INT:
        if not depth:
            return leaf
        inner = _texts(Kind.INT, depth - 1)
        return st.one_of(
            leaf,
            st.tuples(inner, st.sampled_from("+-*/%"), inner).map("({0[0]} {0[1]} {0[2]})".format),
            inner.map("-({})".format),
            _texts(Kind.STRING, 0).map("size({})".format),
        )
    compared = st.sampled_from(("==", "!=", "<", "<=", ">", ">="))
    ints, strings = _texts(Kind.INT, max(0, depth - 1)), _texts(Kind.STRING, 0)
    plain = st.one_of(
        st.sampled_from((*BOOLS, "values.open", "true", "false")),
        st.tuples(ints, compared, ints).map("{0[0]} {0[1]} {0[2]}".format),
        st.tuples(strings, compared, strings).map("{0[0]} {0[1]} {0[2]}".format),
        st.tuples(strings, _texts(Kind.STRINGS, 0)).map("{0[0]} in {0[1]}".format),
        ints.map("{} in [1, 7, 9]".format),
        st.tuples(strings, st.sampled_from(("contains", "startsWith", "endsWith")), strings).map(
            "{0[0]}.{0[1]}({0[2]})".format
        ),
        st.tuples(_texts(Kind.STRINGS, 0), st.sampled_from(("exists", "all")), strings).map(
            "{0[0]}.{0[1]}(one, one == {0[2]})".format
        ),
    )
    if not depth:
        return plain
    inner = _texts(Kind.BOOL, depth - 1)
    return st.one_of(
        plain,
        st.tuples(inner, st.sampled_from(("&&", "||")), inner).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(inner, inner).map("{0[0]} && {0[1]} || {0[0]}".format),
        inner.map("!({})".format),
        st.tuples(inner, inner, inner).map("({0[0]} ? {0[1]} : {0[2]})".format),
    )


CASES: list[dict[str, Value]] = [
    {
        **dict(zip(INTS, numbers, strict=True)),
        **dict(zip(STRINGS, texts, strict=True)),
        **dict(zip(BOOLS, truths, strict=True)),
        "payout.rails": rails,
        "merchant.tags": tags,
    }
    for numbers, texts, truths, rails, tags in (
        ((6_000_000, 1, 9, 990_000), ("alipay", "ICBC", "vip"), (True, False), ("alipay",), ()),
        ((0, 0, 0, 0), ("", "", ""), (False, False), (), ("payroll",)),
        ((2**63 - 1, -1, 23, 1), ("x", "CCB", ""), (False, True), ("x", "a"), ("a", "x")),
        ((-7, 2, 10, 5), ("bank_card", "BOC", "t"), (True, True), ("bank_card",), ("pay", "roll")),
    )
]


@pytest.mark.parametrize("text", CORPUS)
def test_the_corpus_means_the_same_to_every_engine(text: str) -> None:
    """The same policies run on another engine when this one has to go."""
    condition = compiled(text)
    for values in CASES:
        expected = by_google(condition, values)
        assert by_us(condition, values) == expected
        assert by_rust(condition, values) == expected


@pytest.mark.parametrize("text", [one for one in CORPUS if "matches" not in one][:18])
def test_common_conditions_need_no_engine(text: str) -> None:
    """What operators write every day runs as Python code."""
    assert compiled(text).code is not None


@LAW
@given(_texts(Kind.BOOL, 3), valuations(big))
def test_our_code_is_cel(text: str, values: dict[str, Any]) -> None:
    """Whatever the condition and the facts, generated code and CEL give the same answer."""
    condition = compiled(text)
    assert by_us(condition, values) == by_google(condition, values)


@LAW
@given(_texts(Kind.BOOL, 2), valuations(plain))
def test_the_second_engine_agrees(text: str, values: dict[str, Any]) -> None:
    """The language means the same outside of the engine that checks it."""
    condition = compiled(text)
    assert by_rust(condition, values) == by_google(condition, values)


def test_every_fact_can_be_read_and_named() -> None:
    """Each fact gives a value of its kind, and a condition can name it."""
    at_hand = AtHand(channel(), channel().health, "alipay", 100, 0)
    subjects: dict[str, object] = {
        "payout": Asked(payout(), FRIDAY_NOON),
        "merchant": Merchant("m_1", "vip", ()),
        "channel": at_hand,
        "pool": Pool(),
        "clock": clock_at(FRIDAY_NOON),
    }
    kinds = {Kind.INT: int, Kind.STRING: str, Kind.BOOL: bool, Kind.STRINGS: (tuple, frozenset)}
    trial = {Kind.INT: "> 0", Kind.STRING: "== 'x'", Kind.BOOL: "", Kind.STRINGS: "== ['x']"}
    for name, fact in FACTS.items():
        read = attrgetter(fact.read) if isinstance(fact.read, str) else fact.read
        value = read(subjects[fact.root])
        assert type(value) is kinds[fact.kind] or isinstance(value, (tuple, frozenset)), name
        assert LANGUAGE.compile(f"{name} {trial[fact.kind]}").facts == (name,)


def test_clock_facts_are_those_of_the_wall_clock() -> None:
    """Friday noon in Shanghai, two days of rest ahead, no holiday."""
    assert clock_at(FRIDAY_NOON) == Clock(2026, 11, 20, 12, 0, 5, "2026-11-20", True, False, 2)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("payout.amount_minr > 1", 0, "did you mean payout.amount_minor"),
        ("1 < amount_minor", 4, "did you mean payout.amount_minor"),
        ("payout.rail == values.hom", 15, "did you mean values.home"),
        ("payout == 'x'", 0, "many facts"),
        ("zebra > 1", 0, "there are payout"),
        ("payout.rail.bank == 'x'", 11, "no fields"),
        ("payout.rails[0] == 'x'", 12, "instead of an index"),
        ("payout.amount_minor > 'x'", 20, "`>` does not work with int and string"),
        ("payout.rail in 'abc'", 12, "`in` does not work with string and string"),
        ("payout.amount_minor", 0, "of type int"),
        ("true && payout.amount_minor", 5, "`&&` does not work with bool and int"),
        ("payout.amount_minor > 1.5", 22, "integers"),
        ("payout.amount_minor > 1e3", 22, "integers"),
        ("payout.attempt == 1u", 18, "plain decimal"),
        ("payout.attempt == 0x1", 18, "plain decimal"),
        ("payout.rail == r'x'", 15, "no prefix"),
        ("payout.rail == 'x", 15, "end on its line"),
        ("payout.rail == 'a\\qb'", 17, "escape"),
        ("payout.rail = 'x'", 12, "compare with =="),
        ("payout.rail == 'x' & true", 19, "write && and ||"),
        ("payout.has_deadline and true", 20, "write &&"),
        ("payout.attempt >", 16, "a value is expected"),
        ("(payout.attempt > 1", 19, ") is expected"),
        ("double(payout.attempt) > 1", 0, "no function 'double'"),
        ("payout.rails.map(r, r)", 13, "no function 'map'"),
        ("size(payout.rail, 1) > 1", 0, "number of arguments"),
        ("payout.rails.exists(r, payout.banks.exists(b, b == r))", 36, "inside"),
        ("payout.attempt > 99999999999999999999", 17, "too large"),
        ("payout.attempt / 0 > 1", 15, "divides by zero"),
        ("100 / (payout.attempt - 1) > 1", 4, "payout.attempt is 1"),
        ("payout.amount_minor * payout.amount_minor > 1", 20, "overflow"),
        ("payout.rail.matches('[')", 12, "payout.rail is ''"),
        ("payout.rail == 'x' &&\n payout.bnk == 'y'", 23, "did you mean payout.bank"),
        ("payout.rail == '银行' &&\n payout.bank > 3", 36, "`>` does not work"),
        ("(" * 25 + "true" + ")" * 25, 24, "nested at most"),
        ("!" * 25 + "true", 0, "too many signs"),
        ("1" + " + 1" * 101 + " > 0", 406, "at most 100 operators"),
        ("payout.rails.exists(payout, payout == 'x')", 13, "'payout' is taken"),
        ("true" + " " * 2000, 2000, "at most 2000 characters"),
        ("payout.attempt in [" + "1, " * 500 + "1]", 1519, "at most 500 items"),
    ],
)
def test_every_mistake_has_its_place_and_remedy(text: str, at: int, said: str) -> None:
    """The offset is that of the mistake, and the message tells what to do."""
    with pytest.raises(ConditionError) as caught:
        LANGUAGE.compile(text)
    assert said in caught.value.message
    assert caught.value.at == at


def test_guarded_arithmetic_is_accepted() -> None:
    """A guard in front makes a division safe, and CEL's own rules say so."""
    text = "payout.attempt != 1 && 100 / (payout.attempt - 1) > 1"
    assert LANGUAGE.compile(text).facts == ("payout.attempt",)
