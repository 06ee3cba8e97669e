"""What is asked for: a payout, as an immutable value that can be asked for again unchanged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import Enum
from typing import Literal, get_args

from channels.contract import Instrument
from channels.money import Currency, Money

Speed = Literal["standard", "fast", "instant"]


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """Limits to the choice of channel, for one payout; the operator's prohibitions stay."""

    only: Sequence[str] = ()
    """No other channel; empty: any."""
    deny: Sequence[str] = ()
    prefer: Sequence[str] = ()
    """Best first."""
    max_attempts: int | None = None

    def __post_init__(self) -> None:
        """Refuse a name where a list of names belongs: it would be taken letter by letter."""
        for name in ("only", "deny", "prefer"):
            names = getattr(self, name)
            if isinstance(names, str):
                raise TypeError(f"{name}: a list of channel names, such as [{names!r}]")
            object.__setattr__(self, name, tuple(names))

    def as_json(self) -> dict[str, object]:
        """As the API has it; absent what was not given."""
        names = {name: list(getattr(self, name)) for name in ("only", "deny", "prefer")}
        most = {} if self.max_attempts is None else {"max_attempts": self.max_attempts}
        return {**{name: some for name, some in names.items() if some}, **most}


@dataclass(frozen=True, slots=True)
class PayoutRequest:
    """A payout to ask for. The same request under the same key is the same payout, for ever."""

    amount: Money | str | int
    """`Money`, major units as text ("12.30"), or minor units as an integer (1230); no float."""
    beneficiary: Instrument | Sequence[Instrument]
    """One way to reach the beneficiary, or several to the same one, first preferred."""
    purpose: str
    """What the beneficiary sees."""
    currency: Currency | str | None = None
    """Mandatory unless `amount` is `Money`."""
    merchant_ref: str | None = None
    """Your own number: unique for ever, found again in every answer."""
    speed: Speed = "standard"
    deadline: datetime | None = None
    release_after: datetime | None = None
    """Not before; the payout can be cancelled until then."""
    max_fee_minor: int | None = None
    channels: ChannelLimits = field(default_factory=ChannelLimits)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Read everything now: a wrong value fails here, a list changed later changes nothing."""
        object.__setattr__(self, "beneficiary", self.instruments)
        object.__setattr__(self, "metadata", dict(self.metadata))
        self.as_json()

    @property
    def money(self) -> Money:
        """The amount. Raises `TypeError` for a float, `ValueError` for what is no amount."""
        return money_of(self.amount, self.currency)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The ways to the beneficiary."""
        one = self.beneficiary
        return (one,) if isinstance(one, get_args(Instrument)) else tuple(one)  # type: ignore[arg-type]  # the union's members are what isinstance looked for

    def as_json(self) -> dict[str, object]:
        """As the API has it.

        Whatever was not given is absent: the gateway compares a repeated request with the first,
        and a later version of this client must not say more than an earlier one did.
        """
        money = self.money
        if money.minor <= 0:
            raise ValueError("amount: must be more than zero")
        if self.max_fee_minor is not None:
            whole("max_fee_minor", self.max_fee_minor)
        optional = {
            "merchant_ref": self.merchant_ref,
            "deadline": optional_stamp("deadline", self.deadline),
            "release_after": optional_stamp("release_after", self.release_after),
            "max_fee_minor": self.max_fee_minor,
            "speed": None if self.speed == "standard" else self.speed,
            "channels": self.channels.as_json() or None,
            "metadata": dict(self.metadata) or None,
        }
        return {
            "amount_minor": money.minor,
            "currency": money.currency.value,
            "beneficiary": beneficiary_json(self.instruments),
            "purpose": self.purpose,
            **{name: value for name, value in optional.items() if value is not None},
        }


def money_of(amount: object, currency: Currency | str | None) -> Money:
    """An amount as it was given. Raises `TypeError` for a float, `ValueError` for nonsense."""
    if isinstance(amount, Money):
        if currency is not None and Currency(currency) is not amount.currency:
            raise ValueError(f"currency: {currency} is not the amount's, {amount.currency}")
        return amount
    if isinstance(amount, float):
        raise TypeError(
            'amount: a float cannot hold money exactly; give "12.30", 1230 (minor units) or Money'
        )
    if currency is None:
        raise ValueError("currency: give it, or give the amount as Money")
    if isinstance(amount, str):
        return Money.parse(amount, Currency(currency))
    return Money(whole("amount", amount), Currency(currency))


def whole(name: str, value: object) -> int:
    """An integer, and no boolean. Raises `TypeError`."""
    if type(value) is not int:
        raise TypeError(f"{name}: must be an integer of minor units, not {type(value).__name__}")
    return value


def beneficiary_json(instruments: Sequence[Instrument]) -> dict[str, object]:
    """The ways to a beneficiary as the API has them."""
    return {"instruments": [_instrument(one) for one in instruments]}


def _instrument(one: Instrument) -> dict[str, object]:
    if not isinstance(one, get_args(Instrument)):
        raise TypeError(f"beneficiary: {type(one).__name__} is no way to reach anybody")
    given = ((part.name, getattr(one, part.name)) for part in fields(one))
    return {
        name: value.value if isinstance(value, Enum) else value
        for name, value in given
        if value is not None
    }


def optional_stamp(name: str, moment: datetime | None) -> str | None:
    """RFC 3339 text of a time that may be left out."""
    return None if moment is None else stamped(name, moment)


def stamped(name: str, moment: datetime) -> str:
    """RFC 3339 text. Raises `ValueError` for a time without a zone."""
    if moment.utcoffset() is None:
        raise ValueError(f"{name}: a time needs a zone, e.g. datetime.now(UTC)")
    return moment.astimezone(UTC).isoformat()
