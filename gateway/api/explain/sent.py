"""A request as somebody pasted it: form, JSON, query, `params=`, address, or whole HTTP message.

Text keeps bytes that are no UTF-8 (as surrogates), since a signature is taken over bytes.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import unquote_plus, urlsplit

from msgspec import Struct, field

SENT_BYTES_MAX = 32 * 1024
FIELDS_MAX = 200
RAW = "surrogateescape"

Kind = Literal["text", "number", "boolean", "null", "nested", "array"]
Shape = Literal["form", "json", "query", "params", "envelope", "raw"]

_REQUEST_LINE = re.compile(r"([A-Z]{3,7}) (\S+)(?: HTTP/[0-9.]+)?\r?\n")
_HEADER = re.compile(r"([A-Za-z0-9-]+):[ \t]*(.*?)[ \t]*\r?\n")


class UnreadableError(ValueError):
    """What was pasted is no request; says what is wrong in English and Chinese."""

    def __init__(self, message: str, zh: str) -> None:
        """Neither sentence quotes what was pasted."""
        super().__init__(message)
        self.message = message
        self.zh = zh


class Field(Struct, frozen=True):
    """One field as it was sent."""

    name: str
    text: str
    """As it is signed where nothing goes wrong."""
    kind: Kind = "text"
    wire: str = ""
    """As it stood in the form or query, still encoded."""


class Sent(Struct, frozen=True):
    """A request, or a message of the gateway's."""

    shape: Shape
    fields: tuple[Field, ...] = ()
    """In the order in which they were sent; of several of one name the last counts."""
    repeated: tuple[str, ...] = ()
    method: str = "POST"
    target: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""
    body: bytes = b""

    def text(self, name: str) -> str:
        """A field's text; empty when there is none."""
        return next((one.text for one in self.fields if one.name == name), "")


def raw(text: str) -> bytes:
    """The bytes that a text was sent as."""
    return text.encode("utf-8", RAW)


def shown(text: str) -> str:
    """The text as it can be written: bytes that are no UTF-8 become `\\xNN`."""
    return raw(text).decode("utf-8", "backslashreplace")


def read_message(pasted: bytes) -> Sent:
    """Method, target, headers and body of a whole HTTP message, or a body alone; fields unread."""
    if len(pasted) > SENT_BYTES_MAX:
        raise UnreadableError(
            f"more than {SENT_BYTES_MAX} bytes were given", f"内容超过 {SENT_BYTES_MAX} 字节"
        )
    text = pasted.removeprefix(b"\xef\xbb\xbf").decode("utf-8", RAW)
    start = _REQUEST_LINE.match(text)
    if start is None:
        return Sent("raw", body=raw(text))
    headers, at = {}, start.end()
    while (found := _HEADER.match(text, at)) is not None:
        headers[found[1].lower()] = found[2]
        at = found.end()
    blank = re.compile(r"\r?\n").match(text, at)
    if blank is None and at < len(text):
        raise UnreadableError(
            "a line between the request line and the body is no header",
            "请求行与请求体之间有一行不是请求头",
        )
    body = text[blank.end() :] if blank else ""
    return Sent("raw", method=start[1], target=start[2], headers=headers, body=raw(body))


def read_fields(pasted: bytes, *, both: bool = False) -> Sent:
    """A request with fields; `both`: those of the query count beside those of the body."""
    message = read_message(pasted)
    body = message.body.decode("utf-8", RAW).strip()
    query = urlsplit(message.target).query if message.target else ""
    if not message.target and re.match(r"(?:https?://|/)\S*\?\S+$", body):
        query, body = body.split("?", 1)[1].split("#", 1)[0], ""
    if not body and not query:
        raise UnreadableError(
            "there is no request: give the form body, the JSON, or the address with its query",
            "没有请求内容：请提供表单、JSON 或带参数的网址",
        )
    if body.startswith(("{", "[")):
        return _of_json(body, message)
    pairs = [*(_pairs(query) if both or not body else ()), *_pairs(body)]
    shape: Shape = "form" if body else "query"
    if len(pairs) == 1 and pairs[0].name == "params" and pairs[0].text.lstrip().startswith("{"):
        found = _of_json(pairs[0].text, message)
        return _sent("params", found.fields, message)
    return _sent(shape, pairs, message)


def _sent(shape: Shape, fields: Iterable[Field], message: Sent) -> Sent:
    many = list(fields)
    if len(many) > FIELDS_MAX:
        raise UnreadableError(f"more than {FIELDS_MAX} fields", f"字段超过 {FIELDS_MAX} 个")
    last = {one.name: one for one in many}
    names = [one.name for one in many]
    repeated = tuple(name for name in last if names.count(name) > 1)
    return Sent(
        shape,
        tuple(last.values()),
        repeated,
        message.method,
        message.target,
        message.headers,
        message.body,
    )


# --- Forms -------------------------------------------------------------------------------------


def _pairs(text: str) -> Iterable[Field]:
    for part in text.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        read = unquote_plus(name, errors=RAW)
        plain = unquote_plus(value, errors=RAW)
        yield Field(read, plain, "array" if "[" in read else "text", value)


# --- JSON --------------------------------------------------------------------------------------


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def _of_json(text: str, message: Sent) -> Sent:
    try:
        read = json.loads(
            text,
            object_pairs_hook=_Object,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_Number,
        )
    except (ValueError, RecursionError):
        raise UnreadableError("this is no JSON", "内容不是合法的 JSON") from None
    if not isinstance(read, _Object):
        raise UnreadableError("the JSON must be an object", "JSON 须为对象")
    # Jeepay signs what is inside `data` and puts the signature beside it.
    inner = [value for name, value in read if name == "data"]
    if inner and isinstance(inner[-1], _Object) and any(name == "sign" for name, _ in read):
        sign = [one for one in read if one[0] == "sign"]
        return _sent("envelope", [_field(*pair) for pair in (*inner[-1], *sign)], message)
    return _sent("json", [_field(*pair) for pair in read], message)


class _Object(list[tuple[str, object]]):
    """An object's pairs, so that a name that stands twice is seen."""


def _field(name: str, value: object) -> Field:
    try:
        f"{name}{value}".encode("utf-8", RAW)
    except UnicodeEncodeError:
        raise UnreadableError(
            "the JSON holds half a character", "JSON 中含有不完整的字符"
        ) from None
    match value:
        case None:
            return Field(name, "", "null")
        case bool():
            return Field(name, "true" if value else "false", "boolean")
        case _Number():
            return Field(name, "0" if value == "-0" else str(value), "number")
        case str():
            return Field(name, value)
        case _:
            return Field(name, json.dumps(_plain(value), ensure_ascii=False), "nested")


def _plain(value: object) -> object:
    match value:
        case _Object():
            return {name: _plain(inner) for name, inner in value}
        case list():
            return [_plain(one) for one in value]
        case _Number():
            return int(value) if len(value) < 300 and value.lstrip("-").isdigit() else str(value)
        case _:
            return value
