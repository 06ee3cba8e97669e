"""One condition of a rule: its text checked and made ready to be asked.

Checked in this order: the grammar (`syntax`), the names, with a guess at what was meant, then the
types by CEL. Divisors that can only be zero are refused; a few corner values show other faults,
and patterns that are none.
"""

import ast
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from policies.cel import CelError, Engine, GoogleCel, Program
from policies.fast import translate
from policies.syntax import ConditionError, parse
from policies.tree import Binary, Call, Literal, Name, Node, Quantifier, walk
from policies.vocabulary import FACTS, ROOTS, Kind, Value

_ARITHMETIC: Final = frozenset("+-*/%")
_PROBES_MAX: Final = 729


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked condition; equal texts over equal constants are equal conditions."""

    text: str
    constants: Mapping[str, Value] = field(repr=False)
    tree: Node = field(compare=False, repr=False)
    facts: tuple[str, ...] = field(compare=False, repr=False)
    """The facts it names, sorted."""
    code: ast.expr | None = field(compare=False, repr=False)
    """The same as Python code; None when only the engine can tell."""
    program: Program = field(compare=False, repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        """Travels to another process as its text, as compiled programs cannot."""
        return _recompiled, (self.text, dict(self.constants))

    def names(self, root: str) -> bool:
        """Whether it speaks of anything under a root."""
        return any(FACTS[name].root == root for name in self.facts)

    @property
    def every_s(self) -> int:
        """How soon its answer may change while a payout waits; 0 means never."""
        return min((FACTS[one].every_s for one in self.facts if FACTS[one].every_s), default=0)


class Language:
    """The facts and a policy's own constants (`lists.…`, `values.…`); compiles conditions."""

    def __init__(self, constants: Mapping[str, Value] | None = None) -> None:
        """Take constants by their dotted names."""
        self.constants: Mapping[str, Value] = dict(constants or {})
        own = {name: _kind(value) for name, value in self.constants.items()}
        self.kinds: Mapping[str, Kind] = {name: one.kind for name, one in FACTS.items()} | own
        self._engine: Engine = GoogleCel(self.kinds, self.constants)

    def compile(self, text: str) -> Condition:
        """Check a condition whole. Raises ConditionError with the offset of the first mistake."""
        tree = parse(text)
        facts = self._facts(tree)
        try:
            program = self._engine.compile(text)
        except CelError as error:
            line, column, message = error.problems[0]
            raise ConditionError(_offset(text, line, column), message) from error
        condition = Condition(
            text,
            self.constants,
            tree,
            facts,
            translate(tree, self.kinds, self.constants),
            program,
        )
        self._refuse_faults(condition)
        return condition

    def _facts(self, tree: Node) -> tuple[str, ...]:
        macros = [one for one in walk(tree) if isinstance(one, Quantifier)]
        variables = {one.variable for one in macros}
        for macro in macros:
            if macro.variable in (*ROOTS, "lists", "values"):
                raise ConditionError(macro.at, f"{macro.variable!r} is taken: name it otherwise")
        found: set[str] = set()
        for one in walk(tree):
            if not isinstance(one, Name) or one.name in variables:
                continue
            if one.name not in self.kinds:
                raise ConditionError(one.at, self._unknown(one.name))
            if one.name in FACTS:
                found.add(one.name)
        return tuple(sorted(found))

    def _unknown(self, name: str) -> str:
        root, _, rest = name.partition(".")
        if root in ROOTS and not rest:
            return f"{root} has many facts; name one, as in {root}.{_first(root)}"
        close = get_close_matches(name, self.kinds, n=1, cutoff=0.6)
        if not close and not rest:
            close = get_close_matches(name, [one.partition(".")[2] for one in self.kinds], n=1)
            close = [one for one in self.kinds if close and one.endswith(f".{close[0]}")][:1]
        guess = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(ROOTS)}"
        return f"{name!r} is not known{guess}"

    def _refuse_faults(self, condition: Condition) -> None:
        """Try the facts at their corners: arithmetic that can fail there must be guarded."""
        risky = [one for one in walk(condition.tree) if _may_fail(one)]
        for one in risky:
            if isinstance(one, Binary) and one.op in "/%" and self._is_zero(one.right):
                raise ConditionError(one.at, "divides by zero")
        if not risky:
            return
        for values in _corners(condition.facts):
            answer = condition.program.evaluate(values)
            if isinstance(answer, str):
                told = " and ".join(f"{name} is {value!r}" for name, value in values.items())
                raise ConditionError(risky[0].at, f"{answer} when {told}{_remedy(answer)}")

    def _is_zero(self, node: Node) -> bool:
        if isinstance(node, Name):
            value = self.constants.get(node.name)
            return value == 0 and value is not False
        return isinstance(node, Literal) and node.value == 0


def _recompiled(text: str, constants: Mapping[str, Value]) -> Condition:
    return Language(constants).compile(text)


def _corners(facts: tuple[str, ...]) -> Iterator[dict[str, Value]]:
    corners = [FACTS[name].corners for name in facts]
    for values in itertools.islice(itertools.product(*corners), _PROBES_MAX):
        yield dict(zip(facts, values, strict=True))


def _may_fail(node: Node) -> bool:
    match node:
        case Binary(op=op):
            return op in _ARITHMETIC
        case Call(function=function):
            return function == "matches"
    return False


def _remedy(fault: str) -> str:
    if "zero" in fault:
        return ": guard it, as in `x != 0 && y / x > 1`"
    return ": compare without multiplying" if "overflow" in fault else ""


def _kind(value: Value) -> Kind:
    match value:
        case bool():
            return Kind.BOOL
        case int():
            return Kind.INT
        case str():
            return Kind.STRING
    return Kind.INTS if value and all(isinstance(one, int) for one in value) else Kind.STRINGS


def _first(root: str) -> str:
    return next(one.partition(".")[2] for one in FACTS if one.startswith(f"{root}."))


def _offset(text: str, line: int, column: int) -> int:
    """The offset of a line and column that both count from 1."""
    before = text.split("\n")[: line - 1]
    return sum(len(one) + 1 for one in before) + column - 1
