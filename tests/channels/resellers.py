"""What tests of the Jeepay and XxPay adapters share: one payout, one moment, one rule of signing.

The rule is written down once more here, with no word of the adapters' own.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from channels.contract import (
    Absent,
    BankCard,
    Channel,
    Inquiry,
    Instruction,
    Instrument,
    Outcome,
    Terms,
)
from channels.money import Currency, Money
from channels.transport import Reply
from simulators.faults import FaultRule
from simulators.world import World

_Channel = TypeVar("_Channel", bound=Channel)

NOW = datetime(2026, 11, 2, 1, 30, tzinfo=UTC)
"""09:30 in Beijing."""
REFERENCE = "P7K2M9X4Q1A1"
AMOUNT = Money(12_345, Currency.CNY)
TERMS = Terms(Currency.CNY, amount_min=1, amount_max=500_000_000)
CARD = BankCard("6222020200112233445", "张三丰", "ICBC", "中国工商银行")


def instruction(instrument: Instrument, **changes: object) -> Instruction:
    """One try to pay 123.45 yuan."""
    given: dict[str, object] = {
        "attempt_id": "a1",
        "reference": REFERENCE,
        "amount": AMOUNT,
        "instrument": instrument,
        "purpose": "十月佣金",
    }
    return Instruction(**(given | changes))  # type: ignore[arg-type] # names are checked at run time


def inquiry(instrument: Instrument, channel_ref: str | None = None) -> Inquiry:
    """The question about that try."""
    return Inquiry(REFERENCE, AMOUNT, instrument, NOW, channel_ref)


def signature(fields: Mapping[str, object], secret: str) -> str:
    """The rule, once more: these fields have names that sort alike in any case."""
    text = "".join(f"{n}={v}&" for n, v in sorted(fields.items()) if v not in (None, ""))
    return hashlib.md5(f"{text}key={secret}".encode(), usedforsecurity=False).hexdigest().upper()


def compact(fields: Mapping[str, object]) -> bytes:
    """JSON as the servers write it."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def reply(body: bytes, status: int = 200) -> Reply:
    """What arrives."""
    return Reply(status, {"content-type": "application/json;charset=UTF-8"}, body)


@dataclass
class Scene(Generic[_Channel]):
    """A simulator of one kind and a channel that pays there."""

    kind: str
    world: World
    channel: _Channel

    async def pay(self, order: Instruction) -> Outcome:
        """Prepare and send once."""
        return await self.channel.send(self.channel.prepare(order, self.world.clock.now()))

    async def ask(self, order: Instruction) -> Outcome | Absent:
        """Inquire by our number."""
        return await self.channel.inquire(inquiry(order.instrument))

    def fault(self, action: str, **params: object) -> None:
        """Let something go wrong from now on."""
        self.world.add_rule(FaultRule.model_validate({"action": action, "params": params}))

    def moved(self) -> list[tuple[str, int]]:
        """What money really moved."""
        truth = self.world.shells[self.kind].simulator.truth()
        return [(one.kind, one.amount_minor) for one in truth]
