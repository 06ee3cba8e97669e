"""Epay V2 (彩虹易支付) as its callers know it: `/api/transfer/*` and `/api/merchant/info`.

Facts: dialects.md §2, wire-protocols.md §6. Its callers read every non-zero code, every bad
signature and every silence as "not paid", keep the money and ask again under a new number. So a
submission gets a non-zero code only when nothing is, and nothing will be, paid under its number.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Instrument,
    WechatWallet,
)
from channels.money import Currency, Money, MoneyError
from gateway.api.confirm_links import where_to_confirm
from gateway.api.dialects.dialect import Counter, Minted
from gateway.api.dialects.epay_signing import Proof, prove, sign_reply, string_to_sign
from gateway.api.dialects.orders import Order, Shown, UnstoredError, own_number_of
from gateway.api.dialects.rsa import check_public, new_pair, public_of
from gateway.api.dialects.states import WORDS
from gateway.api.dialects.wire import Ask, Said, form, json_body, plain
from gateway.api.dialects.words import failure
from gateway.domain.dialect import (
    NUMBER_CHARS_MAX,
    DialectAccount,
    KeySet,
    Standing,
    standing_of,
)
from gateway.domain.errors import ConflictError, GatewayError, InvalidError, UnfundedError
from gateway.domain.ledger import Book
from gateway.domain.payout import Payout
from gateway.engine.accept import month_for, price_at
from gateway.ports import Entropy, Merchant, StoreError
from policies.fees import UNUSED, tier_reached

BUSINESS, SIGNATURE, NO_FIELDS, NO_METHOD = -1, -3, -4, -5
NUMBER_DIGITS = 19
WINDOW_S = 300
REMARK_CHARS_MAX = 32
CHINA = timezone(timedelta(hours=8))
BUSY = "系统繁忙，请稍后再试"
PURPOSE = "转账"
"""What the payee reads when the caller says nothing."""

KNOWN = frozenset(
    (
        *("pid", "timestamp", "sign", "sign_type", "type", "account", "name", "money", "remark"),
        *("out_biz_no", "bookid", "biz_no"),
    )
)
_ALIPAY_ID = re.compile(r"2088[0-9]{12}", re.ASCII)
_OPENID = re.compile(r"[A-Za-z0-9_-]{6,128}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{8,32}", re.ASCII)
_STAMP = re.compile(r"[0-9]{10}", re.ASCII)


class ThrownError(Exception):
    """What the stock software throws: told unsigned."""

    def __init__(self, code: int, message: str) -> None:
        """`message` is Chinese and stable."""
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request whose signature is proven."""

    counter: Counter
    account: DialectAccount
    merchant: Merchant
    fields: Mapping[str, str]
    proof: Proof
    fresh: bool
    """Whether its timestamp is; an old one only repeats what was said."""


Fields = dict[str, Any]


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
            fields = _fields(ask)
            act = _act(ask.path)
            asked = await _proven(counter, ask, fields)
        except ThrownError as thrown:
            return _thrown(thrown)
        except (StoreError, TimeoutError):
            # Another process may have stored the very order that is asked for.
            return Said.nothing()
        try:
            return _signed(asked, await act(asked))
        except ThrownError as thrown:
            return _thrown(thrown, asked.account.merchant_id)
        except UnstoredError:
            return Said.nothing(asked.account.merchant_id)
        except (StoreError, TimeoutError):
            # Never a submission: what becomes of those is told, or "processing".
            return _thrown(ThrownError(BUSINESS, BUSY), asked.account.merchant_id)


# --- Who asks ----------------------------------------------------------------------------------


def _fields(ask: Ask) -> Mapping[str, str]:
    fields = form(ask.body) if ask.method == "POST" else None
    if not fields or "pid" not in fields:
        raise ThrownError(NO_FIELDS, "未传入任何参数")
    return fields


def _act(path: str) -> "_Act":
    act = _ACTS.get(path)
    if act is None:
        raise ThrownError(NO_METHOD, "请求的接口不存在")
    return act


