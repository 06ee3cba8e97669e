"""The merchant's end of webhooks: loses, delays, refuses; remembers what really arrived."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.engine.deliver import Answer
from gateway.ports import Delivery, Endpoint
from tests.proof.simulation.loop import Process

if TYPE_CHECKING:
    from tests.proof.simulation.world import World

PATIENCE_S = 10.0
SILENT = Answer(None, "no answer")


@dataclass
class Sink:
    """One merchant's receiver."""

    world: "World"
    received: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    """Payout and sequence number → ids under which they came."""
    is_gone: bool = False
    """Whether it has ever answered 410: from then on nothing may be owed to it."""

    def of(self, process: Process) -> "Line":
        """A process's way to it."""
        return Line(self, process)

    def take(self, delivery: Delivery) -> None:
        """It has arrived."""
        key = (str(delivery.payout_id), delivery.seq)
        self.received.setdefault(key, set()).add(delivery.id)


@dataclass
class Line:
    """One process's way to the sink (`engine.deliver.Sender`)."""

    sink: Sink
    process: Process

    async def send(self, _endpoint: Endpoint, delivery: Delivery, _at: datetime) -> Answer:
        """Try once; what befalls it is drawn from the seed."""
        world = self.sink.world
        number = world.number_of(delivery.payout_id)
        self._may_leave(delivery, number)
        net, name = world.network, f"hook {delivery.seq}"

        def strikes(kind: str) -> bool:
            return net.strikes(kind, "sink", number, name)

        if strikes("hook_lost"):
            await asyncio.sleep(PATIENCE_S)
            return SILENT
        if strikes("hook_late"):
            world.loop.after(PATIENCE_S + world.dice.next("hook") * 600, self.sink.take, delivery)
            await asyncio.sleep(PATIENCE_S)
            return SILENT
        await asyncio.sleep(net.leg("sink", number))
        if strikes("hook_5xx"):
            return Answer(503)
        if strikes("hook_gone"):
            self.sink.is_gone = True
            return Answer(410)
        self.sink.take(delivery)
        world.story.tell("sink", number, f"{name} of {self.process.name} arrives")
        if strikes("hook_unacknowledged"):
            await asyncio.sleep(PATIENCE_S)
            return SILENT
        await asyncio.sleep(net.leg("sink", number))
        return Answer(204)

    def _may_leave(self, delivery: Delivery, number: int) -> None:
        """I14: never before the commit of its event, never before its predecessors' end."""
        ask = self.sink.world.server.ask
        about = (delivery.payout_id, delivery.seq)
        if not ask("SELECT 1 FROM events WHERE payout_id = ? AND seq = ?", about):
            self.sink.world.broken("I14", number, f"event {delivery.seq} is sent and not committed")
        earlier = ask(
            "SELECT seq FROM deliveries WHERE payout_id = ? AND seq < ? AND endpoint_id = ? "
            "AND state = 'due'",
            (*about, delivery.endpoint_id),
        )
        if earlier:
            self.sink.world.broken("I14", number, f"event {delivery.seq} overtakes {earlier}")
