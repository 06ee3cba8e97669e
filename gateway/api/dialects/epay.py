"""Epay V2 (彩虹易支付) as its callers know it: `/api/transfer/*` and `/api/merchant/info`.

Facts: dialects.md §2, wire-protocols.md §6. Its callers read every non-zero code, every bad
signature and every silence as "not paid", keep the money and ask again under a new number. So a
submission gets a non-zero code only when nothing is, and nothing will be, paid under its number.
"""

import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from channels.money import Currency, Money
from gateway.api.dialects.dialect import Asked, Counter, Minted
from gateway.api.dialects.epay_reading import (
    BUSINESS,
    KNOWN,
    fields_of,
    order_of,
    question_of,
)
from gateway.api.dialects.epay_signing import Proof, prove, sign_reply
from gateway.api.dialects.order import Order, Shown
from gateway.api.dialects.orders import UnstoredError, own_number_of
from gateway.api.dialects.purse import purse_of
from gateway.api.dialects.rsa import check_public, new_pair, public_of
from gateway.api.dialects.states import WORDS
from gateway.api.dialects.wire import Ask, RefusedError, Said, json_body, plain
from gateway.api.dialects.words import failure, paid_at, stamp
from gateway.domain.dialect import KeySet, Standing, standing_of
from gateway.domain.errors import ConflictError, GatewayError, InvalidError, UnfundedError
from gateway.domain.payout import Payout
from gateway.engine.accept import month_for, price_at
from gateway.ports import Entropy, StoreError
from policies.fees import UNUSED, tier_reached

SIGNATURE, NO_METHOD = -3, -5
NUMBER_DIGITS = 19
WINDOW_S = 300
BUSY = "系统繁忙，请稍后再试"
_STAMP = re.compile(r"[0-9]{10}", re.ASCII)


class _Asked(Asked, frozen=True):
    fields: Mapping[str, str]
    proof: Proof
    fresh: bool
    """Whether its timestamp is; an old one only repeats what was said."""


Reply = dict[str, Any]


class Epay:
    """The dialect."""

    name = "epay"
    public_id = re.compile(r"[0-9]{1,16}", re.ASCII)

    def new_public_id(self, entropy: Entropy) -> str:
        """Eight digits."""
        return str(10_000_000 + int.from_bytes(entropy.bytes(8)) % 90_000_000)

    def check_public_key(self, text: str) -> str | None:
        """RSA, in PEM or bare base64."""
        return check_public(text)

    def mint(self, entropy: Entropy, keys: KeySet) -> Minted:
        """A pair of ours, a secret for MD5, and a pair for the caller unless it brought a key."""
        ours, _ = new_pair()
        secret, theirs, shown = entropy.bytes(16).hex(), keys.theirs, {}
        if theirs is None:
            private, theirs = new_pair()
            shown["merchant_private_key"] = private
        made = KeySet(keys.id, keys.created_at, secret, theirs, ours)
        return Minted(made, {**self.public_parts(made), **shown, "md5_key": secret})

    def public_parts(self, keys: KeySet) -> Mapping[str, str]:
        """The key that replies are checked with."""
        return {} if keys.ours is None else {"platform_public_key": public_of(keys.ours)}

    def takes_in(self, ask: Ask) -> bool:
        """Its submissions."""
        return _ACTS.get(ask.path) is _submit

    async def answer(self, counter: Counter, ask: Ask) -> Said:
        """Prove the caller, then do what the path says."""
        try:
            fields = fields_of(ask)
            act = _act(ask.path)
            asked = await _proven(counter, ask, fields)
        except RefusedError as refusal:
            return refusal.said(None)
        except (StoreError, TimeoutError):
            # Another process may have stored the very order that is asked for.
            return Said.nothing()
        try:
            return _signed(asked, await act(asked))
        except RefusedError as refusal:
            return refusal.said(asked.account.merchant_id)
        except UnstoredError:
            return Said.nothing(asked.account.merchant_id)
        except (StoreError, TimeoutError):
            # Never a submission: what becomes of those is told, or "processing".
            return RefusedError(BUSINESS, BUSY).said(asked.account.merchant_id)


