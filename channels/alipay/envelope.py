"""The outside of Alipay's messages: a signed request, and a reply cut open without touching it.

Pure. A reply's signature covers the exact bytes of its node, so the node is cut out of the raw body
by a scanner that knows JSON strings, and verified before anything parses it (wire-protocols.md
§1.1). Everything that is not provably Alipay's own words ends as `WireError`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

import orjson

from channels import forms
from channels.alipay import signing
from channels.alipay.signing import Keys
from channels.contract import Request, UnknownCause
from channels.unprinted import Unprinted

BEIJING = ZoneInfo("Asia/Shanghai")
CONTENT_TYPE = "application/x-www-form-urlencoded;charset=utf-8"
USER_AGENT = "hangdao"

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*"')
_PLAIN = re.compile(rb'"[^"\\\x00-\x1f]*"')
_SCALAR = re.compile(rb"[-+.0-9A-Za-z]+")
_NESTED = re.compile(_STRING.pattern + rb'|[][{}]|[^][{}"]+')
_FLAT = re.compile(rb"\{(?:" + _STRING.pattern + rb'|[^][{}"]++)*+\}')
"""An object without another in it, as answers to payouts are."""

_Value = TypeVar("_Value")


class WireError(Exception):
    """The message cannot be believed or understood; `cause` says which."""

    def __init__(self, cause: UnknownCause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


class Node(Unprinted, frozen=True):
    """A verified answer: top-level fields as text, as Alipay wrote them."""

    hidden = frozenset({"fields"})

    fields: Mapping[str, str]

    @property
    def code(self) -> str:
        """The top code, e.g. 10000 or 40004."""
        return self.fields.get("code", "")

    @property
    def sub_code(self) -> str:
        """The business code; empty on success."""
        return self.fields.get("sub_code", "")

    @property
    def message(self) -> str:
        """What it says to people; never decides anything."""
        return self.fields.get("sub_msg") or self.fields.get("msg", "")

    def get(self, name: str) -> str | None:
        """Read a field; absent and empty are the same on this wire."""
        return self.fields.get(name) or None


def request(
    gateway_url: str,
    app_id: str,
    keys: Keys,
    method: str,
    content: Mapping[str, object],
    now: datetime,
) -> Request:
    """Sign a call: common parameters by query, `biz_content` by form, as the official SDKs do."""
    biz_content = orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()
    if keys.aes is not None:
        biz_content = signing.encrypt(keys.aes, biz_content.encode())
    common = {
        "alipay_root_cert_sn": keys.root_cert_sn or "",
        "app_cert_sn": keys.app_cert_sn or "",
        "app_id": app_id,
        "charset": "utf-8",
        "encrypt_type": "" if keys.aes is None else "AES",
        "format": "json",
        "method": method,
        "sign_type": "RSA2",
        "timestamp": _local(int(now.timestamp())),
        "version": "1.0",
    }
    content_to_sign = signing.string_to_sign({**common, "biz_content": biz_content})
    query = {name: value for name, value in common.items() if value}
    query["sign"] = signing.sign(keys.private, content_to_sign)
    return Request(
        url=f"{gateway_url}?{forms.encoded(query.items())}",
        headers=(
            ("Accept", "application/json"),
            ("Content-Type", CONTENT_TYPE),
            ("User-Agent", USER_AGENT),
        ),
        body=f"biz_content={forms.quoted(biz_content)}".encode(),
    )


def open_reply(body: bytes, method: str, keys: Keys) -> Node:
    """Verify, then read, the answer to a call of `method`.

    `error_response` stands in for the method's own node when the gateway itself refuses.
    """
    members = _unique(scan(body))
    expected = method.replace(".", "_") + "_response"
    nodes = [members[name] for name in (expected, "error_response") if name in members]
    if len(nodes) != 1:
        raise WireError(UnknownCause.UNREADABLE, "not exactly one answer in the reply")
    signature = _plain_string(members.get("sign"))
    if not signature:
        raise WireError(UnknownCause.BAD_SIGNATURE, "the reply is not signed")
    serial = _plain_string(members.get("alipay_cert_sn"))
    live = list(keys.platform.values())
    if keys.app_cert_sn is not None:
        live = [key for name, key in keys.platform.items() if name == serial]
    if not live:
        raise WireError(UnknownCause.BAD_SIGNATURE, "signed with a certificate we do not know")
    if not any(signing.verifies(key, nodes[0], signature) for key in live):
        raise WireError(UnknownCause.BAD_SIGNATURE, "the signature does not fit the answer")
    return Node(_fields(_decrypted(nodes[0], keys)))


def scan(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the members of a JSON object with the exact bytes of each value.

    Braces and quotes inside strings do not count, escapes are honoured. The values themselves are
    not parsed: that is for after the signature has been checked.
    """
    at = _skip(body, 0)
    if body[at : at + 1] != b"{":
        raise WireError(UnknownCause.UNREADABLE, "not a JSON object")
    at = _skip(body, at + 1)
    if body[at : at + 1] == b"}":
        at = _skip(body, at + 1)
    else:
        while True:
            name = _match(_STRING, body, at)
            at = _skip(body, at + len(name))
            if body[at : at + 1] != b":":
                raise WireError(UnknownCause.UNREADABLE, "a member without a value")
            at = _skip(body, at + 1)
            value = _value(body, at)
            yield _plain_string(name), value
            at = _skip(body, at + len(value))
            separator = body[at : at + 1]
            at = _skip(body, at + 1)
            if separator == b"}":
                break
            if separator != b",":
                raise WireError(UnknownCause.UNREADABLE, "members not separated by commas")
    if at != len(body):
        raise WireError(UnknownCause.UNREADABLE, "more text after the JSON object")


