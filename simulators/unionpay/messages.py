"""The bytes this simulator says and hears: forms in, unescaped rows out, notices as forms.

Source: the platform's message rules. A request is a URL-encoded UTF-8 form; a reply is `k=v&k=v`
with the values as they are; a notice is a URL-encoded form again. All are signed alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from simulators.clock import BEIJING
from simulators.kernel import Reply, Request
from simulators.unionpay.errors import RefusedError
from simulators.unionpay.signing import load_certificate, sign

_FORM = "application/x-www-form-urlencoded"
FORM = (("content-type", f"{_FORM}; charset=UTF-8"),)
_TEXT = (("content-type", "text/html;charset=UTF-8"),)


@dataclass(frozen=True, slots=True)
class Voice:
    """What the platform signs with."""

    key: RSAPrivateKey = field(repr=False)
    certificate: str
    """PEM; goes along as signPubKeyCert."""

    def completed(self, said: Mapping[str, str], *, is_true: bool = True) -> dict[str, str]:
        """The fields with certificate and signature; a false one fits another text."""
        fields = {
            "version": "5.1.0",
            "encoding": "UTF-8",
            "signMethod": "01",
            "certId": load_certificate(self.certificate)[1],
            **said,
            "signPubKeyCert": self.certificate,
        }
        signed = fields if is_true else {**fields, "respMsg": "?"}
        return {**fields, "signature": sign(self.key, signed)}


def read_form(request: Request) -> dict[str, str]:
    """The fields of a request. Raises RefusedError (10) for what is no unambiguous form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise RefusedError("10")
    try:
        pairs = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise RefusedError("10") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise RefusedError("10")
    return fields


def row(fields: Mapping[str, str]) -> Reply:
    """A reply: nothing in it is escaped."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    return Reply(200, _TEXT, text.encode("utf-8"))


def form(fields: Mapping[str, str]) -> bytes:
    """The body of a notice."""
    return urlencode(sorted(fields.items())).encode("ascii")


def long_stamp(at: datetime) -> str:
    """`yyyyMMddHHmmss`, Beijing time."""
    return at.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")


def short_stamp(at: datetime) -> str:
    """`MMDDHHmmss`, Beijing time."""
    return at.astimezone(BEIJING).strftime("%m%d%H%M%S")


def mask(number: str) -> str:
    """An account number as it is echoed: first six and last four digits."""
    return f"{number[:6]}{'*' * max(len(number) - 10, 1)}{number[-4:]}"
