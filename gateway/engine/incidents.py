"""Frozen failover: which payouts may not leave a channel now, and what a person's release frees.

The store is asked each time and nothing is cached: what one replica finds out holds for all of them
from that commit on. Rejections are rare enough for one more read.
"""

from contextlib import suppress

from gateway.domain.certify import CHANNELS_WORD
from gateway.domain.errors import AbsenceError, InvalidError
from gateway.domain.incident import Incident, frozen_reason
from gateway.domain.payout import Event, Payout, PayoutState, Released, Unparked
from gateway.engine.gateway import Gateway
from gateway.engine.record import move
from gateway.ports import Search, StaleError

PAGE = 200


async def held_back_by(gateway: Gateway, payout: Payout) -> str | None:
    """The frozen channel on whose word alone the payout would go on, if any.

    What never left us, has expired by construction or was certified by two people rests on nobody's
    word and is not held back.
    """
    words = {
        one.channel
        for one in payout.attempts
        if one.certificate is not None and one.certificate.kind in CHANNELS_WORD
    }
    if not words:
        return None
    return min(words & (await gateway.store.frozen()).keys(), default=None)


async def find(gateway: Gateway, incident_id: str) -> Incident:
    """The incident, or `AbsenceError`."""
    found = await gateway.store.incident(incident_id)
    if found is None:
        raise AbsenceError(
            "no_such_incident", f"there is no incident {incident_id[:40]!r}", zh="事件不存在"
        )
    return found


async def release(gateway: Gateway, incident_id: str, note: str, actor: str) -> Incident:
    """A person has looked: close it, and let go what waited only for this.

    Safe to repeat: a second call frees what a crash left behind. Payouts that are themselves
    contradicted stay held until somebody decides about each.
    """
    if not note.strip():
        raise InvalidError("note_missing", "say what was found", zh="请填写核查结论", param="note")
    incident = await find(gateway, incident_id)
    now = gateway.clock.now()
    if await gateway.store.release_incident(incident_id, now, actor, note):
        gateway.observer.alarm(
            "incident.released", incident_id=incident_id, channel=incident.channel, actor=actor
        )
    gateway.load.frozen = await gateway.store.frozen()
    if incident.kind.freezes and incident.channel not in gateway.load.frozen:
        await _let_go(gateway, incident.channel, PayoutState.HELD, Released(actor), actor)
        await _let_go(gateway, incident.channel, PayoutState.PARKED, Unparked(actor), actor)
    return await find(gateway, incident_id)


async def _let_go(
    gateway: Gateway, channel: str, state: PayoutState, event: Event, actor: str
) -> None:
    """Move every payout that waits for this channel's incidents, and have it looked at now."""
    after = None
    while True:
        search = Search(None, state=state, channel=channel, before_id=after, limit=PAGE)
        page = await gateway.store.search(search)
        for payout in page:
            if payout.reason == frozen_reason(channel):
                # One that has moved meanwhile was let go by somebody else.
                with suppress(StaleError):
                    now = gateway.clock.now()
                    await move(gateway, payout, [event], actor=actor, due_at=now)
        if len(page) < PAGE:
            return
        after = page[-1].id
