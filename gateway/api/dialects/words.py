"""Words that several protocols share: why an order ended unpaid, in the Chinese that operators
search for and never the channel's own, which may name the payee; and moments."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from channels.contract import Reason
from gateway.domain.dialect import ENDED_UNPAID, Standing, standing_of
from gateway.domain.payout import Payout

CHINA = timezone(timedelta(hours=8))
_REASONS: Mapping[Reason, str] = {
    Reason.PAYEE_NOT_FOUND: "收款账号不存在",
    Reason.PAYEE_NAME_MISMATCH: "收款人姓名与账号不符",
    Reason.PAYEE_BLOCKED: "收款账号被限制",
    Reason.PAYEE_UNVERIFIED: "收款账号未实名",
    Reason.PAYEE_LIMIT: "收款账号超出限额",
    Reason.PAYEE_DECLINED: "收款人拒绝收款",
    Reason.PAYEE_EXPIRED: "收款人逾期未确认",
    Reason.INSTRUMENT_INVALID: "收款账号无效",
    Reason.AMOUNT_BELOW_MINIMUM: "金额低于单笔最小限额",
    Reason.AMOUNT_ABOVE_MAXIMUM: "金额超出单笔最大限额",
    Reason.RISK_REFUSED: "渠道风控拒绝",
    Reason.OUTSIDE_HOURS: "不在渠道服务时间内",
    Reason.BANK_RETURNED: "银行退票",
    Reason.RECALLED: "款项已撤回",
}


def failure(payout: Payout) -> str:
    """Empty until it is final, since callers read any text as a failure."""
    standing = standing_of(payout)
    if standing not in ENDED_UNPAID:
        return ""
    if standing is Standing.REJECTED:
        return "转账已取消"
    if standing is Standing.RETURNED:
        return "已退票，款项已退回"
    proofs = [one.certificate for one in payout.attempts if one.certificate is not None]
    why = _REASONS.get(proofs[-1].reason) if proofs else None
    return f"转账失败：{why}" if why else "转账失败"


def paid_at(payout: Payout) -> datetime | None:
    """When the beneficiary got it last, come back or not."""
    moments = [one.paid_at for one in payout.attempts if one.paid_at is not None]
    return moments[-1] if moments else None


def stamp(at: datetime) -> str:
    """A moment as clocks in China show it."""
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
