"""The policy file, version 1: YAML text to a checked, hashed `Policy`.

Every mistake is reported with its line: unknown or repeated keys, wrong types, numbers out of
range, a channel both denied and preferred. The hash covers the meaning (defaults filled in, lists
sorted), not the layout, so comments and key order do not change it.
"""

import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Annotated, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from policies.policy import ChannelLists, Parameters, Policy

_Path: TypeAlias = tuple[str | int, ...]
_Ppm: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
_Minor: TypeAlias = Annotated[int, Field(ge=0, le=10**12)]
_ChannelName: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
_DEFAULT = Parameters()


class PolicyError(ValueError):
    """A policy file that must not be used; `problems` are `(line, message)`, lines from 1."""

    def __init__(self, source: str, problems: list[tuple[int, str]]) -> None:
        """Keep the problems for callers that show them one by one."""
        self.source = source
        self.problems = problems
        super().__init__("; ".join(f"{source}:{line}: {text}" for line, text in problems))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ParametersDocument(_Strict):
    """The prices and bounds; each field's meaning is with `policies.policy.Parameters`."""

    capital_rate_ppm: _Ppm = _DEFAULT.capital_rate_ppm
    fail_penalty_minor: _Minor = _DEFAULT.fail_penalty_minor
    unknown_penalty_minor: _Minor = _DEFAULT.unknown_penalty_minor
    lateness_ppm_per_day: _Ppm = _DEFAULT.lateness_ppm_per_day
    # Above half of the traffic it would no longer be exploration but a lottery.
    explore_ppm: Annotated[int, Field(ge=0, le=500_000)] = _DEFAULT.explore_ppm
    explore_cost_max_minor: _Minor = _DEFAULT.explore_cost_max_minor
    probe_max_minor: _Minor = _DEFAULT.probe_max_minor
    plan_cost_max_minor: Annotated[int, Field(ge=0, le=1_000_000_000)] = (
        _DEFAULT.plan_cost_max_minor
    )
    plan_cost_max_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = _DEFAULT.plan_cost_max_ppm
    in_doubt_max: Annotated[int, Field(ge=1, le=1_000_000)] = _DEFAULT.in_doubt_max


class ListsDocument(_Strict):
    """One merchant's channels; an empty `only` allows every channel that is not denied."""

    deny: list[_ChannelName] = []
    prefer: list[_ChannelName] = []
    only: list[_ChannelName] = []

    @model_validator(mode="after")
    def _consistent(self) -> "ListsDocument":
        for name in self.deny:
            if name in self.prefer or name in self.only:
                raise ValueError(f"channel {name!r} is denied and wanted at once")
        for name in self.prefer:
            if self.only and name not in self.only:
                raise ValueError(f"channel {name!r} is preferred but not among only")
        return self


class PolicyDocument(_Strict):
    """The whole file. `merchants` is keyed by merchant id; `*` holds for all the others."""

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    parameters: ParametersDocument = ParametersDocument()
    merchants: dict[Annotated[str, Field(min_length=1, max_length=64)], ListsDocument] = {}

    def canonical(self) -> bytes:
        """The meaning as bytes: equal for files that decide equally under the same name."""
        content = self.model_dump(mode="json")
        for lists in content["merchants"].values():
            for key, names in lists.items():
                lists[key] = sorted(set(names))
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    def compile(self) -> Policy:
        """What `decide` reads."""
        return Policy(
            name=self.name,
            hash=hashlib.sha256(self.canonical()).hexdigest(),
            parameters=Parameters(**self.parameters.model_dump()),
            lists={
                merchant: ChannelLists(
                    deny=frozenset(lists.deny),
                    prefer=frozenset(lists.prefer),
                    only=frozenset(lists.only),
                )
                for merchant, lists in self.merchants.items()
            },
        )


def parse(text: str, source: str = "policy") -> PolicyDocument:
    """Check a policy file; raises PolicyError naming each mistake's line."""
    try:
        _refuse_aliases(text, source)
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if not isinstance(node, yaml.MappingNode):
                raise PolicyError(source, [(1, "the file must be a mapping")])
            lines, repeated = _walk(node)
            content = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark is not None else 1
        raise PolicyError(source, [(line, error.problem or "not YAML")]) from error
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, PolicyError):
            raise
        raise PolicyError(source, [(1, f"not YAML: {error}")]) from error
    if repeated:
        raise PolicyError(source, repeated)
    try:
        return PolicyDocument.model_validate(content)
    except ValidationError as error:
        problems = [
            (_line(lines, tuple(one["loc"])), f"{_name(tuple(one['loc']))}: {one['msg']}")
            for one in error.errors(include_url=False)
        ]
        raise PolicyError(source, sorted(problems)) from error


def load(text: str, source: str = "policy") -> Policy:
    """The compiled policy of a file's text; raises PolicyError."""
    return parse(text, source).compile()


def example(name: str = "default") -> str:
    """The text of a policy shipped with the package."""
    return files("policies.examples").joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def _refuse_aliases(text: str, source: str) -> None:
    """Anchors would let a small file unfold into a huge one, and hide what a line means."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            mark = event.start_mark
            line = mark.line + 1 if mark is not None else 1
            raise PolicyError(source, [(line, "aliases are not allowed")])


def _walk(root: yaml.Node) -> tuple[dict[_Path, int], list[tuple[int, str]]]:
    """The line of every path, and the keys that are given twice (YAML would keep the last)."""
    lines: dict[_Path, int] = {}
    repeated: list[tuple[int, str]] = []
    waiting: list[tuple[_Path, yaml.Node]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        lines.setdefault(path, node.start_mark.line + 1)
        seen: set[str | int] = set()
        for key, line, child in _children(node):
            if isinstance(node, yaml.MappingNode) and key in seen:
                repeated.append((line, f"{_name((*path, key))}: key is given twice"))
            seen.add(key)
            lines[*path, key] = line
            waiting.append(((*path, key), child))
    return lines, sorted(repeated)


def _children(node: yaml.Node) -> Iterator[tuple[str | int, int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            yield str(key.value), key.start_mark.line + 1, child
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield index, child.start_mark.line + 1, child


def _line(lines: dict[_Path, int], path: _Path) -> int:
    """The line of a path, or of the nearest enclosing one that the file has."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _name(path: _Path) -> str:
    return ".".join(str(part) for part in path) or "file"
