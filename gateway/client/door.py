"""Where the gateway is and how a request to it looks: address, key, signature, headers, limits."""

import base64
import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from gateway.client.calls import Call
from gateway.client.clock import Clock, SystemClock

_KEY = re.compile(r"hd_([a-z0-9]{16})_[A-Za-z0-9_-]{43}", re.ASCII)
_LOCAL = frozenset({"localhost"})


@cache
def user_agent() -> str:
    """Who asks, with the installed version."""
    try:
        return f"hangdao-python/{version('hangdao')}"
    except PackageNotFoundError:
        return "hangdao-python"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long anything may take, in seconds."""

    connect_s: float = 5.0
    answer_s: float = 30.0
    """One try, from the connection to the end of the answer."""
    budget_s: float = 60.0
    """One call with all its tries and waits."""
    backoff_s: float = 0.25
    """The first wait is up to twice this; each next one up to twice as long."""
    backoff_max_s: float = 8.0

    def __post_init__(self) -> None:
        """Refuse what would never try, or never stop."""
        for name in ("connect_s", "answer_s", "budget_s", "backoff_s", "backoff_max_s"):
            if not 0 < getattr(self, name) <= 3600:
                raise ValueError(f"{name}: must lie between 0 and 3600 seconds")


@dataclass(frozen=True, slots=True)
class Door:
    """One gateway, seen with one key. Its repr shows the key's id and no secret."""

    url: str
    key: str = field(repr=False)
    signing_secret: str | None = field(default=None, repr=False)
    """For keys that demand signed requests."""
    limits: Limits = Limits()
    plain_http: bool = False
    """Allow http:// to another machine: the key is then readable on the way."""
    clock: Clock = field(default_factory=SystemClock, repr=False)

    def __post_init__(self) -> None:
        """Refuse addresses and keys that cannot work, before anything is sent."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url: must be https://host[:port]")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("url: must hold no credentials, query or fragment")
        if parts.scheme == "http" and not (self.plain_http or _is_local(parts.hostname)):
            raise ValueError(
                "url: http:// would show the key to everybody on the way; use https://, or say "
                "plain_http=True where the network itself is private"
            )
        if _KEY.fullmatch(self.key) is None:
            raise ValueError("key: must look like hd_<id>_<secret>")
        if self.signing_secret is not None:
            _secret(self.signing_secret)
        object.__setattr__(self, "url", self.url.rstrip("/"))

    @property
    def key_id(self) -> str:
        """What operators know the key by."""
        return self.key.split("_")[1]

    def target(self, call: Call[object]) -> str:
        """The whole address of a call."""
        return self.url + _written(call)

    def headers(self, call: Call[object], request_id: str) -> dict[str, str]:
        """Of one try: a signature is of its moment and its nonce used up by it."""
        made = {
            "Authorization": f"Bearer {self.key}",
            "Accept": "application/json, application/problem+json, */*;q=0.1",
            "User-Agent": user_agent(),
            "X-Request-Id": request_id,
        }
        if call.body is not None:
            made["Content-Type"] = call.content_type
        if call.key is not None:
            made["Idempotency-Key"] = call.key
        if self.signing_secret is not None:
            made |= self._signature(call, _secret(self.signing_secret))
        return made

    def _signature(self, call: Call[object], secret: bytes) -> dict[str, str]:
        # Without a path of `url`: a proxy that has one takes it off before the gateway looks.
        target, stamp, once = _written(call), str(int(self.clock.now().timestamp())), nonce()
        digest = hashlib.sha256(call.body or b"").hexdigest()
        text = "\n".join((call.method, target, stamp, once, digest))
        return {
            "Hangdao-Timestamp": stamp,
            "Hangdao-Nonce": once,
            "Hangdao-Signature": "v1=" + hmac.new(secret, text.encode(), "sha256").hexdigest(),
        }


def _written(call: Call[object]) -> str:
    return call.path + (f"?{urlencode(call.query)}" if call.query else "")


def nonce() -> str:
    """Never the same twice; the gateway refuses one it has seen."""
    return uuid4().hex


def _secret(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("signing_secret: must be Base64, as it was shown") from None


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in _LOCAL
