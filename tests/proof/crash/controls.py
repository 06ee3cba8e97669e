"""Negative controls: gateways broken on purpose, so that the judge is seen to judge.

Each breaks one promise that only a death can reveal; a run in which none of its deaths is found out
means that the harness proves nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from channels.contract import Reason
from gateway.domain.payout import (
    Armed,
    Attempt,
    AttemptState,
    Certificate,
    CertificateKind,
    Died,
    Payout,
    Source,
)
from gateway.engine import worker
from gateway.engine.deliver import Answer, Courier
from gateway.engine.gateway import Gateway
from gateway.engine.inquire import inquire
from gateway.engine.record import move
from gateway.ports import Change, Delivery, Endpoint, Intake
from gateway.store.store import SqlStore

LATE_S = 0.2
_later: set["asyncio.Task[Any]"] = set()


def _eventually(work: Any) -> None:
    """Do it, but do not wait for it."""

    async def after_a_while() -> None:
        await asyncio.sleep(LATE_S)
        await work

    task = asyncio.get_running_loop().create_task(after_a_while())
    _later.add(task)
    task.add_done_callback(_later.discard)


def _acknowledge_before_commit() -> None:
    """The merchant hears 201 before anything is stored."""
    accept = SqlStore.accept

    async def hasty(
        self: SqlStore, change: Change, intake: Intake, floor: int | None, arming: Any = None
    ) -> Payout:
        _eventually(accept(self, change, intake, floor, arming))
        return (arming or change).after

    SqlStore.accept = hasty  # type: ignore[method-assign, assignment]  # broken on purpose


def _send_before_commit() -> None:
    """Bytes leave while the armed attempt is still on its way to the disk."""
    _acknowledge_before_commit()
    record = SqlStore.record

    async def hasty(self: SqlStore, change: Change) -> None:
        if any(isinstance(event, Armed) for event in change.events):
            _eventually(record(self, change))
        else:
            await asyncio.gather(*_later)
            await record(self, change)

    SqlStore.record = hasty  # type: ignore[method-assign, assignment]  # broken on purpose


def _armed_means_not_sent() -> None:
    """Whoever is found armed after a start is taken for never sent."""

    async def credulous(
        gateway: Gateway,
        payout: Payout,
        attempt: Attempt,
        *,
        routine: bool = False,
        noticed: bool = False,
    ) -> Payout:
        if attempt.state is not AttemptState.ARMED:
            return await inquire(gateway, payout, attempt, routine=routine, noticed=noticed)
        at: datetime = gateway.clock.now()
        proof = Certificate(
            CertificateKind.NEVER_LEFT, Reason.NEVER_SENT, "crashed", "as if nothing was sent", at
        )
        died = Died(attempt.number, Source.SEND, proof)
        return await move(gateway, payout, [died], actor="gateway")

    worker.inquire = credulous  # type: ignore[attr-defined]  # broken on purpose


def _mark_before_sending() -> None:
    """A webhook counts as delivered before it is sent."""
    ask = Courier._ask

    async def hasty(self: Courier, endpoint: Endpoint, delivery: Delivery) -> Answer:
        await self._store.delivered(delivery.id, 204, self._clock.now())
        return await ask(self, endpoint, delivery)

    Courier._ask = hasty  # type: ignore[method-assign]  # broken on purpose


@dataclass(frozen=True, slots=True)
class Control:
    """A gateway broken on purpose."""

    scene: str
    """Reveals it."""
    at: str
    """The boundary where it is died first; the others follow when that shows nothing."""
    breaks: Callable[[], None]


CONTROLS: dict[str, Control] = {
    "acknowledge before the commit": Control(
        "paid", "reply: half of it out", _acknowledge_before_commit
    ),
    "send before the commit": Control(
        "paid", "institution: did it, answered nothing", _send_before_commit
    ),
    "armed means not sent": Control(
        "paid", "institution: did it, answered nothing", _armed_means_not_sent
    ),
    "mark a webhook before sending it": Control(
        "paid", "webhook: no byte out", _mark_before_sending
    ),
}
"""By name."""


def sabotage(name: str | None) -> None:
    """Break this process; None leaves it whole."""
    if name is not None:
        CONTROLS[name].breaks()
