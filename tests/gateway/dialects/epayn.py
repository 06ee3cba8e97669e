"""The stock Epay plugin `epayn` as a caller: what it signs, believes and does next, its own way.

Facts: dialects.md §2.2 and §2.3. It knows nothing of the gateway's code. Any code but 0, ten
seconds of silence or a reply whose signature does not fit is "not paid" to it: it keeps no row and
asks again under a new number. It finds its orders by `out_biz_no` only.
"""

import base64
import hashlib
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

TIMEOUT_S = 10
CLOCK_S = 300


def text_to_sign(fields: Mapping[str, Any]) -> str:
    """As its `getSignContent` builds it."""
    parts = []
    for name in sorted(fields):
        value = fields[name]
        if isinstance(value, dict | list) or value is None or str(value).strip() == "":
            continue
        if name not in ("sign", "sign_type"):
            parts.append(f"{name}={value}")
    return "&".join(parts)


@cache
def private_key(text: str) -> RSAPrivateKey:
    """From bare base64; once, since checking a key takes longer than using it."""
    key = serialization.load_der_private_key(base64.b64decode(text), None)
    assert isinstance(key, RSAPrivateKey)
    return key


@cache
def public_key(text: str) -> RSAPublicKey:
    """From bare base64."""
    key = serialization.load_der_public_key(base64.b64decode(text))
    assert isinstance(key, RSAPublicKey)
    return key


@dataclass(frozen=True, slots=True)
class Told:
    """What a submission looks like to the site."""

    number: str
    ok: bool
    status: int | None
    reply: Mapping[str, Any]
    seconds: float


@dataclass(slots=True)
class Epayn:
    """One configured plugin: appurl, appid, appkey, appsecret."""

    http: ClientSession
    appurl: str
    """Ends with a slash."""
    appid: str
    appkey: str
    """The platform's public key, bare base64."""
    appsecret: str | None
    """The merchant's private key, bare base64."""
    now: Callable[[], float]
    md5_key: str | None = None
    numbers: "itertools.count[int]" = field(
        default_factory=lambda: itertools.count(2026030210000000001)
    )

    def new_number(self) -> str:
        """Nineteen digits: the moment and five more."""
        return str(next(self.numbers))

    def signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        """With pid, timestamp and signature."""
        sign_type = "MD5" if self.md5_key is not None else "RSA"
        asked = {"pid": self.appid, "timestamp": str(int(self.now())), **fields}
        text = text_to_sign(asked).encode()
        if self.md5_key is not None:
            sign = hashlib.md5(text + self.md5_key.encode()).hexdigest()  # noqa: S324 - theirs
        else:
            assert self.appsecret is not None
            made = private_key(self.appsecret).sign(text, PKCS1v15(), hashes.SHA256())
            sign = base64.b64encode(made).decode()
        return {**asked, "sign_type": sign_type, "sign": sign}

    async def post(self, path: str, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """Raw: what came back as JSON."""
        body = urlencode(fields)
        async with self.http.post(
            self.appurl + path,
            data=body,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout=ClientTimeout(total=TIMEOUT_S),
        ) as response:
            read = await response.json(content_type=None)
            assert isinstance(read, dict)
            return read

    async def ask(self, path: str, **fields: str) -> Mapping[str, Any]:
        """One signed call."""
        return await self.post(path, self.signed(fields))

    def believes(self, reply: Mapping[str, Any]) -> bool:
        """Only a reply of code 0 is checked, and its clock with it."""
        if reply.get("code") != 0:
            return False
        try:
            signature = base64.b64decode(str(reply.get("sign", "")))
            public_key(self.appkey).verify(
                signature, text_to_sign(reply).encode(), PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return False
        return abs(int(reply["timestamp"]) - self.now()) <= CLOCK_S

    async def submit(self, number: str, **fields: str) -> Told:
        """As `transfer()`: paid, processing, or "not paid" for whatever else happened."""
        started = time.perf_counter()
        asked = {
            "type": "bank",
            "account": "6222021234567890123",
            "name": "王小五",
            "money": "12.30",
            "remark": "提现",
            "out_biz_no": number,
            **fields,
        }
        reply: Mapping[str, Any] = {}
        try:
            reply = await self.ask("api/transfer/submit", **asked)
            ok = self.believes(reply)
        except (ClientError, TimeoutError, ValueError):
            ok = False
        status = int(reply["status"]) if ok else None
        return Told(number, ok, status, reply, time.perf_counter() - started)

    async def query(self, number: str) -> Mapping[str, Any]:
        """As `transfer_query()`."""
        reply = await self.ask("api/transfer/query", out_biz_no=number)
        assert reply["code"] != 0 or self.believes(reply)
        return reply
