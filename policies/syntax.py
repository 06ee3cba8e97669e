"""The text of a condition to a tree: the part of CEL that policies may use, with positions.

A subset on purpose: comparisons, logic, integer arithmetic, `in`, `?:`, lists of constants, a few
functions and the macros `exists` and `all`. No floating numbers, maps, conversions or nested
macros, so that a condition's cost and meaning are plain from its text. Types are CEL's to check.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

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
    walk,
)

LENGTH_MAX: Final = 2_000
DEPTH_MAX: Final = 24
OPERATORS_MAX: Final = 100
ITEMS_MAX: Final = 500
FUNCTIONS: Final = frozenset({"size", "startsWith", "endsWith", "contains", "matches"})
MACROS: Final = frozenset({"exists", "all"})


class ConditionError(ValueError):
    """A condition that must not be used; `at` is the offset of the mistake in its text."""

    def __init__(self, at: int, message: str) -> None:
        """Keep where it is and what to do about it."""
        self.at = at
        self.message = message
        super().__init__(message)


def parse(text: str) -> Node:
    """The tree of a condition. Raises ConditionError."""
    if len(text) > LENGTH_MAX:
        raise ConditionError(LENGTH_MAX, f"a condition has at most {LENGTH_MAX} characters")
    parser = _Parser(list(_tokens(text)))
    tree = parser.choice()
    parser.take("end")
    # A chain of operators is as deep a tree as it is long; everybody who walks it recurses.
    operators = [one for one in walk(tree) if isinstance(one, Binary)]
    if len(operators) > OPERATORS_MAX:
        at = max(one.at for one in operators)
        raise ConditionError(at, f"a condition has at most {OPERATORS_MAX} operators")
    return tree


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<float>[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)|\.[0-9]+)
      | (?P<odd>0[xX][0-9a-fA-F]*|[0-9]+[uU])
      | (?P<int>[0-9]+)
      | (?P<prefixed>[bBrR]{1,2}["'])
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<string>'(?:[^'\\\n]|\\[^\n])*'|"(?:[^"\\\n]|\\[^\n])*")
      | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:().,\[\]])""",
    re.VERBOSE,
)
_REFUSED: Final = {
    "float": "numbers are integers: money in minor units, shares in ppm",
    "odd": "write integers in plain decimal digits",
    "prefixed": "strings have no prefix",
}
_HINTS: Final = {"and": " (write &&)", "or": " (write ||)", "not": " (write !)"}
_ESCAPES: Final = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t"}
_WORDS: Final = {"true": True, "false": False}


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            hint = " (write && and ||)" if text[at] in "&|" else ""
            hint = " (compare with ==)" if text[at] == "=" else hint
            hint = " (a string must end on its line)" if text[at] in "'\"" else hint
            raise ConditionError(at, f"{text[at]!r} has no meaning here{hint}")
        kind = found.lastgroup or ""
        if kind in _REFUSED:
            raise ConditionError(at, _REFUSED[kind])
        if kind == "word" and found.group() == "in":
            kind = "op"
        if kind != "space":
            yield _Token(kind, found.group(), at)
        at = found.end()
    yield _Token("end", "", at)


