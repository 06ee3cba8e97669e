"""XxPay and its clones as their callers know them: `/api/agentpay/*`.

Facts: dialects.md §3.1, §5 (9). Its callers read FAIL, silence and a signature that does not fit as
"not paid". So a submission gets FAIL only when nothing is, and nothing will be, paid under its
number. Whoever is proven gets every answer signed, refusals too, which stock servers do not do: a
refusal can then be believed.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlencode

from channels.keyed_md5 import SIGN, signature
from gateway.api.dialects.dialect import Asked, Counter, Minted, Post
from gateway.api.dialects.order import Shown
from gateway.api.dialects.orders import UnstoredError, own_number_of
from gateway.api.dialects.owed import notify_by_number, resend
from gateway.api.dialects.purse import purse_of
from gateway.api.dialects.states import WORDS
from gateway.api.dialects.wire import Ask, Said, json_body
from gateway.api.dialects.words import failure
from gateway.api.dialects.xxpay_reading import (
    Fields,
    Proof,
    RefusedError,
    fields_of,
    order_of,
    prove,
    text,
)
from gateway.domain.dialect import DialectAccount, KeySet, Standing, standing_of
from gateway.domain.errors import (
    AbsenceError,
    ConflictError,
    GatewayError,
    InvalidError,
    UnfundedError,
)
from gateway.domain.pace import NOTICE_TAIL_S
from gateway.domain.payout import Payout
from gateway.engine.accept import price_at
from gateway.ports import Entropy, StoreError
from policies.fees import UNUSED

TAKEN, REFUSED, AWAY = "SUCCESS", "FAIL", "UNKNOWN"
"""The last one is none of the protocol's: the balance cannot be told now. Of an order it is never
said, since callers take whatever is not SUCCESS for "not paid"."""
NUMBER_DIGITS = 22
"""Callers keep 30 characters."""
URL_CHARS_MAX = 2048
"""What the guard of what goes out lets pass."""
RESEND_S = 0.3
"""Who asks for a notice again waits for the answer to a question, too."""
STOCK_LADDER_S = (0, 60, 120, 180, 240, 300)
NOT_FOUND = "代付订单不存在"
BUSY = "系统繁忙，请稍后再试"


class _Asked(Asked, frozen=True):
    fields: Fields
    proof: Proof


Reply = dict[str, object]


class XxPay:
    """The dialect."""

    name = "xxpay"
    public_id = re.compile(r"[0-9]{1,16}", re.ASCII)
    notify_word = "success"
    notify_ladder_s = (*STOCK_LADDER_S, *NOTICE_TAIL_S)

    def new_public_id(self, entropy: Entropy) -> str:
        """Eight digits, as its own ids begin."""
        return str(20_000_000 + int.from_bytes(entropy.bytes(8)) % 10_000_000)

    def check_public_key(self, text: str) -> str | None:
        """There is no use for one."""
        return "XxPay signs with a shared secret only; leave public_key out"

    def mint(self, entropy: Entropy, keys: KeySet) -> Minted:
        """A shared secret, which XxPay calls 私钥."""
        secret = entropy.bytes(32).hex().upper()
        return Minted(KeySet(keys.id, keys.created_at, secret), {"private_key": secret})

    def public_parts(self, keys: KeySet) -> Mapping[str, str]:
        """None of it is public."""
        return {}

    def takes_in(self, ask: Ask) -> bool:
        """Its submissions."""
        return _ACTS.get(ask.path) is _apply

    async def answer(self, counter: Counter, ask: Ask) -> Said:
        """Prove the caller, then do what the path says."""
        try:
            act = _act(ask.path)
            asked = await _proven(counter, ask)
        except RefusedError as refusal:
            return Said(json_body({"retCode": REFUSED, "retMsg": refusal.message}), REFUSED)
        except (StoreError, TimeoutError):
            # Another process may have stored the very order that is asked for.
            return Said.nothing()
        try:
            return _signed(asked, {"retCode": TAKEN, "retMsg": "", **await act(asked)})
        except RefusedError as refusal:
            return _signed(asked, {"retCode": REFUSED, "retMsg": refusal.message})
        except UnstoredError:
            return Said.nothing(asked.account.merchant_id)
        except (StoreError, TimeoutError):
            # Never an order: what becomes of those is told, or "processing".
            return _signed(asked, {"retCode": AWAY, "retMsg": BUSY})

    def notice(self, account: DialectAccount, shown: Shown, url: str, at: datetime) -> Post:
        """Everything in the query string, and nothing in the body; a form where that is too long.

        Our number, theirs as clones add it, and how it stands; no amount and no payee.
        """
        payout = shown.payout
        if payout is None:
            raise ValueError("nobody knows what became of it")
        extra = (shown.stored or payout).metadata.get("extra", "")
        said = {**_told(account, shown, payout.fee.minor, extra), "mchOrderNo": shown.number}
        said[SIGN] = signature(said, account.keys[0].secret or "")
        texts = urlencode({name: str(value) for name, value in said.items()})
        whole = f"{url}{'&' if '?' in url else '?'}{texts}"
        return Post(whole) if len(whole) <= URL_CHARS_MAX else Post(url, texts.encode())


# --- Who asks ----------------------------------------------------------------------------------


def _act(path: str) -> "_Act":
    act = _ACTS.get(path)
    if act is None:
        raise RefusedError("请求的接口不存在")
    return act


async def _proven(counter: Counter, ask: Ask) -> _Asked:
    fields = fields_of(ask)
    public_id = text(fields, "mchId")
    if XxPay.public_id.fullmatch(public_id) is None:
        raise RefusedError("参数[mchId]必填,且为数值类型")
    found = await counter.who(XxPay.name, public_id)
    if found is None:
        raise RefusedError("商户不存在")
    account, merchant = found
    if not account.switches.admits(ask.remote):
        raise RefusedError("请求 IP 不在白名单内")
    proof = prove(fields, account.keys)
    if proof is None:
        raise RefusedError("验证签名不通过")
    counter.note_unknown(account, proof.unknown)
    return _Asked(counter, account, merchant, fields, proof)


# --- What it asks for --------------------------------------------------------------------------


async def _apply(asked: _Asked) -> Reply:
    account, given = asked.account, asked.fields.get("notifyUrl")
    notify = asked.counter.notify_url(account, given if isinstance(given, str) else "")
    order = order_of(asked.fields, notify)
    extra = order.metadata.get("extra", "")
    try:
        shown = await asked.counter.orders.take(account, asked.merchant, order, NUMBER_DIGITS)
        if shown.payout is not None:
            payout = shown.payout
            return _told(account, shown, payout.fee.minor, extra)
    except UnstoredError:
        raise
    except GatewayError as refusal:
        raise RefusedError(_said(refusal)) from None
    except Exception as error:  # noqa: BLE001 - what may be stored must not look like "not paid"
        asked.counter.gateway.observer.defect("dialect.defect", error)
    own = own_number_of(account, order.number, 0, NUMBER_DIGITS)
    # The month's tier is not looked up: whatever went wrong might go wrong again.
    price = price_at(asked.merchant, order.amount, asked.counter.gateway.clock.now(), UNUSED)
    return _told(account, Shown(order.number, own, None), price.fee.minor, extra)


async def _query(asked: _Asked) -> Reply:
    theirs, own = text(asked.fields, "mchOrderNo"), text(asked.fields, "agentpayOrderId")
    if not theirs and not own:
        raise RefusedError("参数[mchOrderNo]和[agentpayOrderId]至少填一个")
    account = asked.account
    try:
        shown = await asked.counter.orders.find(account, theirs or own, own_first=not theirs)
    except AbsenceError:
        raise RefusedError(NOT_FOUND) from None
    payout = shown.payout
    if text(asked.fields, "executeNotify").lower() == "true":
        await _tell_again(asked, shown)
    if payout is None:
        # Nobody can look: it is told by the numbers that were asked with.
        own = own or own_number_of(account, theirs, 0, NUMBER_DIGITS)
        unseen = {"agentpayOrderId": own, "mchOrderNo": theirs}
        return {"mchId": account.public_id, **unseen, "status": str(_status(account, None))}
    stored = shown.stored or payout
    told = _told(account, shown, payout.fee.minor, stored.metadata.get("extra", ""))
    return {
        "mchId": account.public_id,
        "mchOrderNo": shown.number,
        "amount": str(stored.asked.minor),
        **{name: str(value) for name, value in told.items()},
    }


async def _tell_again(asked: _Asked, shown: Shown) -> None:
    """Have its notice sent once more, if it has ended and has one; failing is harmless."""
    gateway = asked.counter.gateway
    with suppress(StoreError, TimeoutError):
        async with asyncio.timeout(RESEND_S):
            found = await notify_by_number(gateway, asked.account.id, shown.number)
            if found is not None:
                await resend(gateway, found)


async def _balance(asked: _Asked) -> Reply:
    purse = await purse_of(asked.counter.gateway, asked.merchant)
    return {
        "mchId": asked.account.public_id,
        "agentpayBalance": purse.available_minor + purse.held_minor,
        "availableAgentpayBalance": purse.available_minor,
    }


_Act = Callable[[_Asked], Awaitable[Reply]]
_ROOTS = ("/api/agentpay", "/api/unified/agentpay", "/agentPay")
_NAMES: Mapping[str, _Act] = {
    "apply": _apply,
    "query_order": _query,
    "queryOrder": _query,
    "query_balance": _balance,
    "queryBalance": _balance,
}
_ACTS: Mapping[str, _Act] = {
    f"{root}/{name}": act for root in _ROOTS for name, act in _NAMES.items()
}
"""Clones moved and renamed what they took over."""


# --- Saying ------------------------------------------------------------------------------------


def _told(account: DialectAccount, shown: Shown, fee_minor: int, extra: str) -> Reply:
    return {
        "agentpayOrderId": shown.own_number,
        "status": _status(account, shown.payout),
        "fee": fee_minor,
        "transMsg": "" if shown.payout is None else failure(shown.payout),
        "extra": extra,
    }


def _status(account: DialectAccount, payout: Payout | None) -> int:
    standing = Standing.OPEN if payout is None else standing_of(payout)
    if standing is Standing.RETURNED and account.switches.returned_as == "failed":
        standing = Standing.FAILED
    return WORDS[standing].xxpay


def _said(error: GatewayError) -> str:
    match error:
        case UnfundedError():
            return "代付余额不足"
        case InvalidError() | ConflictError():
            return error.zh or "参数错误"
        case _:
            return error.zh or BUSY


def _signed(asked: _Asked, reply: Reply) -> Said:
    proof = asked.proof
    made = signature(reply, proof.keys.secret or "")
    told = {**reply, SIGN: made.lower() if proof.lower_case else made}
    return Said(json_body(told), str(reply["retCode"]), asked.account.merchant_id)
