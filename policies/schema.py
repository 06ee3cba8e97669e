"""The shape of a policy file: every key, its type and its bounds, for versions 1 and 2.

Only the shape: what conditions mean is `expression`'s to check, what rules do together is `lint`'s.
Version 1 knows parameters and merchants' lists; all else needs version 2.
"""

import json
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from policies.cases import ExampleDocument, SketchDocument
from policies.fields import (
    STRICT,
    ChannelName,
    Constant,
    Duration,
    Label,
    MerchantId,
    Minor,
    Names,
    Ppm,
)
from policies.policy import Parameters

RULES_MAX: Final = 200
EXAMPLES_MAX: Final = 1_000

_DEFAULT = Parameters()
_FIRST_PARAMETERS: Final = (
    *("capital_rate_ppm", "fail_penalty_minor", "unknown_penalty_minor", "lateness_ppm_per_day"),
    *("explore_ppm", "explore_cost_max_minor", "probe_max_minor", "in_doubt_max"),
)
"""Part of every hash, with their defaults filled in."""
_NEWER: Final = ("lists", "values", "channels", "rules", "examples")


class ParametersDocument(BaseModel):
    """The prices and bounds; each field's meaning is with `policies.policy.Parameters`."""

    model_config = STRICT

    capital_rate_ppm: Ppm = _DEFAULT.capital_rate_ppm
    fail_penalty_minor: Minor = _DEFAULT.fail_penalty_minor
    unknown_penalty_minor: Minor = _DEFAULT.unknown_penalty_minor
    lateness_ppm_per_day: Ppm = _DEFAULT.lateness_ppm_per_day
    # Above half of the traffic it would no longer be exploration but a lottery.
    explore_ppm: Annotated[int, Field(ge=0, le=500_000)] = _DEFAULT.explore_ppm
    explore_cost_max_minor: Minor = _DEFAULT.explore_cost_max_minor
    probe_max_minor: Minor = _DEFAULT.probe_max_minor
    # Above a day, payouts without a deadline would fail before they are sent.
    queue_max_s: Annotated[int, Field(ge=0, le=86_400)] = _DEFAULT.queue_max_s
    in_doubt_max: Annotated[int, Field(ge=1, le=1_000_000)] = _DEFAULT.in_doubt_max


class ListsDocument(BaseModel):
    """One merchant's terms and channels; an empty `only` allows every channel not denied."""

    model_config = STRICT

    tier: Annotated[str, Field(max_length=64)] = ""
    tags: list[Annotated[str, Field(min_length=1, max_length=64)]] = []
    deny: list[ChannelName] = []
    prefer: list[ChannelName] = []
    only: list[ChannelName] = []

    @model_validator(mode="after")
    def _consistent(self) -> "ListsDocument":
        for name in self.deny:
            if name in self.prefer or name in self.only:
                raise ValueError(f"channel {name!r} is denied and wanted at once")
        for name in self.prefer:
            if self.only and name not in self.only:
                raise ValueError(f"channel {name!r} is preferred but not among only")
        return self


class ThenDocument(BaseModel):
    """What a rule does when it matches."""

    model_config = STRICT

    prefer: Names = []
    avoid: Names = []
    require: Names = []
    deny: Names = []
    weight: dict[ChannelName, Annotated[int, Field(ge=1, le=1_000_000_000)]] = {}
    split: dict[ChannelName, Annotated[int, Field(ge=1, le=1_000_000)]] = {}
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    deadline: Duration | None = None
    review: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    passes: Annotated[Literal[True] | None, Field(alias="pass")] = None

    @model_validator(mode="after")
    def _consistent(self) -> "ThenDocument":
        if not self.model_fields_set:
            raise ValueError("the rule does nothing: say prefer, deny, …")
        wanted = {*self.prefer, *self.avoid, *self.require, *self.weight, *self.split}
        for name in self.deny:
            if name in wanted:
                raise ValueError(f"channel {name!r} is denied and wanted at once")
        for name in self.prefer:
            if name in self.avoid:
                raise ValueError(f"channel {name!r} is preferred and avoided at once")
        for name in (*self.prefer, *self.split):
            if self.require and name not in self.require:
                raise ValueError(f"channel {name!r} is wanted but not among require")
        if self.split and sum(self.split.values()) != 1_000_000:
            raise ValueError(
                f"the shares of split add up to {sum(self.split.values())}, not to 1000000 ppm"
            )
        if self.review is not None and self.passes:
            raise ValueError("a rule cannot review and pass at once")
        return self


