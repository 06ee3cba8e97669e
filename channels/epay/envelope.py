"""The outside of Epay's messages: a signed form, and a JSON reply that is verified where it can be.

Pure. A reply's signature covers its *values* (wire-protocols.md §6), so it must be parsed before it
can be verified: strictly, no name twice, numbers as they are written. Every reply the site returns
on purpose is signed; errors it throws are not, and prove nothing.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from channels import forms
from channels.contract import Request, UnknownCause
from channels.epay import signing
from channels.epay.profile import ACCEPTANCE_WINDOW_S
from channels.epay.signing import Keys
from channels.unprinted import Unprinted

CONTENT_TYPE = "application/x-www-form-urlencoded"
USER_AGENT = "hangdao"


class WireError(Exception):
    """The reply cannot be believed or understood; `cause` says which."""

    def __init__(self, cause: UnknownCause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


class Answer(Unprinted, frozen=True):
    """A reply: its plain fields as text, and the moment the site signed it."""

    hidden = frozenset({"fields"})

    fields: Mapping[str, str]
    signed_at: datetime | None
    """None: nobody signed it, so it proves nothing."""

    @property
    def code(self) -> str:
        """0 or a negative number."""
        return self.fields.get("code", "")

    @property
    def message(self) -> str:
        """The text to people, which in refusals is all there is to tell them apart."""
        return self.fields.get("msg", "")

    def get(self, name: str) -> str | None:
        """Read a field; absent, null and blank are the same on this wire."""
        return self.fields.get(name, "").strip(signing.BLANKS) or None


def request(
    base_url: str, action: str, pid: str, keys: Keys, fields: Mapping[str, str], now: datetime
) -> Request:
    """Sign a call of `transfer/<action>`; everything travels in the body, the query is not read."""
    signed = {**fields, "pid": pid, "timestamp": str(int(now.timestamp()))}
    signature = signing.sign(keys, signing.string_to_sign(signed))
    form = {**signed, "sign": signature, "sign_type": keys.sign_type}
    return Request(
        url=f"{base_url}/api/transfer/{action}",
        headers=(
            ("Accept", "application/json"),
            ("Content-Type", CONTENT_TYPE),
            ("User-Agent", USER_AGENT),
        ),
        body=forms.encoded(sorted(form.items())).encode(),
    )


def open_reply(body: bytes, keys: Keys, now: datetime) -> Answer:
    """Parse a reply, and verify it whenever it carries a signature.

    A reply without one is handed on as unsigned; a wrong or stale one is no reply at all.
    """
    fields = text_fields(body)
    signature = fields.get("sign", "").strip(signing.BLANKS)
    if not signature:
        return Answer(fields, None)
    if fields.get("sign_type", "RSA") != "RSA":
        raise WireError(UnknownCause.BAD_SIGNATURE, "replies are signed with RSA only")
    if not signing.verifies(keys, signing.string_to_sign(fields), signature):
        raise WireError(UnknownCause.BAD_SIGNATURE, "the signature does not fit the reply")
    return Answer(fields, _moment(fields.get("timestamp", ""), now))


def text_fields(body: bytes) -> Mapping[str, str]:
    """Read the members of a JSON object as PHP turns them into text; arrays and null fall away."""
    try:
        parsed = json.loads(
            body,
            parse_float=str,
            parse_int=str,
            parse_constant=_no_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as error:
        raise WireError(UnknownCause.UNREADABLE, "not JSON") from error
    if not isinstance(parsed, dict):
        raise WireError(UnknownCause.UNREADABLE, "not a JSON object")
    fields = {
        name: "1" if value is True else value
        for name, value in parsed.items()
        if value is True or isinstance(value, str)
    }
    try:
        "".join((*fields, *fields.values())).encode()
    except UnicodeEncodeError as error:
        raise WireError(UnknownCause.UNREADABLE, "text that is no Unicode") from error
    return fields


def _moment(timestamp: str, now: datetime) -> datetime:
    """When the reply was signed; one far from now may be an old one played back."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) == 10):
        raise WireError(UnknownCause.BAD_SIGNATURE, "the reply does not say when it was signed")
    signed_at = datetime.fromtimestamp(int(timestamp), tz=now.tzinfo)
    if abs((now - signed_at).total_seconds()) > ACCEPTANCE_WINDOW_S:
        raise WireError(UnknownCause.BAD_SIGNATURE, "the reply was not signed just now")
    return signed_at


def _unique(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name stands twice")
    return read


def _no_constant(_: str) -> object:
    raise ValueError("NaN and infinities are not JSON")
