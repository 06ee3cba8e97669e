"""An order as a caller asks for it, and as it is told of it. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict

import orjson
from msgspec import Struct, field

from channels.contract import Instrument
from channels.money import Money
from channels.unprinted import Unprinted
from gateway.domain.payout import Payout


class NotifyUrl(Struct, frozen=True):
    """Where a caller wants to hear how its order ends."""

    url: str
    problem: str | None
    """Why nothing can be sent there as things are; no reason to refuse the order."""


class Order(Unprinted, frozen=True):
    """What a caller asks for, read into types."""

    hidden = frozenset({"instrument"})

    number: str
    """Theirs."""
    amount: Money
    instrument: Instrument
    purpose: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    notify: NotifyUrl | None = None
    """No part of what makes it the same order: the first one's stays."""

    @property
    def fingerprint(self) -> bytes:
        """The same for the same order, however it was written and whenever it was signed."""
        said = {
            "number": self.number,
            "amount": [self.amount.minor, self.amount.currency],
            "instrument": asdict(self.instrument),
            "purpose": self.purpose,
            "metadata": dict(self.metadata),
        }
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()


class Shown(Struct, frozen=True):
    """An order as its caller is told of it."""

    number: str
    own_number: str
    payout: Payout | None
    """What tells how it stands. None: nobody can say now whether it is stored, so it is processing.
    Where a person found the order to be a retry, this is the payout that it repeats."""
    stored: Payout | None = None
    """What is stored under this very number: what was asked for, whatever became of it."""