async def _proven(counter: Counter, ask: Ask, fields: Mapping[str, str]) -> _Asked:
    pid = plain(fields["pid"]) or ""
    found = await counter.who("epay", pid) if Epay.public_id.fullmatch(pid) else None
    if found is None:
        raise ThrownError(BUSINESS, "商户不存在")
    account, merchant = found
    if not account.switches.admits(ask.remote):
        raise ThrownError(BUSINESS, "请求 IP 不在白名单内")
    proof = prove(fields, account.keys, KNOWN, rsa_only=account.switches.rsa_only)
    if proof is None:
        raise ThrownError(SIGNATURE, "签名校验失败")
    counter.note_unknown(account, proof.unknown)
    stamp = plain(fields.get("timestamp", "")) or ""
    if _STAMP.fullmatch(stamp) is None:
        raise ThrownError(SIGNATURE, "时间戳字段错误")
    fresh = abs(int(stamp) - int(counter.gateway.clock.now().timestamp())) <= WINDOW_S
    return _Asked(counter, account, merchant, fields, proof, fresh)


def _require_fresh(asked: _Asked) -> None:
    if not asked.fresh:
        raise _stale()


def _stale() -> ThrownError:
    return ThrownError(SIGNATURE, "时间戳已过期，请校准服务器时间")


# --- What it asks for --------------------------------------------------------------------------


async def _submit(asked: _Asked) -> Fields:
    order, orders, account = _order(asked), asked.counter.orders, asked.account
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
    except ThrownError:
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


def _submitted(asked: _Asked, shown: Shown, payout: Payout) -> Fields:
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


def _jump(asked: _Asked, payout: Payout) -> Fields:
    """Where the payee confirms. Stock reads it from the first answer only, before any channel was
    asked: our page is given then where channels will want a confirmation, and waits for it."""
    gateway, links = asked.counter.gateway, asked.counter.confirm_links
    action = None if payout.live is None else payout.live.action
    to = None
    match standing_of(payout):
        case Standing.CONFIRMING if action and gateway.clock.now() < action.expires_at:
            to = where_to_confirm(links, payout.id, action)
        case Standing.OPEN if links is not None:
            to = links.early(gateway, payout)
    return {} if to is None else {"jumpurl": to}


async def _query(asked: _Asked) -> Fields:
    _require_fresh(asked)
    shown = await _found(asked)
    payout = shown.payout
    reply = {**_begin(shown), "status": 0}
    if payout is None:
        return reply
    reply |= _jump(asked, payout)
    reply["status"] = WORDS[standing_of(payout)].epay_query
    if reply["status"] == 2:
        reply["errmsg"] = failure(payout)
    return {
        **reply,
        "amount": str(payout.asked),
        "cost_money": str(payout.amount + payout.fee),
        "paydate": _paid_at(payout),
        "remark": (shown.stored or payout).purpose,
    }


async def _balance(asked: _Asked) -> Fields:
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


async def _proof(asked: _Asked) -> Fields:
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


async def _info(asked: _Asked) -> Fields:
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


_Act = Callable[[_Asked], Awaitable[Fields]]
_ACTS: Mapping[str, _Act] = {
    "/api/transfer/submit": _submit,
    "/api/transfer/query": _query,
    "/api/transfer/balance": _balance,
    "/api/transfer/proof": _proof,
    "/api/merchant/info": _info,
}


# --- Reading -----------------------------------------------------------------------------------


def _order(asked: _Asked) -> Order:
    kind = _text(asked, "type")
    try:
        amount = Money.parse(_text(asked, "money"), Currency.CNY)
    except MoneyError:
        raise ThrownError(BUSINESS, "转账金额格式错误，最多两位小数") from None
    if amount.minor <= 0:
        raise ThrownError(BUSINESS, "转账金额必须大于0")
    remark = _text(asked, "remark")
    if len(remark) > REMARK_CHARS_MAX:
        raise ThrownError(BUSINESS, f"转账备注不能超过{REMARK_CHARS_MAX}个字")
    number = _text(asked, "out_biz_no")
    if len(number) > NUMBER_CHARS_MAX:
        raise ThrownError(BUSINESS, f"交易号不能超过{NUMBER_CHARS_MAX}个字符")
    book = _text(asked, "bookid")
    return Order(
        # Without a number the signed bytes are what makes it the same order.
        number=number or _number_of(asked),
        amount=amount,
        instrument=_instrument(kind, _text(asked, "account"), _text(asked, "name")),
        purpose=remark or PURPOSE,
        metadata={"bookid": book} if book else {},
    )


