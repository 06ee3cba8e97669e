"""The tree of a condition: its kinds of nodes, each with its offset in the text."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from msgspec import Struct

INT_MAX: Final = 2**63 - 1
INT_MIN: Final = -(2**63)
"""The integers of CEL have 64 bits."""


class Literal(Struct, frozen=True):
    """A constant."""

    at: int
    value: bool | int | str


class Name(Struct, frozen=True):
    """A fact (`payout.amount_minor`), a constant of the policy or a macro's variable."""

    at: int
    name: str


class Items(Struct, frozen=True):
    """A list in brackets."""

    at: int
    items: tuple["Node", ...]


class Unary(Struct, frozen=True):
    """`!` or `-` before an operand."""

    at: int
    op: str
    operand: "Node"


class Binary(Struct, frozen=True):
    """Two operands and what is between them."""

    at: int
    op: str
    left: "Node"
    right: "Node"


class Choice(Struct, frozen=True):
    """`test ? yes : no`."""

    at: int
    test: "Node"
    yes: "Node"
    no: "Node"


class Call(Struct, frozen=True):
    """A function; the first argument is what stands before the dot, if anything does."""

    at: int
    function: str
    arguments: tuple["Node", ...]


class Quantifier(Struct, frozen=True):
    """`target.exists(variable, body)` or `all`."""

    at: int
    macro: str
    target: "Node"
    variable: str
    body: "Node"


Node: TypeAlias = Literal | Name | Items | Unary | Binary | Choice | Call | Quantifier


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a node, in the order of the text."""
    match node:
        case Items(items=items):
            return items
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Choice(test=test, yes=yes, no=no):
            return (test, yes, no)
        case Call(arguments=arguments):
            return arguments
        case Quantifier(target=target, body=body):
            return (target, body)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(children(one))
