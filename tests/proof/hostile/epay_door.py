"""Requests at the Epay V2 door, rightly signed, wrongly, and changed since; judged from the bytes.

The text that is signed does not say where a value ends: what holds `&money=9.99` could be read in
two ways, and must not be taken in.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from urllib.parse import unquote_to_bytes

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from channels.contract import AlipayAccount, BankCard, Instrument, WechatWallet
from channels.money import Currency
from gateway.api.dialects.order import Order
from gateway.domain.dialect import KeySet
from tests import builders
from tests.gateway.dialects.conftest import MD5_KEY, PID, pairs
from tests.proof.hostile.aims import Input
from tests.proof.hostile.cuts import RAW, cut_elsewhere, hides
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
    ask,
    written,
)
from tests.proof.hostile.mutate import Spoiler

SUBMIT = "/api/transfer/submit"
NOW_S = int(builders.NOW.timestamp())
FRESH_S = 300
BLANKS = b" \t\n\r\0\x0b"
KNOWN = frozenset(
    [
        *(b"pid", b"timestamp", b"sign", b"sign_type", b"type", b"account", b"name", b"money"),
        *(b"remark", b"out_biz_no", b"bookid", b"biz_no"),
    ]
)
"""§2.1: the fields there are; of others, callers sign some and not others."""
SUBMISSIONS: Sequence[Mapping[str, object]] = tuple(
    {
        "pid": PID,
        "money": "12.30",
        "remark": "提现",
        **dict(zip(("type", "account", "name", "out_biz_no", "bookid"), told, strict=True)),
    }
    for told in (
        ("bank", "6222021234567890123", "王小五", "1" * 19, ""),
        ("alipay", "wang@example.test", "王小五", "A-7", ""),
        ("alipay", "2088000000000001", "", "2" * 19, ""),
        ("wxpay", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "", "3" * 19, "7"),
        ("alipay", "wang@example.test", "王小五", "", ""),
    )
)
OTHERS: Sequence[str] = ("/api/transfer/query", "/api/transfer/balance", "/api/merchant/info", "/")
WORDS: Sequence[str] = (
    *("pid", "timestamp", "sign", "sign_type", "type", "account", "name", "money", "remark"),
    *(
        "out_biz_no",
        "bookid",
        "biz_no",
        "money[]",
        "account[0]",
        "alipay",
        "bank",
        "wxpay",
        "qqpay",
    ),
    *("12.30", "12.3", "0", "0.00", "-1", "1e2", "12.305", "１２", "99999999999999999999", "MD5"),
    *(
        "RSA",
        "rsa",
        " md5 ",
        "RSA2",
        PID,
        "10002",
        "6222021234567890123",
        "x&money=99.00",
        "=",
        "&",
    ),
    *("王小五", "2088000000000001", str(NOW_S), str(NOW_S - 301), str(NOW_S + 300), "a\0b", "a\nb"),
)


@cache
def _rsa(which: int) -> RSAPrivateKey:
    key = load_der_private_key(base64.b64decode(pairs()[which][0]), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def sign_rsa(which: int, text: bytes) -> str:
    """With the caller's key, the platform's or another caller's."""
    return base64.b64encode(_rsa(which).sign(text, PKCS1v15(), hashes.SHA256())).decode()


def _sign_md5(secret: str, text: bytes) -> str:
    return hashlib.md5(text + secret.encode(), usedforsecurity=False).hexdigest()


@cache
def _desk() -> Desk:
    (_, public), (ours, _), _ = pairs()
    return Desk(account("epay", PID, KeySet("k1", builders.NOW, MD5_KEY, public, ours)))


def fields_in(body: bytes) -> Mapping[bytes, bytes]:
    """A form's fields as PHP has them: the last of one name, no arrays. Not by our code."""
    found: dict[bytes, bytes] = {}
    for part in filter(None, body.split(b"&")):
        name, _, value = part.partition(b"=")
        found[_decoded(name)] = _decoded(value)
    return {name: value for name, value in found.items() if b"[" not in name}


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def signed_text(fields: Mapping[bytes, bytes]) -> bytes:
    """`k=v` of every field but the signature's two that is not blank, sorted."""
    kept = {
        name: value
        for name, value in fields.items()
        if name not in {b"sign", b"sign_type"} and value.strip(BLANKS)
    }
    return b"&".join(name + b"=" + value for name, value in sorted(kept.items()))


def seal(text: bytes, kind: str, signature: bytes) -> bytes:
    """All three together: only together they say that somebody signed this."""
    if kind == "RSA":
        try:
            signature = base64.b64decode(signature.strip().replace(b" ", b"+"), validate=True)
        except ValueError:
            signature = b"none"
    return b"\n".join((text, kind.encode(), signature))