def parse_object(text: bytes | str) -> Mapping[str, object]:
    """Parse a JSON object strictly: no name twice, numbers kept as they are written."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8", "surrogatepass")
        parsed = _STRICT.decode(text)
    except (ValueError, RecursionError) as error:
        raise WireError(UnknownCause.UNREADABLE, "not JSON") from error
    if not isinstance(parsed, dict):
        raise WireError(UnknownCause.UNREADABLE, "not a JSON object")
    return parsed


def text_fields(parsed: Mapping[str, object]) -> Mapping[str, str]:
    """Keep the members that are text (or numbers, as written); nested ones are of no use here."""
    return {name: value for name, value in parsed.items() if isinstance(value, str)}


def _fields(raw: bytes) -> Mapping[str, str]:
    return text_fields(parse_object(raw))


def _decrypted(node: bytes, keys: Keys) -> bytes:
    """Decrypt an encrypted node: a JSON string, signed including its quotes."""
    if not node.startswith(b'"'):
        return node
    if keys.aes is None:
        raise WireError(UnknownCause.UNREADABLE, "encrypted, but no AES key is configured")
    try:
        return signing.decrypt(keys.aes, _plain_string(node))
    except ValueError as error:
        raise WireError(UnknownCause.UNREADABLE, "cannot be decrypted") from error


def _plain_string(raw: bytes | None) -> str:
    if raw is None:
        return ""
    try:
        if _PLAIN.fullmatch(raw):
            return raw[1:-1].decode("utf-8", "surrogatepass")
        text = json.loads(raw)
    except ValueError as error:
        raise WireError(UnknownCause.UNREADABLE, "not JSON") from error
    if not isinstance(text, str):
        raise WireError(UnknownCause.UNREADABLE, "not a string")
    return text


def _value(body: bytes, at: int) -> bytes:
    first = body[at : at + 1]
    if first == b'"':
        return _match(_STRING, body, at)
    if first not in {b"{", b"["}:
        return _match(_SCALAR, body, at)
    flat = _FLAT.match(body, at)
    if flat is not None:
        return flat[0]
    depth, end = 0, at
    while True:
        token = _match(_NESTED, body, end)
        end += len(token)
        depth += token in {b"{", b"["}
        depth -= token in {b"}", b"]"}
        if depth == 0:
            return body[at:end]


def _match(pattern: re.Pattern[bytes], body: bytes, at: int) -> bytes:
    found = pattern.match(body, at)
    if found is None:
        raise WireError(UnknownCause.UNREADABLE, "the JSON text breaks off or is malformed")
    return found[0]


@lru_cache(maxsize=8)
def _local(second: int) -> str:
    """How this wire writes a moment; many requests are signed within the same second."""
    return datetime.fromtimestamp(second, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _skip(body: bytes, at: int) -> int:
    if at < len(body) and body[at] not in b" \t\r\n":
        return at
    space = _SPACE.match(body, at)
    return at if space is None else space.end()


def _unique(pairs: Iterable[tuple[str, _Value]]) -> dict[str, _Value]:
    every = tuple(pairs)
    members = dict(every)
    if len(members) != len(every):
        raise WireError(UnknownCause.UNREADABLE, "a name stands twice")
    return members


def _no_constant(_: str) -> object:
    raise ValueError("NaN and infinities are not JSON")


_STRICT = json.JSONDecoder(
    parse_float=str,
    parse_int=str,
    parse_constant=_no_constant,
    object_pairs_hook=_unique,
)
