"""One incident for a bank that is down: opened when this process finds it so, closed at its return.

Each process concludes by itself; the store sees to it that there is one open incident a bank. When
a person closes it although the bank is still held to be down, that is taken as knowing better.
"""

from gateway.domain.incident import Incident, of_bank
from gateway.engine.gateway import Gateway
from gateway.engine.record import incident_id, tell

BACK = "several payouts in a row went through again / 已连续多笔成功"


class Banks:
    """One per process; look once a second."""

    def __init__(self, gateway: Gateway) -> None:
        """Nothing has been looked at."""
        self._gateway = gateway
        self._begun = False
        self._known: dict[str, str] = {}
        """Incidents seen open while the bank was held to be down here, by bank."""

    async def look(self) -> None:
        """Make beliefs and incidents agree. Raises `StoreError`."""
        gateway = self._gateway
        stored = await gateway.store.incidents(open_only=True)
        opened = {one.bank: one for one in stored if one.bank is not None}
        now = gateway.clock.now()
        if not self._begun:
            # What an earlier process found out is gone on with, by a probe at once.
            self._begun = True
            for bank in opened:
                gateway.health.adopt_bank(bank, now)
        down = gateway.health.banks_down(now)
        for bank, view in down.items():
            incident = opened.get(bank)
            if incident is not None:
                self._known[bank] = incident.id
            elif bank in self._known:
                del self._known[bank]
                gateway.health.forgive_bank(bank, now)
                gateway.observer.alarm("bank.forgiven", bank=bank)
            else:
                await self._open(bank, view.channels)
        # One that another process closed is over; the next outage of that bank is a new one.
        self._known = {
            bank: known for bank, known in self._known.items() if bank in down or bank in opened
        }
        for bank, incident in opened.items():
            if bank not in down:
                await self._close(bank, incident)

    async def _open(self, bank: str, channels: tuple[str, ...]) -> None:
        gateway = self._gateway
        incident = of_bank(bank, channels, gateway.clock.now(), incident_id(gateway))
        # Another process may be a moment faster; then its incident is found at the next look.
        if await gateway.store.open_bank_incident(incident):
            self._known[bank] = incident.id
            tell(gateway, incident)
            gateway.observer.alarm("bank.down", bank=bank, incident_id=incident.id)

    async def _close(self, bank: str, incident: Incident) -> None:
        gateway = self._gateway
        since = gateway.health.bank_well_since(bank)
        ours = bank in self._known
        if not ours and (since is None or since < incident.opened_at):
            # It is another process that found it down; nothing here says that it is back.
            return
        self._known.pop(bank, None)
        now = gateway.clock.now()
        if await gateway.store.release_incident(incident.id, now, "gateway", BACK):
            gateway.observer.alarm("bank.back", bank=bank, incident_id=incident.id)
