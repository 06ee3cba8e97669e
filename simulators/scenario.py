"""Reading `sim.yaml` and scenario files: strict, and every complaint names its line.

The keys of a simulator's section belong to its kind (see its `settings`); this file checks what is
common, resolves relative `*_file` paths against the file's folder, and keeps the line of every key
so that a later complaint about `simulators.0.accounts.1.fee` can be shown where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from simulators.faults import FaultRule, read_rule

KeyPath = tuple[str | int, ...]


class ScenarioError(ValueError):
    """The configuration is refused; the text names file, line and key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClockPlan(_Strict):
    """`virtual` stands still until advanced; `real` runs on, from `start` if given."""

    mode: Literal["real", "virtual"] = "real"
    start: AwareDatetime | None = None


class ControlPlan(_Strict):
    """Where the administration listens; port 0 is a free one."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)


class Plan(_Strict):
    """A whole configuration; sections of simulators and faults are checked by their owners."""

    seed: int = 0
    clock: ClockPlan = ClockPlan()
    control: ControlPlan = ControlPlan()
    simulators: tuple[dict[str, object], ...] = Field(min_length=1)
    faults: tuple[dict[str, object], ...] = ()


class Script(_Strict):
    """What a running world can be told: a set of rules, instead of or beside the present ones."""

    replace: bool = True
    faults: tuple[dict[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A YAML text with the line of every key."""

    name: str
    data: object
    lines: Mapping[KeyPath, int]

    def complaint(self, path: KeyPath, problem: str) -> ScenarioError:
        """An error pointing at a key, or at the nearest known key above it."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        where = f"{self.name}:{self.lines[known]}" if known in self.lines else self.name
        return ScenarioError(f"{where}: {'.'.join(map(str, path)) or 'file'}: {problem}")

    def refused(self, error: ValueError, under: KeyPath = ()) -> ScenarioError:
        """The first complaint of a validation, at its line."""
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False, include_input=False)[0]
            return self.complaint((*under, *first["loc"]), first["msg"])
        return self.complaint(under, str(error))


def read_yaml(text: str, name: str, folder: Path | None = None) -> Source:
    """Parse; a key given twice is an error. `*_file` paths are taken from `folder`."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ScenarioError(f"{name}:{line}: {error.problem}") from None
    lines: dict[KeyPath, int] = {}
    _note_lines(node, (), lines, name)
    data = yaml.safe_load(text)
    return Source(name, _from_folder(data, folder) if folder else data, lines)


def read_plan(source: Source) -> Plan:
    """The configuration of a world. Raises ScenarioError."""
    try:
        plan = Plan.model_validate(source.data)
    except ValidationError as error:
        raise source.refused(error) from None
    names: set[object] = set()
    for index, section in enumerate(plan.simulators):
        if not isinstance(section.get("name"), str) or not isinstance(section.get("kind"), str):
            raise source.complaint(("simulators", index), "needs a name and a kind")
        if section["name"] in names:
            raise source.complaint(("simulators", index, "name"), "stands twice")
        names.add(section["name"])
    return plan


def load(path: Path) -> tuple[Plan, Source]:
    """Read a configuration file. Raises ScenarioError and OSError."""
    source = read_yaml(path.read_text(encoding="utf-8"), path.name, path.resolve().parent)
    return read_plan(source), source


def read_rules(
    faults: tuple[dict[str, object], ...], source: Source, now: datetime
) -> list[FaultRule]:
    """The `faults` section, offsets counted from `now`. Raises ScenarioError."""
    rules = []
    for index, given in enumerate(faults):
        try:
            rules.append(read_rule(given, now))
        except ValueError as error:
            raise source.refused(error, ("faults", index)) from None
    return rules


def _note_lines(
    node: yaml.Node | None, path: KeyPath, lines: dict[KeyPath, int], name: str
) -> None:
    if node is None:
        return
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            if here in lines:
                raise ScenarioError(
                    f"{name}:{key.start_mark.line + 1}: {'.'.join(map(str, here))}: stands twice"
                )
            lines[here] = key.start_mark.line + 1
            _note_lines(value, here, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, (*path, index), lines, name)


def _from_folder(data: object, folder: Path) -> object:
    if isinstance(data, dict):
        return {
            key: str(folder / value)
            if isinstance(key, str) and key.endswith("_file") and isinstance(value, str)
            else _from_folder(value, folder)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [_from_folder(item, folder) for item in data]
    return data
