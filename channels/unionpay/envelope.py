"""UnionPay's messages as bytes: a signed form to send, a verified set of fields to read.

Pure. Source: wire-protocols.md §3.1 and §3.4. A request is a URL-encoded form. A reply is
`k=v&k=v` whose values are *not* URL-encoded, so that a value in braces or brackets may hold `&` and
`=`, and base64 its `+` and `=`; a notice is URL-encoded again. Nothing is read before its
signature fits.
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from channels import forms
from channels.contract import Request, UnknownCause
from channels.unionpay import signing
from channels.unionpay.signing import DistrustError, Keys, Trust
from channels.unprinted import Unprinted

VERSION = "5.1.0"
SIGN_METHOD = "01"
"""RSA with the certificates of both sides."""
CONTENT_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"
USER_AGENT = "hangdao"
FIELDS_MAX = 128

_CLOSING = {"{": "}", "[": "]"}


class WireError(Exception):
    """The message cannot be believed or understood; `cause` says which."""

    def __init__(self, cause: UnknownCause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


class Message(Unprinted, frozen=True):
    """Verified fields, as UnionPay wrote them."""

    hidden = frozenset({"fields"})

    fields: Mapping[str, str]

    @property
    def code(self) -> str:
        """The respCode of this message."""
        return self.fields.get("respCode", "")

    @property
    def text(self) -> str:
        """What it says to people; never decides anything."""
        return self.fields.get("respMsg", "")

    def get(self, name: str) -> str | None:
        """Read a field; absent and empty are the same on this wire."""
        return self.fields.get(name) or None


def request(url: str, fields: Mapping[str, str], keys: Keys) -> Request:
    """Complete, sign and encode a request; blank fields are left out."""
    common = {
        "version": VERSION,
        "encoding": "UTF-8",
        "signMethod": SIGN_METHOD,
        "certId": keys.cert_id,
    }
    sent = {name: value for name, value in {**common, **fields}.items() if value}
    sent[signing.SIGNATURE] = signing.sign(keys.private, sent)
    return Request(
        url=url,
        headers=(("Content-Type", CONTENT_TYPE), ("User-Agent", USER_AGENT)),
        body=forms.encoded(sorted(sent.items())).encode(),
    )


def open_reply(body: bytes, trust: Trust, now: datetime) -> Message:
    """Verify, then read, a reply."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise WireError(UnknownCause.UNREADABLE, "not UTF-8") from error
    return _verified(parse(text.strip("\r\n")), trust, now)


def open_notice(body: bytes, trust: Trust, now: datetime) -> Message:
    """Verify, then read, a notice."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError as error:  # its text would quote the body
        raise WireError(UnknownCause.UNREADABLE, "not a form") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise WireError(UnknownCause.UNREADABLE, "a field stands twice")
    return _verified(fields, trust, now)


def parse(text: str) -> Mapping[str, str]:
    """Split `k=v&k=v`; an `&` between braces or brackets belongs to the value."""
    fields: dict[str, str] = {}
    for part in _parts(text):
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise WireError(UnknownCause.UNREADABLE, "not a row of fields")
        if name in fields:
            raise WireError(UnknownCause.UNREADABLE, "a field stands twice")
        fields[name] = value
    if len(fields) > FIELDS_MAX:
        raise WireError(UnknownCause.UNREADABLE, "too many fields")
    return fields


def _parts(text: str) -> list[str]:
    parts: list[str] = []
    awaited: list[str] = []
    start = 0
    for at, letter in enumerate(text):
        if letter in _CLOSING:
            awaited.append(_CLOSING[letter])
        elif awaited and letter == awaited[-1]:
            awaited.pop()
        elif letter == "&" and not awaited:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _verified(fields: Mapping[str, str], trust: Trust, now: datetime) -> Message:
    if not fields.get(signing.SIGNATURE) or not fields.get(signing.CERTIFICATE):
        raise WireError(UnknownCause.BAD_SIGNATURE, "not signed")
    try:
        key = signing.signer(fields[signing.CERTIFICATE], trust, now)
    except DistrustError as error:
        raise WireError(UnknownCause.BAD_SIGNATURE, str(error)) from error
    if not signing.verifies(key, fields):
        raise WireError(UnknownCause.BAD_SIGNATURE, "the signature does not fit")
    return Message(fields)
