"""What every channel over HTTP has alike. The rest of `contract.Channel` is each kind's own."""

from channels.contract import Traits
from channels.transport import Transport


class Shell:
    """A name, constants, and a transport that is let go of with the channel."""

    def __init__(self, name: str, traits: Traits, transport: Transport) -> None:
        self._name = name
        self._traits = traits
        self._transport = transport

    @property
    def name(self) -> str:
        """The operator's name for it."""
        return self._name

    @property
    def traits(self) -> Traits:
        """What its protocol promises, with the operator's terms; the same object for its life."""
        return self._traits

    async def aclose(self) -> None:
        """Let go of connections; safe to call twice."""
        await self._transport.aclose()
