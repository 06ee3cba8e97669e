"""Watch the dead: ask again about attempts that were proven dead, in case the proof was wrong.

At low pace (`domain.pace.DEAD_LADDER_S`), and only as evidence: a late success books to suspense,
opens an incident and freezes the channel's failover; nothing is ever rewritten. The statements of
the following days are the second net (`engine.reconcile`).
"""

from datetime import timedelta

from msgspec.structs import replace

from channels.contract import Unknown
from gateway.domain.pace import next_look
from gateway.domain.payout import Payout, Source
from gateway.engine.dispatch import settle
from gateway.engine.gateway import Gateway, Told
from gateway.engine.inquire import ask
from gateway.ports import Watch

BATCH = 5
"""So many questions a round: they must never crowd out those about open attempts."""
LEASE = timedelta(minutes=10)
"""A question without an answer is put again after so long, by whoever comes first."""


async def due_looks(gateway: Gateway) -> int:
    """Have the worker ask about dead attempts whose time has come; returns how many."""
    now = gateway.clock.now()
    taken = 0
    for watch in await gateway.store.due_watches(now, BATCH):
        until = now + LEASE
        if await gateway.store.claim_watch(watch, until):
            gateway.wake(Told(watch.payout_id, watch=replace(watch, due_at=until)))
            taken += 1
    return taken


async def look(gateway: Gateway, payout: Payout, watch: Watch) -> Payout:
    """Ask once about a dead attempt. Without an answer the lease runs out and it is asked again."""
    attempt = payout.attempts[watch.number - 1]
    if attempt.channel not in gateway.channels:
        return payout
    outcome = await ask(gateway, payout, attempt)
    payout = await settle(gateway, payout, watch.number, outcome, Source.INQUIRY)
    if not isinstance(outcome, Unknown):
        looks = watch.looks + 1
        next_at = next_look(payout, watch.number, watch.died_at, looks=looks)
        await gateway.store.watched(watch, next_at)
    return payout
