"""Requests at the XxPay door, rightly signed, wrongly, and changed since; judged from the bytes.

XxPay names no window in which a signature counts: the number alone makes an order one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import orjson

from channels.contract import BankAccount, BankCard, Instrument
from channels.money import Currency
from gateway.api.dialects.order import Order
from gateway.domain.dialect import KeySet
from tests import builders
from tests.gateway.dialects.xxpay_shop import MCH_ID, XXPAY_KEY
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

ROOTS = ("/api/agentpay/", "/api/unified/agentpay/", "/agentPay/")
ORDER: Mapping[str, object] = {
    "mchId": MCH_ID,
    "mchOrderNo": "P20260302100000001",
    "amount": "1230",
    "accountAttr": "0",
    "accountName": "王小五",
    "accountNo": "6222021234567890123",
    "bankName": "中国工商银行",
    "notifyUrl": "https://shop.example.test/notify?a=1",
    "remark": "提现",
    "reqTime": "20260302100000",
    "subAmountFrom": "2",
}
SUBMISSIONS: Sequence[Mapping[str, object]] = (
    ORDER,
    {name: value for name, value in ORDER.items() if name not in {"accountAttr", "notifyUrl"}},
    {
        **ORDER,
        "accountAttr": "1",
        "accountName": "杭州某某科技有限公司",
        "province": "北京市",
        "city": "北京市",
        "bankNumber": "102100000450",
        "mchOrderNo": "P2",
    },
    {**ORDER, "amount": 99, "extra": "k=v&w=1", "passageId": "7", "mchOrderNo": "P3"},
)
KNOWN = frozenset(
    (
        *ORDER,
        *("sign", "province", "city", "bankNumber", "extra", "agentpayOrderId", "executeNotify"),
    )
)
"""§3.1: the fields there are; of others, callers sign some and not others."""
OPAQUE = frozenset({"extra", "notifyUrl"})
USED = KNOWN - {"sign", "reqTime", "notifyUrl", "agentpayOrderId", "executeNotify"}
COMPANY = ("province", "city", "bankName", "bankNumber")
OTHERS: Sequence[str] = ("/api/agentpay/query_order", "/api/agentpay/", "/", "/api/agentpay/Apply")
WORDS: Sequence[str] = (
    *sorted(KNOWN),
    *("0", "1", "2", "true", "1230", "-1", "1e3", "12.30", "01230", "１２３０", "9" * 15, "9" * 16),
    *(MCH_ID, "P2", "P9", "x&amount=99", "x&accountNo=1", "P3&notifyUrl=x", "a=b", "&", "params"),
    *("王小五", "102100000450", "6222 0212 3456 7890 123", "a\0b", "a\nb", "\u2028", " ", "note"),
)


@cache
def _desk() -> Desk:
    return Desk(account("xxpay", MCH_ID, KeySet("k1", builders.NOW, XXPAY_KEY)))


@dataclass(frozen=True, slots=True)
class Requests:
    """Submissions above all, and what else the door knows."""

    name: str = "door xxpay"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, signature, where the text is cut; then form, query or `params`."""
        chance = spoiler.random
        fields = spoiler.fields(chance.choice(SUBMISSIONS), SUBMISSIONS)
        fields.pop("sign", None)
        as_params = chance.random() < 0.3
        if not as_params:
            fields = {name: str(value) for name, value in fields.items()}
        signed = fields
        if chance.random() < 0.3:
            # Some callers add fields of their own and do not sign them.
            signed = {name: value for name, value in fields.items() if name in KNOWN}
        other = {**chance.choice(SUBMISSIONS), "amount": "9900"}
        sign, proven = sign_somehow(
            spoiler, signed_text(signed), other, signer(XXPAY_KEY), signer("0" * 64)
        )
        if chance.random() < 0.12:
            texts = {name: text for name in signed if (text := text_in(signed, name))}
            fields = dict(cut_elsewhere(chance, texts, str.lower))
        if chance.random() < 0.2:
            sign = sign.lower()
        whole = {**fields, "sign": sign}
        if as_params:
            text = spoiler.json(whole).decode("utf-8", "backslashreplace")
            whole = {"params": text} if chance.random() < 0.9 else {**ORDER, "params": text}
        body, query = as_form(spoiler, whole)
        headers = {
            METHOD: "POST" if chance.random() < 0.8 else chance.choice(("GET", "GET", "PUT")),
            PATH: chance.choice(OTHERS)
            if chance.random() < 0.05
            else chance.choice(ROOTS) + "apply",
            TYPE: FORM if chance.random() < 0.95 else JSON,
            QUERY: query,
        }
        if chance.random() < 0.2:
            body, headers[QUERY] = b"", body.decode("ascii", "replace")
        return Input(body, headers, 200, proven)

    def read(self, given: Input) -> object:
        """As the door answers."""
        return ask("xxpay", _desk(), given)

    def objection(self, given: Input, answer: object) -> str | None:
        """Only what the caller signed is taken in, and exactly that."""
        match answer:
            case Turned(said=said):
                taken = orjson.loads(said.body)["retCode"] == "SUCCESS"
                by = given.headers[PATH].rpartition("/")[2]
                # The balance is told as well, and nothing is stored for it.
                return "it is told as taken, and nothing was" if taken and by == "apply" else None
            case Taken(order=order, said=said):
                fields = _fields(given)
                if fields is None:
                    return "it can be read in more than one way"
                return (
                    _proven(given, fields) or _fits(fields, order) or _answered(fields, said.body)
                )
        return f"an answer of no known kind: {answer!r}"


