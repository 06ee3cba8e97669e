"""Alipay's open platform as its SDKs know it: `/gateway.do` with the transfer, its query, and the
balance.

Facts: wire-protocols.md §1. Its callers read a business refusal (40004) as "not paid", `DEALING` as
"ask later" and 20000 as "ask about the same number", so whatever is stored, or may be, is told as
one of the latter; a refusal is for what nothing is, and nothing will be, paid under its number.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from channels.contract import Rail
from channels.money import Currency, Money
from gateway.api.dialects import alipay_content as content
from gateway.api.dialects import alipay_envelope as envelope
from gateway.api.dialects import rsa
from gateway.api.dialects.alipay_codes import (
    ABSENT,
    DIFFERS,
    OK,
    UNSURE,
    RefusedError,
    error_code,
    refusal_of,
)
from gateway.api.dialects.alipay_envelope import Tone
from gateway.api.dialects.dialect import Asked, Counter, Minted, Post, Who
from gateway.api.dialects.order import Order, Shown
from gateway.api.dialects.orders import own_number_of
from gateway.api.dialects.purse import purse_of
from gateway.api.dialects.states import WORDS
from gateway.api.dialects.wire import Ask, Said, posing, raw
from gateway.api.dialects.words import CHINA, failure, paid_at, stamp
from gateway.domain.dialect import ENDED_UNPAID, DialectAccount, KeySet, Standing, standing_of
from gateway.domain.errors import AbsenceError, GatewayError, InvalidError
from gateway.domain.payout import Payout
from gateway.ports import Entropy, StoreError

KEY_BITS_MIN = 2048
"""RSA2 asks for no less."""
NUMBER_DIGITS = 32
FRESH = timedelta(days=1)
"""Alipay names no window and SDKs write local time, so a wrong time zone must not matter; but what
was recorded and is played back later makes no order."""
LADDER_S = (0, 240, 600, 600, 3600, 7200, 21600, 54000, 86400, 86400)
"""Alipay's own, a day and half an hour; then twice more, for receivers that are away longer."""
KNOWN = frozenset(
    (
        *("app_id", "method", "format", "charset", "sign_type", "sign", "timestamp", "version"),
        *("biz_content", "notify_url", "return_url", "alipay_sdk", "app_auth_token", "auth_token"),
        *("encrypt_type", "app_cert_sn", "alipay_root_cert_sn", "prod_code", "terminal_type"),
        *("terminal_info", "ws_service_url"),
    )
)
OPAQUE = frozenset({"biz_content", "notify_url", "return_url"})
"""May hold anything: no parameter that changes an order stands right behind them in the text that
is signed, or it cannot be done without."""

Node = Mapping[str, str]


class _Call(Asked, frozen=True):
    given: Mapping[str, str]
    """Parameters as they were sent."""
    charset: str | None
    """None: one that we do not know."""

    def text(self, name: str) -> str:
        """A parameter, read; empty when it is not there."""
        try:
            return raw(self.given.get(name, "")).decode(self.charset or "utf-8")
        except UnicodeDecodeError:
            raise RefusedError("isv.invalid-charset") from None


