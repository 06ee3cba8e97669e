"""Jeepay (计全) as its merchants know it: `/api/transferOrder` and `/api/transfer/query`.

Facts: dialects.md §1 and §2.3. Its callers read every state but 1 and 2, every other code and any
`errMsg` as "not paid" and give the money back. So states are 1, 2 or 3 and nothing else, words
about errors come with state 3 alone, and a code other than 0 only when nothing is stored under the
order's number. Only code 0 is signed, and of it `data` alone.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from msgspec import Struct

from channels.contract import AlipayAccount, BankCard, Instrument, WechatWallet
from channels.keyed_md5 import SIGN, signature
from gateway.api.dialects.dialect import Asked, Counter, Minted, Post
from gateway.api.dialects.jeepay_reading import (
    ALWAYS,
    CURRENCY,
    KEPT,
    TRANSFER,
    Fields,
    Proof,
    fields_of,
    given_text,
    order_of,
    params_error,
    prove,
    require,
    word,
)
from gateway.api.dialects.order import Order, Shown
from gateway.api.dialects.orders import UnstoredError, own_number_of
from gateway.api.dialects.states import WORDS
from gateway.api.dialects.wire import Ask, RefusedError, Said, json_body, plain
from gateway.api.dialects.words import failure, paid_at
from gateway.domain.dialect import (
    ENDED_UNPAID,
    NUMBER_CHARS_MAX,
    DialectAccount,
    KeySet,
    Standing,
    standing_of,
)
from gateway.domain.errors import (
    GatewayError,
    InvalidError,
    UnavailableError,
    UnfundedError,
)
from gateway.domain.pace import NOTICE_TAIL_S
from gateway.domain.payout import Payout
from gateway.ports import Entropy, StoreError

OK, SYSTEM, BUSINESS = 0, 10, 9999
PROCESSING = 1
TRANSFER_DIGITS = 22
"""Its own have 22 characters; 32 are the most."""
STOCK_LADDER_S = (0, 30, 60, 90, 120, 150)


class _Asked(Asked, frozen=True):
    fields: Fields
    proof: Proof


class Jeepay:
    """The dialect. An account is one application: its public id is `mchNo:appId`."""

    name = "jeepay"
    public_id = re.compile(r"[A-Za-z0-9_-]{1,60}:[A-Za-z0-9_-]{1,60}", re.ASCII)
    notify_word = "SUCCESS"
    notify_ladder_s = (*STOCK_LADDER_S, *NOTICE_TAIL_S)

    def new_public_id(self, entropy: Entropy) -> str:
        """A merchant's number and an application's id."""
        number = 10**9 + int.from_bytes(entropy.bytes(8)) % (9 * 10**9)
        return f"M{number}:{entropy.bytes(12).hex()}"

    def check_public_key(self, text: str) -> str | None:
        """There is none."""
        return "jeepay signs with a shared secret; leave it out" if text else None

    def mint(self, entropy: Entropy, keys: KeySet) -> Minted:
        """One shared secret, which signs both ways."""
        secret = entropy.bytes(32).hex()
        return Minted(KeySet(keys.id, keys.created_at, secret), {"app_secret": secret})

    def public_parts(self, keys: KeySet) -> Mapping[str, str]:
        """Nothing about the secret."""
        del keys
        return {}

    def takes_in(self, ask: Ask) -> bool:
        """Its submissions."""
        act = _ACTS.get(ask.path)
        return act is not None and act.run is _submit

    async def answer(self, counter: Counter, ask: Ask) -> Said:
        """Prove the caller, then do what the path says."""
        merchant_id = None
        try:
            act = _act(ask)
            asked = await _proven(counter, ask, act)
            merchant_id = asked.account.merchant_id
            return await act.run(asked)
        except RefusedError as refusal:
            return refusal.said(merchant_id)
        except (UnstoredError, StoreError, TimeoutError):
            # Another process may have stored the very order that is asked for.
            return Said.nothing(merchant_id)

    def notice(self, account: DialectAccount, shown: Shown, url: str, at: datetime) -> Post:
        """A form: what a query would say, the moment, and the signature over all of it."""
        said = {**_described(account, shown), "reqTime": str(_millis(at))}
        said[SIGN] = signature(said, account.keys[0].secret or "")
        body = urlencode({name: str(value) for name, value in said.items()})
        return Post(url, body.encode(), "application/x-www-form-urlencoded")


# --- Who asks ----------------------------------------------------------------------------------


class _Act(Struct, frozen=True):
    """What a path does, how it may be asked, and what must be said with it."""

    run: Callable[[_Asked], Awaitable[Said]]
    methods: frozenset[str]
    needed: Mapping[str, str]


def _act(ask: Ask) -> _Act:
    act = _ACTS.get(ask.path)
    if act is None:
        raise RefusedError(SYSTEM, "系统异常[请求的接口不存在]")
    if ask.method not in act.methods:
        raise RefusedError(SYSTEM, f"系统异常[该接口仅支持 {'、'.join(sorted(act.methods))}]")
    return act


async def _proven(counter: Counter, ask: Ask, act: _Act) -> _Asked:
    fields = fields_of(ask)
    require(fields, ALWAYS, act.needed)
    public_id = ":".join(plain(given_text(fields, name)) or "" for name in ("mchNo", "appId"))
    found = None
    if Jeepay.public_id.fullmatch(public_id):
        found = await counter.who(Jeepay.name, public_id)
    if found is None:
        raise RefusedError(BUSINESS, "商户或商户应用不存在")
    account, merchant = found
    if not account.switches.admits(ask.remote):
        raise RefusedError(BUSINESS, "请求 IP 不在白名单内")
    proof = prove(fields, account.keys, rsa_only=account.switches.rsa_only)
    if proof is None:
        raise RefusedError(BUSINESS, "验签失败")
    counter.note_unknown(account, proof.unknown)
    return _Asked(counter, account, merchant, fields, proof)


# --- What it asks for --------------------------------------------------------------------------


async def _submit(asked: _Asked) -> Said:
    account, counter = asked.account, asked.counter
    notify = counter.notify_url(account, given_text(asked.fields, "notifyUrl"))
    order = order_of(asked.fields, notify)
    try:
        shown = await counter.orders.take(account, asked.merchant, order, TRANSFER_DIGITS)
    except UnstoredError:
        raise
    except GatewayError as refusal:
        raise _said(refusal) from None
    except Exception as error:  # noqa: BLE001 - what may be stored must not look like "not paid"
        counter.gateway.observer.defect("dialect.defect", error)
        own = own_number_of(account, order.number, 0, TRANSFER_DIGITS)
        shown = Shown(order.number, own, None)
    if shown.payout is None:
        return _signed(asked, _unsure(order, shown))
    return _signed(asked, {**_submitted(shown, shown.payout), **_to_open(asked, shown.payout)})


async def _query(asked: _Asked) -> Said:
    own = word(asked.fields, "transferId", NUMBER_CHARS_MAX)
    theirs = word(asked.fields, "mchOrderNo", NUMBER_CHARS_MAX)
    if not own and not theirs:
        raise params_error("mchOrderNo 和 transferId 不能同时为空")
    try:
        shown = await asked.counter.orders.find(asked.account, own or theirs, own_first=bool(own))
    except GatewayError:
        raise RefusedError(BUSINESS, "订单不存在") from None
    if shown.payout is None:
        asked_for = {"mchOrderNo": theirs, "transferId": own}
        return _signed(asked, {**asked_for, "state": PROCESSING})
    return _signed(asked, {**_described(asked.account, shown), **_to_open(asked, shown.payout)})


_ACTS: Mapping[str, _Act] = {
    "/api/transferOrder": _Act(_submit, frozenset({"POST"}), TRANSFER),
    "/api/transfer/query": _Act(_query, frozenset({"GET", "POST"}), {}),
}


# --- Saying ------------------------------------------------------------------------------------


def _unsure(order: Order, shown: Shown) -> dict[str, Any]:
    """It may be stored or may be not: it is under way."""
    return {
        "transferId": shown.own_number,
        "mchOrderNo": shown.number,
        "amount": order.amount.minor,
        **_payee(order.instrument),
        "state": PROCESSING,
    }


def _submitted(shown: Shown, payout: Payout) -> dict[str, Any]:
    standing, stored = standing_of(payout), shown.stored or payout
    said: dict[str, Any] = {
        "transferId": shown.own_number,
        "mchOrderNo": shown.number,
        "amount": stored.asked.minor,
        **_payee(stored.instruments[0]),
        "state": WORDS[standing].jeepay,
    }
    live = payout.live
    if live is not None and live.channel_ref and standing in {Standing.PAID, Standing.RETURNED}:
        said["channelOrderNo"] = live.channel_ref
    if standing in ENDED_UNPAID:
        said["errCode"] = _error_code(payout, standing)
        said["errMsg"] = failure(payout)
    return said


def _described(account: DialectAccount, shown: Shown) -> dict[str, Any]:
    """What a query says, and a notice."""
    payout = shown.payout
    if payout is None:
        raise ValueError("nobody knows what became of it")
    stored = shown.stored or payout
    merchant_number, _, app_id = account.public_id.partition(":")
    said = {
        **_submitted(shown, payout),
        "mchNo": merchant_number,
        "appId": app_id,
        "currency": CURRENCY,
        "transferDesc": stored.purpose,
        **{name: stored.metadata[name] for name in KEPT if name in stored.metadata},
        "createdAt": _millis(stored.accepted_at),
    }
    paid = paid_at(payout)
    if paid is not None and standing_of(payout) in {Standing.PAID, Standing.RETURNED}:
        said["successTime"] = _millis(paid)
    return said


def _payee(instrument: Instrument) -> dict[str, str]:
    """As it was asked for; what was left out is left out."""
    match instrument:
        case WechatWallet(account) | AlipayAccount(account):
            said = {"accountNo": account}
        case BankCard(number, bank_name=bank):
            said = {"accountNo": number, **({"bankName": bank} if bank else {})}
        case _:
            return {}
    return {**said, "accountName": instrument.name} if instrument.name else said


def _to_open(asked: _Asked, payout: Payout) -> dict[str, str]:
    """What the payee confirms with: the page to open, and what WeChat's own page is opened with."""
    found = {"userH5ConfirmUrl": asked.counter.confirm_page(payout)}
    action = asked.counter.action_of(payout)
    if action is not None and action.kind == "wechat_confirm":
        package = {"appId": action.app_id, "mchId": action.mch_id, "package": action.package_info}
        found = {**package, **found}
    said = {name: value for name, value in found.items() if value}
    return {"channelResData": orjson.dumps(said).decode()} if said else {}


def _error_code(payout: Payout, standing: Standing) -> str:
    """Ours: the channel's own word may be another one's next time."""
    if standing is not Standing.FAILED:
        return standing.upper()
    proofs = [one.certificate for one in payout.attempts if one.certificate is not None]
    return (proofs[-1].reason if proofs else standing).upper()


def _millis(at: datetime) -> int:
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def _said(error: GatewayError) -> RefusedError:
    match error:
        case UnfundedError():
            return RefusedError(BUSINESS, "商户余额不足")
        case InvalidError():
            return params_error(error.zh or "参数错误")
        case UnavailableError():
            return RefusedError(SYSTEM, f"系统异常[{error.zh or '系统繁忙，请稍后再试'}]")
        case _:
            return RefusedError(BUSINESS, error.zh or "业务处理失败")


def _signed(asked: _Asked, said: dict[str, Any]) -> Said:
    fields = {name: value for name, value in said.items() if value not in (None, "")}
    made = signature(fields, asked.proof.keys.secret or "")
    body = json_body({"code": OK, "msg": "SUCCESS", "data": fields, SIGN: made})
    return Said(body, str(OK), asked.account.merchant_id)
