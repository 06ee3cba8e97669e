"""Calls at the Alipay door, rightly signed, wrongly, and changed since; judged from the bytes."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cache, partial
from urllib.parse import unquote_to_bytes

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from channels.contract import AlipayAccount, BankAccount, BankCard, Instrument
from channels.money import Currency
from gateway.api.dialects.order import Order
from gateway.api.dialects.rsa import public_of
from gateway.api.dialects.wire import Said
from gateway.domain.dialect import KeySet
from tests import builders
from tests.gateway.dialects.alipay_app import TRANSFER, card, transfer
from tests.gateway.dialects.conftest import APP_ID, pairs
from tests.proof.hostile.aims import Input
from tests.proof.hostile.alipay import strict
from tests.proof.hostile.cuts import RAW, cut_elsewhere, hides, readable, trimmed
from tests.proof.hostile.desk import (
    FORM,
    METHOD,
    PATH,
    QUERY,
    TYPE,
    Desk,
    Taken,
    Turned,
    account,
    ask,
    written,
)
from tests.proof.hostile.epay_door import seal, sign_rsa
from tests.proof.hostile.mutate import Fields, Spoiler

GATEWAY = "/gateway.do"
BEIJING = timezone(timedelta(hours=8))
FRESH = timedelta(days=1)
NODE = b'{"alipay_fund_trans_uni_transfer_response":'
COMPANY = card(account_type="1", bank_code="102100000450", inst_branch_name="海淀支行")
CONTENTS: Sequence[Mapping[str, object]] = (
    transfer("A-1", remark="十月"),
    transfer("A-2", product_code="TRANS_BANKCARD_NO_PWD", payee_info=card()),
    transfer("A-3", product_code="TRANS_BANKCARD_NO_PWD", payee_info=COMPANY, order_title=None),
    transfer(
        "A-4",
        payee_info={"identity": "2088000000000001", "identity_type": "ALIPAY_USER_ID"},
        passback_params="a=1&b=2",
        transfer_scene_name="佣金报酬",
    ),
)
KNOWN = frozenset(
    (
        *("app_id", "method", "format", "charset", "sign_type", "sign", "timestamp", "version"),
        *("biz_content", "notify_url", "return_url", "alipay_sdk", "app_auth_token", "auth_token"),
        *("encrypt_type", "app_cert_sn", "alipay_root_cert_sn", "prod_code", "terminal_type"),
        *("terminal_info", "ws_service_url"),
    )
)
OPAQUE = frozenset({"biz_content", "notify_url", "return_url"})
CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "gbk": "gbk", "gb2312": "gbk", "gb18030": "gb18030"}
OTHERS: Sequence[str] = ("/gateway.do/", "/", "/gateway", "/api/transferOrder")
PRODUCTS = ("TRANS_ACCOUNT_NO_PWD", "TRANS_BANKCARD_NO_PWD")
IDENTITIES = {
    "ALIPAY_USER_ID": "user_id",
    "ALIPAY_LOGON_ID": "logon_id",
    "ALIPAY_OPEN_ID": "open_id",
}
WORDS: Sequence[str] = (
    *sorted(KNOWN),
    *("out_biz_no", "trans_amount", "product_code", "biz_scene", "payee_info", "identity"),
    *("payer_info", "mutiple_currency_detail", "cert_no", "account_type", "bank_code"),
    *(*PRODUCTS, "DIRECT_TRANSFER", *IDENTITIES),
    *("BANKCARD_ACCOUNT", "1", "2", "12.30", "12.3", "0.00", "-1", "1e2", "12.305", "１２.３０"),
    *("RSA2", "RSA", "utf-8", "gbk", "UTF-16", "JSON", "xml", "1.0", "2.0", APP_ID, TRANSFER),
    *("alipay.fund.trans.common.query", "2088000000000001", "102100000450", "A-1", " A-1", "王"),
    *("2026-03-02 10:00:00", "2026-03-01 09:59:59", "9999-12-31 23:59:59", "a\0b", "a\nb"),
    *("x&app_auth_token=1", "&", "=", "AES"),
)


@cache
def _desk() -> Desk:
    (_, public), (ours, _), _ = pairs()
    return Desk(account("alipay", APP_ID, KeySet("k1", builders.NOW, None, public, ours)))


def text_of(fields: Mapping[bytes, bytes], *, with_empty: bool = False) -> bytes:
    """`k=v` of every parameter but the signature, sorted; those without a value mostly left out."""
    kept = [(n, v) for n, v in fields.items() if n != b"sign" and (v or with_empty)]
    return b"&".join(name + b"=" + value for name, value in sorted(kept))


def parameters(given: Input) -> Mapping[bytes, bytes] | None:
    """Of query and form; None where one stands twice."""
    parts = given.headers[QUERY].encode("utf-8", RAW).split(b"&")
    if given.headers[METHOD] == "POST":
        parts += given.body.split(b"&")
    read = [part.partition(b"=") for part in parts if part]
    found = {_decoded(name): _decoded(value) for name, _, value in read}
    return found if len(found) == len(read) else None


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


@dataclass(frozen=True, slots=True)
class Calls:
    """Transfers above all, and what else the door knows."""

    name: str = "door alipay"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Content, parameters, charset, signature, where the text is cut; then the bytes."""
        chance = spoiler.random
        fields = self._parameters(spoiler)
        told = fields.get("charset")
        encoding = CHARSETS.get(told if isinstance(told, str) else "", "utf-8")
        if chance.random() < 0.03:
            encoding = "gb18030"
        with_empty = chance.random() < 0.2
        if with_empty:
            fields["notify_url"] = ""
        raw = {_raw(name, encoding): _raw(value, encoding) for name, value in fields.items()}
        text = text_of(raw, with_empty=with_empty)
        other = text_of({**raw, b"biz_content": orjson.dumps(transfer("A-1", trans_amount="99"))})
        sign, proven = spoiler.signature(text, other, partial(sign_rsa, 0), partial(sign_rsa, 2))
        if chance.random() < (0.5 if "app_auth_token" in fields else 0.1):
            texts = {str(name): str(value) for name, value in fields.items() if value}
            # The two that matter stand side by side.
            where = {n: t for n, t in texts.items() if n in {"alipay_sdk", "app_auth_token"}}
            part = where if len(where) == 2 and chance.random() < 0.7 else texts
            rest = {name: text for name, text in texts.items() if name not in part}
            fields = {**rest, **cut_elsewhere(chance, part, str)}
        seals = tuple(seal(one, "RSA", sign.encode("utf-8", "replace")) for one in proven)
        body, query = self._placed(spoiler, {**fields, "sign": sign}, encoding)
        headers = {
            METHOD: "POST" if query is not None else "GET",
            PATH: GATEWAY if chance.random() < 0.97 else chance.choice(OTHERS),
            TYPE: FORM,
            QUERY: query if query is not None else body.decode("ascii", "replace"),
        }
        if chance.random() < 0.02:
            headers[METHOD] = "PUT"
        return Input(b"" if query is None else body, headers, 200, seals)

    def _parameters(self, spoiler: Spoiler) -> Fields:
        chance = spoiler.random
        content = dict(chance.choice(CONTENTS))
        if chance.random() < 0.7:
            content = spoiler.fields(content, CONTENTS)
        payee = content.get("payee_info")
        if isinstance(payee, dict) and chance.random() < 0.4:
            payees = [one["payee_info"] for one in CONTENTS]
            content["payee_info"] = spoiler.fields(
                payee, [p for p in payees if isinstance(p, dict)]
            )
        skew = 0 if chance.random() < 0.85 else chance.choice((-90_000, -86_401, -86_400, 86_400))
        at = (builders.NOW + timedelta(seconds=skew)).astimezone(BEIJING)
        fields: Fields = {
            "app_id": APP_ID,
            "method": TRANSFER,
            "format": "json",
            "charset": "utf-8" if chance.random() < 0.85 else "gbk",
            "sign_type": "RSA2",
            "timestamp": at.strftime("%Y-%m-%d %H:%M:%S"),
            "version": "1.0",
            "notify_url": "https://shop.example.test/n?a=1&b=2",
            "alipay_sdk": "alipay-sdk-java-4",
            "biz_content": spoiler.json(content).decode("utf-8", "replace"),
        }
        if chance.random() < 0.1:
            fields["app_auth_token"] = "T"
        return spoiler.fields(fields, [fields]) if chance.random() < 0.4 else fields

    def _placed(self, spoiler: Spoiler, fields: Fields, encoding: str) -> tuple[bytes, str | None]:
        """Body and query; no query: all of it goes there."""
        chance = spoiler.random
        draw = chance.random()
        if draw < 0.1:
            return written(fields, encoding), None
        body = written(fields, encoding)
        if draw < 0.5 and "biz_content" in fields:
            content = written({"biz_content": fields["biz_content"]}, encoding)
            rest = {name: value for name, value in fields.items() if name != "biz_content"}
            return content, written(rest, encoding).decode("ascii")
        if draw < 0.6:
            name = chance.choice(list(fields))
            more = written({name: spoiler.value("1")}, encoding)
            return (body, more.decode("ascii")) if draw < 0.55 else (body + b"&" + more, "")
        return (spoiler.bytes(body) if draw < 0.7 else body), ""

    def read(self, given: Input) -> object:
        """As the door answers."""
        return ask("alipay", _desk(), given)

    def objection(self, given: Input, answer: object) -> str | None:
        """Only what the caller signed within a day is taken in, and exactly that."""
        match answer:
            case Turned(said=said):
                taken = _told(said)["code"] == "10000"
                return "it is told as taken, and nothing was" if taken else None
            case Taken(order=order, said=said):
                raw = parameters(given)
                if raw is None:
                    return "it can be read in more than one way"
                return _proven(given, raw) or _read(raw, order) or _answered(order, said)
        return f"an answer of no known kind: {answer!r}"