class Alipay:
    """The dialect."""

    name = "alipay"
    public_id = re.compile(r"[0-9]{16}", re.ASCII)
    notify_word = "success"
    notify_ladder_s = LADDER_S

    def new_public_id(self, entropy: Entropy) -> str:
        """An app_id: sixteen digits that begin with a year."""
        return f"2021{int.from_bytes(entropy.bytes(8)) % 10**12:012d}"

    def check_public_key(self, text: str) -> str | None:
        """RSA of 2048 bits at least, in PEM or bare base64."""
        return rsa.check_public(text, KEY_BITS_MIN)

    def mint(self, entropy: Entropy, keys: KeySet) -> Minted:
        """A pair of ours, and one for the application unless it brought a key: in both forms, for
        the official Python client reads PKCS #1 only and the Java one PKCS #8."""
        ours, _ = rsa.new_pair()
        theirs, shown = keys.theirs, {}
        if theirs is None:
            private, theirs = rsa.new_pair()
            shown["app_private_key"] = private
            shown["app_private_key_pkcs1"] = rsa.pkcs1_of(private)
        made = KeySet(keys.id, keys.created_at, None, theirs, ours)
        return Minted(made, {**self.public_parts(made), **shown})

    def public_parts(self, keys: KeySet) -> Mapping[str, str]:
        """The key that replies are checked with."""
        return {} if keys.ours is None else {"alipay_public_key": rsa.public_of(keys.ours)}

    def takes_in(self, ask: Ask) -> bool:
        """Its submissions."""
        return _TRANSFER.encode() in ask.body or _TRANSFER in ask.query

    async def answer(self, counter: Counter, ask: Ask) -> Said:
        """Prove the caller, then do what it calls for; whatever happens, say it as Alipay would."""
        tone = Tone()
        try:
            given = envelope.parameters(ask)
            tone = _tone(given)
            account, merchant = await _caller(counter, ask, given)
            tone = replace(tone, key=account.keys[0].ours, merchant_id=account.merchant_id)
            keys = envelope.proven(given, account.keys)
            tone = replace(tone, key=keys.ours)
            charset = envelope.CHARSETS.get(given.get("charset", "").lower())
            node = await _act(_Call(counter, account, merchant, given, charset))
        except RefusedError as refusal:
            node = refusal.node
        except (StoreError, TimeoutError):
            node = RefusedError(UNSURE).node
        except Exception as error:  # noqa: BLE001 - a caller must not read our bug as "not paid"
            counter.gateway.observer.defect("dialect.defect", error)
            node = RefusedError(UNSURE).node
        if tone.key is None and node.get("sub_code") == UNSURE:
            # "Ask about the same number" is believed when it is signed; some SDKs let unsigned
            # errors pass, so that anybody on the way could say it.
            return Said.nothing()
        return envelope.reply(tone, node)

    def notice(self, account: DialectAccount, shown: Shown, url: str, at: datetime) -> Post:
        """`alipay.fund.trans.order.changed`: what a query would say, and what was asked for."""
        payout, key = shown.payout, account.keys[0].ours
        if payout is None or key is None:
            raise ValueError("a notice is of a known order, and signed")
        told = _described(shown, payout)
        account_product, card_product = content.PRODUCTS
        is_account = (shown.stored or payout).instruments[0].rail is Rail.ALIPAY
        biz = {
            **told,
            "product_code": account_product if is_account else card_product,
            "biz_scene": content.SCENE,
            "origin_interface": _TRANSFER,
            "action_type": "FINISH",
        }
        named = f"{shown.own_number} {told['status']}"
        common = {
            "app_id": account.public_id,
            "msg_method": "alipay.fund.trans.order.changed",
            "notify_id": hashlib.sha256(named.encode()).hexdigest()[:32],
            "utc_timestamp": str(int(at.timestamp()) * 1000),
            "version": "1.1",
        }
        return Post(url, envelope.notice(biz, common, key), _FORM)


# --- Who asks ----------------------------------------------------------------------------------


def _tone(given: Mapping[str, str]) -> Tone:
    method, charset = given.get("method", ""), given.get("charset", "").lower()
    node = f"{method.replace('.', '_')}_response" if method in _METHODS else envelope.ERROR_NODE
    return Tone(node, envelope.CHARSETS.get(charset, "utf-8"))


async def _caller(counter: Counter, ask: Ask, given: Mapping[str, str]) -> Who:
    if ask.path != "/gateway.do" or ask.method not in {"GET", "POST"}:
        raise RefusedError("isv.invalid-method", "请以 GET 或 POST 请求 /gateway.do")
    app_id = given.get("app_id", "")
    if not app_id:
        raise RefusedError("isv.missing-app-id")
    found = await counter.who("alipay", app_id) if Alipay.public_id.fullmatch(app_id) else None
    if found is None:
        raise RefusedError("isv.invalid-app-id")
    if not found[0].switches.admits(ask.remote):
        raise RefusedError("isv.insufficient-isv-permissions", "请求 IP 不在白名单内")
    return found