def _instrument(kind: str, account: str, name: str) -> Instrument:
    if not account:
        raise ThrownError(BUSINESS, "收款账号不能为空")
    if len(account) > 128 or len(name) > 64:
        raise ThrownError(BUSINESS, "收款账号或姓名过长")
    match kind:
        case "alipay" if _ALIPAY_ID.fullmatch(account):
            return AlipayAccount(account, AlipayIdentity.USER_ID, name or None)
        case "alipay":
            _require_name(name)
            return AlipayAccount(account, AlipayIdentity.LOGON_ID, name)
        case "wxpay":
            if _OPENID.fullmatch(account) is None:
                raise ThrownError(BUSINESS, "微信收款账号须为 openid")
            return WechatWallet(account, None, name or None)
        case "bank":
            number = account.replace(" ", "")
            if _DIGITS.fullmatch(number) is None:
                raise ThrownError(BUSINESS, "银行卡号格式错误")
            _require_name(name)
            return BankCard(number, name)
        case "qqpay":
            raise ThrownError(BUSINESS, "未开启此转账方式")
        case _:
            raise ThrownError(BUSINESS, "转账方式参数错误")


def _require_name(name: str) -> None:
    if not name:
        raise ThrownError(BUSINESS, "收款人姓名不能为空")


def _number_of(asked: _Asked) -> str:
    signed = hashlib.sha256(string_to_sign(asked.fields)).digest()
    return str(10**18 + int.from_bytes(signed) % (9 * 10**18))


def _text(asked: _Asked, name: str) -> str:
    text = plain(asked.fields.get(name, ""))
    if text is None:
        raise ThrownError(BUSINESS, f"参数 {name} 须为 UTF-8 编码且不含控制字符")
    return text


async def _found(asked: _Asked) -> Shown:
    own, theirs = _text(asked, "biz_no"), _text(asked, "out_biz_no")
    if not own and not theirs:
        raise ThrownError(BUSINESS, "交易号不能为空")
    try:
        return await asked.counter.orders.find(asked.account, own or theirs, own_first=bool(own))
    except GatewayError as absent:
        raise ThrownError(BUSINESS, _said(absent)) from None


async def _available(asked: _Asked) -> str:
    """What could be paid out now, in yuan; a credit line counts."""
    found = await asked.counter.gateway.store.balances(Book.AVAILABLE, asked.merchant.id)
    minor = sum(one.minor for one in found if one.account.currency is Currency.CNY)
    return str(Money(max(minor - (asked.merchant.floor_minor or 0), 0), Currency.CNY))


# --- Saying ------------------------------------------------------------------------------------


def _begin(shown: Shown) -> Fields:
    return {
        "code": 0,
        "msg": "success",
        "biz_no": shown.own_number,
        "out_biz_no": shown.number,
        "orderid": shown.own_number,
    }


def _paid_at(payout: Payout) -> str:
    moments: list[datetime] = [one.paid_at for one in payout.attempts if one.paid_at is not None]
    return moments[-1].astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S") if moments else ""


def _said(error: GatewayError) -> str:
    match error:
        case UnfundedError():
            return "需支付金额大于可转账余额"
        case InvalidError() | ConflictError():
            return error.zh or "参数错误"
        case _:
            return error.zh or BUSY


def _signed(asked: _Asked, reply: Fields) -> Said:
    now = int(asked.counter.gateway.clock.now().timestamp())
    told = {**reply, "timestamp": str(now), "sign_type": "RSA"}
    told["sign"] = sign_reply(told, asked.proof.keys)
    return Said(json_body(told), str(reply["code"]), asked.account.merchant_id)


def _thrown(error: ThrownError, merchant_id: str | None = None) -> Said:
    body = json_body({"code": error.code, "msg": error.message})
    return Said(body, str(error.code), merchant_id)