def _cell(value: object) -> object:
    """A number with a fraction would be a floating one; in quotes it stays exact."""
    if isinstance(value, float):
        raise ValueError("write a number with a fraction in quotes")  # noqa: TRY004  # pydantic reports it
    return value


Cell: TypeAlias = Annotated[str | int | bool | None, BeforeValidator(_cell)]


class TableDocument(BaseModel):
    """A decision table: a grid, or the text of a CSV file."""

    model_config = STRICT

    columns: list[Annotated[str, Field(max_length=200)]] = []
    rows: list[list[Cell]] = []
    csv: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "TableDocument":
        if (self.csv is None) == (not self.columns):
            raise ValueError("a table has either columns and rows, or csv")
        return self


def _inline(value: object) -> object:
    """The name of a file is refused: a policy must be whole for its hash to mean anything."""
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004  # pydantic reports ValueErrors
            "a policy is one file: put the table's text under `table: {csv: |`, or the rules that "
            "`hangdao policy compile-table` makes of it"
        )
    return value


class RuleDocument(BaseModel):
    """A rule, or a table of rules of which the first matching row applies."""

    model_config = STRICT

    name: Label
    when: str | None = None
    then: ThenDocument | None = None
    until: datetime | date | None = None
    final: bool = False
    group: Label | None = None
    table: Annotated[TableDocument | None, BeforeValidator(_inline)] = None

    @model_validator(mode="after")
    def _one_form(self) -> "RuleDocument":
        if (self.then is None) == (self.table is None):
            raise ValueError("a rule has either then or table")
        if self.table is not None and (self.when is not None or self.final or self.group):
            raise ValueError("a table has no when, final or group of its own")
        return self


class PolicyDocument(BaseModel):
    """The whole file. `merchants` is keyed by merchant id; `*` holds for all the others."""

    model_config = STRICT

    version: Literal[1, 2]
    name: Label
    parameters: ParametersDocument = ParametersDocument()
    merchants: dict[MerchantId, ListsDocument] = {}
    lists: dict[
        Constant, Annotated[list[str] | list[int], Field(min_length=1, max_length=5_000)]
    ] = {}
    values: dict[Constant, bool | int | Annotated[str, Field(max_length=200)]] = {}
    channels: dict[ChannelName, SketchDocument] = {}
    rules: Annotated[list[RuleDocument], Field(max_length=RULES_MAX)] = []
    examples: Annotated[list[ExampleDocument], Field(max_length=EXAMPLES_MAX)] = []

    @model_validator(mode="after")
    def _version_fits(self) -> "PolicyDocument":
        if self.version == 1:
            for key in _NEWER:
                if key in self.model_fields_set:
                    raise ValueError(f"{key} needs version: 2")
            if any(one.tier or one.tags for one in self.merchants.values()):
                raise ValueError("a merchant's tier and tags need version: 2")
        return self

    def canonical(self) -> bytes:
        """The meaning as bytes: equal for files that differ in layout only."""
        content: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        for lists in content["merchants"].values():
            for key in ("deny", "prefer", "only", "tags"):
                lists[key] = sorted(set(lists[key]))
        # Stored decisions name hashes: a parameter that is added later must not change them.
        defaults = ParametersDocument().model_dump(mode="json")
        content["parameters"] = {
            name: value
            for name, value in content["parameters"].items()
            if name in _FIRST_PARAMETERS or value != defaults[name]
        }
        if self.version == 1:
            # Nor may what version 2 added.
            for key in _NEWER:
                del content[key]
            for lists in content["merchants"].values():
                del lists["tier"], lists["tags"]
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
