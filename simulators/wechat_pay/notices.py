"""Result notices (转账结果通知): the encrypted envelope, its signature, the retry ladder, and
SIGNTEST probes.

Source: 商家转账 结果通知 and API v3 签名探测流量. A notice counts as delivered on 200 or 204; each
further try carries the same body (same `id`) under a fresh timestamp and signature. A probe has an
unusable signature: the receiver has to answer 4xx or 5xx, and whether it did is kept in `probes`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from simulators.actions import Stage
from simulators.faults import Faults
from simulators.kernel import Push, PushQueue
from simulators.notices import OUT_OF_ORDER, post
from simulators.wechat_pay import signing
from simulators.wechat_pay.bill import Bill
from simulators.wechat_pay.gatekeeper import JSON, Gatekeeper
from simulators.wechat_pay.replies import wire_time
from simulators.wechat_pay.settings import Account

EVENT = "MCHTRANSFER.BILL.FINISHED"
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
NOTICE, PROBE, FORGERY = "notice", "probe", "forgery"
SERIAL = "Wechatpay-Serial"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How a receiver took a notice whose signature cannot be right."""

    at: datetime
    account: str
    url: str
    status: int | None

    @property
    def passed(self) -> bool:
        """Whether it was turned down as it must be; no reply is no proof."""
        return self.status is not None and 400 <= self.status <= 599


@dataclass(slots=True)
class Notices:
    """Everything owed to notify addresses."""

    gatekeeper: Gatekeeper
    faults: Faults
    accounts: dict[str, Account]
    queue: PushQueue
    probe_every: int
    probes: list[ProbeResult] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)  # references whose ladder ran out
    _sent: int = 0

    def finished(self, bill: Bill, at: datetime) -> None:
        """Owes the notice of a bill that became final at `at`; nothing when no address was ever
        given."""
        url = self._url(bill)
        if url is None:
            return
        hits = self.faults.pick(
            Stage.NOTICE,
            op=NOTICE,
            account=bill.account,
            now=at,
            payee=bill.submission.openid,
            reference=bill.submission.out_bill_no,
            amount_minor=bill.submission.amount_fen,
        )
        push = self._push(bill, url, at, NOTICE)
        post(
            self.queue,
            push,
            hits,
            lambda status: self._push(bill, url, at, FORGERY, {"state": status}),
        )
        self._sent += 1
        if self.probe_every and self._sent % self.probe_every == 0:
            self.probe(bill, at)

    def resend(self, bill: Bill, at: datetime) -> bool:
        """Owes the notice of a final bill once more, no fault rule asked; False when there is none
        to send."""
        url = self._url(bill)
        if url is None or not bill.is_final:
            return False
        self.queue.add(self._push(bill, url, at, NOTICE))
        return True

    def probe(self, bill: Bill, at: datetime) -> bool:
        """Owes a probe to the bill's notify address; False when there is none."""
        url = self._url(bill)
        if url is None:
            return False
        self.queue.add(self._push(bill, url, at, PROBE))
        return True

    def take_due(self, now: datetime) -> tuple[Push, ...]:
        """What is to be sent now, signed now: a delayed or repeated notice carries the time of its
        sending."""
        return tuple(self._signed(push, now) for push in self.queue.take_due(now))

    def heard(self, push: Push, status: int | None, now: datetime) -> None:
        """Takes the receiver's answer; owes the next try of a notice that was not taken."""
        if push.op == PROBE:
            self.probes.append(ProbeResult(now, push.account, push.url, status))
        if push.op not in {NOTICE, OUT_OF_ORDER} or status in {200, 204}:
            return
        wait_s = self.queue.retry_wait_s(push)
        if wait_s is None:
            self.given_up.append(push.reference)
            return
        due_at = now + timedelta(seconds=wait_s)
        self.queue.add(replace(push, op=NOTICE, due_at=due_at, attempt=push.attempt + 1))

    def _url(self, bill: Bill) -> str | None:
        return bill.submission.notify_url or self.accounts[bill.account].notify_url

    def _push(
        self,
        bill: Bill,
        url: str,
        at: datetime,
        op: str,
        lies: Mapping[str, object] = MappingProxyType({}),
    ) -> Push:
        # Not signed yet: the serial alone tells `_signed` which key the receiver expects.
        return Push(
            due_at=at,
            url=url,
            headers=((SERIAL, bill.identity),),
            body=self._envelope(bill, at, lies),
            reference=bill.submission.out_bill_no,
            account=bill.account,
            op=op,
        )

    def _signed(self, push: Push, now: datetime) -> Push:
        identity = self.gatekeeper.identity(dict(push.headers)[SERIAL])
        # A forger signs something, only not this; so the signature is well-formed and wrong.
        signed_body = b"{}" if push.op == FORGERY else push.body
        headers = {"Content-Type": JSON, **self.gatekeeper.sign(identity, now, signed_body)}
        if push.op == PROBE:
            headers["Wechatpay-Signature"] = PROBE_PREFIX + headers["Wechatpay-Signature"]
        return replace(push, headers=tuple(headers.items()))

    def _envelope(self, bill: Bill, at: datetime, lies: Mapping[str, object]) -> bytes:
        account = self.accounts[bill.account]
        plain: dict[str, object] = {
            "out_bill_no": bill.submission.out_bill_no,
            "transfer_bill_no": bill.transfer_bill_no,
            "state": bill.state.value,
            "mch_id": account.mchid,
            "transfer_amount": bill.submission.amount_fen,
            "openid": bill.submission.openid,
            "create_time": wire_time(bill.created_at),
            "update_time": wire_time(bill.updated_at or at),
        }
        if bill.fail_reason is not None:
            plain["fail_reason"] = bill.fail_reason
        plain.update(lies)
        nonce = self.gatekeeper.token(12)
        token = self.gatekeeper.token(32)
        associated_data = "mch_payment"
        envelope = {
            "id": f"{token[:8]}-{token[8:12]}-{token[12:16]}-{token[16:20]}-{token[20:]}",
            "create_time": wire_time(at),
            "resource_type": "encrypt-resource",
            "event_type": EVENT,
            "summary": "商家转账单据终态通知",
            "resource": {
                "original_type": "mch_payment",
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": signing.seal_resource(
                    account.apiv3_key.get_secret_value(),
                    nonce,
                    associated_data,
                    json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode(),
                ),
                "associated_data": associated_data,
                "nonce": nonce,
            },
        }
        return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
