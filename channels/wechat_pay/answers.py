"""From a reply of WeChat Pay to an outcome: proof first, then codes, then every field. Pure.

Nothing is believed before its signature fits, whatever the HTTP status. A state is believed only
when number, merchant, appid, amount and payee are ours (wire-protocols.md §2.2, reliability.md C2).
"""

from datetime import UTC, datetime
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from channels.contract import (
    Absent,
    Evidence,
    Inquiry,
    Instruction,
    Instrument,
    Outcome,
    Paid,
    PayeeAction,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
    WechatWallet,
)
from channels.transport import Reply
from channels.wechat_pay import codes, wire
from channels.wechat_pay.codes import Step
from channels.wechat_pay.settings import WechatPaySettings

MESSAGE_CHARS_MAX = 500


class Reader(Struct, frozen=True):
    """Reads the replies one merchant account gets."""

    settings: WechatPaySettings

    def unproven(self, reply: Reply, now: datetime) -> Unknown | None:
        """Why a reply is worth nothing, or None if the platform verifiably said it."""
        objection = self.settings.platform_keys.objection(reply.headers, reply.body, now)
        if objection is None:
            return None
        return Unknown(UnknownCause.BAD_SIGNATURE, reply.evidence(message=objection))

    def submitted(self, reply: Reply, instruction: Instruction, now: datetime) -> Outcome:
        """Read what the answer to a submission says about the payout."""
        unproven = self.unproven(reply, now)
        if unproven is not None:
            return unproven
        if reply.status != 200:
            return _refused(codes.SUBMIT, reply, instruction.instrument)
        taken = wire.read(wire.Taken, reply.body)
        if taken is None:
            return Unknown(UnknownCause.UNREADABLE, reply.evidence())
        if taken.out_bill_no != instruction.reference:
            return _mismatch(reply, "out_bill_no")
        standing = _Standing(
            word=taken.state,
            step=codes.STATES.get(taken.state),
            channel_ref=taken.transfer_bill_no,
            fail_reason=taken.fail_reason,
            # This answer names neither amount nor payee nor when it was paid; so SUCCESS, which
            # only a repeated submission can meet, is left to the inquiry that does.
            paid_at=None,
            action=self._action(taken.package_info, taken.create_time),
        )
        return standing.outcome(reply)

    def inquired(self, reply: Reply, inquiry: Inquiry, now: datetime) -> Outcome | Absent:
        """Read what the answer to a query by our number says."""
        unproven = self.unproven(reply, now)
        if unproven is not None:
            return unproven
        if reply.status != 200:
            refusal = wire.read(wire.Refusal, reply.body)
            if refusal is not None and (reply.status, refusal.code) == codes.NOT_FOUND:
                return Absent(_evidence(reply, refusal, inquiry.instrument))
            return _refused(codes.INQUIRE, reply, inquiry.instrument)
        if "/" in inquiry.reference:
            return self._detail(reply, inquiry)
        return self._bill(reply, inquiry)

    def _bill(self, reply: Reply, inquiry: Inquiry) -> Outcome:
        bill = wire.read(wire.Bill, reply.body)
        if bill is None:
            return Unknown(UnknownCause.UNREADABLE, reply.evidence())
        differing = [
            *_differing(inquiry, bill.transfer_bill_no, bill.transfer_amount, bill.openid),
            *(["out_bill_no"] if bill.out_bill_no != inquiry.reference else []),
            *(["mch_id"] if bill.mch_id != self.settings.mchid else []),
            *(["appid"] if bill.appid != self.settings.appid else []),
        ]
        if differing:
            return _mismatch(reply, *differing)
        return _Standing(
            word=bill.state,
            step=codes.STATES.get(bill.state),
            channel_ref=bill.transfer_bill_no,
            fail_reason=bill.fail_reason,
            paid_at=bill.update_time,
            action=self._action(bill.package_info, bill.create_time),
        ).outcome(reply)

    def _detail(self, reply: Reply, inquiry: Inquiry) -> Outcome:
        detail = wire.read(wire.Detail, reply.body)
        if detail is None:
            return Unknown(UnknownCause.UNREADABLE, reply.evidence())
        reference = f"{detail.out_batch_no}/{detail.out_detail_no}"
        differing = [
            *_differing(inquiry, detail.detail_id, detail.transfer_amount, detail.openid),
            *(["out_detail_no"] if reference != inquiry.reference else []),
            *(["mchid"] if detail.mchid != self.settings.mchid else []),
            *(["appid"] if detail.appid != self.settings.appid else []),
        ]
        if differing:
            return _mismatch(reply, *differing)
        return _Standing(
            word=detail.detail_status,
            step=codes.LEGACY_STATES.get(detail.detail_status),
            channel_ref=detail.detail_id,
            fail_reason=detail.fail_reason,
            paid_at=detail.update_time,
            action=None,
        ).outcome(reply)

    def _action(self, package_info: str | None, created_at: datetime) -> PayeeAction | None:
        if not package_info:
            return None
        return PayeeAction(
            "wechat_confirm",
            package_info,
            wire.confirm_until(created_at.astimezone(UTC)),
            app_id=self.settings.appid,
            mch_id=self.settings.mchid,
        )


