"""What channels and stored statements know of attempts that a restored record may have forgotten.

References are a function of payout and attempt number: every one that a payout can ever have had is
known, and can be asked about or looked for.
"""

import asyncio
from time import perf_counter

from channels.contract import (
    Absent,
    Channel,
    Inquiry,
    NotSent,
    Outcome,
    Unknown,
    UnknownCause,
)
from gateway.domain.payout import Payout, PayoutId, channel_reference
from gateway.domain.rebuild import Trace, paid_trace, settled_trace
from gateway.engine.gateway import Gateway
from gateway.engine.hearing import heard

TOGETHER = 8
"""Inquiries under way at once for one payout."""


def reference_of(gateway: Gateway, channel: str, payout_id: PayoutId, number: int) -> str:
    """What an attempt of the payout is, or would be, called at the channel."""
    return channel_reference(payout_id, number, gateway.channels[channel].traits.reference)


def numbers_of(gateway: Gateway, payout: Payout) -> range:
    """Every attempt the payout can have had beyond those on record."""
    return range(len(payout.attempts) + 1, max(gateway.limits.attempts_max, 1) + 1)


def takers(gateway: Gateway, payout: Payout) -> list[tuple[Channel, int]]:
    """Every channel that could have had the payout, with each instrument it reaches."""
    return [
        (channel, index)
        for channel in gateway.channels.values()
        if channel.traits.terms.currency is payout.amount.currency
        for index, instrument in enumerate(payout.instruments)
        if instrument.rail in channel.traits.rails
    ]


async def asked_channels(
    gateway: Gateway, payout: Payout, waived: frozenset[str], ahead: int | None
) -> list[Trace] | None:
    """What the channels know of attempts that may be forgotten; None while one cannot tell."""
    turn = asyncio.Semaphore(TOGETHER)
    numbers = numbers_of(gateway, payout)[:ahead]

    async def one(number: int, channel: Channel, instrument: int) -> Trace | Absent | Unknown:
        async with turn:
            outcome = await inquire_reference(gateway, payout, number, channel, instrument)
        if isinstance(outcome, Absent | Unknown):
            return outcome
        return Trace(number, channel.name, instrument, outcome)

    asked = [
        (number, channel, instrument)
        for number in numbers
        for channel, instrument in takers(gateway, payout)
    ]
    answers = await asyncio.gather(*(one(*question) for question in asked))
    found: dict[tuple[int, str], Trace] = {}
    unknown: set[tuple[int, str]] = set()
    for (number, channel, _), answer in zip(asked, answers, strict=True):
        if isinstance(answer, Trace):
            found.setdefault((number, channel.name), answer)
        elif isinstance(answer, Unknown) and channel.name not in waived:
            unknown.add((number, channel.name))
    # One channel asked with two instruments: the right one finds it, the wrong one cannot tell.
    return None if unknown - found.keys() else list(found.values())


async def inquire_reference(
    gateway: Gateway, payout: Payout, number: int, channel: Channel, instrument: int
) -> Outcome | Absent:
    """Ask about an attempt that is on no record; a defect of the adapter is no answer.

    When it was signed is on no record either: a channel that needs to know cannot say "not found".
    """
    question = Inquiry(
        reference_of(gateway, channel.name, payout.id, number),
        payout.amount,
        payout.instruments[instrument],
        payout.accepted_at,
    )
    started = perf_counter()
    try:
        outcome = heard(gateway, channel.name, await channel.inquire(question))
    except Exception as error:  # noqa: BLE001 - an adapter's defect is no answer
        gateway.observer.defect("channel.defect", error, channel=channel.name)
        outcome = Unknown(UnknownCause.CRASHED)
    name = type(outcome).__name__.lower()
    gateway.observer.called(channel.name, "inquire", name, perf_counter() - started)
    if isinstance(outcome, Absent) and channel.traits.inquires_by_time:
        return Unknown(UnknownCause.CHANNEL_UNSURE)
    return Unknown(UnknownCause.CRASHED) if isinstance(outcome, NotSent) else outcome


async def on_statements(gateway: Gateway, payout: Payout) -> list[Trace]:
    """Forgotten attempts among the lines of statements that are stored already."""
    traces = []
    for name in {channel.name for channel, _ in takers(gateway, payout)}:
        numbers = {
            reference_of(gateway, name, payout.id, number): number
            for number in numbers_of(gateway, payout)
        }
        days = await gateway.store.days_of_references(name, list(numbers))
        for reference, day in days.items():
            lines = await gateway.store.lines(name, day)
            ours = [line for line in lines if line.reference == reference]
            rails = gateway.channels[name].traits.rails
            paid = paid_trace(payout, numbers[reference], name, rails, ours)
            if paid is not None:
                traces.append(settled_trace(paid, ours, day))
    return traces
