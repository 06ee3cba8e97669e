"""Requests at the Jeepay door, rightly signed, wrongly, and changed since; judged from the bytes.

Jeepay names no window in which a signature counts: the number alone makes an order one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import orjson

from channels.contract import AlipayAccount, BankCard, Instrument, WechatWallet
from channels.money import Currency
from gateway.api.dialects.order import Order
from gateway.domain.dialect import KeySet
from tests import builders
from tests.gateway.dialects.jeepay_shop import APP_ID, MCH_NO, SECRET
from tests.proof.hostile.aims import Input
from tests.proof.hostile.cuts import cut_elsewhere, form_of, hides, readable, text_in, trimmed
from tests.proof.hostile.desk import (
    FORM,
    JSON,
    METHOD,
    PATH,
    QUERY,
    TYPE,
    Desk,
    Taken,
    Turned,
    account,
    as_form,
    ask,
)
from tests.proof.hostile.keyed_md5 import object_in, seal, sign_somehow, signed_text, signer
from tests.proof.hostile.mutate import Spoiler

SUBMIT = "/api/transferOrder"
COMMON: Mapping[str, object] = {
    "mchNo": MCH_NO,
    "appId": APP_ID,
    "version": "1.0",
    "signType": "MD5",
    "reqTime": "1772416800123",
}
ORDER: Mapping[str, object] = {
    **COMMON,
    "mchOrderNo": "M-1",
    "ifCode": "bank",
    "entryType": "BANK_CARD",
    "amount": 1230,
    "currency": "cny",
    "accountNo": "6222021234567890123",
    "accountName": "王小五",
    "bankName": "中国工商银行",
    "transferDesc": "十月佣金",
}
SUBMISSIONS: Sequence[Mapping[str, object]] = (
    ORDER,
    {
        **{name: value for name, value in ORDER.items() if name not in {"bankName"}},
        "entryType": "ALIPAY_CASH",
        "ifCode": "alipay",
        "accountNo": "wang@example.test",
        "clientIp": "203.0.113.9",
        "extParam": "a=1&b=2",
        "mchOrderNo": "M-2",
    },
    {
        **{name: value for name, value in ORDER.items() if name not in {"bankName", "accountName"}},
        "entryType": "WX_CASH",
        "ifCode": "wxpay",
        "accountNo": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        "notifyUrl": "https://shop.example.test/n?a=1",
        "channelExtra": '{"scene":"1000"}',
        "amount": "99",
        "mchOrderNo": "M-3",
    },
    {
        **ORDER,
        "entryType": "transfer",
        "ifCode": "alipay",
        "accountNo": "2088000000000001",
        "mchOrderNo": "M-4",
        "note": "x",
    },
)
NEEDED = frozenset(
    (
        *COMMON,
        *("mchOrderNo", "ifCode", "entryType", "amount", "currency", "accountNo", "transferDesc"),
    )
)
KEPT = frozenset({"ifCode", "entryType", "channelExtra", "extParam"})
KNOWN = NEEDED | KEPT | {"sign", "transferId", "accountName", "bankName", "clientIp", "notifyUrl"}
"""§1: the fields there are; of others, callers sign some and not others."""
OPAQUE = frozenset({"channelExtra", "extParam", "notifyUrl"})
UNREAD = frozenset({"reqTime", "version", "signType"})
"""Must be there, and nobody looks at what they say."""
ENTRY_OF = {"wxpay": "WX_CASH", "alipay": "ALIPAY_CASH"}
OTHERS: Sequence[str] = ("/api/transfer/query", "/api/transferOrder/", "/", "/api/transfer/submit")
WORDS: Sequence[str] = (
    *sorted(KNOWN),
    *("WX_CASH", "ALIPAY_CASH", "BANK_CARD", "wx_cash", "unionpay", "CNY", "usd", "MD5", "RSA"),
    *("1230", "0", "-1", "1e3", "12.30", "01230", "１２３０", "9223372036854775807", "9" * 19),
    *(MCH_NO, APP_ID, "M-1", "M-9", "2088000000000001", "x&amount=99", "x&accountNo=1", "a=b"),
    *("M-1&notifyUrl=x", "&", "王小五", "a\0b", "a\nb", "\u2028", " ", "note", "https://a.test/"),
)


@cache
def _desk() -> Desk:
    return Desk(account("jeepay", f"{MCH_NO}:{APP_ID}", KeySet("k1", builders.NOW, SECRET)))


@dataclass(frozen=True, slots=True)
class Requests:
    """Submissions above all, and what else the door knows."""

    name: str = "door jeepay"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, signature, where the text is cut; then form or JSON, and the bytes of it."""
        chance = spoiler.random
        fields = spoiler.fields(chance.choice(SUBMISSIONS), SUBMISSIONS)
        fields.pop("sign", None)
        as_json = chance.random() < 0.5
        if not as_json:
            fields = {name: str(value) for name, value in fields.items()}
        signed = fields
        if chance.random() < 0.3:
            # Some callers add fields of their own and do not sign them.
            signed = {name: value for name, value in fields.items() if name in KNOWN}
        other = {**chance.choice(SUBMISSIONS), "amount": 9900}
        sign, proven = sign_somehow(
            spoiler, signed_text(signed), other, signer(SECRET), signer("0" * 64)
        )
        if chance.random() < 0.12:
            texts = {name: text for name in signed if (text := text_in(signed, name))}
            fields = dict(cut_elsewhere(chance, texts, str.lower))
        if chance.random() < 0.1:
            sign = sign.lower()
        whole = {**fields, "sign": sign}
        headers = {
            METHOD: "POST" if chance.random() < 0.97 else chance.choice(("GET", "PUT")),
            PATH: SUBMIT if chance.random() < 0.95 else chance.choice(OTHERS),
            TYPE: JSON if as_json else FORM,
            QUERY: "",
        }
        if as_json:
            body = spoiler.json(whole)
        else:
            body, headers[QUERY] = as_form(spoiler, whole)
        return Input(body, headers, 200, proven)

    def read(self, given: Input) -> object:
        """As the door answers."""
        return ask("jeepay", _desk(), given)

    def objection(self, given: Input, answer: object) -> str | None:
        """Only what the caller signed is taken in, and exactly that."""
        match answer:
            case Turned(said=said):
                taken = orjson.loads(said.body)["code"] == 0
                return "it is told as taken, and nothing was" if taken else None
            case Taken(order=order, said=said):
                fields = _fields(given)
                if fields is None:
                    return "it can be read in more than one way"
                return _proven(given, fields) or _fits(fields, order) or _answered(order, said.body)
        return f"an answer of no known kind: {answer!r}"


