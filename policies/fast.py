"""The common part of the language as Python code, about twenty times faster than the engine.

A tree becomes a Python syntax tree node by node, never text, so nothing but the operators below can
get in. Where Python and CEL could differ (overflow, division, list equality, regular expressions)
the code raises ArithmeticError or there is no code at all, and the engine is asked instead.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from policies.tree import (
    INT_MAX,
    INT_MIN,
    Binary,
    Call,
    Choice,
    Items,
    Literal,
    Name,
    Node,
    Quantifier,
    Unary,
)
from policies.vocabulary import Kind, Value


class Typed(NamedTuple):
    """Code and the kind of value it gives."""

    code: ast.expr
    kind: Kind


def local(fact: str) -> str:
    """The Python variable that holds a fact."""
    return "f_" + fact.replace(".", "_")


def checked(value: int) -> int:
    """A sum, difference or product, if CEL could have computed it."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise OverflowError


def quotient(left: int, right: int) -> int:
    """Division that rounds towards zero, as CEL's does."""
    whole = abs(left) // abs(right)
    return checked(whole if (left < 0) == (right < 0) else -whole)


def remainder(left: int, right: int) -> int:
    """What `quotient` leaves; it has the sign of `left`."""
    return left - right * quotient(left, right)


NAMES: Final[Mapping[str, Callable[..., object]]] = {
    "checked": checked,
    "quotient": quotient,
    "remainder": remainder,
    "any": any,
    "all": all,
    "len": len,
}
"""Everything that generated code may call."""


class _UnsupportedError(Exception):
    """The engine must do this one."""


def translate(
    tree: Node, kinds: Mapping[str, Kind], constants: Mapping[str, Value]
) -> ast.expr | None:
    """Code that is true exactly when CEL says so; None when only the engine can tell."""
    try:
        typed = _Translator(kinds, constants).typed(tree)
    except _UnsupportedError:
        return None
    return typed.code if typed.kind is Kind.BOOL else None


_COMPARISONS: Final[Mapping[str, ast.cmpop]] = {
    "==": ast.Eq(),
    "!=": ast.NotEq(),
    "<": ast.Lt(),
    "<=": ast.LtE(),
    ">": ast.Gt(),
    ">=": ast.GtE(),
}
_SUMS: Final[Mapping[str, ast.operator]] = {"+": ast.Add(), "-": ast.Sub(), "*": ast.Mult()}
_DIVISIONS: Final = {"/": "quotient", "%": "remainder"}
_LISTS: Final = {Kind.STRINGS: Kind.STRING, Kind.INTS: Kind.INT}
_METHODS: Final = {"startsWith": "startswith", "endsWith": "endswith"}


class _Translator:
    def __init__(self, kinds: Mapping[str, Kind], constants: Mapping[str, Value]) -> None:
        self._kinds = kinds
        self._constants = constants
        self._variables: dict[str, Kind] = {}

    def typed(self, node: Node) -> Typed:
        match node:
            case Literal(value=value):
                return _constant(value)
            case Name(name=name):
                return self._name(name)
            case Items(items=items):
                return _list([one.value for one in items if isinstance(one, Literal)], len(items))
            case Unary(op=op, operand=operand):
                return self._unary(op, self.typed(operand))
            case Binary(op=op, left=left, right=right):
                return self._binary(op, self.typed(left), self.typed(right))
            case Choice(test=test, yes=yes, no=no):
                one, other = self.typed(yes), self.typed(no)
                _demand(one.kind is other.kind)
                code = ast.IfExp(self.typed(test).code, one.code, other.code)
                return Typed(code, one.kind)
            case Call(function=function, arguments=arguments):
                return self._call(function, [self.typed(one) for one in arguments])
            case Quantifier(macro=macro, target=target, variable=variable, body=body):
                return self._quantifier(macro, self.typed(target), variable, body)

    def _name(self, name: str) -> Typed:
        if name in self._variables:
            return Typed(_load(f"v_{name}"), self._variables[name])
        if name in self._constants:
            return _constant(self._constants[name])
        _demand(name in self._kinds)
        return Typed(_load(local(name)), self._kinds[name])

    def _unary(self, op: str, operand: Typed) -> Typed:
        if op == "!":
            return Typed(ast.UnaryOp(ast.Not(), operand.code), Kind.BOOL)
        _demand(operand.kind is Kind.INT)
        return Typed(_call("checked", ast.UnaryOp(ast.USub(), operand.code)), Kind.INT)

    def _binary(self, op: str, left: Typed, right: Typed) -> Typed:
        if op in ("&&", "||"):
            # Python stops at the first operand that decides. CEL then gives the same answer, even
            # if the other operand is faulty; a fault that Python does meet goes to the engine.
            joint = ast.And() if op == "&&" else ast.Or()
            return Typed(ast.BoolOp(joint, [left.code, right.code]), Kind.BOOL)
        if op == "in":
            _demand(_LISTS.get(right.kind) is left.kind)
            return Typed(ast.Compare(left.code, [ast.In()], [right.code]), Kind.BOOL)
        _demand(left.kind is right.kind)
        if op in _COMPARISONS:
            ordered = left.kind in (Kind.INT, Kind.STRING)
            _demand(ordered or (left.kind is Kind.BOOL and op in ("==", "!=")))
            return Typed(ast.Compare(left.code, [_COMPARISONS[op]], [right.code]), Kind.BOOL)
        _demand(left.kind is Kind.INT)
        if op in _SUMS:
            return Typed(_call("checked", ast.BinOp(left.code, _SUMS[op], right.code)), Kind.INT)
        return Typed(_call(_DIVISIONS[op], left.code, right.code), Kind.INT)

    def _call(self, function: str, arguments: list[Typed]) -> Typed:
        first = arguments[0]
        if function == "size":
            return Typed(_call("len", first.code), Kind.INT)
        _demand(first.kind is Kind.STRING and arguments[1].kind is Kind.STRING)
        if function == "contains":
            return Typed(ast.Compare(arguments[1].code, [ast.In()], [first.code]), Kind.BOOL)
        _demand(function in _METHODS)
        method = ast.Attribute(first.code, _METHODS[function], ast.Load())
        return Typed(ast.Call(method, [arguments[1].code], []), Kind.BOOL)

    def _quantifier(self, macro: str, target: Typed, variable: str, body: Node) -> Typed:
        _demand(target.kind in _LISTS)
        self._variables = {variable: _LISTS[target.kind]}
        inner = self.typed(body)
        self._variables = {}
        each = ast.comprehension(ast.Name(f"v_{variable}", ast.Store()), target.code, [], 0)
        code = _call("any" if macro == "exists" else "all", ast.GeneratorExp(inner.code, [each]))
        return Typed(code, Kind.BOOL)


def _demand(supported: bool) -> None:
    if not supported:
        raise _UnsupportedError


def _load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _call(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(_load(name), list(arguments), [])


def _constant(value: Value) -> Typed:
    if isinstance(value, tuple | frozenset):
        return _list(list(value), len(value))
    kind = {bool: Kind.BOOL, int: Kind.INT, str: Kind.STRING}[type(value)]
    return Typed(ast.Constant(value), kind)


def _list(values: list[object], count: int) -> Typed:
    """A list of constants of one kind, as a set: it is only searched or counted."""
    kinds = {type(value) for value in values}
    _demand(len(values) == count == len(set(values)) and len(kinds) == 1 and kinds <= {str, int})
    kind = Kind.INTS if kinds == {int} else Kind.STRINGS
    return Typed(ast.Constant(cast("Any", frozenset(values))), kind)
