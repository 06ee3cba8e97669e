"""Who is calling: bearer keys kept as keyed hashes, scopes, and optional request signatures.

A key reads `hd_<id>_<secret>`. The store holds HMAC-SHA256(pepper, key); the pepper comes from the
environment, so a stolen database opens nothing. A key with a signing secret demands, on every
request, `Hangdao-Timestamp` (Unix seconds, within 300 s), `Hangdao-Nonce` (16-64 characters, never
used before with this key) and `Hangdao-Signature: v1=<hex>`, the HMAC-SHA256 under that secret of

    METHOD LF path?query LF timestamp LF nonce LF sha256(body) in hex

The secret is shown in Base64; its 32 bytes are the key. Without a query there is no question mark.
Path and query are signed as they are on the wire. An example to build a client against:

    request: POST /v1/payouts
    body: {"merchant_ref":"order-1"}
    signing secret: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
    Hangdao-Timestamp: 1772416800
    Hangdao-Nonce: n-0123456789abcdef
    Hangdao-Signature: v1=480b0badad26de8ebb7733e9a43bd0d0ed7e0faed8d019046580d9084ba88ab2
"""

import asyncio
import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta

from aiohttp import web
from msgspec import Struct

from gateway.domain.errors import ForbiddenError, UnauthenticatedError
from gateway.domain.payout import MerchantId
from gateway.ports import ApiKey, Clock, Entropy, Merchant, Scope, Store

WINDOW_S = 300
NONCE_KEPT_S = 2 * WINDOW_S + 1
"""Stamped ahead of us by the whole window, in the last moment of its second, it lives so long."""
CACHE = timedelta(seconds=2)
"""How long a key or merchant is believed without asking the store again."""

_KEY = re.compile(r"hd_([a-z0-9]{16})_([A-Za-z0-9_-]{43})", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)


class Caller(Struct, frozen=True):
    """An authenticated caller."""

    key: ApiKey
    merchant: Merchant | None

    @property
    def actor(self) -> str:
        """Who is written down for its acts."""
        return f"key:{self.key.id}"

    @property
    def sees(self) -> MerchantId | None:
        """The merchant whose things it may see; None for an operator, who sees all."""
        return self.key.merchant_id


def new_key(
    entropy: Entropy,
    pepper: bytes,
    *,
    merchant_id: MerchantId | None,
    scopes: frozenset[Scope],
    label: str,
    signed: bool,
    now: datetime,
    person: str | None = None,
) -> tuple[ApiKey, str, str | None]:
    """Make a key: what is stored, the key itself, and its signing secret; both shown only once."""
    key_id = entropy.bytes(8).hex()
    secret = base64.urlsafe_b64encode(entropy.bytes(32)).decode().rstrip("=")
    text = f"hd_{key_id}_{secret}"
    signing = entropy.bytes(32) if signed else None
    stored = ApiKey(
        key_id, merchant_id, digest(pepper, text), scopes, signing, label, now, person=person
    )
    return stored, text, base64.b64encode(signing).decode() if signing else None


def digest(pepper: bytes, text: str) -> bytes:
    """The keyed hash under which a key is stored."""
    return hmac.digest(pepper, text.encode(), "sha256")


