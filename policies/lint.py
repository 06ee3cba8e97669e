"""What rules do together, judged before they are used: nothing that cannot be meant is saved.

Found are rules that never match or are hidden by earlier ones, unknown channels and merchants,
rails left without a channel, and rules that have run out. What cannot be decided is left alone: a
finding is always true, a missing finding promises nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import NamedTuple

from policies.build import Built, LocatedRule, constants
from policies.facts import ChannelFacts
from policies.policy import EVERY_MERCHANT
from policies.ranges import Box, Words, boxes, text_of
from policies.rules import Rule
from policies.schema import PolicyDocument
from policies.source import Path, Remark
from policies.tree import Binary, Items, Literal, Name, Node, walk
from policies.vocabulary import Value


class Known(NamedTuple):
    """What the installation has; None where the caller does not say."""

    channels: Sequence[ChannelFacts] | None = None
    merchants: Collection[str] | None = None
    now: datetime | None = None


class _Analysed(NamedTuple):
    located: LocatedRule
    boxes: tuple[Box, ...] | None

    @property
    def rule(self) -> Rule:
        return self.located.rule


def check(document: PolicyDocument, built: Built, known: Known) -> list[Remark]:
    """Every remark, in the order of the rules."""
    named = constants(document)
    rules = [_Analysed(one, boxes(one.rule.condition.tree, named)) for one in built.rules]
    remarks = [*_dead(rules), *_expired(rules, known.now)]
    remarks += _names(document, rules, named, known)
    if known.channels is not None:
        remarks += _empty_rails(document, rules, known.channels)
    return remarks


# --- Rules that do nothing ----------------------------------------------------------------------


def _dead(rules: list[_Analysed]) -> Iterator[Remark]:
    """Rules that never match, and rules that are always hidden by an earlier one."""
    for at, one in enumerate(rules):
        if one.boxes == ():
            told = "the condition can never be true: mend it or delete the rule"
            yield _about(one, told, key="when")
            continue
        for earlier in rules[:at]:
            if _hides(earlier.rule, one.rule) and _covers(earlier, one):
                how = "final" if earlier.rule.final else "first in the group"
                told = (
                    f"never gets its turn: {earlier.rule.name}, which is {how}, always matches "
                    "before it; put this rule first or narrow the other"
                )
                yield _about(one, told)
                break


def _hides(earlier: Rule, later: Rule) -> bool:
    """Whether `earlier`, when it matches, keeps `later` from applying, for as long as it lasts."""
    in_group = earlier.group is not None and earlier.group == later.group
    # A final rule of another group may match without applying, and then stops nothing.
    if not in_group and not (earlier.final and earlier.group is None):
        return False
    if earlier.until_at is None:
        return True
    return later.until_at is not None and later.until_at <= earlier.until_at


def _covers(earlier: _Analysed, later: _Analysed) -> bool:
    if earlier.boxes is None or later.boxes is None:
        return False
    return all(any(box.inside(cover) for cover in earlier.boxes) for box in later.boxes)


def _expired(rules: list[_Analysed], now: datetime | None) -> Iterator[Remark]:
    for one in rules:
        if now is not None and one.rule.until_at is not None and one.rule.until_at <= now:
            told = "has run out (`until` is past): delete it or give it a later date"
            yield _about(one, told, key="until")


# --- Names --------------------------------------------------------------------------------------


def _names(
    document: PolicyDocument, rules: list[_Analysed], named: dict[str, Value], known: Known
) -> Iterator[Remark]:
    if known.channels is not None:
        channels = {one.name for one in known.channels}
        for path, name in _listed(document):
            if name not in channels:
                yield Remark(path, _unknown(name, channels))
        for one in rules:
            used = one.rule.effects.channels | _compared_with(one.rule, "channel.name", named)
            for name in sorted(used - channels):
                yield _about(one, _unknown(name, channels))
    if known.merchants is not None:
        merchants = {*known.merchants, EVERY_MERCHANT}
        for merchant in document.merchants.keys() - merchants:
            yield Remark(("merchants", merchant), _unknown(merchant, merchants, "merchant"))
        for one in rules:
            for name in sorted(_compared_with(one.rule, "merchant.id", named) - merchants):
                yield _about(one, _unknown(name, merchants, "merchant"))


def _listed(document: PolicyDocument) -> Iterator[tuple[Path, str]]:
    """The channels named outside of rules."""
    for merchant, lists in document.merchants.items():
        for key in ("deny", "prefer", "only"):
            for name in getattr(lists, key):
                yield ("merchants", merchant, key), name
    for name in document.channels:
        yield ("channels", name), name


def _unknown(name: str, known: Collection[str], what: str = "channel") -> str:
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "delete it or configure it first"
    return f"unknown {what} {name!r}: {hint}"


def _compared_with(rule: Rule, fact: str, named: dict[str, Value]) -> frozenset[str]:
    """The texts that a condition compares a fact with."""
    found: set[str] = set()
    for node in walk(rule.condition.tree):
        if isinstance(node, Binary) and node.op in ("==", "!=", "in"):
            sides = (node.left, node.right)
            if any(isinstance(side, Name) and side.name == fact for side in sides):
                found.update(text for side in sides for text in _texts(side, named))
    return frozenset(found)


def _texts(node: Node, named: dict[str, Value]) -> Iterator[str]:
    """The constant texts that a node stands for."""
    if isinstance(node, Literal) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, Items):
        for one in node.items:
            yield from _texts(one, named)
    elif isinstance(node, Name):
        value = named.get(node.name, ())
        members = (value,) if isinstance(value, str) else value
        if isinstance(members, tuple):
            yield from (one for one in members if isinstance(one, str))


# --- Rails --------------------------------------------------------------------------------------


def _empty_rails(
    document: PolicyDocument, rules: list[_Analysed], channels: Sequence[ChannelFacts]
) -> Iterator[Remark]:
    """Rails on which lists or a rule alone leave nobody, though some channel reaches them."""
    rails = sorted({rail for one in channels for rail in one.rails})
    for merchant, lists in document.merchants.items():
        left = [
            one
            for one in channels
            if one.name not in lists.deny and (not lists.only or one.name in lists.only)
        ]
        bare = [rail for rail in rails if all(rail not in one.rails for one in left)]
        for rail in bare:
            told = f"merchants.{merchant} leaves {rail} without a channel"
            everybody = merchant == EVERY_MERCHANT or len(bare) == len(rails)
            yield Remark(("merchants", merchant), told, "error" if everybody else "warning")
    for one in rules:
        effects = one.rule.effects
        left = [
            each
            for each in channels
            if each.name not in effects.deny
            and (not effects.require or each.name in effects.require)
        ]
        if one.boxes is None or not (effects.deny or effects.require):
            continue
        for rail in rails:
            if all(rail not in each.rails for each in left):
                remark = _bare(one, rail)
                if remark is not None:
                    yield remark


def _bare(one: _Analysed, rail: str) -> Remark | None:
    """A rule that leaves a rail without a channel, unless its condition rules that rail out.

    Certain only where the condition has no parts of unknown truth; a rule for some merchants, or
    one that passes with time, is somebody's intention rather than a mistake.
    """
    here = Box(
        words={"payout.rail": Words(frozenset({rail}))},
        truths={text_of(Binary(0, "in", Literal(0, rail), Name(0, "payout.rails"))): True},
    )
    met = [box for box in one.boxes or () if box.meet(here) is not None]
    if not met:
        return None
    certain = any(
        not (box.truths.keys() - here.truths.keys())
        and not any(name.startswith("merchant.") for name in box.words)
        for box in met
    )
    lasting = not one.rule.condition.every_s and one.rule.until_at is None
    told = (
        f"leaves {rail} without a channel when it matches: say `payout.rail != '{rail}'` in the "
        f"condition, or leave it a channel"
    )
    return _about(one, told, severity="error" if certain and lasting else "warning")


def _about(one: _Analysed, told: str, *, key: str = "", severity: str = "error") -> Remark:
    path = one.located.path
    return Remark(
        (*path, key) if key else path,
        f"{one.rule.name}: {told}",
        "error" if severity == "error" else "warning",
        one.located.offset,
    )
