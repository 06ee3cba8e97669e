"""Make a plan: lay the forecast out, divide it, and say what the division relies on.

Same forecast, channels, parameters and time: same plan. The solver is optional; `method` says
which way a plan was made.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from policies.calendars.workdays import PUBLISHED, Almanac
from policies.facts import ChannelFacts
from policies.fees import PPM, MonthUse, fee_minor, tier_reached
from policies.plan import greedy
from policies.plan.classes import PayoutClass
from policies.plan.forecast import Forecast, shares_of
from policies.plan.layout import (
    Layout,
    fee_of,
    lay_out,
    tier_of,
    unit,
    used_units,
)
from policies.plan.model import Bonus, ChannelPlan, Plan, Scarce, Share
from policies.plan.split import NO_MARGINAL, Marginal, Method, Split
from policies.plan.written import to_json
from policies.policy import Parameters

_LEAST_SHARE_PPM = 2_000
"""Smaller shares are the solver's dust, and nothing that a person wants to read."""


def solver(method: Method | None = None) -> Callable[[Layout], Split]:
    """The solver of a method; by default the best one that is installed."""
    if method == "greedy" or (method is None and find_spec("scipy") is None):
        return greedy.solve
    found: Callable[[Layout], Split] = import_module("policies.plan.milp").solve
    return found


def make_plan(
    forecast: Forecast,
    channels: Sequence[ChannelFacts],
    parameters: Parameters,
    now: datetime,
    *,
    timezone: str = "Asia/Shanghai",
    method: Method | None = None,
    carried: Mapping[PayoutClass, Mapping[str, int]] | None = None,
    whole: bool = True,
    almanac: Almanac = PUBLISHED,
) -> Plan:
    """The plan for the rest of the local month of `now`.

    The channels must be of one currency. Without `whole`, the comparison with having no plan is
    left out (`unplanned_micro` is 0). Raises ValueError for channels of several currencies or
    none, RuntimeError when no division exists.
    """
    currencies = {channel.currency for channel in channels}
    if len(currencies) != 1:
        raise ValueError("a plan needs channels of exactly one currency")
    layout = lay_out(forecast, channels, parameters, now, timezone, almanac)
    split = solver(method)(layout)
    marginals = _marginals(layout, split)
    made = Plan(
        id="",
        month=now.astimezone(ZoneInfo(timezone)).date().replace(day=1),
        currency=currencies.pop(),
        made_at=now,
        method=split.method,
        forecast=forecast,
        groups=layout.groups,
        shares=_shares(layout, split, marginals),
        channels=_channels(layout, split),
        bonuses=tuple(
            Bonus(group, layout.channels[at].name, marginal)
            for (group, at), marginal in sorted(marginals.items())
        ),
        scarce=_scarce(layout, split),
        cost_micro=round(greedy.cost_micro(layout, split)),
        unplanned_micro=unplanned_micro(layout) if whole else 0,
        carried={kind: dict(lacks) for kind, lacks in (carried or {}).items()},
    )
    return replace(made, id=hashlib.sha256(to_json(made)).hexdigest()[:16])


def _marginals(layout: Layout, split: Split) -> dict[tuple[int, int], Marginal]:
    """The split's, and the terms of the incremental tier that the month will end in."""
    found = dict(split.marginals)
    for at, channel in enumerate(layout.channels):
        fee = fee_of(channel)
        if not fee.tiers or fee.scheme != "incremental":
            continue
        here, end = fee.tiers[tier_reached(fee, channel.month)], fee.tiers[split.tiers[at]]
        more = Marginal((end.flat_minor - here.flat_minor) * PPM, end.rate_ppm - here.rate_ppm)
        for group in range(len(layout.groups)):
            had = found.get((group, at), NO_MARGINAL)
            found[group, at] = Marginal(
                had.payout_micro + more.payout_micro, had.amount_ppm + more.amount_ppm
            )
    return {key: marginal for key, marginal in found.items() if marginal != NO_MARGINAL}


def _shares(
    layout: Layout, split: Split, marginals: Mapping[tuple[int, int], Marginal]
) -> tuple[Share, ...]:
    by_lot: dict[int, list[int]] = {}
    for index, offer in enumerate(layout.offers):
        by_lot.setdefault(offer.lot, []).append(index)
    shares = []
    for lot, offers in sorted(by_lot.items()):
        weights = [round(split.given[at] * 1_000) for at in offers]
        total = sum(weights)
        weights = [weight if weight * PPM >= total * _LEAST_SHARE_PPM else 0 for weight in weights]
        if not sum(weights):
            # Nothing is expected here: whatever comes goes where it is cheapest.
            best = min(offers, key=lambda at: _price(layout, at, split, marginals))
            weights = [int(at == best) for at in offers]
        group, kind = layout.lots[lot].group, layout.lots[lot].kind
        parts = sorted(
            (layout.channels[layout.offers[at].channel].name, share)
            for at, share in zip(offers, shares_of(weights), strict=True)
            if share
        )
        shares.append(Share(group, kind, tuple(parts)))
    return tuple(shares)


