"""How a dialect makes the string to sign out of fields; and every other way it is made by mistake.

A dialect is one row of `DIALECTS`; a mistake is the same row with one cell changed.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape, unescape
from urllib.parse import quote, quote_plus, unquote

from msgspec import Struct

from gateway.api.dialects import epay_reading, jeepay_reading, xxpay_reading
from gateway.api.explain.sent import Field, raw

BLANKS = " \t\n\r\0\x0b"
"""What PHP's `trim` takes off."""
HIDDEN = "***"

Pair = tuple[str, str]


class Recipe(Struct, frozen=True):
    """How fields become bytes to sign."""

    left_out: frozenset[str]
    """Names that are never signed."""
    dropped: str
    """Of `DROPS`: which values are left out."""
    order: str
    """Of `ORDERS`."""
    tail: str
    """Of `TAILS`: how the secret is appended."""
    writing: str = "raw"
    """Of `WRITINGS`: how a value is written."""
    trailing: bool = False
    """Whether an `&` follows the last field."""
    charset: str = "as sent"
    """`as sent`, `gbk` or `utf-8`."""


class Dialect(Struct, frozen=True):
    """What the explainer knows of one protocol."""

    request: tuple[Recipe, ...]
    """Ways in which a request may be signed; the first is the documented one."""
    notice: tuple[Recipe, ...]
    """Ways in which our own messages may be signed."""
    hex_case: str
    """Of an MD5 signature: `lower`, or `any` where its readers take upper and lower."""
    forgives: Mapping[str, frozenset[str]]
    """Codes of flaws in how a signature is written that its readers do not mind, by its form:
    `hex` or `base64`."""
    sign_type: str
    """The field that names the algorithm."""
    rsa: Mapping[str, str]
    """Its values that mean RSA, with the hash each stands for."""
    md5: bool
    """Whether a shared secret may sign."""
    known: frozenset[str] | None
    """Fields that the protocol has; None when every field is signed, whatever its name."""
    id_fields: tuple[str, ...]
    """Where a request says who asks."""
    notice_marks: frozenset[str]
    """Fields that only our own messages have."""


_SIGN = frozenset({"sign"})
_TIDIED = frozenset({"sign_blanks", "sign_plus_lost"})
_BOTH = frozenset({"sign", "sign_type"})
_EPAY = Recipe(_BOTH, "blank", "names", "bare")
_KEYED = Recipe(_SIGN, "empty", "pairs, any case", "key")
_ALIPAY = Recipe(_SIGN, "empty", "names", "none")
_ALIPAY_WITH_EMPTY = Recipe(_SIGN, "null", "names", "none")
ALIPAY_CLASSIC = Recipe(_BOTH, "empty", "names", "none")

DIALECTS: Mapping[str, Dialect] = {
    "epay": Dialect(
        request=(_EPAY,),
        notice=(_EPAY,),
        hex_case="lower",
        forgives={"base64": _TIDIED},
        sign_type="sign_type",
        rsa={"RSA": "SHA-256"},
        md5=True,
        known=epay_reading.KNOWN,
        id_fields=("pid",),
        notice_marks=frozenset({"code"}),
    ),
    "jeepay": Dialect(
        request=(_KEYED,),
        notice=(_KEYED,),
        hex_case="any",
        forgives={},
        sign_type="signType",
        rsa={},
        md5=True,
        known=jeepay_reading.KNOWN,
        id_fields=("mchNo", "appId"),
        notice_marks=frozenset({"state", "createdAt"}),
    ),
    "xxpay": Dialect(
        request=(_KEYED,),
        notice=(_KEYED,),
        hex_case="any",
        forgives={"hex": frozenset({"sign_blanks"})},
        sign_type="signType",
        rsa={},
        md5=True,
        known=xxpay_reading.KNOWN,
        id_fields=("mchId",),
        notice_marks=frozenset({"retCode", "status"}),
    ),
    "alipay": Dialect(
        # One official client signs what has no value as well, and the gateway takes it.
        request=(_ALIPAY, _ALIPAY_WITH_EMPTY),
        notice=(ALIPAY_CLASSIC, _ALIPAY),
        hex_case="any",
        forgives={"base64": _TIDIED},
        sign_type="sign_type",
        rsa={"RSA2": "SHA-256"},
        md5=False,
        known=None,
        id_fields=("app_id",),
        notice_marks=frozenset({"notify_id", "msg_method"}),
    ),
}
"""Sources: dialects.md §2.2 (Epay), §1 Signing (Jeepay), §3.1 (XxPay); wire-protocols.md §1.1
(Alipay: `sign_type` is signed in a request; in a notice the classic variant leaves it out)."""


# --- Which values are left out -----------------------------------------------------------------


def _is_null(one: Field) -> bool:
    return one.kind in {"null", "array"}


