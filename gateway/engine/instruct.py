"""What a channel is told for an attempt: the same words for the same attempt, for ever."""

from typing import Protocol

from channels.contract import Instruction, Instrument
from channels.money import Money
from gateway.domain.payout import PayoutId, channel_reference
from gateway.engine.gateway import Gateway


class Asked(Protocol):
    """What of a request or a payout the channel has to know."""

    @property
    def amount(self) -> Money:
        """What the beneficiary gets."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The ways to the beneficiary, first preferred."""

    @property
    def purpose(self) -> str:
        """What the beneficiary sees."""


def instruction_of(
    gateway: Gateway,
    payout_id: PayoutId,
    asked: Asked,
    *,
    channel: str,
    instrument: int,
    number: int = 1,
) -> Instruction:
    """The instruction of attempt `number`: a function of its arguments alone, for ever."""
    rule = gateway.channels[channel].traits.reference
    base = gateway.notify_base
    return Instruction(
        attempt_id=f"{payout_id}/{number}",
        reference=channel_reference(payout_id, number, rule),
        amount=asked.amount,
        instrument=asked.instruments[instrument],
        purpose=asked.purpose,
        notify_url=f"{base}/notices/{channel}" if base else None,
    )