def _fields(given: Input) -> Mapping[str, object] | None:
    is_json = given.headers[TYPE] == JSON or given.body.lstrip().startswith(b"{")
    return object_in(given.body) if is_json else form_of(given)


def _proven(given: Input, fields: Mapping[str, object]) -> str | None:
    if (given.headers[METHOD], given.headers[PATH]) != ("POST", SUBMIT):
        return "not a submission"
    known = {name: value for name, value in fields.items() if name in KNOWN}
    sign = fields.get("sign")
    if not {seal(signed_text(one), sign) for one in (fields, known)} & {*given.proven}:
        return "nobody has signed this"
    if (name := hides(fields, KNOWN, OPAQUE)) is not None:
        return f"{name!r} may hide another field"
    who = [trimmed(text_in(fields, name)) for name in ("mchNo", "appId")]
    return None if who == [MCH_NO, APP_ID] else "somebody else's"


def _fits(fields: Mapping[str, object], order: Order) -> str | None:
    sent = {name: text_in(fields, name) for name in KNOWN}
    used = {name: sent[name] for name in NEEDED - UNREAD | {"accountName"}}
    if isinstance(order.instrument, BankCard):
        used["bankName"] = sent["bankName"]
    if not readable({n: trimmed(t) for n, t in used.items()} | {n: sent[n] for n in KEPT}, KEPT):
        return "text that nobody can read"
    said = {name: trimmed(text) for name, text in sent.items()}
    blank = [name for name in NEEDED if not said[name]]
    if blank:
        return f"without {blank}"
    digits, amount = said["amount"], order.amount
    if re.fullmatch(r"[0-9]+", digits, re.ASCII) is None or int(digits) != amount.minor:
        return f"{digits!r} is another amount"
    if amount.minor <= 0 or (said["currency"].lower(), amount.currency) != ("cny", Currency.CNY):
        return "of nothing, or in another currency"
    if said["mchOrderNo"] != order.number or re.search(r"[\s&=]", order.number):
        return "under another number"
    if said["transferDesc"] != order.purpose:
        return "for another purpose"
    if order.metadata != {name: sent[name] for name in KEPT if sent[name]}:
        return "with other things to show again"
    if (order.notify is None) != (not sent["notifyUrl"]):
        return "with nobody to tell, or somebody"
    if order.notify is not None and order.notify.url not in {"", said["notifyUrl"]}:
        return "another address is told"
    return None if _pays(order.instrument, said) else "another payee"


def _pays(instrument: Instrument, said: Mapping[str, str]) -> bool:
    entry = said["entryType"].upper()
    if entry not in {"WX_CASH", "ALIPAY_CASH", "BANK_CARD"}:
        entry = ENTRY_OF.get(said["ifCode"].lower(), "BANK_CARD")
    payee, name = said["accountNo"], said["accountName"]
    match instrument:
        case WechatWallet(openid, None, called):
            return entry == "WX_CASH" and openid == payee and (called or "") == name
        case AlipayAccount(identity, kind, called):
            is_number = re.fullmatch(r"2088\d{12}", payee, re.ASCII) is not None
            right = (kind == "user_id") == is_number and (is_number or name != "")
            return entry == "ALIPAY_CASH" and right and identity == payee and (called or "") == name
        case BankCard(number, called, None, bank):
            is_card = number == payee.replace(" ", "") and number.isdigit()
            right = called == name != "" and (bank or "") == said["bankName"]
            return entry == "BANK_CARD" and is_card and right
    return False


def _answered(order: Order, body: bytes) -> str | None:
    """Code 0 with the number, under way, and signed: anything else is "not paid" to its caller."""
    told = orjson.loads(body)
    data = told["data"]
    if (told["code"], data["state"], data["mchOrderNo"]) != (0, 1, order.number):
        return "the answer reads as not paid"
    made = signer(SECRET)(signed_text(data))
    return None if told["sign"] == made else "the answer is not rightly signed"


AIMS = (Requests(),)