class Authenticator:
    """Turns a request into a caller, or refuses it without saying which part was wrong."""

    def __init__(self, store: Store, clock: Clock, pepper: bytes) -> None:
        """`pepper`: at least 32 bytes, the same for every process of the installation."""
        self._store = store
        self._clock = clock
        # `digest` itself gives the interpreter's lock away for each key.
        self._pepper = hmac.new(pepper, digestmod=hashlib.sha256)
        self._keys: dict[str, tuple[datetime, Caller]] = {}
        self._asking: dict[str, asyncio.Task[Caller | None]] = {}

    def forget(self) -> None:
        """Believe nothing cached any more (a key was revoked, a merchant changed)."""
        self._keys.clear()
        # What is being read may be older than what is to be forgotten.
        self._asking.clear()

    async def caller(self, request: web.Request, scope: Scope) -> Caller:
        """The caller, allowed to act within `scope`.

        Raises `UnauthenticatedError` or `ForbiddenError`.
        """
        text = request.headers.get("Authorization", "")
        match = _KEY.fullmatch(text.removeprefix("Bearer ").strip())
        if not text.startswith("Bearer ") or match is None:
            raise UnauthenticatedError(
                "key_missing",
                "send your key as `Authorization: Bearer hd_…`",
                zh="请在 Authorization 头中提供密钥",
            )
        caller = await self._known(match[1])
        offered = self._pepper.copy()
        offered.update(match[0].encode())
        if caller is None or not hmac.compare_digest(offered.digest(), caller.key.digest):
            raise UnauthenticatedError(
                "key_invalid", "this key does not exist or was revoked", zh="密钥无效或已吊销"
            )
        if caller.key.signing_secret is not None:
            await self._check_signature(request, caller.key, caller.key.signing_secret)
        if scope not in caller.key.scopes:
            raise ForbiddenError(
                "scope_missing", f"this key lacks the scope {scope}", zh=f"密钥缺少权限 {scope}"
            )
        return caller

    async def _known(self, key_id: str) -> Caller | None:
        now = self._clock.now()
        cached = self._keys.get(key_id)
        if cached is not None and cached[0] <= now < cached[0] + CACHE:
            return cached[1]
        asking = self._asking.get(key_id)
        if asking is None:
            # Who else comes with the same key meanwhile waits for the same answer.
            asking = self._asking[key_id] = asyncio.create_task(self._asked(key_id, now))
            asking.add_done_callback(lambda done: self._answered(key_id, done))
        return await asyncio.shield(asking)

    def _answered(self, key_id: str, asking: "asyncio.Task[Caller | None]") -> None:
        if self._asking.get(key_id) is asking:
            del self._asking[key_id]
        if not asking.cancelled():
            # Told to whoever waits; should nobody wait any more, it is nobody's affair.
            asking.exception()

    async def _asked(self, key_id: str, now: datetime) -> Caller | None:
        """Ask the store, and believe it from the moment on at which it was asked."""
        key = await self._store.key(key_id)
        if key is None or key.revoked_at is not None:
            self._keys.pop(key_id, None)
            return None
        merchant = None
        if key.merchant_id is not None:
            merchant = await self._store.merchant(key.merchant_id)
            if merchant is None or not merchant.active:
                return None
        caller = Caller(key, merchant)
        if self._asking.get(key_id) is asyncio.current_task():
            if len(self._keys) > 10_000:
                self._keys.clear()
            self._keys[key_id] = (now, caller)
        return caller

    async def _check_signature(self, request: web.Request, key: ApiKey, secret: bytes) -> None:
        stamp = request.headers.get("Hangdao-Timestamp", "")
        nonce = request.headers.get("Hangdao-Nonce", "")
        given = request.headers.get("Hangdao-Signature", "")
        now = self._clock.now()
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            raise _unsigned("Hangdao-Timestamp must be Unix seconds")
        if abs(int(stamp) - int(now.timestamp())) > WINDOW_S:
            raise _unsigned(f"Hangdao-Timestamp is more than {WINDOW_S} s away from our clock")
        if _NONCE.fullmatch(nonce) is None:
            raise _unsigned("Hangdao-Nonce must be 16 to 64 letters, digits, - or _")
        body = hashlib.sha256(await request.read()).hexdigest()
        signed = "\n".join((request.method, request.raw_path, stamp, nonce, body))
        expected = "v1=" + hmac.new(secret, signed.encode(), "sha256").hexdigest()
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            raise _unsigned("Hangdao-Signature does not match this request")
        if not await self._store.spend_nonce(key.id, nonce, now, NONCE_KEPT_S):
            raise UnauthenticatedError(
                "nonce_replayed", "this nonce was used before", zh="随机串重复使用"
            )


def _unsigned(message: str) -> UnauthenticatedError:
    return UnauthenticatedError("signature_invalid", message, zh="请求签名无效")
