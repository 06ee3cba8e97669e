"""What Circle tells: payouts that changed, and subscriptions to confirm; by SNS or in v2.

Sources: Circle, "Webhook notifications" (payload by topic; SNS envelope) and "Verify webhook
signatures" (v2 envelope and headers); Amazon SNS, "Parsing message formats". 2xx takes a message;
anything else climbs SNS's ladder.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from simulators.actions import Stage
from simulators.faults import Faults
from simulators.kernel import Push, PushQueue
from simulators.notices import OUT_OF_ORDER, post
from simulators.stablecoin import signing, views
from simulators.stablecoin.payouts import Payout
from simulators.stablecoin.settings import Account, Settings
from simulators.stablecoin.views import Said

NOTICE, CONFIRMATION = "notice", "confirmation"
CERTIFICATE_PATH = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
CONFIRM_PATH = "/sns"


@dataclass(slots=True)
class Subscription:
    """An address that wants to be told."""

    id: str
    account: str
    endpoint: str
    token: str
    confirmed: bool = False


@dataclass(slots=True)
class Notices:
    """Everything owed to subscribers."""

    settings: Settings
    faults: Faults
    entropy: random.Random
    queue: PushQueue = field(init=False)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)
    """Under which address each account reaches us: SNS's addresses are made of it."""
    certificate: str = field(init=False)

    def __post_init__(self) -> None:
        """Make the certificate, and the subscriptions that are there from the start."""
        self.queue = PushQueue(self.settings.notice_ladder_s)
        key = signing.load_rsa(self.settings.sns_private_key.get_secret_value())
        self._rsa = key
        self.certificate = self.settings.sns_certificate or signing.certificate(key, self.entropy)
        given = self.settings.notice_private_key
        self._p256 = None if given is None else signing.load_p256(given.get_secret_value())
        self._accounts = {one.account: one for one in self.settings.accounts}
        for one in self.settings.accounts:
            if one.notify_url is not None:
                self._add(one.account, one.notify_url).confirmed = True

    _rsa: RSAPrivateKey = field(init=False)
    _p256: EllipticCurvePrivateKey | None = field(init=False)
    _accounts: dict[str, Account] = field(init=False)

    @property
    def public_key(self) -> str | None:
        """The public half of the key of v2 notices."""
        return None if self._p256 is None else signing.public_key_text(self._p256)

    def subscribe(self, account: str, endpoint: str, now: datetime) -> Subscription:
        """Take a subscription and ask its address to confirm it."""
        made = self._add(account, endpoint)
        query = urlencode(
            {
                "Action": "ConfirmSubscription",
                "TopicArn": self.settings.topic_arn,
                "Token": made.token,
            }
        )
        message = {
            "Type": "SubscriptionConfirmation",
            "MessageId": self._uuid(),
            "Token": made.token,
            "TopicArn": self.settings.topic_arn,
            "Message": f"You have chosen to subscribe to the topic {self.settings.topic_arn}.",
            "SubscribeURL": f"{self._base(account)}{CONFIRM_PATH}?{query}",
            "Timestamp": views.moment(now),
        }
        self.queue.add(self._sns(message, made, now, "", op=CONFIRMATION))
        return made

    def confirm(self, token: str) -> bool:
        """Confirm the subscription of this token."""
        found = [one for one in self.subscriptions.values() if one.token == token]
        for one in found:
            one.confirmed = True
        return bool(found)

    def changed(self, payout: Payout, at: datetime) -> None:
        """Tell every confirmed address of the account, as the fault rules allow."""
        asked = payout.asked
        for one in self._addresses(payout.account):
            hits = self.faults.pick(
                Stage.NOTICE,
                op=NOTICE,
                account=payout.account,
                now=at,
                payee=asked.payee,
                reference=asked.key,
                amount_minor=asked.amount_minor,
            )
            post(
                self.queue,
                self._push(payout, one, at),
                hits,
                partial(self._forged, payout, one, at),
            )

    def resend(self, payout: Payout, at: datetime) -> bool:
        """Tell once more, no fault rule asked; False when nobody listens."""
        addresses = self._addresses(payout.account)
        for one in addresses:
            self.queue.add(self._push(payout, one, at))
        return bool(addresses)

    def heard(self, push: Push, status: int | None, now: datetime) -> None:
        """Take the answer; owe the next try of a message that was not taken."""
        if status is not None and 200 <= status <= 299:
            return
        wait_s = self.queue.retry_wait_s(push)
        if push.op in {NOTICE, OUT_OF_ORDER, CONFIRMATION} and wait_s is not None:
            op = NOTICE if push.op == OUT_OF_ORDER else push.op
            due_at = now + timedelta(seconds=wait_s)
            self.queue.add(replace(push, op=op, due_at=due_at, attempt=push.attempt + 1))

    def _addresses(self, account: str) -> list[Subscription]:
        known = self.subscriptions.values()
        return [one for one in known if one.confirmed and one.account == account]

    def _add(self, account: str, endpoint: str) -> Subscription:
        token = f"{self.entropy.getrandbits(256):064x}"
        made = Subscription(self._uuid(), account, endpoint, token)
        self.subscriptions[made.id] = made
        return made

    def _push(
        self,
        payout: Payout,
        to: Subscription,
        at: datetime,
        lies: Mapping[str, object] | None = None,
    ) -> Push:
        account = self._accounts[payout.account]
        content = views.payout(payout, account.wallet_id) | dict(lies or {})
        if account.notices == "ecdsa":
            return self._v2(content, to, at, payout.asked.key)
        told: Said = {
            "clientId": account.client_id,
            "notificationType": "payouts",
            "version": 1,
            "payout": content,
        }
        message = {
            "Type": "Notification",
            "MessageId": self._uuid(),
            "TopicArn": self.settings.topic_arn,
            "Message": json.dumps(told, separators=(",", ":")),
            "Timestamp": views.moment(at),
        }
        return self._sns(message, to, at, payout.asked.key)

    def _sns(
        self,
        message: dict[str, str],
        to: Subscription,
        at: datetime,
        reference: str,
        op: str = NOTICE,
    ) -> Push:
        version = self.settings.sns_signature_version
        signed = message | {
            "SignatureVersion": version,
            "Signature": signing.sns_signature(self._rsa, message, version),
            "SigningCertURL": f"{self._base(to.account)}{CERTIFICATE_PATH}",
        }
        if message["Type"] == "Notification":
            signed["UnsubscribeURL"] = f"{self._base(to.account)}{CONFIRM_PATH}?Action=Unsubscribe"
        headers = (
            ("Content-Type", "text/plain; charset=UTF-8"),
            ("x-amz-sns-message-type", message["Type"]),
            ("x-amz-sns-message-id", message["MessageId"]),
            ("x-amz-sns-topic-arn", message["TopicArn"]),
        )
        body = json.dumps(signed, indent=2).encode()
        return Push(at, to.endpoint, headers, body, reference, to.account, op=op)

    def _v2(self, content: Said, to: Subscription, at: datetime, reference: str) -> Push:
        if self._p256 is None:
            raise AssertionError("settings asked for the key of every ECDSA account")
        told = {
            "subscriptionId": to.id,
            "notificationId": self._uuid(),
            "notificationType": "payouts",
            "notification": content,
            "timestamp": views.moment(at),
            "version": 2,
        }
        body = json.dumps(told, separators=(",", ":")).encode()
        headers = (
            ("Content-Type", "application/json"),
            ("X-Circle-Signature", signing.ecdsa_signature(self._p256, body)),
            ("X-Circle-Key-Id", self.settings.notice_key_id),
        )
        return Push(at, to.endpoint, headers, body, reference, to.account)

    def _forged(self, payout: Payout, to: Subscription, at: datetime, status: str) -> Push:
        """A message that claims another status under a signature over something else."""
        true = self._push(payout, to, at)
        claim = "failed" if status == "FAIL" else status
        body = true.body.replace(f'"{payout.status}"'.encode(), f'"{claim}"'.encode())
        quoted = f'\\"{payout.status}\\"'.encode(), f'\\"{claim}\\"'.encode()
        body = body.replace(*quoted)
        # Were the claim true, the signature would fit: something else must differ as well.
        body = body.replace(payout.asked.payee.encode(), self._uuid().encode())
        return replace(true, body=body, op="forgery")

    def _base(self, account: str) -> str:
        port = self.settings.port
        default = f"http://{self.settings.host}:{port}"
        return self.settings.public_url or self.bases.get(account, default)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.entropy.getrandbits(128), version=4))
