"""The shape of a policy's own channels and unit examples; `trial` runs them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from policies.fields import STRICT, ChannelName, Duration, MerchantId, Minor, Ppm


class SketchDocument(BaseModel):
    """A channel as the examples see it; every key may be left out."""

    model_config = STRICT

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


class InstrumentDocument(BaseModel):
    """One way to reach the beneficiary of an example."""

    model_config = STRICT

    rail: str
    bank: str | None = None


class TriedDocument(BaseModel):
    """An attempt of an example that has failed."""

    model_config = STRICT

    channel: ChannelName
    fault: Literal["channel", "instruction", "beneficiary", "operator"] = "channel"


class ConstraintsDocument(BaseModel):
    """What an example's request allows."""

    model_config = STRICT

    only: list[ChannelName] = []
    deny: list[ChannelName] = []
    prefer: list[ChannelName] = []
    max_attempts: Annotated[int, Field(ge=1)] | None = None


class PayoutDocument(BaseModel):
    """An example's payout; `rail` and `bank` are short for one instrument."""

    model_config = STRICT

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


class ExpectDocument(BaseModel):
    """What must come out; only the keys that are given are compared."""

    model_config = STRICT

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


class ExampleDocument(BaseModel):
    """A case with its expected outcome, tried whenever the policy is saved."""

    model_config = STRICT

    name: Annotated[str, Field(min_length=1, max_length=200)]
    payout: PayoutDocument = PayoutDocument()
    merchant: MerchantId = "m_example"
    channels: dict[ChannelName, SketchDocument] = {}
    clock: datetime | None = None
    draw_ppm: Annotated[int, Field(ge=0, lt=1_000_000)] = 0
    expect: ExpectDocument
