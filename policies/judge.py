"""All conditions of a policy as two functions: one call a payout, one call a channel.

Each answers with bits: bit n says that condition n holds, bit n + count that it could not be
computed. Facts are read once and only if some condition names them. What `fast` cannot translate,
and what Python cannot compute, is asked of the engine, whose answer is the reference.
"""

import ast
from collections.abc import Callable, Sequence
from typing import Any, cast

from policies.expression import Condition
from policies.fast import NAMES, local
from policies.situation import Asked, AtHand, Clock, Merchant, Pool
from policies.vocabulary import FACTS


class Judge:
    """Conditions compiled together; `each_channel` tells which are asked for every channel."""

    def __init__(self, conditions: Sequence[Condition], each_channel: Sequence[bool]) -> None:
        """Generate and compile the two functions."""
        self._conditions = conditions
        whole = [at for at, each in enumerate(each_channel) if not each]
        each = [at for at, one in enumerate(each_channel) if one]
        shared = [name for name in self._facts(each) if FACTS[name].root != "channel"]
        own = [name for name in self._facts(each) if FACTS[name].root == "channel"]
        read = sorted({*self._facts(whole), *shared})
        self._whole = self._function(
            ["payout", "merchant", "clock", "pool"],
            [*map(_read, read), *self._asked(whole)],
            _tuple([ast.Name("bits", ast.Load()), _tuple([_load(one) for one in shared])]),
            read,
        )
        unpack: list[ast.stmt] = []
        if shared:
            names = ast.Tuple([ast.Name(local(one), ast.Store()) for one in shared], ast.Store())
            unpack = [ast.Assign([names], ast.Name("shared", ast.Load()))]
        self.each = cast(
            "Callable[[tuple[object, ...], AtHand], int]",
            self._function(
                ["shared", "channel"],
                [*unpack, *map(_read, own), *self._asked(each)],
                ast.Name("bits", ast.Load()),
                own,
            ),
        )
        """The bits of the conditions on a channel, given the facts that `whole` shared."""

    def whole(
        self, asked: Asked, merchant: Merchant, clock: Clock, pool: Pool
    ) -> tuple[int, tuple[object, ...]]:
        """The bits of the conditions on the payout, and the facts that `each` needs again."""
        return cast("tuple[int, tuple[object, ...]]", self._whole(asked, merchant, clock, pool))

    def _facts(self, indices: list[int]) -> list[str]:
        return sorted({name for at in indices for name in self._conditions[at].facts})

    def _asked(self, indices: list[int]) -> list[ast.stmt]:
        return [self._statement(at) for at in indices]

    def _statement(self, at: int) -> ast.stmt:
        """`if <condition>: bits |= …`, or the engine's answer where Python has none."""
        condition = self._conditions[at]
        slow = _add(ast.Call(ast.Name(f"ask_{at}", ast.Load()), _values(condition), []))
        if condition.code is None:
            return slow
        quick = ast.If(condition.code, [_add(ast.Constant(1 << at))], [])
        if not any(isinstance(one, ast.Call) for one in ast.walk(condition.code)):
            return quick
        fault = ast.ExceptHandler(ast.Name("ArithmeticError", ast.Load()), None, [slow])
        return ast.Try([quick], [fault], [], [])

    def _ask(self, at: int) -> Callable[..., int]:
        """The engine's answer as bits."""
        condition = self._conditions[at]
        holds, faulty = 1 << at, 1 << at + len(self._conditions)

        def ask(*values: Any) -> int:
            answer = condition.program.evaluate(dict(zip(condition.facts, values, strict=True)))
            if answer is True:
                return holds
            return 0 if answer is False else faulty

        return ask

    def _function(
        self, arguments: list[str], body: list[ast.stmt], result: ast.expr, read: list[str]
    ) -> Callable[..., object]:
        start = ast.Assign([ast.Name("bits", ast.Store())], ast.Constant(0))
        function = ast.FunctionDef(
            name="judged",
            args=ast.arguments([], [ast.arg(one) for one in arguments], None, [], [], None, []),
            body=[start, *body, ast.Return(result)],
            decorator_list=[],
        )
        module = ast.fix_missing_locations(ast.Module([function], []))
        names: dict[str, object] = {"__builtins__": {}, "ArithmeticError": ArithmeticError}
        names |= NAMES
        computed = [one for one in read if callable(FACTS[one].read)]
        names |= {f"read_{local(one)}": FACTS[one].read for one in computed}
        names |= {f"ask_{at}": self._ask(at) for at in range(len(self._conditions))}
        code = compile(module, "<rules>", "exec")
        exec(code, names)  # noqa: S102  # made of allowed nodes only; no text becomes code
        return cast("Callable[..., object]", names["judged"])


def _read(fact: str) -> ast.stmt:
    """The fact into its variable; attributes are loaded in place, as a call takes three of them."""
    read = FACTS[fact].read
    value: ast.expr = ast.Name(FACTS[fact].root, ast.Load())
    if isinstance(read, str):
        for name in read.split("."):
            value = ast.Attribute(value, name, ast.Load())
    else:
        value = ast.Call(ast.Name(f"read_{local(fact)}", ast.Load()), [value], [])
    return ast.Assign([ast.Name(local(fact), ast.Store())], value)


def _load(fact: str) -> ast.expr:
    return ast.Name(local(fact), ast.Load())


def _values(condition: Condition) -> list[ast.expr]:
    return [_load(one) for one in condition.facts]


def _tuple(items: list[ast.expr]) -> ast.expr:
    return ast.Tuple(items, ast.Load())


def _add(bits: ast.expr) -> ast.stmt:
    return ast.AugAssign(ast.Name("bits", ast.Store()), ast.BitOr(), bits)