# --- Who asks ----------------------------------------------------------------------------------


def _act(path: str) -> "_Act":
    act = _ACTS.get(path)
    if act is None:
        raise RefusedError(NO_METHOD, "请求的接口不存在")
    return act


async def _proven(counter: Counter, ask: Ask, fields: Mapping[str, str]) -> _Asked:
    pid = plain(fields["pid"]) or ""
    found = await counter.who("epay", pid) if Epay.public_id.fullmatch(pid) else None
    if found is None:
        raise RefusedError(BUSINESS, "商户不存在")
    account, merchant = found
    if not account.switches.admits(ask.remote):
        raise RefusedError(BUSINESS, "请求 IP 不在白名单内")
    proof = prove(fields, account.keys, KNOWN, rsa_only=account.switches.rsa_only)
    if proof is None:
        raise RefusedError(SIGNATURE, "签名校验失败")
    counter.note_unknown(account, proof.unknown)
    signed_at = plain(fields.get("timestamp", "")) or ""
    if _STAMP.fullmatch(signed_at) is None:
        raise RefusedError(SIGNATURE, "时间戳字段错误")
    fresh = abs(int(signed_at) - int(counter.gateway.clock.now().timestamp())) <= WINDOW_S
    return _Asked(counter, account, merchant, fields, proof, fresh)


def _require_fresh(asked: _Asked) -> None:
    if not asked.fresh:
        raise _stale()


def _stale() -> RefusedError:
    return RefusedError(SIGNATURE, "时间戳已过期，请校准服务器时间")


# --- What it asks for --------------------------------------------------------------------------


async def _submit(asked: _Asked) -> Reply:
    order, orders, account = order_of(asked.fields), asked.counter.orders, asked.account
    try:
        shown = None if asked.fresh else await _seen(asked, order)
        if shown is None or shown.payout is not None:
            shown = await orders.take(account, asked.merchant, order, NUMBER_DIGITS)
        if shown.payout is not None:
            return _submitted(asked, shown, shown.payout)
    except UnstoredError:
        raise
    except GatewayError as refusal:
        return {"code": BUSINESS, "msg": _said(refusal), "out_biz_no": order.number}
    except RefusedError:
        raise
    except Exception as error:  # noqa: BLE001 - what may be stored must not look like "not paid"
        asked.counter.gateway.observer.defect("dialect.defect", error)
    own = own_number_of(account, order.number, 0, NUMBER_DIGITS)
    now = asked.counter.gateway.clock.now()
    # The month's tier is not looked up: whatever went wrong might go wrong again.
    price = price_at(asked.merchant, order.amount, now, UNUSED)
    cost = price.amount + price.fee
    begun = _begin(Shown(order.number, own, None))
    return {**begun, "status": 0, "paydate": "", "cost_money": str(cost)}


async def _seen(asked: _Asked, order: Order) -> Shown:
    """Signed long ago and sent again: it learns what became of it, and never makes anything."""
    try:
        return await asked.counter.orders.find(asked.account, order.number)
    except GatewayError:
        raise _stale() from None


def _submitted(asked: _Asked, shown: Shown, payout: Payout) -> Reply:
    standing = standing_of(payout)
    if standing in {Standing.FAILED, Standing.REJECTED} and not payout.attempts:
        return {"code": BUSINESS, "msg": failure(payout), "out_biz_no": shown.number}
    words = WORDS[standing]
    opted = asked.account.switches.awaiting_review_as == "review"
    status = words.epay_submit
    if opted and words.epay_opted is not None:
        status = words.epay_opted
    reply = {
        **_begin(shown),
        "status": status,
        "paydate": _paid_at(payout),
        "cost_money": str(payout.amount + payout.fee),
    }
    return {**reply, **_jump(asked, payout)}


def _jump(asked: _Asked, payout: Payout) -> Reply:
    to = asked.counter.confirm_page(payout)
    return {} if to is None else {"jumpurl": to}


