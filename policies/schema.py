"""The shape of a policy file: every key, its type and its bounds, for versions 1 and 2.

Only the shape: what conditions mean is `expression`'s to check, what rules do together is `lint`'s.
Version 1 knows parameters and merchants' lists; all else needs version 2.
"""

import json
import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from policies.policy import Parameters
from policies.rules import THIS

RULES_MAX: Final = 200
EXAMPLES_MAX: Final = 1_000

Ppm: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
Minor: TypeAlias = Annotated[int, Field(ge=0, le=10**12)]
ChannelName: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
MerchantId: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
Label: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Constant: TypeAlias = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
_DEFAULT = Parameters()
_NEWER: Final = ("lists", "values", "channels", "rules", "examples")
_DURATION: Final = re.compile(r"^([1-9][0-9]{0,5})(m|h|d)$")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def duration(text: object) -> object:
    """`30m`, `2h` or `3d` as a time span; anything else stays as it is, to be refused."""
    found = _DURATION.match(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("write a duration as 30m, 2h or 3d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _names(value: object) -> object:
    """`this` alone stands for a list that holds it."""
    return [value] if value == THIS else value


Duration: TypeAlias = Annotated[timedelta, BeforeValidator(duration)]
Names: TypeAlias = Annotated[list[ChannelName], BeforeValidator(_names), Field(max_length=100)]


class Strict(BaseModel):
    """No unknown keys, no guessing of types, no changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ParametersDocument(Strict):
    """The prices and bounds; each field's meaning is with `policies.policy.Parameters`."""

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


class ListsDocument(Strict):
    """One merchant's terms and channels; an empty `only` allows every channel not denied."""

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


class ThenDocument(Strict):
    """What a rule does when it matches."""

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


Cell: TypeAlias = str | int | bool | None


class TableDocument(Strict):
    """A decision table: a grid, or the text of a CSV file."""

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


class RuleDocument(Strict):
    """A rule, or a table of rules of which the first matching row applies."""

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


class SketchDocument(Strict):
    """A channel as the examples see it; every key may be left out."""

    rails: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = None
    currency: str | None = None
    flat_minor: Minor | None = None
    rate_ppm: Ppm | None = None
    cycle_days: Annotated[int, Field(ge=0, le=366)] | None = None
    calendar: Literal["natural", "cn_statutory", "cn_no_makeup"] | None = None
    instant: bool | None = None
    min_minor: Minor | None = None
    max_minor: Minor | None = None
    day_cap_minor: Minor | None = None
    day_used_minor: Minor | None = None
    float_minor: Minor | None = None
    inflight: Minor | None = None
    in_doubt: Minor | None = None
    status: Literal["active", "paused", "draining"] | None = None
    success_ppm: Ppm | None = None
    unknown_ppm: Ppm | None = None
    observations: Minor | None = None
    latency_ms: Minor | None = None
    quarantined: bool | None = None


class InstrumentDocument(Strict):
    """One way to reach the beneficiary of an example."""

    rail: str
    bank: str | None = None


class TriedDocument(Strict):
    """An attempt of an example that has failed."""

    channel: ChannelName
    fault: Literal["channel", "instruction", "beneficiary", "operator"] = "channel"


class ConstraintsDocument(Strict):
    """What an example's request allows."""

    only: list[ChannelName] = []
    deny: list[ChannelName] = []
    prefer: list[ChannelName] = []
    max_attempts: Annotated[int, Field(ge=1)] | None = None


class PayoutDocument(Strict):
    """An example's payout; `rail` and `bank` are short for one instrument."""

    amount_minor: Annotated[int, Field(ge=1, le=10**12)] = 100_000
    currency: str = "CNY"
    rail: str | None = None
    bank: str | None = None
    instruments: list[InstrumentDocument] = []
    speed: Literal["standard", "fast", "instant"] = "standard"
    merchant_ref: str | None = None
    deadline: Duration | None = None
    age: Duration | None = None
    max_fee_minor: Minor | None = None
    tried: list[TriedDocument] = []
    constraints: ConstraintsDocument = ConstraintsDocument()
    released: bool = False


class ExpectDocument(Strict):
    """What must come out; only the keys that are given are compared."""

    chosen: str | None = None
    order_starts: list[ChannelName] = []
    excluded: dict[ChannelName, str] = {}
    rules: list[str] = []
    review: str | None = None
    max_attempts: int | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ExpectDocument":
        if not self.model_fields_set:
            raise ValueError("the example expects nothing")
        return self


class ExampleDocument(Strict):
    """A case with its expected outcome, tried whenever the policy is saved."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    payout: PayoutDocument = PayoutDocument()
    merchant: MerchantId = "m_example"
    channels: dict[ChannelName, SketchDocument] = {}
    clock: datetime | None = None
    draw_ppm: Annotated[int, Field(ge=0, lt=1_000_000)] = 0
    expect: ExpectDocument


class PolicyDocument(Strict):
    """The whole file. `merchants` is keyed by merchant id; `*` holds for all the others."""

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
        if self.version == 1:
            # The bytes, and so the hashes, of version 1 stay what they were before there was a 2.
            for key in _NEWER:
                del content[key]
            for lists in content["merchants"].values():
                del lists["tier"], lists["tags"]
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
