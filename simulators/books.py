"""A simulated institution's own books: balances, and the movements that changed them.

`Books.truth` is the independent witness of every test and of the demonstration: it says what money
really moved, whatever replies, notices and statements claimed. It is append-only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

MovementKind = Literal["payout", "return", "fee", "topup"]

_OUTGOING: frozenset[MovementKind] = frozenset({"payout", "fee"})


class ShortBalanceError(Exception):
    """The account does not hold enough free money; nothing was moved."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One real movement of money. `amount_minor` is positive; the kind gives the direction."""

    at: datetime
    account: str
    reference: str
    """The customer's own number (out_biz_no, out_bill_no); empty for a top-up."""
    payee: str
    amount_minor: int
    currency: str
    kind: MovementKind
    channel_ref: str
    """The institution's number of the order."""
    number: int
    """Position in these books, from 1."""
    balance_minor: int
    """The account's balance right after."""

    @property
    def is_outgoing(self) -> bool:
        """Whether the account paid."""
        return self.kind in _OUTGOING


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """What an institution takes per order, on top of the amount.

    Rate in parts per million of the amount, rounded half up to a minor unit, plus the flat part,
    then held between `min_fen` and `max_fen`. Worked example: 0.1 % (1000 ppm) of 1234.50 yuan =
    123450 fen is 123.45, so 123 fen; with `min_fen` 200 it is 200.
    """

    flat_fen: int = 0
    rate_ppm: int = 0
    min_fen: int = 0
    max_fen: int | None = None

    def of(self, amount_minor: int) -> int:
        """The fee in minor units for one order."""
        fee = self.flat_fen + (amount_minor * self.rate_ppm + 500_000) // 1_000_000
        fee = max(fee, self.min_fen)
        return fee if self.max_fen is None else min(fee, self.max_fen)


@dataclass(slots=True)
class _Account:
    currency: str
    balance_minor: int
    frozen_minor: int = 0


@dataclass(slots=True)
class Books:
    """Accounts of one institution. Every change is a Movement; freezing moves nothing."""

    truth: list[Movement] = field(default_factory=list)
    _accounts: dict[str, _Account] = field(default_factory=dict)

    def open(self, account: str, balance_minor: int, currency: str = "CNY") -> None:
        """Start an account with an opening balance, which is not a movement."""
        if account in self._accounts:
            raise ValueError(f"account {account!r} is already open")
        self._accounts[account] = _Account(currency, balance_minor)

    def balance_minor(self, account: str) -> int:
        """Everything on the account, frozen money included."""
        return self._accounts[account].balance_minor

    def frozen_minor(self, account: str) -> int:
        """What is set aside for orders under way."""
        return self._accounts[account].frozen_minor

    def available_minor(self, account: str) -> int:
        """What a new order may use."""
        held = self._accounts[account]
        return held.balance_minor - held.frozen_minor

    def currency(self, account: str) -> str:
        """The account's currency."""
        return self._accounts[account].currency

    def freeze(self, account: str, amount_minor: int) -> None:
        """Set money aside. Raises ShortBalanceError."""
        if amount_minor > self.available_minor(account):
            raise ShortBalanceError(account)
        self._accounts[account].frozen_minor += amount_minor

    def unfreeze(self, account: str, amount_minor: int) -> None:
        """Give money set aside back to the free balance."""
        held = self._accounts[account]
        if amount_minor > held.frozen_minor:
            raise ValueError(f"{account}: unfreezing more than is frozen")
        held.frozen_minor -= amount_minor

    def shown(self, account: str) -> dict[str, object]:
        """What anybody may see of an account: its currency, and minor units in it."""
        return {
            "currency": self.currency(account),
            "balance_fen": self.balance_minor(account),
            "frozen_fen": self.frozen_minor(account),
            "available_fen": self.available_minor(account),
        }

    def topup(self, account: str, amount_minor: int, now: datetime) -> None:
        """Put money on an account. Raises LookupError."""
        if account not in self._accounts:
            raise LookupError(account)
        self.move("topup", at=now, account=account, amount_minor=amount_minor)

    def move(
        self,
        kind: MovementKind,
        *,
        at: datetime,
        account: str,
        amount_minor: int,
        reference: str = "",
        payee: str = "",
        channel_ref: str = "",
    ) -> Movement:
        """Move money now. Raises ShortBalanceError for outgoing money beyond the free balance."""
        if amount_minor <= 0:
            raise ValueError("a movement has a positive amount")
        held = self._accounts[account]
        if kind in _OUTGOING:
            if amount_minor > self.available_minor(account):
                raise ShortBalanceError(account)
            held.balance_minor -= amount_minor
        else:
            held.balance_minor += amount_minor
        movement = Movement(
            at=at,
            account=account,
            reference=reference,
            payee=payee,
            amount_minor=amount_minor,
            currency=held.currency,
            kind=kind,
            channel_ref=channel_ref,
            number=len(self.truth) + 1,
            balance_minor=held.balance_minor,
        )
        self.truth.append(movement)
        return movement
