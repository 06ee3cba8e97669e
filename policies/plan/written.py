"""A plan as JSON and back; the layout is stable, and the plan's id is a hash of it."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from msgspec.structs import asdict

from policies.plan.classes import PayoutClass, class_from
from policies.plan.forecast import Forecast, Volume
from policies.plan.layout import DayGroup
from policies.plan.model import Bonus, ChannelPlan, Plan, Scarce, Share
from policies.plan.split import Marginal

LAYOUT = 1


def to_json(plan: Plan) -> bytes:
    """The plan as UTF-8 JSON, the same bytes for the same plan."""
    found = as_mapping(plan)
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def as_mapping(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values."""
    return {
        "layout": LAYOUT,
        "id": plan.id,
        "month": plan.month.isoformat()[:7],
        "currency": plan.currency,
        "made_at": plan.made_at.isoformat(),
        "method": plan.method,
        "forecast": {
            "classes": [[kind.text, *volume] for kind, volume in plan.forecast.volumes],
            "days": [[on.isoformat(), share] for on, share in plan.forecast.days],
            "spread_ppm": plan.forecast.spread_ppm,
        },
        "groups": [
            {"days": [on.isoformat() for on in group.days], "share_ppm": group.share_ppm}
            for group in plan.groups
        ],
        "shares": [
            {"group": one.group, "class": one.kind.text, "ppm": dict(one.parts)}
            for one in plan.shares
        ],
        "channels": [asdict(one) for one in plan.channels],
        "bonuses": [[one.group, one.channel, *one.marginal] for one in plan.bonuses],
        "scarce": [[one.kind.text, one.payouts, list(one.channels)] for one in plan.scarce],
        "cost_micro": plan.cost_micro,
        "unplanned_micro": plan.unplanned_micro,
        "carried": {kind.text: dict(lacks) for kind, lacks in plan.carried.items()},
    }


def from_json(text: bytes | str) -> Plan:
    """The plan that `to_json` wrote; ValueError for another layout, KeyError for a part missing."""
    return from_mapping(json.loads(text))


def from_mapping(found: Mapping[str, Any]) -> Plan:
    """The plan of `as_mapping`."""
    if found["layout"] != LAYOUT:
        raise ValueError(f"a plan of another layout: {found['layout']}")
    forecast = found["forecast"]
    return Plan(
        id=found["id"],
        month=date.fromisoformat(f"{found['month']}-01"),
        currency=found["currency"],
        made_at=datetime.fromisoformat(found["made_at"]),
        method=found["method"],
        forecast=Forecast(
            tuple((class_from(kind), Volume(*rest)) for kind, *rest in forecast["classes"]),
            tuple((date.fromisoformat(on), share) for on, share in forecast["days"]),
            forecast["spread_ppm"],
        ),
        groups=tuple(
            DayGroup(tuple(date.fromisoformat(on) for on in one["days"]), one["share_ppm"])
            for one in found["groups"]
        ),
        shares=tuple(
            Share(one["group"], class_from(one["class"]), tuple(sorted(one["ppm"].items())))
            for one in found["shares"]
        ),
        channels=tuple(ChannelPlan(**one) for one in found["channels"]),
        bonuses=tuple(
            Bonus(group, channel, Marginal(*rest)) for group, channel, *rest in found["bonuses"]
        ),
        scarce=tuple(
            Scarce(class_from(kind), payouts, tuple(channels))
            for kind, payouts, channels in found["scarce"]
        ),
        cost_micro=found["cost_micro"],
        unplanned_micro=found["unplanned_micro"],
        carried=_carried(found["carried"]),
    )


def _carried(found: Mapping[str, Mapping[str, int]]) -> dict[PayoutClass, dict[str, int]]:
    return {class_from(kind): dict(lacks) for kind, lacks in found.items()}
