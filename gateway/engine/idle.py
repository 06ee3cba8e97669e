"""Channels as they stand when nothing goes on: what a policy's examples are held against."""

from collections.abc import Mapping
from datetime import datetime

from channels.contract import Channel
from gateway.domain.pricing import priced
from policies.facts import ChannelFacts


def idle_facts(channels: Mapping[str, Channel], now: datetime) -> list[ChannelFacts]:
    """Open, healthy, with money and with all their contracts say; fees as they are in force."""
    facts = []
    for name, channel in channels.items():
        terms = channel.traits.terms
        price = priced(terms)
        facts.append(
            ChannelFacts(
                name=name,
                rails=channel.traits.rails,
                currency=terms.currency,
                fee=price.fee_at(now),
                cycle=price.cycle,
                min_minor=terms.amount_min,
                max_minor=terms.amount_max,
                day_cap_minor=terms.day_cap_minor,
                inflight_max=terms.inflight_max,
                in_doubt_max=terms.in_doubt_max,
                hours=price.hours,
            )
        )
    return facts
