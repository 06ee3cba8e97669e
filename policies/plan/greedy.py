"""A plan without the solver: try every planned tier, assign by price, then fill the floors.

For each combination of all-units tiers (and of commitments kept or paid for), every lot goes to
the channel that is cheapest at the planned tier while caps allow, those first that would lose most
elsewhere; then the payouts that cost least extra are moved until each floor is reached. Not the
optimum, but it hits the cliffs that pricing at the current tier misses.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from msgspec import Struct

from policies.facts import ChannelFacts
from policies.fees import PPM, tier_reached
from policies.plan.layout import (
    UNSERVED_MICRO,
    UNSERVED_PPM,
    Layout,
    Offer,
    billed_micro,
    cliff_micro,
    fee_of,
    tier_fee_micro,
    tier_of,
    unit,
    used_units,
)
from policies.plan.split import Split

COMBINATIONS_MAX = 256
_EPSILON = 1e-6


class _Aim(Struct, frozen=True):
    """One combination: each tiered channel's planned tier, the units that channels must reach.

    `risk_micro` is what floors that may well be missed are expected to cost.
    """

    tiers: Mapping[int, int]
    floors: Mapping[int, int]
    risk_micro: int


def solve(layout: Layout) -> Split:
    """The cheapest of the combinations, at its true cost."""
    best: Split | None = None
    best_cost = 0.0
    for aim in islice(_aims(layout), COMBINATIONS_MAX):
        split = _divide(layout, aim)
        if split is None:
            continue
        cost = cost_micro(layout, split) + aim.risk_micro
        if best is None or cost < best_cost:
            best, best_cost = split, cost
    if best is None:
        raise RuntimeError("no combination of tiers can be reached")
    return best


def cost_micro(layout: Layout, split: Split) -> float:
    """What a split costs: the rest of the month, and the month so far where tiers reach back."""
    total = 0.0
    units: dict[int, float] = {}
    for offer, given in zip(layout.offers, split.given, strict=True):
        lot = layout.lots[offer.lot]
        total += offer.cost_micro * given
        fee = fee_of(layout.channels[offer.channel])
        units[offer.channel] = units.get(offer.channel, 0.0) + given * unit(fee, lot.amount_minor)
    for at, channel in enumerate(layout.channels):
        more = units.get(at, 0.0)
        if fee_of(channel).tiers:
            for j, part in _parts(channel, more):
                total += part * sum(
                    given * tier_fee_micro(fee_of(channel), j, layout.lots[offer.lot].amount_minor)
                    for offer, given in zip(layout.offers, split.given, strict=True)
                    if offer.channel == at
                )
            if fee_of(channel).scheme == "all_units":
                end = tier_of(channel, int(used_units(channel) + more + 0.5))
                month = channel.month
                total += billed_micro(fee_of(channel), end, month.payouts, month.minor)
        promised = fee_of(channel).commitment
        if promised is not None:
            missing = max(0.0, promised.least - used_units(channel) - more)
            each = PPM if fee_of(channel).basis == "payouts" else 1
            total += missing * promised.shortfall * each
    return total + sum(
        missing * (UNSERVED_MICRO + layout.lots[lot].amount_minor * UNSERVED_PPM)
        for lot, missing in split.unserved.items()
    )


def _parts(channel: ChannelFacts, more: float) -> Iterator[tuple[int, float]]:
    """Which share of `more` units is priced at which tier."""
    fee, used = fee_of(channel), used_units(channel)
    if fee.scheme == "all_units":
        yield tier_of(channel, int(used + more + 0.5)), 1.0
        return
    at, left = float(used), more
    for j in range(tier_reached(fee, channel.month), len(fee.tiers)):
        last = j + 1 == len(fee.tiers)
        part = left if last else min(left, max(0.0, fee.tiers[j + 1].floor - at))
        if part > 0:
            yield j, part / more
        at, left = at + part, left - part


def _aims(layout: Layout) -> Iterator[_Aim]:
    """Every combination; the most ambitious tiers come first."""
    choices: list[list[tuple[int, int, int, int]]] = []
    for at, channel in enumerate(layout.channels):
        fee, used = fee_of(channel), used_units(channel)
        options: list[tuple[int, int, int, int]] = []
        reached = tier_reached(fee, channel.month)
        for j in reversed(range(reached, max(1, len(fee.tiers)))):
            floor = fee.tiers[j].floor if fee.tiers else 0
            if fee.tiers and fee.scheme == "all_units" and floor > used:
                # Surely, else just: what cannot be made sure is still worth trying.
                sure = used + -(-(floor - used) * PPM // layout.low_ppm)
                risk = cliff_micro(channel, j, layout.mean_minor) // 2
                options += [(at, j, sure, 0), (at, j, floor, risk if sure > floor else 0)]
            else:
                options.append((at, j, 0, 0))
            promised = fee.commitment
            if promised is not None and promised.least > max(used, floor):
                options.append((at, j, promised.least, 0))
        if fee.tiers or fee.commitment is not None:
            choices.append(options)
    for combination in product(*choices):
        yield _Aim(
            {at: j for at, j, _, _ in combination if fee_of(layout.channels[at]).tiers},
            {at: floor for at, _, floor, _ in combination if floor},
            sum(risk for _, _, _, risk in combination),
        )


def _divide(layout: Layout, aim: _Aim) -> Split | None:
    """Assign by price under caps, then move what costs least until the floors are reached."""
    given = [0.0] * len(layout.offers)
    costs = [_cost(layout, offer, aim.tiers) for offer in layout.offers]
    by_lot: dict[int, list[int]] = {}
    for index, offer in enumerate(layout.offers):
        by_lot.setdefault(offer.lot, []).append(index)
    for found in by_lot.values():
        found.sort(key=lambda at: (costs[at], layout.offers[at].channel))
    room = {key: float(cap) for key, cap in layout.caps_minor.items()}
    order = sorted(by_lot, key=lambda lot: (-_regret(layout, lot, by_lot[lot], costs), lot))
    unserved: dict[int, float] = {}
    for lot in range(len(layout.lots)):
        if lot not in by_lot and layout.lots[lot].payouts:
            unserved[lot] = float(layout.lots[lot].payouts)
    for lot in order:
        left = float(layout.lots[lot].payouts)
        for at in by_lot[lot]:
            part = _take(layout, layout.offers[at], left, room)
            given[at] += part
            left -= part
            if left <= _EPSILON:
                break
        if left > _EPSILON:
            unserved[lot] = left
    for channel, floor in aim.floors.items():
        if not _fill(layout, channel, floor, given, costs, room, by_lot, aim.floors):
            return None
    return Split("greedy", tuple(given), aim.tiers, {}, unserved)


def _cost(layout: Layout, offer: Offer, tiers: Mapping[int, int]) -> int:
    fee = fee_of(layout.channels[offer.channel])
    if not fee.tiers:
        return offer.cost_micro
    amount = layout.lots[offer.lot].amount_minor
    return offer.cost_micro + tier_fee_micro(fee, tiers[offer.channel], amount)


def _regret(layout: Layout, lot: int, offers: Sequence[int], costs: Sequence[int]) -> float:
    """What a unit of money loses at the second best."""
    if len(offers) < 2:
        return float("inf")
    return (costs[offers[1]] - costs[offers[0]]) / layout.lots[lot].amount_minor


def _take(layout: Layout, offer: Offer, wanted: float, room: dict[tuple[int, int], float]) -> float:
    """How many of the wanted payouts the day caps let the offer have; they are taken off."""
    lot = layout.lots[offer.lot]
    key = (lot.group, offer.channel)
    if key not in room:
        return wanted
    part = min(wanted, room[key] / lot.amount_minor)
    room[key] -= part * lot.amount_minor
    return part


def _fill(
    layout: Layout,
    channel: int,
    floor: int,
    given: list[float],
    costs: Sequence[int],
    room: dict[tuple[int, int], float],
    by_lot: Mapping[int, Sequence[int]],
    floors: Mapping[int, int],
) -> bool:
    """Move payouts to the channel until it reaches its floor; False when it cannot."""
    facts = layout.channels[channel]
    missing = (
        floor
        - used_units(facts)
        - sum(
            given[at] * unit(fee_of(facts), layout.lots[offer.lot].amount_minor)
            for at, offer in enumerate(layout.offers)
            if offer.channel == channel
        )
    )
    if missing <= 0:
        return True
    moves: list[tuple[float, int, int]] = []
    for lot, offers in by_lot.items():
        to = next((at for at in offers if layout.offers[at].channel == channel), None)
        if to is None:
            continue
        each = unit(fee_of(facts), layout.lots[lot].amount_minor)
        moves.extend(
            ((costs[to] - costs[at]) / each, at, to)
            for at in offers
            # What another floor has been filled with stays.
            if at != to and given[at] > 0 and layout.offers[at].channel not in floors
        )
    for _, source, to in sorted(moves):
        moved = layout.lots[layout.offers[to].lot]
        each = unit(fee_of(facts), moved.amount_minor)
        part = _take(layout, layout.offers[to], min(given[source], missing / each), room)
        given[source] -= part
        given[to] += part
        key = (moved.group, layout.offers[source].channel)
        if key in room:
            room[key] += part * moved.amount_minor
        missing -= part * each
        if missing <= _EPSILON:
            return True
    return False
