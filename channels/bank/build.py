"""Making a bank channel, and loading what only bank channels need.

The generated classes of the messages and the libraries for XML take a third of a second to import.
They are loaded when the first bank channel is built, so a gateway without one starts as fast as
ever. Everything here is light.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from channels.bank import profile as profiles
from channels.bank.settings import BankSettings
from channels.contract import Channel, Terms, Traits

Clock = Callable[[], datetime]


def build(name: str, settings: BankSettings, terms: Terms, clock: Clock) -> Channel:
    """Make the channel; opens nothing. ValueError for an expired certificate."""
    from channels.bank.channel import build as build_channel  # noqa: PLC0415 - see above

    return build_channel(name, settings, terms, clock)


def funded() -> type[Channel]:
    """The class of a channel whose bank tells balances."""
    from channels.bank.channel import FundedBankChannel  # noqa: PLC0415 - see above

    return FundedBankChannel


def traits_of(settings: BankSettings, terms: Terms) -> Traits:
    """What the bank's profile promises, with the operator's terms."""
    from channels.bank.channel import traits_of as told  # noqa: PLC0415 - see above

    return told(settings, terms)


def broadest() -> Mapping[str, object]:
    """Settings of an account at the bank that the simulator plays, with all that it offers."""
    return {"_bank": profiles.named("cn-https"), "notice_secrets": ("",)}
