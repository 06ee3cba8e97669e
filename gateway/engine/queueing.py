"""Bring payouts that waited for a recovery, or for money, back at once, and not at their time."""

from gateway.domain.payout import Payout, PayoutId, PayoutState
from gateway.engine.gateway import Gateway, Told
from gateway.engine.waiting import Opening
from policies.facts import Decision
from policies.waiting import short_of, waits


def follow(gateway: Gateway, payout: Payout, decision: Decision, segments: tuple[str, ...]) -> None:
    """Remember what a payout waits for that may come at any time, after each of its decisions."""
    if waits(decision):
        small = payout.amount.minor <= gateway.policy.parameters.probe_max_minor
        now = gateway.clock.now()
        gateway.waiting.join(payout.id, now, segments, is_small=small)
    else:
        gateway.waiting.leave(payout.id)
    short = short_of(decision)
    if short:
        gateway.short.join(payout.id, short)
    else:
        gateway.short.leave(payout.id)


async def hurry(gateway: Gateway) -> int:
    """Have those looked at now that need wait no more; returns how many. Raises `StoreError`."""
    now = gateway.clock.now()

    def opening(segment: str) -> Opening:
        views = gateway.health.views(gateway.channels, segment, now)
        rail = segment.partition(":")[0]
        usable = [
            views[name]
            for name, channel in gateway.channels.items()
            if rail in channel.traits.rails and gateway.is_usable(name, now)
        ]
        return Opening(
            well=any(not one.ill for one in usable),
            probe=any(one.ill and one.probing for one in usable),
        )

    ready = gateway.waiting.ready(opening, now)
    ready += gateway.short.ready(gateway.load.float_minor, now)
    for payout_id in ready:
        await _look_now(gateway, payout_id)
    return len(ready)


async def _look_now(gateway: Gateway, payout_id: PayoutId) -> None:
    payout = await gateway.store.payout(payout_id)
    if payout is None or payout.state is not PayoutState.ROUTING:
        gateway.waiting.leave(payout_id)
        gateway.short.leave(payout_id)
        return
    await gateway.store.postpone(payout, gateway.clock.now(), None)
    gateway.wake(Told(payout_id))