def _price(
    layout: Layout, at: int, split: Split, marginals: Mapping[tuple[int, int], Marginal]
) -> tuple[int, int]:
    offer = layout.offers[at]
    lot, channel = layout.lots[offer.lot], layout.channels[offer.channel]
    fee, listed = fee_of(channel), 0
    if fee.tiers:
        tier = split.tiers[offer.channel]
        listed = fee_minor(fee, lot.amount_minor, channel.month, tier) * PPM
    bonus = marginals.get((lot.group, offer.channel), NO_MARGINAL)
    return offer.cost_micro + listed + bonus.micro(lot.amount_minor), offer.channel


def _channels(layout: Layout, split: Split) -> tuple[ChannelPlan, ...]:
    found = []
    for at, channel in enumerate(layout.channels):
        fee, used = fee_of(channel), used_units(channel)
        payouts = minor = units = 0.0
        for offer, given in zip(layout.offers, split.given, strict=True):
            if offer.channel == at:
                amount = layout.lots[offer.lot].amount_minor
                payouts += given
                minor += given * amount
                units += given * unit(fee, amount)
        planned = used + round(units)
        # A tier that is aimed at although the expected volume falls short of it has no margin.
        tier = max(split.tiers[at], tier_of(channel, planned)) if fee.tiers else None
        floor = fee.tiers[tier].floor if tier is not None else 0
        above = tier is not None and tier + 1 < len(fee.tiers)
        promised = fee.commitment
        short = max(0, promised.least - planned) if promised is not None else 0
        each = promised.shortfall if promised is not None else 0
        found.append(
            ChannelPlan(
                channel.name,
                fee.basis,
                used,
                planned,
                round(payouts),
                round(minor),
                tier,
                floor,
                fee.tiers[tier + 1].floor if above and tier is not None else None,
                planned - floor if floor and fee.scheme == "all_units" else None,
                promised.least if promised is not None else None,
                short,
                short * each if fee.basis == "payouts" else short * each // PPM,
            )
        )
    return tuple(found)


def _scarce(layout: Layout, split: Split) -> tuple[Scarce, ...]:
    found: dict[PayoutClass, tuple[float, set[str]]] = {}
    for lot, missing in sorted(split.unserved.items()):
        kind, group = layout.lots[lot].kind, layout.lots[lot].group
        names = {
            layout.channels[offer.channel].name
            for offer in layout.offers
            if offer.lot == lot and (group, offer.channel) in layout.caps_minor
        }
        had = found.get(kind, (0.0, set()))
        found[kind] = (had[0] + missing, had[1] | names)
    return tuple(
        Scarce(kind, max(1, round(missing)), tuple(sorted(names)))
        for kind, (missing, names) in sorted(found.items())
    )


def unplanned_micro(layout: Layout) -> int:
    """The cost of taking the cheapest at the tier reached, day group by day group."""
    channels = list(layout.channels)
    given = [0.0] * len(layout.offers)
    room = {key: float(cap) for key, cap in layout.caps_minor.items()}
    unserved: dict[int, float] = {}
    by_lot: dict[int, list[int]] = {}
    for index, offer in enumerate(layout.offers):
        by_lot.setdefault(offer.lot, []).append(index)
    for group in range(len(layout.groups)):
        for at, lot in enumerate(layout.lots):
            if lot.group != group:
                continue
            left = float(lot.payouts)
            prices = sorted(
                (layout.offers[one].cost_micro + _now(channels, layout, one), one)
                for one in by_lot.get(at, ())
            )
            for _, one in prices:
                k = layout.offers[one].channel
                part = min(left, room.get((group, k), left * lot.amount_minor) / lot.amount_minor)
                if (group, k) in room:
                    room[group, k] -= part * lot.amount_minor
                given[one] += part
                left -= part
                used = channels[k].month
                more = MonthUse(
                    used.payouts + round(part), used.minor + round(part * lot.amount_minor)
                )
                channels[k] = replace(channels[k], month=more)
                if left <= 0:
                    break
            if left > 0:
                unserved[at] = left
    return round(greedy.cost_micro(layout, Split("greedy", tuple(given), {}, {}, unserved)))


def _now(channels: Sequence[ChannelFacts], layout: Layout, at: int) -> int:
    offer = layout.offers[at]
    channel = channels[offer.channel]
    if not fee_of(channel).tiers:
        return 0
    return fee_minor(fee_of(channel), layout.lots[offer.lot].amount_minor, channel.month) * PPM