def _raw(value: object, encoding: str) -> bytes:
    return str(value).encode(encoding, "replace")


def _proven(given: Input, raw: Mapping[bytes, bytes]) -> str | None:
    if given.headers[PATH] != GATEWAY or given.headers[METHOD] not in {"GET", "POST"}:
        return "not a call"
    sign = raw.get(b"sign", b"")
    texts = (text_of(raw), text_of(raw, with_empty=True))
    if not {seal(one, "RSA", sign) for one in texts} & {*given.proven}:
        return "nobody has signed this"
    fields = {name.decode("utf-8", RAW): value.decode("utf-8", RAW) for name, value in raw.items()}
    if (name := hides(fields, KNOWN, OPAQUE)) is not None:
        return f"{name!r} may hide another parameter"
    wanted = {"app_id": APP_ID, "method": TRANSFER, "sign_type": "RSA2", "version": "1.0"}
    for name, word in wanted.items():
        if fields.get(name) != word:
            return f"{name} is {fields.get(name)!r}"
    if fields.get("format", "").lower() not in {"", "json"}:
        return "in no format that there is"
    if any(fields.get(name) for name in ("app_auth_token", "app_cert_sn", "encrypt_type")):
        return "in another's name, or encrypted"
    try:
        at = datetime.strptime(fields["timestamp"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - Beijing
    except (KeyError, ValueError):
        return "signed at no time"
    is_fresh = abs(at.replace(tzinfo=BEIJING) - builders.NOW) <= FRESH
    return None if is_fresh else "signed long ago"


def _read(raw: Mapping[bytes, bytes], order: Order) -> str | None:
    charset = CHARSETS.get(raw.get(b"charset", b"").decode("ascii", "replace").lower())
    if charset is None:
        return "in no charset that there is"
    try:
        content = strict(raw.get(b"biz_content", b"").decode(charset).encode())
        url = raw.get(b"notify_url", b"").decode(charset)
    except UnicodeError:
        return "text that nobody can read"
    if content is None:
        return "its content is no JSON, or in more than one way"
    if (order.notify is None) != (not url):
        return "with nobody to tell, or somebody"
    if order.notify is not None and order.notify.url not in {"", trimmed(url)}:
        return "another address is told"
    return _fits(content, order)


def _text(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    return trimmed(value) if isinstance(value, str) else ""


def _fits(content: Mapping[str, object], order: Order) -> str | None:
    said = {name: _text(content, name) for name in content}
    title, remark = said.get("order_title", ""), said.get("remark", "")
    purpose = title or remark or "转账"
    kept = {name: said.get(name, "") for name in ("passback_params", "transfer_scene_name")}
    kept["remark"] = remark if remark != purpose else ""
    if not readable({**kept, "purpose": purpose}):
        return "text that nobody can read"
    if content.get("out_biz_no") != order.number or not order.number.isprintable():
        return "under another number"
    money, amount = said.get("trans_amount", ""), order.amount
    if re.fullmatch(r"[0-9]+(\.[0-9]{1,2})?", money, re.ASCII) is None:
        return f"{money!r} is no amount"
    if amount.currency is not Currency.CNY or Decimal(money) * 100 != amount.minor:
        return "of another amount"
    if amount.minor <= 0:
        return "of nothing"
    if content.get("payer_info") or content.get("mutiple_currency_detail"):
        return "out of another purse, or in another currency"
    if said.get("biz_scene") != "DIRECT_TRANSFER":
        return "of another scene"
    if order.purpose != purpose:
        return "for another purpose"
    if order.metadata != {name: text for name, text in kept.items() if text}:
        return "with other things to show again"
    return None if _pays(order.instrument, said.get("product_code"), content) else "another payee"


def _pays(instrument: Instrument, product: str | None, content: Mapping[str, object]) -> bool:
    info = content.get("payee_info")
    if not isinstance(info, dict) or info.get("cert_no") or info.get("cert_type"):
        return False
    payee, name, kind = (_text(info, one) for one in ("identity", "name", "identity_type"))
    bank = info.get("bankcard_ext_info", {})
    said = {one: _text(bank, one) for one in bank} if isinstance(bank, dict) else {}
    is_company, inst = said.get("account_type") == "1", said.get("inst_name", "")
    is_card = kind == "BANKCARD_ACCOUNT" and product in PRODUCTS
    match instrument:
        case AlipayAccount(identity, identified, called):
            is_account = product == "TRANS_ACCOUNT_NO_PWD" and IDENTITIES.get(kind) == identified
            return is_account and identity == payee and (called or "") == name
        case BankCard(number, called, None, house):
            right = number == payee.replace(" ", "") and called == name != ""
            return is_card and not is_company and right and (house or "") == inst
        case BankAccount(number, called, line, house, branch, province, city):
            right = number == payee.replace(" ", "") and called == name != ""
            places = ("bank_code", "inst_name", "inst_branch_name", "inst_province", "inst_city")
            told = tuple(said.get(one, "") for one in places)
            same = told == (line, house, branch or "", province or "", city or "")
            return is_card and is_company and right and same and inst != ""
    return False


@cache
def _platform() -> RSAPublicKey:
    key = load_der_public_key(base64.b64decode(public_of(pairs()[1][0])))
    assert isinstance(key, RSAPublicKey)
    return key


def _told(said: Said) -> Mapping[str, str]:
    text = said.body.decode(said.content_type.partition("charset=")[2])
    read = orjson.loads(text)
    node = next(value for name, value in read.items() if name != "sign")
    assert isinstance(node, dict)
    return node


def _answered(order: Order, said: Said) -> str | None:
    """A success under way, signed over the node's very bytes: callers believe nothing else."""
    node = _told(said)
    if (node["code"], node["status"], node["out_biz_no"]) != ("10000", "DEALING", order.number):
        return "the answer reads as not paid"
    content, _, sign = said.body.removeprefix(NODE).rpartition(b',"sign":"')
    try:
        signature = base64.b64decode(sign.removesuffix(b'"}'), validate=True)
        _platform().verify(signature, content, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return "the answer is not rightly signed"
    return None


AIMS = (Calls(),)
