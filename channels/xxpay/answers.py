"""From a reply of XxPay to an outcome: proof first, then codes, then every field. Pure.

An answer is believed only if it is signed and names our number (`extra` or `mchOrderNo`), and money
only where it names the amount as well, which a submission's answer never does.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from channels.contract import (
    Absent,
    BankAccount,
    BankCard,
    Evidence,
    Inquiry,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)
from channels.keyed_md5 import read_object
from channels.money import Currency, Money
from channels.transport import Reply
from channels.xxpay import codes, wire
from channels.xxpay.codes import Step
from channels.xxpay.settings import XxPaySettings
from channels.xxpay.signing import is_proven

MESSAGE_CHARS_MAX = 500


class Reader(Struct, frozen=True):
    """Reads the replies one merchant gets."""

    settings: XxPaySettings

    def proven(self, reply: Reply) -> Mapping[str, object] | Unknown:
        """The fields of a verified success, or why there are none."""
        fields = _fields(reply)
        if isinstance(fields, Unknown):
            return fields
        if fields["retCode"] not in codes.TAKEN:
            return self._unsure(reply, fields, None)
        if not is_proven(fields, self.settings.secrets):
            return Unknown(UnknownCause.BAD_SIGNATURE, reply.evidence())
        return fields

    def submitted(self, reply: Reply, asked: Inquiry) -> Outcome:
        """Read what the answer to a submission says about the payout."""
        fields = _fields(reply)
        if isinstance(fields, Unknown):
            return fields
        code = fields["retCode"]
        if code not in codes.TAKEN:
            unsure = self._unsure(reply, fields, asked)
            trusted = self.settings.trust_refusals and is_proven(fields, self.settings.secrets)
            if trusted and code in codes.REFUSED:
                message = unsure.evidence.message or ""
                return Rejected(Reason.UNEXPLAINED, str(code), message, confirm=True)
            return unsure
        order = self._order(reply, fields, asked)
        if isinstance(order, Unknown):
            return order
        match codes.STATES.get(order.status):
            case Step.PAID | Step.RETURNED:
                # Without the amount this is no proof of payment; the query names it.
                return Pending(order.agentpayOrderId, order.status)
            case step:
                return self._unpaid(reply, order, step, asked)

    def inquired(self, reply: Reply, asked: Inquiry, now: datetime) -> Outcome | Absent:
        """Read what the answer to a query by our number says."""
        fields = _fields(reply)
        if isinstance(fields, Unknown):
            return fields
        if fields["retCode"] not in codes.TAKEN:
            unsure = self._unsure(reply, fields, asked)
            signed = is_proven(fields, self.settings.secrets)
            if signed and fields.get("retMsg") == codes.NOT_FOUND:
                return Absent(unsure.evidence)
            return unsure
        order = self._order(reply, fields, asked)
        if isinstance(order, Unknown):
            return order
        if order.amount != asked.amount.minor:
            return _mismatch(reply, "amount")
        match codes.STATES.get(order.status):
            case Step.PAID:
                # It is not told when; so it is dated when it is first heard of.
                fee = None if order.fee is None else Money(order.fee, Currency.CNY)
                return Paid(order.agentpayOrderId, now, fee)
            case Step.RETURNED:
                return Returned(order.agentpayOrderId, now, asked.amount)
            case step:
                return self._unpaid(reply, order, step, asked)

    def _order(
        self, reply: Reply, fields: Mapping[str, object], asked: Inquiry
    ) -> wire.Order | Unknown:
        if not is_proven(fields, self.settings.secrets):
            return Unknown(UnknownCause.BAD_SIGNATURE, reply.evidence())
        order = wire.order(fields)
        if order is None:
            return Unknown(UnknownCause.UNREADABLE, reply.evidence())
        named = {"mchOrderNo": order.mchOrderNo, "extra": order.extra}
        differing = [name for name, value in named.items() if value not in {None, asked.reference}]
        if not any(named.values()):
            # It could be the answer about any order of ours, replayed.
            differing = ["mchOrderNo"]
        if asked.channel_ref is not None and order.agentpayOrderId != asked.channel_ref:
            differing.append("agentpayOrderId")
        return _mismatch(reply, *differing) if differing else order

    def _unpaid(
        self,
        reply: Reply,
        order: wire.Order,
        step: Literal[Step.PENDING, Step.FAILED] | None,
        asked: Inquiry,
    ) -> Outcome:
        if step is None:
            return Unknown(UnknownCause.UNKNOWN_STATE, reply.evidence(code=order.status))
        if step is Step.PENDING:
            return Pending(order.agentpayOrderId, order.status)
        evidence = _evidence(reply, asked, order.status, order.transMsg or "")
        if self.settings.trust_failures == "none":
            return Unknown(UnknownCause.CHANNEL_UNSURE, evidence)
        return Rejected(
            Reason.UNEXPLAINED,
            order.status,
            evidence.message or "",
            # An answer without the amount must be followed by one that names it.
            confirm=order.amount is None,
            channel_ref=order.agentpayOrderId,
        )

    def _unsure(self, reply: Reply, fields: Mapping[str, object], asked: Inquiry | None) -> Unknown:
        """An answer other than success: a free text that proves nothing by itself."""
        code, said = str(fields["retCode"]), fields.get("retMsg")
        known = code in codes.REFUSED
        cause = UnknownCause.CHANNEL_UNSURE if known else UnknownCause.UNKNOWN_CODE
        return Unknown(cause, _evidence(reply, asked, code, said if isinstance(said, str) else ""))


def _fields(reply: Reply) -> dict[str, object] | Unknown:
    # Stock servers answer refusals with 200 too; anything else comes from a box before them.
    fields = read_object(reply.body) if reply.status == 200 else None
    if fields is None or not isinstance(fields.get("retCode"), str | int):
        return Unknown(UnknownCause.UNREADABLE, reply.evidence())
    fields["retCode"] = str(fields["retCode"])
    return fields


def _evidence(reply: Reply, asked: Inquiry | None, code: str, said: str) -> Evidence:
    """Keep what they said; their sentence may repeat the payee, so that is blotted out."""
    if asked is not None and isinstance(asked.instrument, BankCard | BankAccount):
        for secret in (asked.instrument.number, asked.instrument.name):
            said = said.replace(secret, "***")
    return replace(reply.evidence(code=code), message=said[:MESSAGE_CHARS_MAX])


def _mismatch(reply: Reply, *fields: str) -> Unknown:
    message = "differs from what was sent: " + ", ".join(fields)
    return Unknown(UnknownCause.MISMATCH, reply.evidence(message=message))
