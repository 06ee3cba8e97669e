"""Accounts in other platforms' protocols and their orders' numbers (`ports.DialectStore`)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from msgspec.structs import asdict

from channels.contract import Instrument
from channels.money import Money
from gateway.domain.dialect import DialectAccount, DialectOrder, KeySet, NotifyTo, Switches
from gateway.domain.errors import ConflictError
from gateway.domain.payout import MerchantId, PayoutId, sortable_id
from gateway.ports import Notify, StaleError, StoreError
from gateway.store import codec
from gateway.store.codec import micros, micros_or_none, moment, moment_or_none
from gateway.store.database import Row, Rows, Unit
from gateway.store.directory import SeenError
from gateway.store.part import Part

_ANY: Mapping[str, Any] = dict.fromkeys(("merchant_id", "id", "dialect", "public_id"))
_ANY_NOTIFY: Mapping[str, Any] = dict.fromkeys(("merchant_id", "payout_id", "account_id", "number"))


class Dialects(Part):
    """Everything about other platforms' callers."""

    async def add_dialect_account(self, account: DialectAccount, actor: str) -> None:
        """Store a new account; `ConflictError` when its public id is taken, removed or not."""
        await self._may_seal()
        unit = Unit()
        unit.add(
            self._queries["insert_dialect_account"],
            {
                **self._changing(account),
                "merchant_id": account.merchant_id,
                "dialect": account.dialect,
                "public_id": account.public_id,
                "created_at": micros(account.created_at),
            },
            lambda: ConflictError(
                "public_id_taken",
                f"{account.public_id} is, or was, another {account.dialect} account's; choose "
                "another public id",
                zh=f"{account.dialect} 商户号 {account.public_id} 已被使用，请更换",
                param="public_id",
            ),
        )
        self._audit(unit, actor, "dialect.added", account.id, _told(account))
        await self._database.write(unit)

    async def change_dialect_account(
        self, account: DialectAccount, action: str, actor: str
    ) -> None:
        """Store new keys, switches or its removal; `StaleError` when it has changed meanwhile."""
        await self._may_seal()
        unit = Unit()
        unit.add(
            self._queries["update_dialect_account"],
            {**self._changing(account), "before_version": account.version - 1},
            lambda: StaleError(f"{account.id} has changed meanwhile"),
        )
        self._audit(unit, actor, f"dialect.{action}", account.id, _told(account))
        await self._database.write(unit)

    async def dialect_account(self, dialect: str, public_id: str) -> DialectAccount | None:
        """Who a caller says that it is; removed accounts as well."""
        found = await self._accounts(dialect=dialect, public_id=public_id)
        return found[0] if found else None

    async def dialect_accounts(self, merchant_id: MerchantId | None) -> list[DialectAccount]:
        """A merchant's accounts, or everybody's; removed ones as well."""
        return await self._accounts(merchant_id=merchant_id)

    async def allot_number(self, account_id: str, number: str, own_number: str) -> str | None:
        """The number that we show for one of theirs, for ever; None when the offered one is taken
        by another order."""
        unit = Unit()
        unit.add(
            self._queries["insert_dialect_order"],
            {"account_id": account_id, "number": number, "own_number": own_number},
            SeenError,
        )
        try:
            await self._database.write(unit)
        except SeenError:
            for order in await self.dialect_orders(account_id, number):
                if order.number == number:
                    return order.own_number
            return None
        return own_number

    async def dialect_orders(self, account_id: str, wanted: str) -> list[DialectOrder]:
        """Orders of an account by either of their numbers; by theirs first."""
        found = await self._read("dialect_orders", {"account_id": account_id, "wanted": wanted})
        return [DialectOrder(row[0], row[1]) for row in found]

    async def notify_of(self, merchant_id: MerchantId, payout_id: PayoutId) -> Notify | None:
        """Who wants to hear how a payout ends, in another platform's protocol."""
        found = await self._notifies(limit=1, merchant_id=merchant_id, payout_id=payout_id)
        return found[0] if found else None

    async def notifies(self, account_id: str, number: str | None, limit: int) -> list[Notify]:
        """An account's orders that are told about, newest first; or the one of their number."""
        return await self._notifies(limit=limit, account_id=account_id, number=number)

    async def refused_notify(self, account_id: str) -> Notify | None:
        """The newest order of an account whose address nothing could be sent to."""
        found = await self._read("refused_notify", {"account_id": account_id})
        return _notify(found[0]) if found else None

    async def claim_payee(
        self,
        merchant_id: MerchantId,
        payee: Instrument,
        amount: Money,
        holder: str,
        *,
        at: datetime,
        before: datetime,
        instead_of: str | None = None,
    ) -> str:
        """Who may pay this amount to this payee now: the asker, or a holder since `before`.

        Of several at once one gets it. `instead_of` names a holder that is known to pay nothing.
        """
        claim = self._claim(merchant_id, payee, amount)
        unit = Unit()
        unit.add(
            self._queries["claim_payee"],
            {
                **claim,
                "holder": holder,
                "at": micros(at),
                "before": micros(before),
                "instead_of": instead_of,
            },
            SeenError,
        )
        try:
            await self._database.write(unit)
        except SeenError:
            unit = Unit()
            unit.add(self._queries["prolong_claim"], {**claim, "at": micros(at)})
            await self._database.write(unit)
            found = await self._read("claim_holder", claim)
            if not found:
                raise StoreError("a claim was given up meanwhile: ask again") from None
            return str(found[0][0])
        return holder

    async def drop_claim(
        self, merchant_id: MerchantId, payee: Instrument, amount: Money, holder: str
    ) -> None:
        """The holder's payout was refused and not stored."""
        unit = Unit()
        claim = self._claim(merchant_id, payee, amount)
        unit.add(self._queries["drop_claim"], {**claim, "holder": holder})
        await self._database.write(unit)

    async def _notifies(self, *, limit: int, **wanted: str | None) -> list[Notify]:
        found = await self._read("notifies", {**_ANY_NOTIFY, **wanted, "limit": limit})
        return [_notify(row) for row in found]

    async def prune_claims(self, before: datetime, limit: int) -> None:
        """Forget claims that are older, the oldest first."""
        unit = Unit()
        unit.add(self._queries["prune_claims"], {"before": micros(before), "limit": limit})
        await self._database.write(unit)

    async def payouts_to_payee(
        self,
        merchant_id: MerchantId,
        payee: Instrument,
        amount: Money,
        *,
        since: datetime,
        besides: str,
        limit: int,
    ) -> list[PayoutId]:
        """A merchant's payouts of what was asked for as this amount, accepted from `since` on,
        newest first, without the one of the merchant_ref `besides`."""
        found = await self._read(
            "payouts_to_payee",
            {
                **self._claim(merchant_id, payee, amount),
                "since_id": sortable_id("po_", since, bytes(10)),
                "besides": besides,
                "limit": limit,
            },
        )
        return [PayoutId(row[0]) for row in found]

    def _claim(self, merchant_id: MerchantId, payee: Instrument, amount: Money) -> dict[str, Any]:
        return {
            "merchant_id": merchant_id,
            "payee_index": self._vault.blind_index(codec.payee_of(payee)),
            "currency": amount.currency,
            "amount_minor": amount.minor,
        }

    def _changing(self, account: DialectAccount) -> dict[str, Any]:
        keys = [
            {
                "id": one.id,
                "created_at": micros(one.created_at),
                "secret": one.secret,
                "theirs": one.theirs,
                "ours": one.ours,
            }
            for one in account.keys
        ]
        sealed = self._vault.seal(
            orjson.dumps(keys), account.merchant_id, "dialect_keys", account.id
        )
        return {
            "id": account.id,
            "keys": sealed,
            "switches": orjson.dumps(account.switches, default=asdict).decode(),
            "version": account.version,
            "removed_at": micros_or_none(account.removed_at),
        }

    async def _accounts(self, **wanted: str | None) -> list[DialectAccount]:
        found: Rows = await self._read("dialect_accounts", {**_ANY, **wanted})
        await self._may_open(*(row[4] for row in found))
        return [self._account(row) for row in found]

    def _account(self, row: Row) -> DialectAccount:
        keys = orjson.loads(self._vault.open(row[4], row[1], "dialect_keys", row[0]))
        switches = orjson.loads(row[5])
        return DialectAccount(
            id=row[0],
            merchant_id=MerchantId(row[1]),
            dialect=row[2],
            public_id=row[3],
            keys=tuple(KeySet(**{**one, "created_at": moment(one["created_at"])}) for one in keys),
            switches=Switches(**{**switches, "ip_allow": tuple(switches["ip_allow"])}),
            version=row[6],
            created_at=moment(row[7]),
            removed_at=moment_or_none(row[8]),
        )


def _notify(row: Row) -> Notify:
    to = NotifyTo(row[2], row[3], row[4], row[5], row[6])
    return Notify(MerchantId(row[0]), PayoutId(row[1]), to, moment(row[7]))


def _told(account: DialectAccount) -> dict[str, object]:
    """For the audit trail: nothing that signs."""
    return {
        "merchant_id": account.merchant_id,
        "dialect": account.dialect,
        "public_id": account.public_id,
        "keys": [one.id for one in account.keys],
        "switches": orjson.loads(orjson.dumps(account.switches, default=asdict)),
    }
