"""Administration of merchants' accounts in other platforms' protocols."""

import asyncio

import orjson
from msgspec.structs import asdict, replace

from gateway.api.context import Answer, Call
from gateway.api.dialects.dialect import Dialect, Minted
from gateway.api.dialects.door import PREFIX
from gateway.api.dialects.owed import notify_by_number, owed, resend
from gateway.api.dialects.registry import DIALECTS
from gateway.api.schemas import (
    DialectIn,
    DialectRotateIn,
    DialectSwitchIn,
    NotifiedQuery,
    RenotifyIn,
)
from gateway.api.views import DialectSwitchesView, DialectView, NotifiedOrderView, stamp
from gateway.domain.dialect import FINAL, WITHOUT_RSA, DialectAccount, KeySet, Switches, standing_of
from gateway.domain.errors import AbsenceError, ConflictError, InvalidError
from gateway.domain.payout import MerchantId
from gateway.engine.retries import counted
from gateway.ports import Notify, StaleError, StoreError


async def add(call: Call) -> Answer:
    """POST /v1/admin/merchants/{merchant_id}/dialects."""
    body: DialectIn = call.body
    merchant_id = await _merchant(call)
    switches = body.switches.switches()
    _check_switches(body.dialect, switches)
    dialect, entropy = DIALECTS[body.dialect], call.api.entropy
    if body.public_id is not None and dialect.public_id.fullmatch(body.public_id) is None:
        raise InvalidError(
            "field_invalid",
            f"public_id: no {dialect.name} account has such an id ({dialect.public_id.pattern})",
            zh=f"public_id 不是有效的 {dialect.name} 商户号",
            param="public_id",
        )
    minted = await _minted(call, dialect, body.public_key)
    account = DialectAccount(
        id=f"da_{entropy.bytes(5).hex()}",
        merchant_id=merchant_id,
        dialect=dialect.name,
        public_id=body.public_id or dialect.new_public_id(entropy),
        keys=(minted.keys,),
        switches=switches,
        created_at=call.gateway.clock.now(),
    )
    await call.gateway.store.add_dialect_account(account, call.caller.actor)
    return 201, {**await _view(call, account), "secrets": dict(minted.shown)}


async def listing(call: Call) -> Answer:
    """GET /v1/admin/merchants/{merchant_id}/dialects."""
    found = await call.gateway.store.dialect_accounts(await _merchant(call))
    return 200, {"data": [await _view(call, one) for one in found]}


async def show(call: Call) -> Answer:
    """GET /v1/admin/dialects/{account_id}."""
    return 200, await _view(call, await _account(call))


async def switch(call: Call) -> Answer:
    """POST /v1/admin/dialects/{account_id}/switches; asked again it changes nothing."""
    body: DialectSwitchIn = call.body
    account = await _account(call)
    if account.removed_at is not None:
        raise _removed()
    if body.version not in {None, account.version}:
        raise _moved(f"this account is at version {account.version}, not {body.version}")
    switches = body.switches.over(account.switches)
    _check_switches(account.dialect, switches)
    if switches != account.switches:
        account = replace(account, switches=switches, version=account.version + 1)
        await _change(call, account, "switched")
    return 200, await _view(call, account)


async def rotate(call: Call) -> Answer:
    """POST /v1/admin/dialects/{account_id}/rotate."""
    body: DialectRotateIn = call.body
    account = await _account(call)
    if account.removed_at is not None:
        raise _removed()
    minted = await _minted(call, DIALECTS[account.dialect], body.public_key)
    changed = account.rotated(minted.keys, only=body.only)
    await _change(call, changed, "rotated")
    return 201, {**await _view(call, changed), "secrets": dict(minted.shown)}


async def remove(call: Call) -> Answer:
    """DELETE /v1/admin/dialects/{account_id}; removing again changes nothing."""
    account = await _account(call)
    if account.removed_at is None:
        account = replace(account, removed_at=call.gateway.clock.now(), version=account.version + 1)
        await _change(call, account, "removed")
    return 200, await _view(call, account)


async def notified(call: Call) -> Answer:
    """GET /v1/admin/dialects/{account_id}/notices."""
    query: NotifiedQuery = call.query
    account = await _account(call)
    if query.number is None:
        found = await call.gateway.store.notifies(account.id, None, query.limit)
    else:
        one = await notify_by_number(call.gateway, account.id, query.number)
        found = [] if one is None else [one]
    return 200, {"data": [await _notified(call, one) for one in found]}


async def renotify(call: Call) -> Answer:
    """POST /v1/admin/dialects/{account_id}/notices/resend."""
    body: RenotifyIn = call.body
    account = await _account(call)
    found = await notify_by_number(call.gateway, account.id, body.number)
    if found is None:
        raise AbsenceError(
            "order_not_told",
            "there is no such order, or its caller gave no address to be told at",
            zh="订单不存在，或未提供通知地址",
            param="number",
        )
    told = await _notified(call, found)
    if told["standing"] not in FINAL or not await resend(call.gateway, found):
        raise ConflictError(
            "order_not_final",
            "the order is not final yet: its caller is told by itself once it is",
            zh="订单尚无最终结果，完成后将自动通知",
            param="number",
        )
    return 202, await _notified(call, found)