@dataclass(frozen=True, slots=True)
class Requests:
    """Submissions above all, and what else the door knows."""

    name: str = "door epay"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, encoding, signature; then the form, the request line and the bytes behind it."""
        chance = spoiler.random
        stamp = NOW_S if chance.random() < 0.9 else NOW_S + chance.choice((-400, -300, 300, 301))
        fields = spoiler.fields(
            {**chance.choice(SUBMISSIONS), "timestamp": str(stamp)}, SUBMISSIONS
        )
        encoding = "utf-8" if chance.random() < 0.95 else "gb18030"
        kind = chance.choice(("MD5", "RSA"))
        unsigned = fields_in(written(fields, encoding))
        if chance.random() < 0.3:
            # Some callers add fields of their own and do not sign them.
            unsigned = {name: value for name, value in unsigned.items() if name in KNOWN}
        other = {**chance.choice(SUBMISSIONS), "timestamp": str(NOW_S), "money": "99.00"}
        right, wrong = (
            (partial(_sign_md5, MD5_KEY), partial(_sign_md5, "0" * 32))
            if kind == "MD5"
            else (partial(sign_rsa, 0), partial(sign_rsa, 2))
        )
        signature, proven = spoiler.signature(
            signed_text(unsigned), signed_text(fields_in(written(other))), right, wrong
        )
        if chance.random() < 0.1:
            texts = {name: text for name, value in fields.items() if (text := str(value)).strip()}
            fields = dict(cut_elsewhere(chance, texts, str))
        told_kind = kind if chance.random() < 0.95 else chance.choice(("", "RSA", "MD5", "SHA1"))
        body = written({**fields, "sign_type": told_kind, "sign": signature}, encoding)
        body = self._behind(spoiler, body)
        seals = tuple(seal(one, kind, signature.encode("utf-8", "replace")) for one in proven)
        return Input(body, self._line(spoiler, body), 200, seals)

    def _behind(self, spoiler: Spoiler, body: bytes) -> bytes:
        """Change what was signed, or write it otherwise."""
        chance = spoiler.random
        draw = chance.random()
        if draw < 0.12:
            name = chance.choice(("money", "account", "out_biz_no", "type", "pid", "note"))
            more = written({name: spoiler.value("1")})
            return body + b"&" + more if chance.random() < 0.5 else more + b"&" + body
        if draw < 0.18:
            return body.replace(b"%40", b"@").replace(b"%2E", b".").replace(b"%20", b"+")
        return spoiler.bytes(body) if draw < 0.26 else body

    def _line(self, spoiler: Spoiler, body: bytes) -> dict[str, str]:
        chance = spoiler.random
        return {
            METHOD: "POST" if chance.random() < 0.97 else chance.choice(("GET", "PUT")),
            PATH: SUBMIT if chance.random() < 0.95 else chance.choice(OTHERS),
            TYPE: FORM if chance.random() < 0.9 else JSON,
            QUERY: body.decode("ascii", "replace") if chance.random() < 0.05 else "",
        }

    def read(self, given: Input) -> object:
        """As the door answers."""
        return ask("epay", _desk(), given)

    def objection(self, given: Input, answer: object) -> str | None:
        """Only what the caller signed just now is taken in, and exactly that."""
        match answer:
            case Turned(said=said):
                told = orjson.loads(said.body)
                is_submission = given.headers[PATH] == SUBMIT
                taken = is_submission and told["code"] == 0
                return "it is told as taken, and nothing was" if taken else None
            case Taken(order=order):
                return self._proven(given) or self._fits(fields_in(given.body), order)
        return f"an answer of no known kind: {answer!r}"

    def _proven(self, given: Input) -> str | None:
        if (given.headers[METHOD], given.headers[PATH]) != ("POST", SUBMIT):
            return "not a submission"
        fields = fields_in(given.body)
        kind = fields.get(b"sign_type", b"MD5").decode("utf-8", "replace").strip().upper() or "MD5"
        known = {name: value for name, value in fields.items() if name in KNOWN}
        sign = fields.get(b"sign", b"")
        if not {seal(signed_text(one), kind, sign) for one in (fields, known)} & {*given.proven}:
            return "nobody has signed this"
        read = {
            name.decode("utf-8", RAW): value.decode("utf-8", RAW) for name, value in fields.items()
        }
        if (name := hides(read, {one.decode() for one in KNOWN}, ())) is not None:
            return f"{name!r} may hide another field"
        stamp = fields.get(b"timestamp", b"").strip(BLANKS)
        if not stamp.isdigit() or abs(int(stamp) - NOW_S) > FRESH_S:
            return "not signed just now"
        return None if fields.get(b"pid", b"").strip(BLANKS).decode() == PID else "somebody else's"

    def _fits(self, fields: Mapping[bytes, bytes], order: Order) -> str | None:
        try:
            said = {n.decode(): v.strip(BLANKS).decode() for n, v in fields.items() if n in KNOWN}
        except UnicodeDecodeError:
            said = {}
        if not said or not all(text.isprintable() for text in said.values()):
            return "text that nobody can read"
        money = said.get("money", "")
        if re.fullmatch(r"[0-9]+(\.[0-9]{1,2})?", money, re.ASCII) is None:
            return f"{money!r} is no amount"
        amount = order.amount
        if amount.currency is not Currency.CNY or Decimal(money) * 100 != amount.minor:
            return "of another amount"
        if amount.minor <= 0:
            return "of nothing"
        number = said.get("out_biz_no", "")
        if (number or order.number) != order.number or not order.number:
            return "under another number"
        if (said.get("remark", "") or "转账") != order.purpose:
            return "with another remark"
        if order.metadata != ({"bookid": said["bookid"]} if said.get("bookid") else {}):
            return "with another book"
        kind, payee = said.get("type", ""), said.get("account", "")
        return (
            None if _pays(order.instrument, kind, payee, said.get("name", "")) else "another payee"
        )


def _pays(instrument: Instrument, kind: str, payee: str, name: str) -> bool:
    match instrument:
        case AlipayAccount(identity, _, called):
            named = called == name if name else called is None
            return kind == "alipay" and identity == payee and named
        case WechatWallet(openid, None, called):
            return kind == "wxpay" and openid == payee and (called or "") == name
        case BankCard(number, called):
            is_card = number == payee.replace(" ", "") and number.isdigit()
            return kind == "bank" and is_card and called == name != ""
    return False


AIMS = (Requests(),)
