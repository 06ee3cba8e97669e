"""The platform's front door: who is asking, with which key to answer, and the signature under every
reply.

Source: API v3 签名生成, 签名验证, 微信支付公钥. A request is refused with 401 SIGN_ERROR before
anything else is looked at; the request's own Wechatpay-Serial chooses the key of the reply, and
without one the platform certificate answers.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import rsa

from simulators.kernel import Reply, Request
from simulators.wechat_pay import signing
from simulators.wechat_pay.errors import RefusedError, refused
from simulators.wechat_pay.settings import Account, Settings

_HEX = "0123456789abcdef"
JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Caller:
    """A merchant whose signature held."""

    account: Account
    key: rsa.RSAPublicKey
    identity: signing.Identity  # signs the reply
    named: signing.Identity | None  # the key the merchant says it encrypted to


class Gatekeeper:
    """Keys of the platform and of its merchants; verifies, signs, never changes state but its
    entropy."""

    def __init__(self, settings: Settings, entropy: random.Random) -> None:
        """Takes every key apart once; the settings have checked them."""
        self._settings = settings
        self._entropy = entropy
        platform_key = signing.load_private(settings.platform_private_key.get_secret_value())
        self.public_key_identity = signing.Identity(settings.public_key_id, platform_key)
        if settings.certificate is None or settings.certificate_private_key is None:
            certificate_key = platform_key
            # 40 hex digits, the first not zero, as the platform's own serials.
            serial = (0x5 << 156) | entropy.getrandbits(156)
            self.certificate = signing.self_signed(platform_key, serial, settings.name)
        else:
            certificate_key = signing.load_private(
                settings.certificate_private_key.get_secret_value()
            )
            self.certificate = signing.load_certificate(settings.certificate)
        self.certificate_identity = signing.Identity(
            signing.serial_of(self.certificate), certificate_key
        )
        self._identities = {
            identity.serial: identity
            for identity in (self.public_key_identity, self.certificate_identity)
        }
        self._merchants = {
            account.mchid: (account, signing.load_public(account.public_key))
            for account in settings.accounts
        }

    def identity(self, serial: str | None) -> signing.Identity:
        """The key of that serial; the platform certificate's for none or an unknown one."""
        return self._identities.get(serial or "", self.certificate_identity)

    def key_of(self, account: Account) -> rsa.RSAPublicKey:
        """The merchant's public key, for what only it may read."""
        return self._merchants[account.mchid][1]

    def admit(self, request: Request, now: datetime) -> Caller:
        """The caller, or RefusedError: bad header shape, stale timestamp, unknown merchant or
        serial, wrong signature."""
        try:
            header = signing.parse_authorization(request.headers.get("authorization"))
        except signing.BadAuthorizationError as error:
            raise _sign_error("Http头Authorization值格式错误") from error
        skew = abs(now - datetime.fromtimestamp(header.timestamp, now.tzinfo))
        if skew > timedelta(seconds=self._settings.clock_tolerance_s):
            raise _sign_error("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
        merchant = self._merchants.get(header.mchid)
        if merchant is None:
            raise _sign_error("商户号不存在")
        account, key = merchant
        if header.serial_no.upper() != account.serial_no:
            raise _sign_error("商户证书序列号有误")
        body = request.body
        if self._settings.bodyless_null and body == b"null":
            body = b""
        text = signing.request_text(
            request.method, request.target, header.timestamp, header.nonce_str, body
        )
        if not signing.verify(key, header.signature, text):
            raise refused("SIGN_ERROR")
        self._check_headers(request)
        serial = request.headers.get("wechatpay-serial")
        named = self._identities.get(serial) if serial else None
        if serial and named is None:
            raise RefusedError(400, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误")
        return Caller(account, key, named or self.certificate_identity, named)

    def sign(self, identity: signing.Identity, at: datetime, body: bytes) -> dict[str, str]:
        """The five Wechatpay-* headers for a reply or notice sent at `at`."""
        timestamp = str(int(at.timestamp() + self._settings.timestamp_skew_s))
        nonce = self.token(32)
        return {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": identity.serial,
            "Wechatpay-Signature": identity.sign(signing.answer_text(timestamp, nonce, body)),
            "Wechatpay-Signature-Type": signing.SCHEME,
        }

    def reply(
        self,
        identity: signing.Identity,
        at: datetime,
        status: int,
        said: Mapping[str, object],
    ) -> Reply:
        """A signed JSON reply; `said` is written once and these very bytes are signed."""
        body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": JSON,
            "Request-ID": self.token(32).upper(),
            **self.sign(identity, at, body),
        }
        return Reply(status, tuple(headers.items()), body)

    def token(self, length: int) -> str:
        """Random hex digits from the simulator's own seed."""
        return "".join(self._entropy.choices(_HEX, k=length))

    @staticmethod
    def _check_headers(request: Request) -> None:
        # The platform's own wording names both headers; every HTTP client sends them by default.
        if not request.headers.get("accept") or not request.headers.get("user-agent"):
            raise RefusedError(400, "PARAM_ERROR", "Http头缺少Accept或User-Agent")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.body and kind != "application/json":
            raise RefusedError(400, "PARAM_ERROR", "Http头Content-Type须为application/json")


def _sign_error(message: str) -> RefusedError:
    return RefusedError(401, "SIGN_ERROR", message)
