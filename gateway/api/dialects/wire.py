"""A request and a reply as bytes, apart from any HTTP library; and forms, read leniently.

Text keeps bytes that are no UTF-8 (as surrogates), so that a signature is checked over what was
sent; whoever uses a value asks for `plain` first.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from channels.unprinted import Unprinted

FIELDS_MAX = 200
RAW = "surrogateescape"
POSES_AS_FIELD = re.compile(r"&\w+=")
"""Signed texts do not say where a value ends: one that holds this could be read as two fields."""


class Ask(Unprinted, frozen=True):
    """One request to a dialect."""

    hidden = frozenset({"body"})

    method: str
    path: str
    """Below the dialect's prefix, with a slash in front."""
    content_type: str
    query: str
    """As on the wire."""
    body: bytes
    remote: str | None
    """The caller's address."""


class Said(Unprinted, frozen=True):
    """One reply."""

    hidden = frozenset({"body"})

    body: bytes
    code: str = ""
    """For the log line: the dialect's own code."""
    merchant_id: str | None = None
    status: int = 200
    content_type: str = "application/json"
    silent: bool = False
    """Nothing is said, and the connection ends: an error could be taken for "not paid"."""

    @classmethod
    def nothing(cls, merchant_id: str | None = None) -> "Said":
        """For who asks while nobody can say what became of it, or who that is."""
        return cls(b"", "silent", merchant_id, status=503, silent=True)


class RefusedError(Exception):
    """Told as an envelope of a code and a text, which two of the protocols do not sign."""

    def __init__(self, code: int, message: str) -> None:
        """`message` is Chinese and stable."""
        super().__init__(message)
        self.code = code
        self.message = message

    def said(self, merchant_id: str | None) -> Said:
        """As it is told."""
        body = json_body({"code": self.code, "msg": self.message})
        return Said(body, str(self.code), merchant_id)


def form(body: bytes) -> dict[str, str] | None:
    """A form's fields, the last of several of one name; None when it is none.

    Arrays are dropped, as the stock software drops them before it signs.
    """
    try:
        pairs = parse_qsl(
            body.decode("utf-8", RAW),
            keep_blank_values=True,
            encoding="utf-8",
            errors=RAW,
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        return None
    return {name: value for name, value in pairs if "[" not in name}


class AmbiguousError(ValueError):
    """What was sent can be read in more than one way, or in none."""

    def __init__(self, name: str | None = None) -> None:
        """`name`: of the field that stands twice with different contents."""
        super().__init__(name or "neither a form nor a query string")
        self.name = name


def query_and_form(ask: Ask) -> dict[str, str]:
    """The fields of the query string and of a posted form. Raises `AmbiguousError`."""
    try:
        query = form(ask.query.encode("utf-8", RAW))
    except UnicodeEncodeError:
        query = None
    body = form(ask.body) if ask.method == "POST" else {}
    if query is None or body is None:
        raise AmbiguousError
    for name in query.keys() & body.keys():
        if query[name] != body[name]:
            raise AmbiguousError(name)
    return {**query, **body}


def raw(text: str) -> bytes:
    """The bytes that a field was sent as."""
    return text.encode("utf-8", RAW)


def plain(text: str) -> str | None:
    """The text without blanks around it; None when it was no UTF-8 or holds control characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    trimmed = text.strip(" \t\r\n\0\x0b")
    return trimmed if trimmed.isprintable() else None


def posing(
    fields: Mapping[str, object], known: Collection[str], opaque: Collection[str] = ()
) -> str | None:
    """The field that holds what reads as another one, as `x&out_biz_no=1` does; None if none does.

    Signed texts do not say where a value ends. So whoever saw a request could send it with a field
    hidden in the one before it, rightly signed: without its number it would be another order.
    """
    for name, value in fields.items():
        text = f"{name}={value}"
        if "&" in text and name not in opaque and any(f"&{one}=" in text for one in known):
            return ascii(name[:40])[1:-1]
    return None


def json_body(fields: Mapping[str, Any]) -> bytes:
    """A reply's body."""
    return orjson.dumps(dict(fields))
