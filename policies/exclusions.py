"""The closed list of reasons why a channel may not carry a payout, with their wording.

A reason is stored as its code and the values that made it true; the Chinese and English sentences
are made when somebody reads them, so that deciding stays cheap and stored decisions stay small.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Code(StrEnum):
    """Every reason there is; `policies/README.md` tells each one's meaning."""

    KILLED = "killed"
    CREDENTIAL_EXPIRED = "credential_expired"
    PAUSED = "paused"
    DRAINING = "draining"
    CURRENCY = "currency"
    RAIL = "rail"
    PROBLEM = "problem"
    NO_FEE = "no_fee"
    AMOUNT_BELOW_MINIMUM = "amount_below_minimum"
    AMOUNT_ABOVE_MAXIMUM = "amount_above_maximum"
    DAY_CAP = "day_cap"
    FLOAT_SHORT = "float_short"
    IN_FLIGHT_FULL = "in_flight_full"
    IN_DOUBT_FULL = "in_doubt_full"
    CLOSED = "closed"
    MAINTENANCE = "maintenance"
    QUARANTINED = "quarantined"
    BANK_DOWN = "bank_down"
    POLICY_DENIES = "policy_denies"
    POLICY_ONLY = "policy_only"
    FEE_OVER_MAXIMUM = "fee_over_maximum"
    TOO_SLOW = "too_slow"
    TRIED = "tried"
    TRIED_INSTRUMENT = "tried_instrument"
    TRIED_FINAL = "tried_final"
    POLICY_RULE_DENIES = "policy_rule_denies"
    POLICY_REQUIRES = "policy_requires"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    REQUEST_DENIES = "request_denies"
    REQUEST_ONLY = "request_only"


# Placeholders are the values' positions. Amounts are minor units: the reader's currency is known
# to the page that shows the sentence, and "fen" would be wrong for other currencies.
_WORDING: Mapping[Code, tuple[str, str]] = {
    Code.KILLED: (
        "渠道已被人工紧急停用，只能由人工恢复",
        "a person has stopped the channel, and only a person lets it go on",
    ),
    Code.CREDENTIAL_EXPIRED: (
        "渠道的密钥或证书 {0} 已于 {1} 过期",
        "its key or certificate {0} expired on {1}",
    ),
    Code.PAUSED: ("渠道已暂停", "the channel is paused"),
    Code.DRAINING: ("渠道正在排空，不接新单", "the channel is draining and takes no new payouts"),
    Code.CURRENCY: ("渠道币种为 {0}，不支持 {1}", "the channel pays {0}, not {1}"),
    Code.RAIL: ("渠道不支持收款方式 {0}", "the channel does not reach {0}"),
    Code.PROBLEM: ("渠道校验不通过：{0}", "the channel's own check refuses it: {0}"),
    Code.NO_FEE: (
        "渠道未配置当日生效的手续费，无法比价",
        "the channel has no fee in force, so nobody can say what it costs",
    ),
    Code.AMOUNT_BELOW_MINIMUM: (
        "金额 {0} 低于单笔下限 {1}（最小货币单位）",
        "amount {0} is below the channel's minimum {1} (minor units)",
    ),
    Code.AMOUNT_ABOVE_MAXIMUM: (
        "金额 {0} 超过单笔上限 {1}（最小货币单位）",
        "amount {0} is above the channel's maximum {1} (minor units)",
    ),
    Code.DAY_CAP: (
        "今日已用 {0}，加上本单将超过日限额 {1}（最小货币单位）",
        "{0} used today; this payout would pass the daily cap {1} (minor units)",
    ),
    Code.FLOAT_SHORT: (
        "资金池余额 {0} 不足，需要 {1}（最小货币单位）",
        "the float holds {0} but {1} is needed (minor units)",
    ),
    Code.IN_FLIGHT_FULL: (
        "在途笔数 {0} 已达上限 {1}",
        "{0} payouts are in flight, the most allowed is {1}",
    ),
    Code.IN_DOUBT_FULL: (
        "结果未知笔数 {0} 已达上限 {1}",
        "{0} payouts are in doubt, the most allowed is {1}",
    ),
    Code.CLOSED: ("渠道不在营业时间", "the channel is outside its opening hours"),
    Code.MAINTENANCE: ("渠道计划维护中", "the channel is under planned maintenance"),
    Code.QUARANTINED: (
        "渠道已熔断，等待探测恢复",
        "the channel is quarantined until probes succeed",
    ),
    Code.BANK_DOWN: (
        "收款银行 {0} 在各渠道均失败，排队等待恢复",
        "the beneficiary's bank {0} is down through every channel; the payout waits for it",
    ),
    Code.POLICY_DENIES: (
        "策略禁止该商户使用此渠道",
        "the policy denies this channel to the merchant",
    ),
    Code.POLICY_ONLY: (
        "策略限定该商户只用其他渠道",
        "the policy limits the merchant to other channels",
    ),
    Code.FEE_OVER_MAXIMUM: (
        "手续费 {0} 超过本单上限 {1}（最小货币单位）",
        "the fee {0} is above the payout's maximum {1} (minor units)",
    ),
    Code.TOO_SLOW: (
        "要求 {0} 到账，渠道需 {1} 个自然日",
        "{0} arrival was asked, the channel takes {1} calendar days",
    ),
    Code.TRIED: ("本单已在该渠道失败（{0}）", "this payout already failed here (fault: {0})"),
    Code.TRIED_INSTRUMENT: (
        "该收款账户已被 {0} 拒绝",
        "this instrument was already refused by {0}",
    ),
    Code.TRIED_FINAL: (
        "{0} 的结果禁止再次尝试",
        "the answer of {0} rules out any further attempt",
    ),
    Code.POLICY_RULE_DENIES: (
        "策略规则「{0}」禁止使用此渠道",
        "the policy's rule {0!r} denies the channel",
    ),
    Code.POLICY_REQUIRES: (
        "策略规则「{0}」限定只用其他渠道",
        "the policy's rule {0!r} requires other channels",
    ),
    Code.ATTEMPTS_EXHAUSTED: (
        "已达到最多尝试次数 {0}",
        "the payout has had the {0} attempts it may have",
    ),
    Code.REQUEST_DENIES: ("本单请求禁止使用此渠道", "the request denies the channel"),
    Code.REQUEST_ONLY: ("本单请求只允许其他渠道", "the request allows other channels only"),
}


class Exclusion(Struct, frozen=True):
    """One reason against one candidate.

    `lifts_at` is the earliest time at which it is worth asking again; None means that waiting
    does not help.
    """

    code: Code
    values: tuple[int | str, ...] = ()
    lifts_at: datetime | None = None

    @property
    def zh(self) -> str:
        """The reason as a Chinese clause."""
        return _WORDING[self.code][0].format(*self.values)

    @property
    def en(self) -> str:
        """The reason as an English clause."""
        return _WORDING[self.code][1].format(*self.values)