def _fields(given: Input) -> Mapping[str, object] | None:
    form = form_of(given)
    if "params" not in form:
        return form
    try:
        return object_in(form["params"].encode())
    except UnicodeEncodeError:
        return None


def _proven(given: Input, fields: Mapping[str, object]) -> str | None:
    path, method = given.headers[PATH], given.headers[METHOD]
    if method not in {"GET", "POST"} or path not in {f"{root}apply" for root in ROOTS}:
        return "not a submission"
    known = {name: value for name, value in fields.items() if name in KNOWN}
    sign = fields.get("sign")
    # Those callers do not mind blanks around a signature.
    told = sign.strip() if isinstance(sign, str) else None
    if not {seal(signed_text(one), told) for one in (fields, known)} & {*given.proven}:
        return "nobody has signed this"
    if (name := hides(fields, KNOWN, OPAQUE)) is not None:
        return f"{name!r} may hide another field"
    return None if trimmed(text_in(fields, "mchId")) == MCH_ID else "somebody else's"


def _fits(fields: Mapping[str, object], order: Order) -> str | None:
    sent = {name: text_in(fields, name) for name in KNOWN}
    said = {name: trimmed(text) for name, text in sent.items()}
    read = USED if said["accountAttr"] == "1" else USED - {"province", "city", "bankNumber"}
    if not readable({name: said[name] for name in read}):
        return "text that nobody can read"
    digits, amount = said["amount"], order.amount
    if re.fullmatch(r"[0-9]+", digits, re.ASCII) is None or int(digits) != amount.minor:
        return f"{digits!r} is another amount"
    if amount.minor <= 0 or amount.currency is not Currency.CNY:
        return "of nothing, or in another currency"
    if said["mchOrderNo"] != order.number or not order.number:
        return "under another number"
    if (said["remark"] or "代付") != order.purpose:
        return "for another purpose"
    if said["subAmountFrom"] not in {"", "1", "2"}:
        return "from a purse that is none"
    if order.metadata != ({"extra": said["extra"]} if said["extra"] else {}):
        return "with another extra"
    if order.notify is None and said["notifyUrl"].startswith("http"):
        return "with nobody to tell"
    if order.notify is not None and order.notify.url not in {"", said["notifyUrl"]}:
        return "another address is told"
    return None if _pays(order.instrument, said) else "another payee"


def _pays(instrument: Instrument, said: Mapping[str, str]) -> bool:
    kind, payee = said["accountAttr"], said["accountNo"].replace(" ", "")
    match instrument:
        case BankCard(number, called, None, bank):
            right = number == payee and number.isdigit() and called == said["accountName"] != ""
            return kind in {"", "0"} and right and (bank or "") == said["bankName"]
        case BankAccount(number, called, line, bank, None, province, city):
            right = number == payee and number.isdigit() and called == said["accountName"] != ""
            place = (province, city, bank, line) == tuple(said[one] for one in COMPANY)
            return kind == "1" and right and place and re.fullmatch(r"\d{12}", line) is not None
    return False


def _answered(fields: Mapping[str, object], body: bytes) -> str | None:
    """SUCCESS, under way, and signed as the caller signs: all else is "not paid" to it."""
    told = orjson.loads(body)
    if (told["retCode"], told["status"]) != ("SUCCESS", 1):
        return "the answer reads as not paid"
    made, sign = signer(XXPAY_KEY)(signed_text(told)), fields["sign"]
    lower = isinstance(sign, str) and sign != sign.upper()
    right = told["sign"] == (made.lower() if lower else made)
    return None if right else "the answer is not rightly signed"


AIMS = (Requests(),)