class _Parser:
    """Recursive descent in CEL's precedence; every level refuses to go deeper than allowed."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self._variable: str | None = None

    def take(self, kind: str, text: str | None = None) -> _Token:
        token = self._tokens[self._next]
        if token.kind != kind or (text is not None and token.text != text):
            wanted = text or {"end": "an operator", "word": "a name"}.get(kind, kind)
            found = repr(token.text) if token.text else "the end"
            hint = _HINTS.get(token.text, "")
            raise ConditionError(token.at, f"{wanted} is expected here, not {found}{hint}")
        self._next += 1
        return token

    def choice(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            at = self._tokens[self._next].at
            raise ConditionError(at, f"a condition is nested at most {DEPTH_MAX} deep")
        test = self._binary(0)
        question = self._operator("?")
        if question is not None:
            yes = self._binary(0)
            self.take("op", ":")
            test = Choice(question.at, test, yes, self.choice())
        self._depth -= 1
        return test

    _LEVELS: Final = (
        ("||",),
        ("&&",),
        ("==", "!=", "<", "<=", ">", ">=", "in"),
        ("+", "-"),
        ("*", "/", "%"),
    )

    def _binary(self, level: int) -> Node:
        if level == len(self._LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while (token := self._operator(*self._LEVELS[level])) is not None:
            left = Binary(token.at, token.text, left, self._binary(level + 1))
        return left

    def _unary(self) -> Node:
        signs: list[_Token] = []
        while (token := self._operator("!", "-")) is not None:
            signs.append(token)
        if len(signs) > DEPTH_MAX:
            raise ConditionError(signs[0].at, "too many signs")
        if signs and signs[-1].text == "-" and self._tokens[self._next].kind == "int":
            sign = signs.pop()
            node: Node = Literal(sign.at, self._integer(sign="-"))
        else:
            node = self._member()
        for token in reversed(signs):
            node = Unary(token.at, token.text, node)
        return node

    def _member(self) -> Node:
        node = self._primary()
        while (dot := self._operator(".")) is not None:
            name = self.take("word")
            if self._operator("(") is not None:
                node = self._called(node, name)
            elif isinstance(node, Name) and "." not in node.name:
                node = Name(node.at, f"{node.name}.{name.text}")
            else:
                raise ConditionError(dot.at, "a fact has no fields of its own")
        if (bracket := self._operator("[")) is not None:
            raise ConditionError(bracket.at, "use `in` or `.exists(x, …)` instead of an index")
        return node

    def _primary(self) -> Node:
        token = self._tokens[self._next]
        if token.kind == "int":
            return Literal(token.at, self._integer(sign=""))
        self._next += 1
        if token.kind == "string":
            return Literal(token.at, _unescaped(token))
        if token.kind == "word":
            if token.text in _WORDS:
                return Literal(token.at, _WORDS[token.text])
            if self._operator("(") is not None:
                return self._called(None, token)
            return Name(token.at, token.text)
        if token.text == "(":
            node = self.choice()
            self.take("op", ")")
            return node
        if token.text == "[":
            return Items(token.at, self._list("]"))
        found = repr(token.text) if token.text else "the end"
        raise ConditionError(token.at, f"a value is expected here, not {found}")

    def _called(self, target: Node | None, name: _Token) -> Node:
        if name.text in MACROS and target is not None:
            return self._quantifier(target, name)
        if name.text not in FUNCTIONS or (target is None and name.text != "size"):
            known = ", ".join(sorted(FUNCTIONS | MACROS))
            raise ConditionError(name.at, f"there is no function {name.text!r}; there are {known}")
        arguments = self._list(")")
        if target is not None:
            arguments = (target, *arguments)
        if len(arguments) != (1 if name.text == "size" else 2):
            raise ConditionError(name.at, f"{name.text} has another number of arguments")
        return Call(name.at, name.text, arguments)

    def _quantifier(self, target: Node, name: _Token) -> Node:
        if self._variable is not None:
            raise ConditionError(name.at, f"{name.text} inside {name.text} or another macro")
        self._variable = self.take("word").text
        variable = self._variable
        self.take("op", ",")
        body = self.choice()
        self.take("op", ")")
        self._variable = None
        return Quantifier(name.at, name.text, target, variable, body)

    def _list(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while self._operator(end) is None:
            if items:
                self.take("op", ",")
            if len(items) == ITEMS_MAX:
                at = self._tokens[self._next].at
                raise ConditionError(at, f"a list has at most {ITEMS_MAX} items; use `lists:`")
            items.append(self.choice())
        return tuple(items)

    def _integer(self, sign: str) -> int:
        token = self.take("int")
        value = int(sign + token.text[:25])
        if not INT_MIN <= value <= INT_MAX:
            raise ConditionError(token.at, "the number is too large")
        return value

    def _operator(self, *texts: str) -> _Token | None:
        token = self._tokens[self._next]
        if token.kind == "op" and token.text in texts:
            self._next += 1
            return token
        return None


def _unescaped(token: _Token) -> str:
    def one(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise ConditionError(token.at + 1 + found.start(), f"unknown escape \\{found[1]}")
        return _ESCAPES[found[1]]

    return re.sub(r"\\(.)", one, token.text[1:-1])
