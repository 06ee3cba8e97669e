"""What is asked for in bulk: a split of one sum, and a file of payouts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from channels.contract import Instrument
from channels.money import Currency, Money
from gateway.client.requests import (
    ChannelLimits,
    PayoutRequest,
    Speed,
    beneficiary_json,
    money_of,
    optional_stamp,
    whole,
)

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Leg:
    """One beneficiary of a split: give exactly one of `amount` and `share_ppm`."""

    beneficiary: Instrument | Sequence[Instrument]
    purpose: str
    amount: Money | str | int | None = None
    share_ppm: int | None = None
    """Parts per million of the split's amount; all legs' together are 1,000,000."""
    merchant_ref: str | None = None
    """Else the split's own with `.1`, `.2` …"""

    def __post_init__(self) -> None:
        """Read the beneficiary now: a list changed later changes nothing."""
        one = self.beneficiary
        many = (one,) if isinstance(one, get_args(Instrument)) else tuple(one)  # type: ignore[arg-type]  # the union's members are what isinstance looked for
        object.__setattr__(self, "beneficiary", many)
        if (self.amount is None) == (self.share_ppm is None):
            raise ValueError("legs: give exactly one of amount and share_ppm in each leg")

    def as_json(self, currency: Currency) -> dict[str, object]:
        """As the API has it."""
        made: dict[str, object] = {
            "beneficiary": beneficiary_json(tuple(self.beneficiary)),  # type: ignore[arg-type]  # a tuple since __post_init__
            "purpose": self.purpose,
        }
        if self.share_ppm is not None:
            made["share_ppm"] = whole("share_ppm", self.share_ppm)
        else:
            made["amount_minor"] = money_of(self.amount, currency).minor
        if self.merchant_ref is not None:
            made["merchant_ref"] = self.merchant_ref
        return made


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """A split (分账) to ask for: all legs are accepted, or none."""

    merchant_ref: str
    """Your own number: unique for ever."""
    legs: Sequence[Leg]
    amount: Money | str | int | None = None
    """Of all legs together; needed with shares."""
    currency: Currency | str | None = None
    """Mandatory unless `amount` is `Money`."""
    speed: Speed = "standard"
    deadline: datetime | None = None
    release_after: datetime | None = None
    max_fee_minor: int | None = None
    channels: ChannelLimits = field(default_factory=ChannelLimits)

    def __post_init__(self) -> None:
        """Read everything now."""
        object.__setattr__(self, "legs", tuple(self.legs))
        self.as_json()

    def as_json(self) -> dict[str, object]:
        """As the API has it; absent what was not given."""
        if self.max_fee_minor is not None:
            whole("max_fee_minor", self.max_fee_minor)
        total = None if self.amount is None else money_of(self.amount, self.currency)
        if total is None and self.currency is None:
            raise ValueError("currency: give it, or give the amount as Money")
        currency = total.currency if total is not None else Currency(self.currency or "")
        optional = {
            "amount_minor": None if total is None else total.minor,
            "deadline": optional_stamp("deadline", self.deadline),
            "release_after": optional_stamp("release_after", self.release_after),
            "max_fee_minor": self.max_fee_minor,
            "speed": None if self.speed == "standard" else self.speed,
            "channels": self.channels.as_json() or None,
        }
        return {
            "merchant_ref": self.merchant_ref,
            "currency": currency.value,
            "legs": [leg.as_json(currency) for leg in self.legs],
            **{name: value for name, value in optional.items() if value is not None},
        }


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file of payouts (CSV, XLSX or JSON lines), and what you say it holds.

    Count and total are compared with the file: one that was cut off is refused. The same file is
    the same batch however often it is sent, unless `repeat` says that it is to be paid again, which
    needs an idempotency key of yours.
    """

    content: bytes = field(repr=False)
    count: int
    """Rows, headings not counted."""
    total: Money
    mode: Literal["all_or_nothing", "per_row"] = "all_or_nothing"
    """`per_row` pays the good rows and refuses the others."""
    profile: str = "native"
    """Whose file it is; see the gateway's documentation of batches."""
    repeat: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        whole("count", self.count)
        if not isinstance(self.total, Money):
            raise TypeError("total: give Money, e.g. Money.parse('12.30', Currency.CNY)")
        if not self.content:
            raise ValueError("content: the file is empty")

    @property
    def content_type(self) -> str:
        """By its first bytes, as the gateway tells files apart."""
        if self.content.startswith(b"PK"):
            return _XLSX
        text = self.content.removeprefix(b"\xef\xbb\xbf").lstrip()
        return "application/x-ndjson" if text.startswith(b"{") else "text/csv"

    @property
    def query(self) -> Mapping[str, str | None]:
        """As the API has it."""
        return {
            "count": str(self.count),
            "total_minor": str(self.total.minor),
            "currency": self.total.currency.value,
            "mode": None if self.mode == "all_or_nothing" else self.mode,
            "profile": None if self.profile == "native" else self.profile,
            "repeat": "true" if self.repeat else None,
        }


Request = PayoutRequest | SplitRequest | BatchFile
"""Whatever can be asked for that moves money."""