async def _query(asked: _Asked) -> Reply:
    _require_fresh(asked)
    shown = await _found(asked)
    payout = shown.payout
    reply = {**_begin(shown), "status": 0}
    if payout is None:
        return reply
    reply |= _jump(asked, payout)
    stored = shown.stored or payout
    reply["status"] = WORDS[standing_of(payout)].epay_query
    if reply["status"] == 2:
        reply["errmsg"] = failure(payout)
    return {
        **reply,
        "amount": str(stored.asked),
        "cost_money": str(payout.amount + payout.fee),
        "paydate": _paid_at(payout),
        "remark": stored.purpose,
    }


async def _balance(asked: _Asked) -> Reply:
    _require_fresh(asked)
    ppm = await _rate_ppm(asked)
    rate = f"{ppm // 10_000}.{ppm % 10_000:04d}".rstrip("0").removesuffix(".")
    return {
        "code": 0,
        "msg": "success",
        "available_money": await _available(asked),
        "transfer_rate": rate,
    }


async def _rate_ppm(asked: _Asked) -> int:
    """The rate that this month has reached."""
    fee, gateway = asked.merchant.fee.fee, asked.counter.gateway
    month = await month_for(gateway, asked.merchant, Currency.CNY, gateway.clock.now())
    return fee.tiers[tier_reached(fee, month)].rate_ppm if fee.tiers else fee.rate_ppm


async def _proof(asked: _Asked) -> Reply:
    _require_fresh(asked)
    shown = await _found(asked)
    if shown.payout is None:
        return {"code": BUSINESS, "msg": BUSY}
    try:
        made = await asked.counter.receipts.fetch(shown.payout, f"dialect:{asked.account.id}")
    except GatewayError as refusal:
        return {"code": BUSINESS, "msg": _said(refusal)}
    return {
        **_begin(shown),
        "receipt": base64.b64encode(made.body).decode(),
        "receipt_type": made.content_type,
        "receipt_name": made.filename,
    }


async def _info(asked: _Asked) -> Reply:
    _require_fresh(asked)
    return {
        "code": 0,
        "msg": "success",
        "pid": asked.account.public_id,
        "status": int(asked.merchant.active and asked.account.removed_at is None),
        "pay_status": 0,
        "settle_status": 0,
        "money": await _available(asked),
        "settle_type": 4,
        "settle_account": "",
        "settle_name": asked.merchant.name,
        "order_num": 0,
        "order_num_today": 0,
        "order_num_lastday": 0,
    }


_Act = Callable[[_Asked], Awaitable[Reply]]
_ACTS: Mapping[str, _Act] = {
    "/api/transfer/submit": _submit,
    "/api/transfer/query": _query,
    "/api/transfer/balance": _balance,
    "/api/transfer/proof": _proof,
    "/api/merchant/info": _info,
}


async def _found(asked: _Asked) -> Shown:
    wanted, is_own = question_of(asked.fields)
    try:
        return await asked.counter.orders.find(asked.account, wanted, own_first=is_own)
    except GatewayError as absent:
        raise RefusedError(BUSINESS, _said(absent)) from None


async def _available(asked: _Asked) -> str:
    """What could be paid out now, in yuan."""
    purse = await purse_of(asked.counter.gateway, asked.merchant)
    return str(Money(purse.available_minor, Currency.CNY))


# --- Saying ------------------------------------------------------------------------------------


def _begin(shown: Shown) -> Reply:
    return {
        "code": 0,
        "msg": "success",
        "biz_no": shown.own_number,
        "out_biz_no": shown.number,
        "orderid": shown.own_number,
    }


def _paid_at(payout: Payout) -> str:
    at = paid_at(payout)
    return "" if at is None else stamp(at)


def _said(error: GatewayError) -> str:
    match error:
        case UnfundedError():
            return "需支付金额大于可转账余额"
        case InvalidError() | ConflictError():
            return error.zh or "参数错误"
        case _:
            return error.zh or BUSY


def _signed(asked: _Asked, reply: Reply) -> Said:
    now = int(asked.counter.gateway.clock.now().timestamp())
    told = {**reply, "timestamp": str(now), "sign_type": "RSA"}
    told["sign"] = sign_reply(told, asked.proof.keys)
    return Said(json_body(told), str(reply["code"]), asked.account.merchant_id)
