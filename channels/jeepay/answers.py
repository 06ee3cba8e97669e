"""From a reply of Jeepay to an outcome: proof first, then codes, then every field. Pure.

A state is believed only from signed `data` whose number, amount and payee are ours. State 3 is the
gateway's word about another channel's word; `trust_failures` says how much it is worth.
"""

from datetime import datetime, timedelta
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from channels.contract import (
    Absent,
    Evidence,
    Inquiry,
    Outcome,
    Paid,
    PayeeAction,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from channels.jeepay import codes, wire
from channels.jeepay.codes import Step
from channels.jeepay.settings import JeepaySettings
from channels.jeepay.signing import proven
from channels.keyed_md5 import read_object
from channels.transport import Reply

MESSAGE_CHARS_MAX = 500
CONFIRM_WITHIN = timedelta(hours=24)
"""wire-protocols.md §2.2: how long WeChat leaves a payee to confirm."""


class Reader(Struct, frozen=True):
    """Reads the replies one application gets."""

    settings: JeepaySettings

    def submitted(self, reply: Reply, asked: Inquiry, now: datetime) -> Outcome:
        """Read what the answer to a submission says about the payout."""
        envelope = _envelope(reply)
        if isinstance(envelope, Unknown):
            return envelope
        if envelope.code != codes.OK:
            evidence = _evidence(reply, asked, envelope.code, envelope.text)
            meaning = codes.refusal(envelope.code)
            if isinstance(meaning, Reason):
                return Rejected(meaning, envelope.code, evidence.message or "", confirm=True)
            return Unknown(meaning, evidence)
        return self._order(reply, envelope, asked, now, confirm=True)

    def inquired(self, reply: Reply, asked: Inquiry, now: datetime) -> Outcome | Absent:
        """Read what the answer to a query by our number says."""
        envelope = _envelope(reply)
        if isinstance(envelope, Unknown):
            return envelope
        if envelope.code != codes.OK:
            evidence = _evidence(reply, asked, envelope.code, envelope.text)
            known = envelope.code in codes.SUBMIT
            if self.settings.trust_not_found and envelope.says_not_found:
                return Absent(evidence)
            # Not signed: somebody says so, and the payout's fate is as open as before.
            cause = UnknownCause.CHANNEL_UNSURE if known else UnknownCause.UNKNOWN_CODE
            return Unknown(cause, evidence)
        return self._order(reply, envelope, asked, now, confirm=False)

    def _order(
        self,
        reply: Reply,
        envelope: "_Envelope",
        asked: Inquiry,
        now: datetime,
        *,
        confirm: bool,
    ) -> Outcome:
        """`confirm`: a failure must still be found when the order is asked about."""
        fields = proven(envelope.fields, self.settings.secrets)
        if fields is None:
            return Unknown(UnknownCause.BAD_SIGNATURE, reply.evidence())
        order = wire.order(fields)
        if order is None:
            return Unknown(UnknownCause.UNREADABLE, reply.evidence())
        differing = self._differing(order, asked)
        if differing:
            message = "differs from what was sent: " + ", ".join(differing)
            return Unknown(UnknownCause.MISMATCH, reply.evidence(message=message))
        step = codes.STATES.get(order.state)
        match step:
            case None:
                return Unknown(UnknownCause.UNKNOWN_STATE, reply.evidence(code=order.state))
            case Step.UNSURE:
                evidence = _evidence(reply, asked, order.errCode, order.errMsg or "")
                return Unknown(UnknownCause.CHANNEL_UNSURE, evidence)
            case Step.PENDING:
                return Pending(order.transferId, order.state, _action(order, now))
            case Step.PAID:
                # The answer to a submission does not say when; it has just happened.
                at = now if order.successTime is None else wire.moment(order.successTime)
                return Paid(order.transferId, at)
            case Step.FAILED:
                return self._failed(reply, order, asked, confirm=confirm)
            case _:
                assert_never(step)

    def _failed(self, reply: Reply, order: wire.Order, asked: Inquiry, *, confirm: bool) -> Outcome:
        code, text = order.errCode or "", order.errMsg or ""
        way = self.settings.rails.get(asked.instrument.rail)
        reason = None if way is None else codes.listed(way.if_code, code, text)
        evidence = _evidence(reply, asked, code or order.state, text)
        trust = self.settings.trust_failures
        if trust == "none" or (trust == "listed" and reason is None):
            return Unknown(UnknownCause.CHANNEL_UNSURE, evidence)
        return Rejected(
            # A cause nobody knows may lie with the payee: UNEXPLAINED goes nowhere by itself.
            reason or Reason.UNEXPLAINED,
            code or order.state,
            evidence.message or "",
            confirm=confirm,
            channel_ref=order.transferId,
        )

    def _differing(self, order: wire.Order, asked: Inquiry) -> list[str]:
        """Name the fields that are not those of our payout; the last may be left out."""
        way = self.settings.rails.get(asked.instrument.rail)
        expected: dict[str, tuple[object, object]] = {
            "mchOrderNo": (order.mchOrderNo, asked.reference),
            "amount": (order.amount, asked.amount.minor),
            "accountNo": (order.accountNo, wire.account_of(asked.instrument)),
            "transferId": (order.transferId, asked.channel_ref or order.transferId),
            "mchNo": (order.mchNo or self.settings.mch_no, self.settings.mch_no),
            "appId": (order.appId or self.settings.app_id, self.settings.app_id),
            "currency": ((order.currency or wire.CURRENCY).lower(), wire.CURRENCY),
        }
        if way is not None:
            expected["ifCode"] = (order.ifCode or way.if_code, way.if_code)
            expected["entryType"] = (order.entryType or way.entry_type, way.entry_type)
        return [name for name, (theirs, ours) in expected.items() if theirs != ours]


class _Envelope(Struct, frozen=True):
    """A reply before anything is proven."""

    code: str
    text: str
    fields: dict[str, object]

    @property
    def says_not_found(self) -> bool:
        return self.code == codes.BUSINESS and self.text == codes.NOT_FOUND


def _envelope(reply: Reply) -> _Envelope | Unknown:
    # Stock servers answer refusals with 200 too; anything else comes from a box before them.
    fields = read_object(reply.body) if reply.status == 200 else None
    code = None if fields is None else fields.get("code")
    if fields is None or not isinstance(code, int | str):
        return Unknown(UnknownCause.UNREADABLE, reply.evidence())
    text = fields.get("msg")
    return _Envelope(str(code), text if isinstance(text, str) else "", fields)


def _evidence(reply: Reply, asked: Inquiry, code: str | None, said: str) -> Evidence:
    """Keep what they said; their sentence may repeat the payee, so that is blotted out."""
    for secret in (wire.account_of(asked.instrument), wire.name_of(asked.instrument)):
        if secret:
            said = said.replace(secret, "***")
    return replace(reply.evidence(code=code), message=said[:MESSAGE_CHARS_MAX])


def _action(order: wire.Order, now: datetime) -> PayeeAction | None:
    """What the payee has to do: the gateway's page if there is one, since WeChat's own page can be
    opened only by whoever owns the gateway's application."""
    found = wire.confirmation(order.channelResData)
    if found is None:
        return None
    since = now if order.createdAt is None else wire.moment(order.createdAt)
    if found.userH5ConfirmUrl and found.userH5ConfirmUrl.startswith(("https://", "http://")):
        return PayeeAction("open_link", found.userH5ConfirmUrl, since + CONFIRM_WITHIN)
    if found.package:
        return PayeeAction(
            "wechat_confirm",
            found.package,
            since + CONFIRM_WITHIN,
            app_id=found.appId,
            mch_id=found.mchId,
        )
    return None
