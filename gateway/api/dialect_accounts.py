"""Administration of merchants' accounts in other platforms' protocols."""

import asyncio
from dataclasses import asdict, replace

from gateway.api.context import Answer, Call
from gateway.api.dialects.dialect import Dialect, Minted
from gateway.api.dialects.door import PREFIX
from gateway.api.dialects.registry import DIALECTS
from gateway.api.schemas import DialectIn, DialectRotateIn
from gateway.api.views import DialectSwitchesView, DialectView, stamp
from gateway.domain.dialect import DialectAccount, KeySet
from gateway.domain.errors import AbsenceError, ConflictError, InvalidError
from gateway.domain.payout import MerchantId
from gateway.ports import StaleError


async def add(call: Call) -> Answer:
    """POST /v1/admin/merchants/{merchant_id}/dialects."""
    body: DialectIn = call.body
    merchant_id = await _merchant(call)
    dialect, entropy = DIALECTS[body.dialect], call.api.entropy
    minted = await _minted(call, dialect, body.public_key)
    account = DialectAccount(
        id=f"da_{entropy.bytes(5).hex()}",
        merchant_id=merchant_id,
        dialect=dialect.name,
        public_id=body.public_id or dialect.new_public_id(entropy),
        keys=(minted.keys,),
        switches=body.switches.switches(),
        created_at=call.gateway.clock.now(),
    )
    await call.gateway.store.add_dialect_account(account, call.caller.actor)
    return 201, {**_view(account), "secrets": dict(minted.shown)}


async def listing(call: Call) -> Answer:
    """GET /v1/admin/merchants/{merchant_id}/dialects."""
    found = await call.gateway.store.dialect_accounts(await _merchant(call))
    return 200, {"data": [_view(one) for one in found]}


async def show(call: Call) -> Answer:
    """GET /v1/admin/dialects/{account_id}."""
    return 200, _view(await _account(call))


async def rotate(call: Call) -> Answer:
    """POST /v1/admin/dialects/{account_id}/rotate."""
    body: DialectRotateIn = call.body
    account = await _account(call)
    if account.removed_at is not None:
        raise ConflictError("account_removed", "this account was removed", zh="该账户已停用")
    minted = await _minted(call, DIALECTS[account.dialect], body.public_key)
    changed = account.rotated(minted.keys, only=body.only)
    await _change(call, changed, "rotated")
    return 201, {**_view(changed), "secrets": dict(minted.shown)}


async def remove(call: Call) -> Answer:
    """DELETE /v1/admin/dialects/{account_id}; removing again changes nothing."""
    account = await _account(call)
    if account.removed_at is None:
        account = replace(account, removed_at=call.gateway.clock.now(), version=account.version + 1)
        await _change(call, account, "removed")
    return 200, _view(account)


async def _change(call: Call, account: DialectAccount, action: str) -> None:
    try:
        await call.gateway.store.change_dialect_account(account, action, call.caller.actor)
    except StaleError:
        raise ConflictError(
            "account_moved",
            "this account was changed at the same moment; look again",
            zh="该账户刚被修改，请重新查看",
        ) from None


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


def _view(account: DialectAccount) -> DialectView:
    dialect = DIALECTS[account.dialect]
    switches = asdict(account.switches)
    shown: DialectSwitchesView = {
        "replay_duplicates": switches["replay_duplicates"],
        "soft_dedupe_minutes": switches["soft_dedupe_minutes"],
        "soft_dedupe_as": switches["soft_dedupe_as"],
        "soft_dedupe_native": switches["soft_dedupe_native"],
        "awaiting_review_as": switches["awaiting_review_as"],
        "rsa_only": switches["rsa_only"],
        "ip_allow": list(switches["ip_allow"]),
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
        "created_at": stamp(account.created_at),
        "removed_at": stamp(account.removed_at),
    }
