"""Two channels side by side under `/v1/admin/cost-comparison`."""

from collections.abc import Sequence

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on

from gateway.api.context import Answer, Call
from gateway.api.schemas import CompareQuery
from gateway.api.views import stamp
from gateway.engine.compare import Side, compare
from policies.facts import CostParts


class CostView(TypedDict):
    """The expected cost of one payout, in millionths of a minor unit."""

    amount_minor: int
    fee_micro: int
    surcharge_micro: int
    capital_micro: int
    fail_micro: int
    unknown_micro: int
    total_micro: int


class SideView(TypedDict):
    """One channel, today; `days_milli` are the calendar days that are priced, in thousandths."""

    channel: str
    free: bool
    arrives_on: str | None
    known: bool
    days_milli: int
    costs: list[CostView]


class ComparisonView(TypedDict):
    """Both, and the amounts from each of which on the other one costs less by fee and time."""

    currency: str
    a: SideView
    b: SideView
    crossings_minor: list[int]


async def show(call: Call) -> Answer:
    """GET /v1/admin/cost-comparison."""
    query: CompareQuery = call.query
    found = compare(call.gateway, query.a, query.b)
    answer: ComparisonView = {
        "currency": found.currency,
        "a": _side(found.a, found.amounts_minor),
        "b": _side(found.b, found.amounts_minor),
        "crossings_minor": list(found.crossings_minor),
    }
    return 200, answer


def _side(side: Side, amounts: Sequence[int]) -> SideView:
    return {
        "channel": side.channel,
        "free": side.is_free,
        "arrives_on": stamp(side.arrival.on),
        "known": side.arrival.known,
        "days_milli": round(side.days * 1000),
        "costs": [_cost(*one) for one in zip(amounts, side.costs, strict=True)],
    }


def _cost(amount_minor: int, cost: CostParts) -> CostView:
    return {
        "amount_minor": amount_minor,
        "fee_micro": cost.fee,
        "surcharge_micro": cost.surcharge,
        "capital_micro": cost.capital,
        "fail_micro": cost.fail,
        "unknown_micro": cost.unknown,
        "total_micro": cost.total,
    }