async def _act(call: _Call) -> Node:
    method = call.given.get("method", "")
    if not method:
        raise RefusedError("isv.missing-method")
    act = _METHODS.get(method)
    if act is None:
        known = method.startswith("alipay.")
        raise RefusedError(f"isv.{'insufficient-isv-permissions' if known else 'invalid-method'}")
    asked: content.Content = {}
    try:
        # What it is about comes first: a refusal must not be told of a number that is in use.
        asked = _content(call)
        return {**OK, **await act(call, asked, _moment(call))}
    except RefusedError as refusal:
        is_verdict = method == _TRANSFER and refusal.sub_code != UNSURE
        if is_verdict and await _is_known(call, content.number_of(asked)):
            raise RefusedError(DIFFERS) from refusal
        raise


def _content(call: _Call) -> content.Content:
    if call.given.get("encrypt_type"):
        raise RefusedError("isv.invalid-encrypt")
    if not call.given.get("biz_content"):
        raise RefusedError("isv.missing-biz-content")
    asked = content.read(call.text("biz_content"))
    unknown = {*asked} - content.USED - content.UNUSED | {*call.given} - KNOWN
    call.counter.note_unknown(call.account, tuple(sorted(unknown)))
    return asked


def _moment(call: _Call) -> datetime:
    """When it was signed. Raises `RefusedError` for that, and for all that is not as agreed."""
    for name in ("charset", "timestamp", "version"):
        if not call.given.get(name):
            raise RefusedError(f"isv.missing-{name}")
    if call.charset is None:
        raise RefusedError("isv.invalid-charset")
    if call.text("format").lower() not in {"", "json"}:
        raise RefusedError("isv.invalid-format")
    if call.text("version") != "1.0":
        raise RefusedError("isv.invalid-version")
    if (posed := posing(call.given, KNOWN, OPAQUE)) is not None:
        raise RefusedError("isv.invalid-parameter", f"参数 {posed} 不能含有“&名称=”形式的内容")
    if call.given.get("app_auth_token"):
        # Money would leave the application's own account instead of who authorised it.
        raise RefusedError("aop.invalid-app-auth-token")
    if call.given.get("app_cert_sn") or call.given.get("alipay_root_cert_sn"):
        raise RefusedError("isv.invalid-app-cert-sn")
    try:
        said = datetime.strptime(call.text("timestamp"), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the zone follows
        return said.replace(tzinfo=CHINA).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedError("isv.invalid-timestamp") from None


async def _is_known(call: _Call, number: str | None) -> bool:
    if number is None:
        return False
    try:
        await call.counter.orders.find(call.account, number)
    except AbsenceError:
        return False
    return True


# --- What it asks for --------------------------------------------------------------------------


async def _transfer(call: _Call, asked: content.Content, signed_at: datetime) -> Node:
    orders, account = call.counter.orders, call.account
    notify = call.counter.notify_url(account, call.text("notify_url"))
    order = replace(content.order_of(asked), notify=notify)
    try:
        is_fresh = abs(call.counter.gateway.clock.now() - signed_at) <= FRESH
        shown = None if is_fresh else await _seen(call, order)
        if shown is None or shown.payout is not None:
            shown = await orders.take(account, call.merchant, order, NUMBER_DIGITS)
        if shown.payout is not None:
            return _submitted(call, shown, shown.payout)
    except InvalidError as refusal:
        raise _unreachable(call, order, refusal) from None
    except GatewayError as refusal:
        raise refusal_of(refusal) from None
    except RefusedError:
        raise
    except Exception as error:  # noqa: BLE001 - what may be stored must not look like "not paid"
        call.counter.gateway.observer.defect("dialect.defect", error)
    own = own_number_of(account, order.number, 0, NUMBER_DIGITS)
    now = call.counter.gateway.clock.now()
    return {
        **_begin(Shown(order.number, own, None)),
        "status": WORDS[Standing.OPEN].alipay,
        "trans_date": stamp(now),
        "amount": str(order.amount),
    }


async def _seen(call: _Call, order: Order) -> Shown:
    """Signed long ago and sent again: it learns what became of it, and never makes anything."""
    try:
        return await call.counter.orders.find(call.account, order.number)
    except GatewayError:
        raise RefusedError("isv.invalid-timestamp") from None


async def _query(call: _Call, asked: content.Content, _: datetime) -> Node:
    wanted, is_own = content.question_of(asked)
    try:
        shown = await call.counter.orders.find(call.account, wanted, own_first=is_own)
    except GatewayError:
        raise RefusedError(ABSENT) from None
    payout = shown.payout
    if payout is None:
        raise RefusedError(UNSURE)
    passed = (shown.stored or payout).metadata.get("passback_params")
    node = _described(shown, payout)
    return node if passed is None else {**node, "passback_params": passed}


async def _balance(call: _Call, asked: content.Content, _: datetime) -> Node:
    """What could be paid out now, a credit line included, and what is promised to payouts."""
    content.check_account(asked)
    purse = await purse_of(call.counter.gateway, call.merchant)
    return {
        "available_amount": str(Money(purse.available_minor, Currency.CNY)),
        "freeze_amount": str(Money(max(purse.held_minor, 0), Currency.CNY)),
    }


_TRANSFER = "alipay.fund.trans.uni.transfer"
_FORM = "application/x-www-form-urlencoded; charset=UTF-8"
_Act = Callable[[_Call, content.Content, datetime], Awaitable[Node]]
_METHODS: Mapping[str, _Act] = {
    _TRANSFER: _transfer,
    "alipay.fund.trans.common.query": _query,
    "alipay.fund.account.query": _balance,
}


# --- Saying ------------------------------------------------------------------------------------


def _begin(shown: Shown) -> dict[str, str]:
    """One number of ours stands for the order and its payment: there is one payment an order."""
    return {
        "out_biz_no": shown.number,
        "order_id": shown.own_number,
        "pay_fund_order_id": shown.own_number,
    }


def _described(shown: Shown, payout: Payout) -> dict[str, str]:
    standing = standing_of(payout)
    node = {
        **_begin(shown),
        "status": WORDS[standing].alipay,
        "trans_amount": str((shown.stored or payout).asked),
        "order_fee": str(payout.fee),
    }
    paid = paid_at(payout)
    if paid is not None and standing in {Standing.PAID, Standing.RETURNED}:
        node["pay_date"] = stamp(paid)
    if standing in ENDED_UNPAID:
        node |= {"error_code": error_code(payout), "fail_reason": failure(payout)}
    returned = [one.returned_at for one in payout.attempts if one.returned_at is not None]
    return {**node, "refund_date": stamp(returned[-1])} if returned else node


def _submitted(call: _Call, shown: Shown, payout: Payout) -> Node:
    standing, stored = standing_of(payout), shown.stored or payout
    node = {
        **_begin(shown),
        "status": WORDS[standing].alipay,
        "trans_date": stamp(paid_at(payout) or stored.accepted_at),
        "amount": str(stored.asked),
    }
    if standing in ENDED_UNPAID:
        node["sub_status"] = error_code(payout)
    page = call.counter.confirm_page(payout)
    return node if page is None else {**node, "link": page}


def _unreachable(call: _Call, order: Order, refusal: InvalidError) -> RefusedError:
    """Which of Alipay's words says best why no channel can carry an order."""
    if refusal.code != "no_channel":
        return refusal_of(refusal)
    terms = [
        one.traits.terms
        for one in call.counter.gateway.channels.values()
        if order.instrument.rail in one.traits.rails
        and one.traits.terms.currency is order.amount.currency
    ]
    if not terms:
        return RefusedError("PRODUCT_NOT_SIGN")
    if order.amount.minor > max(one.amount_max for one in terms):
        return RefusedError("EXCEED_LIMIT_SM_AMOUNT")
    if order.amount.minor < min(one.amount_min for one in terms):
        return RefusedError("EXCEED_LIMIT_SM_MIN_AMOUNT")
    return refusal_of(refusal)
