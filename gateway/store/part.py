"""What every part of the store works with: the database, the vault, the clock, the audit trail."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gateway.domain.payout import MerchantId
from gateway.ports import Clock, Endpoint, Owed
from gateway.store.codec import micros
from gateway.store.database import Database, Rows, Unit
from gateway.store.owed import Wanted, owed_by, takers
from gateway.store.payloads import PayloadOf, dumped
from gateway.store.units import Units
from gateway.store.vault import Vault, WrappedKey

if TYPE_CHECKING:
    from gateway.store.member import Member

KINDS_KEPT = timedelta(minutes=1)
"""Another process may put an endpoint: until then its webhooks wait for a round."""


@dataclass(slots=True)
class Seen:
    """What was read of the directory lately."""

    endpoints: dict[str, tuple[Endpoint, datetime]] = field(default_factory=dict, repr=False)
    """By id, and when."""
    wanted: dict[MerchantId, tuple[list[Wanted], datetime]] = field(default_factory=dict)
    """What a merchant's active endpoints want to hear of, and when that was read."""
    unknown: set[MerchantId] = field(default_factory=set)
    """Merchants to be looked up, as something was owed to them perhaps."""
    put: int = 0
    """How many were put since the start: what was read meanwhile may be old."""
    putting: int = 0
    """And how many are being put now."""


class Part:
    """One part of the store's interface; all parts of a store are one object."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Clock,
        payload_of: PayloadOf,
        member: "Member | None" = None,
    ) -> None:
        """Remember the tools; `prepare` must run before anything is sealed.

        `member` is this process among others on the same database; None where it is the only one.
        """
        self._member = member
        self._database = database
        self._queries = database.queries
        self._vault = vault
        self._clock = clock
        self._units = Units(database.queries, vault, payload_of, self._may_want)
        self._key_turn = asyncio.Lock()
        self._owed_to: Callable[[Owed], None] | None = None
        self._seen = Seen()

    @property
    def _worker(self) -> int | None:
        return 0 if self._member is None else self._member.worker

    async def prepare(self) -> None:
        """Load every data key; make the blind index's key when the database is new."""
        if not await self._keys(purpose="index"):
            await self._keep_key(self._vault.fresh_key(), "index")
        await self.adopt_keys()

    async def adopt_keys(self) -> None:
        """Load every data key there is; writes nothing."""
        for index in await self._keys(purpose="index"):
            self._vault.adopt_index(index)
        for key in await self._keys(purpose="data"):
            self._vault.adopt(key)

    async def rotate_keys(self) -> int:
        """Wrap every data key with the current KEK; returns how many were wrapped by another one.

        Safe to repeat, and safe to be stopped half-way: a key is always wrapped by one of the two.
        """
        fresh = [key for key in map(self._vault.rewrapped, await self._keys()) if key is not None]
        for key in fresh:
            unit = Unit()
            unit.add(
                self._queries["rewrap_data_key"],
                {"id": key.id, "kek_id": key.kek_id, "wrapped": key.wrapped},
            )
            await self._database.write(unit)
        return len(fresh)

    async def _keys(
        self, key_id: str | None = None, purpose: str | None = None
    ) -> list[WrappedKey]:
        found = await self._database.read(
            self._queries["data_keys"], {"id": key_id, "purpose": purpose}
        )
        return [WrappedKey(row[0], row[2], bytes(row[3])) for row in found]

    async def _keep_key(self, key: WrappedKey, purpose: str) -> None:
        unit = Unit()
        unit.add(
            self._queries["insert_data_key"],
            {
                "id": key.id,
                "purpose": purpose,
                "kek_id": key.kek_id,
                "wrapped": key.wrapped,
                "created_at": micros(self._clock.now()),
            },
        )
        await self._database.write(unit)

    async def _may_seal(self) -> None:
        """Make and store a fresh data key when one is due; cheap when none is."""
        now = self._clock.now()
        if not self._vault.needs_fresh_key(now):
            return
        async with self._key_turn:
            if self._vault.needs_fresh_key(now):
                key = self._vault.fresh_key()
                await self._keep_key(key, "data")
                self._vault.adopt(key, sealing_since=now)

    async def _may_open(self, *sealed: bytes | None) -> None:
        """Fetch data keys that another process made since this one started."""
        for value in sealed:
            if value is not None and not self._vault.knows(value):
                for key in await self._keys(key_id=self._vault.key_id(value)):
                    self._vault.adopt(key)

    async def _beat(self) -> None:
        """Write something and wait until it is durable; so is all that was visible before."""
        unit = Unit()
        unit.add(self._queries["beat"], {"slot": self._database.slot})
        await self._database.write(unit)

    async def _owe(self, unit: Unit) -> None:
        """Commit what may owe webhooks, and tell who delivers them."""
        put = self._seen.put
        await self._database.write(unit)
        if self._owed_to is None:
            return
        # The same before and after, and none put between: what the commit itself has seen.
        kept = put == self._seen.put and not self._seen.putting
        for owed in owed_by(unit, self._wanted, is_certain=kept and self._database.is_alone):
            self._owed_to(owed)

    def _may_want(self, merchant_id: MerchantId, kind: str) -> bool:
        """Whether an endpoint may want to hear of it when the unit that is built now is committed.

        What is known to be put was committed before; what is put from now on is handed over, and
        so committed, after it. What somebody else puts nobody here knows.
        """
        if not self._database.is_alone or self._seen.putting:
            return True
        wanted = self._wanted(merchant_id)
        return wanted is None or bool(takers(wanted, kind))

    def _wanted(self, merchant_id: MerchantId) -> list[Wanted] | None:
        """What a merchant's endpoints want to hear of, as far as is known."""
        known = self._seen.wanted.get(merchant_id)
        if known is None or self._clock.now() - known[1] >= KINDS_KEPT:
            self._seen.unknown.add(merchant_id)
            return None
        return known[0]

    async def _read(self, name: str, params: Mapping[str, object]) -> Rows:
        return await self._database.read(self._queries[name], params)

    def _audit(
        self, unit: Unit, actor: str, action: str, subject: str, detail: Mapping[str, object]
    ) -> None:
        """Say in the same commit who did what; never a secret among the details."""
        unit.add(
            self._queries["insert_audit"],
            {
                "at": micros(self._clock.now()),
                "actor": actor,
                "action": action,
                "subject": subject,
                "detail": dumped(detail).decode(),
            },
        )
