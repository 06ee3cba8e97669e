"""Making a bank channel, and loading what only bank channels need.

The generated classes of the messages and the libraries for XML take a third of a second to import.
They are loaded when the first bank channel is built, so a gateway without one starts as fast as
ever. Everything here is light.
"""

from collections.abc import Callable
from datetime import datetime

from channels.bank.settings import BankSettings
from channels.contract import Channel, Terms

Clock = Callable[[], datetime]


def build(name: str, settings: BankSettings, terms: Terms, clock: Clock) -> Channel:
    """Make the channel; opens nothing. ValueError for an expired certificate."""
    from channels.bank.channel import build as build_channel  # noqa: PLC0415 - see above

    return build_channel(name, settings, terms, clock)
