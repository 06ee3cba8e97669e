"""What can be known of a condition without evaluating it: boxes of intervals, sets and truths.

A condition becomes a few boxes, one for each way to make it true. What is not a comparison of a
fact with constants is kept as a truth of its own, by its text. A box may be larger than the truth
only where it is unsatisfiable for a reason not seen here, so "empty" and "inside" are never wrong.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from policies.tree import INT_MAX, INT_MIN, Binary, Items, Literal, Name, Node, Unary, children
from policies.vocabulary import FACTS, Kind, Value

BOXES_MAX: Final = 64
_COUNTABLE: Final = 1_000
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


class Numbers(Struct, frozen=True):
    """The integers from `low` to `high` without `holes`."""

    low: int = INT_MIN
    high: int = INT_MAX
    holes: frozenset[int] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        if self.high - self.low >= _COUNTABLE:
            return False
        return all(one in self.holes for one in range(self.low, self.high + 1))

    def inside(self, other: "Numbers") -> bool:
        """Whether every number here is in `other`; False when that is not certain."""
        if self.low < other.low or self.high > other.high:
            return False
        return all(not self.low <= hole <= self.high or hole in self.holes for hole in other.holes)


class Words(Struct, frozen=True):
    """The texts among `allowed` (None: all) that are not `refused`."""

    allowed: frozenset[str] | None = None
    refused: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return self.allowed is not None and self.allowed <= self.refused

    def inside(self, other: "Words") -> bool:
        """Whether every text here is in `other`; False when that is not certain."""
        if self.allowed is not None:
            left = self.allowed - self.refused
            return (other.allowed is None or left <= other.allowed) and not left & other.refused
        return other.allowed is None and other.refused <= self.refused


class Box(Struct, frozen=True):
    """Constraints that hold together; what is not mentioned is free."""

    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    words: Mapping[str, Words] = field(default_factory=dict)
    truths: Mapping[str, bool] = field(default_factory=dict)

    def meet(self, other: "Box") -> "Box | None":
        """Both at once; None when they contradict each other."""
        numbers, words, truths = dict(self.numbers), dict(self.words), dict(self.truths)
        for name, one in other.numbers.items():
            had = numbers.get(name, Numbers())
            met = Numbers(max(had.low, one.low), min(had.high, one.high), had.holes | one.holes)
            if met.empty:
                return None
            numbers[name] = met
        for name, some in other.words.items():
            held = words.get(name, Words())
            allowed = some.allowed if held.allowed is None else held.allowed
            if held.allowed is not None and some.allowed is not None:
                allowed = held.allowed & some.allowed
            both = Words(allowed, held.refused | some.refused)
            if both.empty:
                return None
            words[name] = both
        for text, truth in other.truths.items():
            if truths.setdefault(text, truth) is not truth:
                return None
        return Box(numbers, words, truths)

    def inside(self, other: "Box") -> bool:
        """Whether every case here is also in `other`; False when that is not certain."""
        return (
            all(
                self.numbers.get(name, _bounds(name)).inside(one)
                for name, one in other.numbers.items()
            )
            and all(
                self.words.get(name, _choices(name)).inside(some)
                for name, some in other.words.items()
            )
            and all(self.truths.get(text) is truth for text, truth in other.truths.items())
        )


EVERYTHING: Final = Box()


def boxes(tree: Node, constants: Mapping[str, Value]) -> tuple[Box, ...] | None:
    """Every way to make a condition true; none means never, None that there are too many ways."""
    try:
        found = _Reader(constants).boxes(tree, truth=True)
    except _TooManyError:
        return None
    return tuple(box for box in found if _possible(box))


def text_of(node: Node) -> str:
    """A node without its positions: equal for equal expressions."""
    own = [
        str(getattr(node, key))
        for key in ("value", "name", "op", "function", "macro", "variable")
        if hasattr(node, key)
    ]
    inner = ", ".join(text_of(one) for one in children(node))
    kind = type(node).__name__
    value = type(node.value).__name__ if isinstance(node, Literal) else ""
    return f"{kind}{value}:{' '.join(map(repr, own))}({inner})"


class _TooManyError(Exception):
    """More ways than are worth following."""


class _Reader:
    def __init__(self, constants: Mapping[str, Value]) -> None:
        self._constants = constants

    def boxes(self, node: Node, *, truth: bool) -> list[Box]:
        match node:
            case Literal(value=bool(value)):
                return [EVERYTHING] if value is truth else []
            case Unary(op="!", operand=operand):
                return self.boxes(operand, truth=not truth)
            case Binary(op="&&" | "||" as op, left=left, right=right):
                one, other = self.boxes(left, truth=truth), self.boxes(right, truth=truth)
                if (op == "||") is truth:
                    return _limited(one + other)
                met = [first.meet(second) for first in one for second in other]
                return _limited([box for box in met if box is not None])
            case Binary():
                return self._compared(node, truth=truth)
            case Name(name=name) if name in self._constants:
                return [EVERYTHING] if self._constants[name] is truth else []
        return [Box(truths={text_of(node): truth})]

    def _compared(self, node: Binary, *, truth: bool) -> list[Box]:
        op, left, right = node.op, node.left, node.right
        if op == "in":
            members = self._members(right)
            if isinstance(left, Name) and left.name in FACTS and members is not None:
                return _among(left.name, members, truth=truth)
            return [Box(truths={text_of(node): truth})]
        if op in _FLIPPED and self._constant(left) is not None:
            op, left, right = _FLIPPED[op], right, left
        value = self._constant(right)
        if op in _FLIPPED and isinstance(left, Name) and left.name in FACTS and value is not None:
            return _against(left, op if truth else _OPPOSITE[op], value)
        return [_opaque(op, left, right, truth=truth)]

    def _constant(self, node: Node) -> bool | int | str | None:
        value = node.value if isinstance(node, Literal) else None
        if isinstance(node, Name):
            value_named = self._constants.get(node.name)
            value = value_named if isinstance(value_named, bool | int | str) else None
        return value

    def _members(self, node: Node) -> frozenset[int | str] | None:
        if isinstance(node, Name):
            named = self._constants.get(node.name)
            return frozenset(named) if isinstance(named, tuple) else None
        if isinstance(node, Items) and all(isinstance(one, Literal) for one in node.items):
            return frozenset(one.value for one in node.items if isinstance(one, Literal))
        return None


def _against(fact: Name, op: str, value: bool | int | str) -> list[Box]:
    """A fact compared with a constant."""
    name = fact.name
    if isinstance(value, bool):
        return [Box(truths={text_of(fact): value if op == "==" else not value})]
    if isinstance(value, int):
        low, high, holes = INT_MIN, INT_MAX, frozenset[int]()
        match op:
            case "==":
                low = high = value
            case "!=":
                holes = frozenset({value})
            case "<" | "<=":
                high = value - (op == "<")
            case _:
                low = value + (op == ">")
        numbers = Numbers(low, high, holes)
        return [] if low > high else [Box(numbers={name: numbers})]
    if op == "==":
        return [Box(words={name: Words(frozenset({value}))})]
    if op == "!=":
        return [Box(words={name: Words(refused=frozenset({value}))})]
    # The order of texts is not analysed.
    return [_opaque(op, fact, Literal(0, value), truth=True)]


def _among(name: str, members: frozenset[int | str], *, truth: bool) -> list[Box]:
    """A fact searched in a list of constants."""
    if FACTS[name].kind is Kind.INT:
        numbers = frozenset(one for one in members if isinstance(one, int))
        if not truth:
            return [Box(numbers={name: Numbers(holes=numbers)})]
        return _limited([Box(numbers={name: Numbers(one, one)}) for one in sorted(numbers)])
    texts = frozenset(one for one in members if isinstance(one, str))
    if not truth:
        return [Box(words={name: Words(refused=texts)})]
    return [Box(words={name: Words(texts)})] if texts else []


def _opaque(op: str, left: Node, right: Node, *, truth: bool) -> Box:
    """A comparison that is only known by its text; the six operators become `<` and `==`."""
    if op in (">", "<="):
        op, left, right = _FLIPPED[op], right, left
    if op in (">=", "!="):
        op, truth = _OPPOSITE[op], not truth
    one, other = text_of(left), text_of(right)
    if op == "==" and other < one:
        one, other = other, one
    return Box(truths={f"{one} {op} {other}": truth})


def _limited(found: list[Box]) -> list[Box]:
    if len(found) > BOXES_MAX:
        raise _TooManyError
    return found


def _bounds(name: str) -> Numbers:
    bounds = FACTS[name].bounds
    low = INT_MIN if bounds.low is None else bounds.low
    return Numbers(low, INT_MAX if bounds.high is None else bounds.high)


def _choices(name: str) -> Words:
    return Words(FACTS[name].bounds.choices)


def _possible(box: Box) -> bool:
    """Whether the facts can ever be like this."""
    bounds = Box(
        numbers={name: _bounds(name) for name in box.numbers},
        words={name: _choices(name) for name in box.words},
    )
    return bounds.meet(replace(box, truths={})) is not None
