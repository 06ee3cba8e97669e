"""Merchants, keys, webhook endpoints, channel switches (`ports.DirectoryStore`).

Every change of the directory leaves an audit row in the same commit.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import get_args

import orjson
from msgspec import Struct

from gateway.domain.errors import ConflictError
from gateway.domain.merchant_fee import MerchantFee
from gateway.domain.payout import MerchantId
from gateway.ports import ApiKey, ChannelStatus, Endpoint, Funding, Merchant, Scope
from gateway.store import codec
from gateway.store.codec import micros, micros_or_none, moment, moment_or_none
from gateway.store.database import Row, Rows, Unit
from gateway.store.part import Part

ENDPOINT_KEPT = timedelta(seconds=5)
"""For so long an endpoint is not read again, unless it was put meanwhile."""
ENDPOINTS_KEPT = 10_000

_STATUSES: dict[str, ChannelStatus] = {status: status for status in get_args(ChannelStatus)}


class AuditRow(Struct, frozen=True):
    """Who changed what in the directory."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, object]


class SeenError(Exception):
    """The nonce was spent before."""


class GoneError(Exception):
    """There is no such row to change."""


class Directory(Part):
    """Everything about who may do what."""

    async def add_merchant(self, merchant: Merchant, actor: str) -> None:
        """Store a new merchant; `ConflictError` when the id is taken."""
        unit = Unit()
        unit.add(
            self._queries["insert_merchant"],
            {
                "id": merchant.id,
                "name": merchant.name,
                "funding": merchant.funding,
                "credit_limit_minor": merchant.credit_limit_minor,
                "fee": codec.fee_json(merchant.fee),
                "release_delay_s": merchant.release_delay_s,
                "review_above_minor": merchant.review_above_minor,
                "created_at": micros(merchant.created_at),
                "active": int(merchant.active),
            },
            lambda: ConflictError(
                "merchant_exists",
                f"there is a merchant {merchant.id} already",
                zh=f"商户 {merchant.id} 已存在",
                param="id",
            ),
        )
        self._audit(
            unit,
            actor,
            "merchant.added",
            merchant.id,
            {"funding": merchant.funding, "credit_limit_minor": merchant.credit_limit_minor},
        )
        await self._database.write(unit)

    async def merchant(self, merchant_id: MerchantId) -> Merchant | None:
        """One merchant."""
        found = await self._read("merchants", {"id": merchant_id})
        return _merchant(found[0]) if found else None

    async def merchants(self) -> list[Merchant]:
        """All merchants by id."""
        return [_merchant(row) for row in await self._read("merchants", {"id": None})]

    async def set_merchant_fee(
        self, merchant_id: MerchantId, fee: MerchantFee, actor: str
    ) -> MerchantFee | None:
        """Charge this from now on; what was agreed before, None for nobody."""
        while True:
            found = await self._read("merchants", {"id": merchant_id})
            if not found:
                return None
            before, after = found[0][4], codec.fee_json(fee)
            unit = Unit()
            unit.add(
                self._queries["set_merchant_fee"],
                {"id": merchant_id, "fee": after, "before": before},
                GoneError,
            )
            self._audit(
                unit,
                actor,
                "merchant.fee_set",
                merchant_id,
                {"before": orjson.loads(before), "after": orjson.loads(after)},
            )
            # Another operator may have set it meanwhile: the log must say what this one replaced.
            with contextlib.suppress(GoneError):
                await self._database.write(unit)
                return codec.fee_of(before)

    async def add_key(self, key: ApiKey, actor: str) -> None:
        """Store a new key; `ConflictError` when the id is taken."""
        await self._may_seal()
        unit = Unit()
        secret = key.signing_secret
        unit.add(
            self._queries["insert_key"],
            {
                "id": key.id,
                "merchant_id": key.merchant_id,
                "digest": key.digest,
                "scopes": " ".join(sorted(key.scopes)),
                "signing_secret": secret
                and self._vault.seal(secret, key.merchant_id or "", "signing_secret", key.id),
                "label": key.label,
                "created_at": micros(key.created_at),
                "revoked_at": micros_or_none(key.revoked_at),
                "person": key.person,
            },
            lambda: ConflictError(
                "key_exists",
                f"there is a key {key.id} already",
                zh=f"密钥 {key.id} 已存在",
                param="id",
            ),
        )
        self._audit(
            unit,
            actor,
            "key.added",
            key.id,
            {
                "merchant_id": key.merchant_id,
                "scopes": sorted(key.scopes),
                "signed": bool(secret),
                "person": key.person,
            },
        )
        await self._database.write(unit)

    async def key(self, key_id: str) -> ApiKey | None:
        """One key, revoked or not."""
        keys = await self._keys_from(await self._read("key", {"id": key_id}))
        return keys[0] if keys else None

    async def keys(self, merchant_id: MerchantId | None) -> list[ApiKey]:
        """All keys of a merchant, or the operators'."""
        if merchant_id is None:
            return await self._keys_from(await self._read("keys_of_operators", {}))
        return await self._keys_from(
            await self._read("keys_of_merchant", {"merchant_id": merchant_id})
        )

    async def revoke_key(self, key_id: str, at: datetime, actor: str) -> bool:
        """Revoke; False when there is no such live key."""
        unit = Unit()
        unit.add(self._queries["revoke_key"], {"id": key_id, "at": micros(at)}, GoneError)
        self._audit(unit, actor, "key.revoked", key_id, {})
        return await self._done(unit)

    async def spend_nonce(self, key_id: str, nonce: str, at: datetime, keep_s: int) -> bool:
        """Remember a nonce durably; False when it was seen before. Old ones may be dropped."""
        unit = Unit()
        unit.add(self._queries["drop_nonces"], {"before": micros(at - timedelta(seconds=keep_s))})
        unit.add(
            self._queries["spend_nonce"],
            {"key_id": key_id, "nonce": nonce, "at": micros(at)},
            SeenError,
        )
        try:
            await self._database.write(unit)
        except SeenError:
            return False
        return True

    async def put_endpoint(self, endpoint: Endpoint, actor: str) -> None:
        """Insert or replace an endpoint; `ConflictError` when another merchant has the id."""
        await self._may_seal()
        unit = Unit()
        unit.add(
            self._queries["put_endpoint"],
            {
                "id": endpoint.id,
                "merchant_id": endpoint.merchant_id,
                "url": endpoint.url,
                "secrets": self._vault.seal(
                    orjson.dumps(endpoint.secrets), endpoint.merchant_id, "secrets", endpoint.id
                ),
                "kinds": orjson.dumps(endpoint.kinds).decode(),
                "active": int(endpoint.active),
                "created_at": micros(endpoint.created_at),
            },
            lambda: ConflictError(
                "endpoint_exists",
                f"the endpoint id {endpoint.id} is taken",
                zh=f"回调地址编号 {endpoint.id} 已被占用",
                param="id",
            ),
        )
        self._audit(
            unit,
            actor,
            "endpoint.put",
            endpoint.id,
            {
                "merchant_id": endpoint.merchant_id,
                "url": endpoint.url,
                "kinds": endpoint.kinds,
                "active": endpoint.active,
                "secrets": len(endpoint.secrets),
            },
        )
        # Not left in the middle: whoever knows what endpoints want must know what was put.
        await asyncio.shield(self._put(unit, endpoint))

    async def _put(self, unit: Unit, endpoint: Endpoint) -> None:
        seen = self._seen
        seen.putting += 1
        try:
            await self._database.write(unit)
        finally:
            # Also when nobody knows whether it was committed.
            seen.putting -= 1
            seen.put += 1
            seen.endpoints.pop(endpoint.id, None)
            seen.wanted.pop(endpoint.merchant_id, None)

    async def endpoints(self, merchant_id: MerchantId) -> list[Endpoint]:
        """A merchant's endpoints, oldest first."""
        return await self._endpoints_from(
            await self._read("endpoints", {"id": None, "merchant_id": merchant_id})
        )

    async def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """One endpoint; not read anew each time where only this process can change it."""
        now = self._clock.now()
        known = self._seen.endpoints.get(endpoint_id)
        if known is not None and timedelta() <= now - known[1] < ENDPOINT_KEPT:
            return known[0]
        put = self._seen.put
        found = await self._endpoints_from(
            await self._read("endpoints", {"id": endpoint_id, "merchant_id": None})
        )
        if not found:
            return None
        if self._database.is_alone and put == self._seen.put:
            if len(self._seen.endpoints) >= ENDPOINTS_KEPT:
                self._seen.endpoints.clear()
            self._seen.endpoints[endpoint_id] = (found[0], now)
        return found[0]

    async def learn_wanted(self) -> None:
        """Look up what merchants' endpoints want to hear of, where a commit did not know."""
        seen = self._seen
        while seen.unknown:
            merchant_id, now, put = seen.unknown.pop(), self._clock.now(), seen.put
            found = await self.endpoints(merchant_id)
            if put == seen.put:
                if len(seen.wanted) >= ENDPOINTS_KEPT:
                    seen.wanted.clear()
                wanted = [(one.id, one.kinds) for one in found if one.active]
                seen.wanted[merchant_id] = (wanted, now)

    async def set_channel_status(
        self, channel: str, status: ChannelStatus, reason: str, actor: str
    ) -> None:
        """Pause, drain or resume; kept over restarts."""
        unit = Unit()
        unit.add(
            self._queries["put_channel_status"],
            {"channel": channel, "status": status, "reason": reason},
        )
        self._audit(unit, actor, f"channel.{status}", channel, {"reason": reason})
        await self._database.write(unit)

    async def channel_statuses(self) -> dict[str, tuple[ChannelStatus, str]]:
        """Status and reason of every channel that was ever switched."""
        return {
            row[0]: (_STATUSES[row[1]], row[2]) for row in await self._read("channel_statuses", {})
        }

    async def audit_trail(self, limit: int, after: int = 0) -> list[AuditRow]:
        """Changes of the directory after an id, in order."""
        return [
            AuditRow(row[0], moment(row[1]), row[2], row[3], row[4], orjson.loads(row[5]))
            for row in await self._read("audit_trail", {"after": after, "limit": limit})
        ]

    async def _done(self, unit: Unit) -> bool:
        try:
            await self._database.write(unit)
        except GoneError:
            return False
        return True

    async def _keys_from(self, found: Rows) -> list[ApiKey]:
        await self._may_open(*(row[4] for row in found))
        return [
            ApiKey(
                id=row[0],
                merchant_id=row[1],
                digest=bytes(row[2]),
                scopes=frozenset(Scope(scope) for scope in row[3].split()),
                signing_secret=None
                if row[4] is None
                else self._vault.open(row[4], row[1] or "", "signing_secret", row[0]),
                label=row[5],
                created_at=moment(row[6]),
                revoked_at=moment_or_none(row[7]),
                person=row[8],
            )
            for row in found
        ]

    async def _endpoints_from(self, found: Rows) -> list[Endpoint]:
        await self._may_open(*(row[3] for row in found))
        return [
            Endpoint(
                id=row[0],
                merchant_id=row[1],
                url=row[2],
                secrets=tuple(orjson.loads(self._vault.open(row[3], row[1], "secrets", row[0]))),
                kinds=tuple(orjson.loads(row[4])),
                active=bool(row[5]),
                created_at=moment(row[6]),
            )
            for row in found
        ]


def _merchant(row: Row) -> Merchant:
    return Merchant(
        id=row[0],
        name=row[1],
        funding=Funding(row[2]),
        credit_limit_minor=row[3],
        fee=codec.fee_of(row[4]),
        release_delay_s=row[5],
        review_above_minor=row[6],
        created_at=moment(row[7]),
        active=bool(row[8]),
    )
