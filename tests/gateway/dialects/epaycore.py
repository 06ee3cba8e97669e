"""The stock Epay V2 SDK (`EpayCore`, PHP) as a caller: what it sends and believes.

Facts: dialects.md §2.2; the SDK as published with the sites. It knows nothing of our own code.
Where PHP or the SDK is odd, so is this: a list is dropped from the text and `true` is written as 1,
false vanishes; any code that PHP finds equal to 0 counts as 0, and only then are signature and
clock looked at; whatever else comes back is an exception with the site's `msg`, and no answer,
a late one or one that is no JSON are all the same one. TLS is not verified and redirects are not
followed. The base URL is used as it is written: without a slash at its end the host's name grows.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote_plus

from aiohttp import ClientError, ClientSession, ClientTimeout
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

TIMEOUT_S = 10
CLOCK_S = 300
HEADERS = {
    "Accept": "*/*",
    "Accept-Language": "zh-CN,zh;q=0.8",
    "Connection": "close",
    "Content-Type": "application/x-www-form-urlencoded",
}


class ThrownError(Exception):
    """`\\Exception`: all that the SDK's callers get to see of whatever went wrong."""


def text_of(value: object) -> str:
    """A value as PHP joins it into a string."""
    if value is True:
        return "1"
    if value is None or value is False:
        return ""
    return str(value)


def text_to_sign(fields: Mapping[str, object]) -> str:
    """As its `getSignContent`; `ksort` and Python agree on names that are no numbers."""
    kept = (
        f"{name}={text_of(fields[name])}"
        for name in sorted(fields)
        if not isinstance(fields[name], list | dict)
        and text_of(fields[name]).strip(" \t\n\r\0\x0b")
        and name not in ("sign", "sign_type")
    )
    return "&".join(kept)


def form(fields: Mapping[str, str]) -> bytes:
    """As `http_build_query`, in the order in which the fields were put in."""
    pairs = (f"{quote_plus(name, safe='')}={_coded(text)}" for name, text in fields.items())
    return "&".join(pairs).encode()


def _coded(text: str) -> str:
    # PHP's urlencode leaves no tilde alone; Python's does.
    return quote_plus(text, safe="").replace("~", "%7E")


def is_zero(code: object) -> bool:
    """PHP 8's `$code == 0`: null, false and every way to write nought."""
    if code is None or code is False:
        return True
    if isinstance(code, bool | list | dict):
        return False
    if isinstance(code, str):
        try:
            return float(code.strip(" \t\n\r\0\x0b")) == 0
        except ValueError:
            return False
    return code == 0


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


@dataclass(slots=True)
class EpayCore:
    """`new EpayCore($config)`."""

    http: ClientSession
    apiurl: str
    """Ends with a slash, or nothing works."""
    pid: str
    platform_public_key: str
    merchant_private_key: str
    now: Callable[[], float]
    timeout_s: float = TIMEOUT_S

    def build_request_param(self, params: Mapping[str, str]) -> dict[str, str]:
        """What is asked with pid and timestamp behind it, then signature, then its kind."""
        asked = {**params, "pid": self.pid, "timestamp": str(int(self.now()))}
        key = private_key(self.merchant_private_key)
        made = key.sign(text_to_sign(asked).encode(), PKCS1v15(), hashes.SHA256())
        return {**asked, "sign": base64.b64encode(made).decode(), "sign_type": "RSA"}

    async def execute(self, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        """One call: an answer of code 0 that is proven, or an exception."""
        said = await self._post(path.lstrip("/"), form(self.build_request_param(params)))
        try:
            reply = json.loads(said) if said else None
        except ValueError:
            reply = None
        if not isinstance(reply, dict) or not reply:
            raise ThrownError("请求失败")
        if not is_zero(reply.get("code")):
            raise ThrownError(str(reply.get("msg")))
        if not self.verify(reply):
            raise ThrownError("返回数据验签失败")
        return reply

    def verify(self, reply: Mapping[str, object]) -> bool:
        """The clock first, then the signature."""
        sign, stamp = reply.get("sign"), reply.get("timestamp")
        if not sign or not stamp or abs(self.now() - int(text_of(stamp))) > CLOCK_S:
            return False
        key = public_key(self.platform_public_key)
        try:
            given = base64.b64decode(text_of(sign))
            key.verify(given, text_to_sign(reply).encode(), PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True

    async def _post(self, path: str, body: bytes) -> bytes | None:
        """Curl: what came back whatever its status; None for everything that went wrong."""
        try:
            async with self.http.post(
                self.apiurl + path,
                data=body,
                headers=HEADERS,
                timeout=ClientTimeout(total=self.timeout_s),
                ssl=False,
                allow_redirects=False,
            ) as response:
                return await response.read()
        except (ClientError, TimeoutError, ValueError):
            return None