class _Standing(Struct, frozen=True):
    """Where the platform verifiably says our payout stands."""

    word: str
    step: Step | None
    channel_ref: str
    fail_reason: str | None
    paid_at: datetime | None
    action: PayeeAction | None

    def outcome(self, reply: Reply) -> Outcome:
        match self.step:
            case None:
                return Unknown(UnknownCause.UNKNOWN_STATE, reply.evidence(code=self.word))
            case Step.PENDING:
                return Pending(self.channel_ref, self.word)
            case Step.CONFIRM:
                return Pending(self.channel_ref, self.word, self.action)
            case Step.PAID:
                if self.paid_at is None:
                    return Pending(self.channel_ref, self.word)
                return Paid(self.channel_ref, self.paid_at.astimezone(UTC))
            case Step.FAILED:
                reason = codes.fail_reason(self.fail_reason)
                code = self.fail_reason or self.word
                return Rejected(reason, code, channel_ref=self.channel_ref)
            case Step.RECALLED:
                return Rejected(Reason.RECALLED, self.word, channel_ref=self.channel_ref)
            case _:
                assert_never(self.step)


def refusal_of(reply: Reply) -> str:
    """The code of a verified refusal for an error text, or what stands in for one."""
    refusal = wire.read(wire.Refusal, reply.body)
    return f"HTTP {reply.status}" if refusal is None else refusal.code


def _refused(table: tuple[codes.Row, ...], reply: Reply, payee: Instrument) -> Outcome:
    refusal = wire.read(wire.Refusal, reply.body)
    if refusal is None:
        return Unknown(UnknownCause.UNREADABLE, reply.evidence())
    meaning = codes.meaning(table, reply.status, refusal.code, refusal.message)
    evidence = _evidence(reply, refusal, payee)
    if isinstance(meaning, Reason):
        return Rejected(meaning, refusal.code, evidence.message or "", confirm=True)
    return Unknown(meaning, evidence)


def _evidence(reply: Reply, refusal: wire.Refusal, payee: Instrument) -> Evidence:
    """Keep what they said; their sentence may repeat the payee, so that is blotted out."""
    said = refusal.message
    if isinstance(payee, WechatWallet):
        for secret in (payee.openid, payee.name):
            if secret:
                said = said.replace(secret, "***")
    return replace(reply.evidence(code=refusal.code), message=said[:MESSAGE_CHARS_MAX])


def _mismatch(reply: Reply, *fields: str) -> Unknown:
    message = "differs from what was sent: " + ", ".join(fields)
    return Unknown(UnknownCause.MISMATCH, reply.evidence(message=message))


def _differing(
    inquiry: Inquiry, channel_ref: str, amount_fen: int, openid: str | None
) -> list[str]:
    """Name the fields that are not those of our payout. The platform may leave the openid out."""
    fields = []
    if inquiry.channel_ref is not None and channel_ref != inquiry.channel_ref:
        fields.append("transfer_bill_no")
    if amount_fen != inquiry.amount.minor:
        fields.append("transfer_amount")
    payee = inquiry.instrument
    if not isinstance(payee, WechatWallet) or (openid is not None and openid != payee.openid):
        fields.append("openid")
    return fields
