"""The policy file: YAML text to a checked, hashed `Policy`, or every mistake with line and column.

Nothing is half done: `load` gives a policy that is whole, or raises. Checked are the shape
(`schema`), conditions and tables (`build`), what rules do together (`lint`) and the unit examples
(`trial`). The hash covers the meaning, not the layout: comments and key order do not change it.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from importlib.resources import files

from pydantic import ValidationError

from policies import lint as linting
from policies import trial
from policies.build import Built, LocatedRule, build
from policies.facts import ChannelFacts
from policies.policy import Policy
from policies.schema import ParametersDocument, PolicyDocument
from policies.source import Finding, Path, Remark, Source, SourceError, spelled, told

__all__ = [
    "Finding",
    "ParametersDocument",
    "PolicyDocument",
    "PolicyError",
    "example",
    "lint",
    "load",
    "parse",
]


class PolicyError(ValueError):
    """A policy file that must not be used."""

    def __init__(self, source: str, findings: list[Finding]) -> None:
        """Keep the findings for callers that show them one by one."""
        self.source = source
        self.findings = findings
        super().__init__("; ".join(f"{source}:{line}: {text}" for line, text in self.problems))

    @property
    def problems(self) -> list[tuple[int, str]]:
        """Each mistake's line and what it is; the column comes first in the text where known."""
        return [
            (one.line, f"column {one.column}: {one.message}" if one.column else one.message)
            for one in self.findings
        ]


def parse(text: str, source: str = "policy") -> PolicyDocument:
    """Check the shape of a policy file; raises PolicyError naming each mistake's line."""
    return _read(text, source)[0]


def load(
    text: str,
    source: str = "policy",
    *,
    channels: Sequence[ChannelFacts] | None = None,
    merchants: Collection[str] | None = None,
    now: datetime | None = None,
) -> Policy:
    """The compiled policy of a file's text; raises PolicyError with every mistake.

    `channels` (as they stand when idle) and `merchants` are the installation's; without them
    nothing is called unknown, and examples run only on the policy's own sketch. `now` refuses
    rules that have run out: give it when a policy is written, not when an old one is loaded.
    """
    document, place = _read(text, source)
    built, findings = _checked(document, place, channels, merchants, now)
    errors = [one for one in findings if one.severity == "error"]
    if errors:
        raise PolicyError(source, errors)
    return built.policy


def lint(
    text: str,
    source: str = "policy",
    *,
    channels: Sequence[ChannelFacts] | None = None,
    merchants: Collection[str] | None = None,
    now: datetime | None = None,
) -> list[Finding]:
    """Everything there is to say about a file, warnings included, by line; never raises."""
    try:
        document, place = _read(text, source)
    except PolicyError as error:
        return error.findings
    return _checked(document, place, channels, merchants, now)[1]


def example(name: str = "default") -> str:
    """The text of a policy shipped with the package."""
    return files("policies.examples").joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def _read(text: str, source: str) -> tuple[PolicyDocument, Source]:
    try:
        place = Source(text)
    except SourceError as error:
        raise PolicyError(source, error.findings) from error
    try:
        return PolicyDocument.model_validate(place.content), place
    except ValidationError as error:
        findings = {
            place.finding(Remark(path, f"{spelled(path)}: {told(one['msg'])}"))
            for one in error.errors(include_url=False)
            for path in [place.nearest(tuple(one["loc"]))]
        }
        raise PolicyError(source, sorted(findings)) from error


def _checked(
    document: PolicyDocument,
    place: Source,
    channels: Sequence[ChannelFacts] | None,
    merchants: Collection[str] | None,
    now: datetime | None,
) -> tuple[Built, list[Finding]]:
    built = build(document)
    remarks = list(built.mistakes)
    if not remarks:
        known = linting.Known(channels, merchants, now)
        remarks += linting.check(document, built, known)
    if not any(one.severity == "error" for one in remarks):
        remarks += _tried(document, built, channels)
    return built, sorted({place.finding(one) for one in remarks})


def _tried(
    document: PolicyDocument, built: Built, channels: Sequence[ChannelFacts] | None
) -> Iterator[Remark]:
    """Run the examples; each rule must be shown to match in at least one of them."""
    try:
        given = trial.sketched(document.channels) if document.channels else channels
    except ValueError as error:
        yield Remark(("channels",), f"channels: {error}")
        return
    shown: set[str] = set()
    for at, one in enumerate(document.examples):
        path: Path = ("examples", at)
        unknown = [] if given is None else set(one.channels) - {each.name for each in given}
        for name in sorted(unknown):
            yield Remark((*path, "channels", name), f"{one.name}: unknown channel {name!r}")
        if given is None or unknown:
            continue
        try:
            decision = trial.run(one, built.policy, given)
        except (ValueError, OverflowError) as error:
            yield Remark(path, f"{one.name}: {error}")
            continue
        shown.update(decision.rules)
        for found in trial.differences(one.expect, decision):
            where = (*path, "expect", *found.path)
            yield Remark(where, f"example {one.name!r} failed: {found.message}")
    if given is None and document.examples:
        yield Remark(("examples",), "no channels to run the examples on", "warning")
    if given is not None or not document.examples:
        yield from _never_shown(built.rules, shown)


def _never_shown(rules: Sequence[LocatedRule], shown: set[str]) -> Iterator[Remark]:
    """A table counts as one rule: its rows are checked by what they cover."""
    units = {one.unit for one in rules if one.rule.name in shown}
    for one in {one.unit: one for one in reversed(rules)}.values():
        if one.unit not in units:
            message = f"{one.unit}: no example in which it matches; add one under `examples:`"
            yield Remark(one.path[:2], message)