DROPS: Mapping[str, Callable[[Field], bool]] = {
    "empty": lambda one: _is_null(one) or one.text == "",
    "blank": lambda one: _is_null(one) or not one.text.strip(BLANKS),
    "null": _is_null,
    "falsy": lambda one: _is_null(one) or one.text in {"", "0", "false"},
}


# --- In which order ----------------------------------------------------------------------------


def _pair(pair: Pair) -> str:
    return f"{pair[0]}={pair[1]}&"


ORDERS: Mapping[str, Callable[[Sequence[Pair]], list[Pair]]] = {
    "names": lambda pairs: sorted(pairs, key=lambda one: (raw(one[0]), raw(one[1]))),
    "pairs, any case": lambda pairs: sorted(pairs, key=lambda one: _pair(one).lower()),
    "names, any case": lambda pairs: sorted(pairs, key=lambda one: one[0].lower()),
    "pairs": lambda pairs: sorted(pairs, key=lambda one: raw(_pair(one))),
    "as sent": list,
    "reversed": lambda pairs: sorted(pairs, key=lambda one: raw(one[0]), reverse=True),
}


# --- How a value is written --------------------------------------------------------------------


def _lower_escapes(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text)


def _quoted(one: Field) -> str:
    return quote(raw(one.text), safe="")


def _plus_quoted(one: Field) -> str:
    return quote_plus(raw(one.text))


def _compact_json(one: Field) -> str:
    """An object inside JSON, written without blanks."""
    if one.kind != "nested":
        return one.text
    return json.dumps(json.loads(one.text), ensure_ascii=False, separators=(",", ":"))


WRITINGS: Mapping[str, Callable[[Field], str]] = {
    "raw": lambda one: one.text,
    "wire": lambda one: one.wire or one.text,
    "quoted": _quoted,
    "quoted, plus": _plus_quoted,
    "quoted, lower": lambda one: _lower_escapes(_quoted(one)),
    "quoted, plus, lower": lambda one: _lower_escapes(_plus_quoted(one)),
    "unquoted": lambda one: unquote(one.text, errors="surrogateescape"),
    "plus for blank": lambda one: one.text.replace(" ", "+"),
    "blank for plus": lambda one: one.text.replace("+", " "),
    "trimmed": lambda one: one.text.strip(BLANKS),
    "escaped HTML": lambda one: escape(one.text),
    "unescaped HTML": lambda one: unescape(one.text),
    "ASCII escapes": lambda one: json.dumps(one.text)[1:-1],
    "slash escapes": lambda one: one.text.replace("/", "\\/"),
    "compact JSON": _compact_json,
    "null": lambda one: "null" if one.kind == "null" else one.text,
    "PHP": lambda one: (
        {"true": "1", "false": ""}.get(one.text, one.text) if one.kind == "boolean" else one.text
    ),
    "Python": lambda one: one.text.capitalize() if one.kind == "boolean" else one.text,
}


# --- How the secret is appended ----------------------------------------------------------------

TAILS: Mapping[str, Callable[[str, str], str]] = {
    "none": lambda text, _: text,
    "bare": lambda text, secret: text + secret,
    "key": lambda text, secret: f"{text}&key={secret}" if text else f"key={secret}",
    "key, no &": lambda text, secret: f"{text}key={secret}",
    "& bare": lambda text, secret: f"{text}&{secret}",
    "before": lambda text, secret: secret + text,
    "around": lambda text, secret: secret + text + secret,
}


def pairs_of(recipe: Recipe, fields: Sequence[Field]) -> list[Pair]:
    """The signed pairs in their order."""
    drops, writes = DROPS[recipe.dropped], WRITINGS[recipe.writing]
    kept = [
        (one.name, writes(one))
        for one in fields
        if one.name not in recipe.left_out and not drops(one)
    ]
    return ORDERS[recipe.order](kept)


def text_of(recipe: Recipe, fields: Sequence[Field]) -> str:
    """The string to sign, without a secret."""
    text = "&".join(f"{name}={value}" for name, value in pairs_of(recipe, fields))
    return f"{text}&" if recipe.trailing and text else text


def bytes_of(recipe: Recipe, fields: Sequence[Field], secret: str = "") -> bytes | None:
    """What is signed or hashed; None when the characters do not exist in the charset."""
    whole = TAILS[recipe.tail](text_of(recipe, fields), secret)
    match recipe.charset:
        case "gbk":
            try:
                return whole.encode("gbk")
            except UnicodeEncodeError:
                return None
        case "utf-8":
            try:
                return raw(whole).decode("gbk").encode()
            except UnicodeDecodeError:
                return None
        case _:
            return raw(whole)


def shown_of(recipe: Recipe, fields: Sequence[Field]) -> str:
    """The string to sign with a placeholder where the secret stands."""
    return TAILS[recipe.tail](text_of(recipe, fields), HIDDEN)