async def _notified(call: Call, one: Notify) -> NotifiedOrderView:
    stored = await call.gateway.store.payout(one.payout_id, one.merchant_id)
    payout = None if stored is None else await counted(call.gateway, stored)
    if payout is None:
        raise StoreError(f"{one.payout_id} is told about and is not there")
    told = await owed(call.gateway, one)
    return {
        "number": one.to.number,
        "own_number": one.to.own_number,
        "payout_id": one.payout_id,
        "standing": standing_of(payout),
        "url": one.to.url,
        "problem": one.to.problem,
        "accepted_at": stamp(one.accepted_at),
        "notices": [
            {
                "id": each.id,
                "standing": orjson.loads(each.payload)["standing"],
                "state": each.state,
                "tries": each.tries,
                "due_at": stamp(each.due_at),
                "last_status": each.last_status,
                "last_error": each.last_error,
                "created_at": stamp(each.created_at),
            }
            for each in told
        ],
    }


async def _change(call: Call, account: DialectAccount, action: str) -> None:
    try:
        await call.gateway.store.change_dialect_account(account, action, call.caller.actor)
    except StaleError:
        raise _moved("this account was changed at the same moment") from None


def _removed() -> ConflictError:
    return ConflictError("account_removed", "this account was removed", zh="该账户已停用")


def _moved(what: str) -> ConflictError:
    return ConflictError(
        "account_moved",
        f"{what}; look again",
        zh="该账户已被修改，请重新查看",
        param="version",
    )


def _check_switches(dialect: str, switches: Switches) -> None:
    """Refuse what would lock every caller out."""
    if switches.rsa_only and dialect in WITHOUT_RSA:
        raise InvalidError(
            "switch_unfit",
            f"switches.rsa_only: {dialect} has no RSA signatures, so nobody could ask any more",
            zh=f"{dialect} 协议没有 RSA 签名，不能开启 rsa_only",
            param="switches.rsa_only",
        )


async def _minted(call: Call, dialect: Dialect, public_key: str | None) -> Minted:
    if public_key is not None:
        wrong = dialect.check_public_key(public_key)
        if wrong is not None:
            raise InvalidError(
                "public_key_invalid",
                f"public_key: {wrong}",
                zh="public_key 不是可用的 RSA 公钥",
                param="public_key",
            )
    begun = KeySet(
        f"ks_{call.api.entropy.bytes(5).hex()}", call.gateway.clock.now(), theirs=public_key
    )
    # Making an RSA key takes a moment in which others must be answered.
    return await asyncio.to_thread(dialect.mint, call.api.entropy, begun)


async def _merchant(call: Call) -> MerchantId:
    merchant_id = MerchantId(call.path("merchant_id"))
    if await call.gateway.store.merchant(merchant_id) is None:
        raise AbsenceError(
            "no_such_merchant", f"there is no merchant {merchant_id!r}", zh="商户不存在"
        )
    return merchant_id


async def _account(call: Call) -> DialectAccount:
    wanted = call.path("account_id")
    for one in await call.gateway.store.dialect_accounts(None):
        if one.id == wanted:
            return one
    raise AbsenceError(
        "no_such_account", f"there is no dialect account {wanted!r}", zh="协议账户不存在"
    )


async def _view(call: Call, account: DialectAccount) -> DialectView:
    dialect = DIALECTS[account.dialect]
    refused = await call.gateway.store.refused_notify(account.id)
    switches = asdict(account.switches)
    shown: DialectSwitchesView = {
        "replay_duplicates": switches["replay_duplicates"],
        "soft_dedupe_minutes": switches["soft_dedupe_minutes"],
        "soft_dedupe_as": switches["soft_dedupe_as"],
        "soft_dedupe_native": switches["soft_dedupe_native"],
        "awaiting_review_as": switches["awaiting_review_as"],
        "rsa_only": switches["rsa_only"],
        "ip_allow": list(switches["ip_allow"]),
        "returned_as": switches["returned_as"],
    }
    return {
        "id": account.id,
        "merchant_id": account.merchant_id,
        "dialect": account.dialect,
        "public_id": account.public_id,
        "path": f"{PREFIX}{account.dialect}/",
        "keys": [
            {
                "id": one.id,
                "created_at": stamp(one.created_at),
                "public": dict(dialect.public_parts(one)),
            }
            for one in account.keys
        ],
        "switches": shown,
        "version": account.version,
        "refused_notify": None
        if refused is None
        else {
            "number": refused.to.number,
            "url": refused.to.url,
            "problem": refused.to.problem or "",
            "accepted_at": stamp(refused.accepted_at),
        },
        "created_at": stamp(account.created_at),
        "removed_at": stamp(account.removed_at),
    }
