"""What would have to change for another candidate to win: one lever at a time, in words.

Read from a stored Decision alone, so that it can be asked years later. A lever is a single change
that would be enough, all else equal: a lower fee, an earlier arrival, a better record; for a
candidate that was out, what would have to lift. Where no single lever suffices that is said, too.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from policies.exclusions import Code, Exclusion
from policies.explain import place
from policies.facts import MICRO, Candidate, CostParts, Decision
from policies.wording import Sentence, amount, moment, money, percent


class Alternative(Struct, frozen=True):
    """A candidate that was not chosen."""

    channel: str
    instrument: int
    gap_micro: int | None
    """How much dearer than the chosen one it is; negative when cheaper, None when not priced."""
    levers: tuple[Sentence, ...]
    """Each would be enough by itself; all of them are needed where `all_needed`."""
    all_needed: bool = False
    """It was out: every reason must lift, and the price must fit."""

    @property
    def sentence(self) -> Sentence:
        """All of it in one sentence."""
        zh, en = (tuple(text) for text in zip(*self.levers, strict=True))
        if self.all_needed:
            return Sentence(
                f"{self.channel}：需同时满足：{'；'.join(zh)}。",
                f"{self.channel} would need all of: {'; '.join(en)}.",
            )
        return Sentence(
            f"{self.channel}：{'，或'.join(zh)}。", f"{self.channel}: {', or '.join(en)}."
        )


def alternatives(decision: Decision) -> tuple[Alternative, ...]:
    """Every candidate but the chosen one: first those in the running, in their order."""
    chosen = decision.chosen
    running = (
        [] if chosen is None else [_running(decision, chosen, one) for one in decision.order[1:]]
    )
    out: list[Alternative] = []
    for one in decision.excluded:
        levers = tuple(_lift(reason, decision.currency) for reason in one.reasons)
        gap = None
        if one.cost is not None and chosen is not None:
            gap = one.cost.total - chosen.cost.total
            levers += _after_lifting(gap, decision.currency)
        out.append(Alternative(one.channel, one.instrument, gap, levers, all_needed=True))
    return (*running, *out)


# --- In the running, and dearer ----------------------------------------------------------------


def _running(decision: Decision, chosen: Candidate, one: Candidate) -> Alternative:
    gap = one.cost.total - chosen.cost.total
    # What its total has to fall by to be ranked before the chosen one, each with its own weight.
    needed = one.cost.total - (chosen.ranked_by - 1) // one.weight_ppm
    levers: list[Sentence] = []
    behind = one.level > chosen.level or (chosen.preferred and not one.preferred)
    if one.probing:
        levers.append(Sentence("探测成功、恢复健康", "its probes succeed and it is healthy again"))
    elif behind:
        levers.append(_level(chosen, one))
        if one.ranked_by > chosen.ranked_by:
            levers += _after_lifting(max(needed - 1, 0), decision.currency)
        return Alternative(
            one.channel, one.instrument, gap, tuple(levers), all_needed=len(levers) > 1
        )
    elif one.ranked_by <= chosen.ranked_by:
        levers.append(_UNCHOSEN.get(decision.outcome, _TIE))
    else:
        levers += _cheaper(one.cost, one.arrival.days_calendar, one, needed, decision.currency)
        if gap < 0:
            levers.append(_weights(chosen, one))
    if not levers:
        short = money(needed - 1, decision.currency)
        levers.append(
            Sentence(
                f"没有单项改变足够，总成本需降低 {short} 以上",
                f"no single change is enough, its total would have to fall by more than {short}",
            )
        )
    return Alternative(one.channel, one.instrument, gap, tuple(levers))


def _level(chosen: Candidate, one: Candidate) -> Sentence:
    """What put the chosen one first whatever it costs: an avoidance, or a preference."""
    avoided = [effect for effect in one.effects if effect.does == "avoid"]
    if avoided:
        rules = "、".join(f"“{effect.rule}”" for effect in avoided)
        named = " and ".join(effect.rule for effect in avoided)
        return Sentence(f"规则{rules}不再要求尽量不用它", f"{named} no longer avoids it")
    stands = place(chosen)
    if stands is None:
        return Sentence("策略同样优先它", "the policy prefers it as well")
    return Sentence(
        f"它排得同样靠前（{chosen.channel}：{stands.zh}）",
        f"it is ranked as high as {chosen.channel} ({stands.en})",
    )


def _weights(chosen: Candidate, one: Candidate) -> Sentence:
    """The cheaper one came second by what rules make of costs."""
    rules = dict.fromkeys(
        effect.rule for effect in (*chosen.effects, *one.effects) if effect.does == "weight"
    )
    named_zh, named_en = "、".join(f"“{name}”" for name in rules), " and ".join(rules)
    return Sentence(
        f"规则{named_zh}不再改变排序价格", f"{named_en} no longer changes what costs are ranked by"
    )


_TIE: Final = Sentence(
    "成本相同，响应更快时会选它", "it costs the same and would win by answering faster"
)
_UNCHOSEN: Final[Mapping[str, Sentence]] = {
    "explored": Sentence(
        "本单未被抽中用于探索时会选它", "it wins whenever no exploration is drawn"
    ),
    "probe": Sentence("本单不用于探测时会选它", "it wins whenever no probe is due"),
    "planned": Sentence(
        "月度计划给它更多份额时会选它", "it wins when the month's plan gives it more"
    ),
    "split": Sentence("按比例分流轮到它时会选它", "it wins when the split draws it"),
    "preferred": Sentence("策略把它排在前面时会选它", "it wins when the policy ranks it first"),
}
"""Why a candidate that is no dearer was not chosen, by the decision's outcome."""


def _cheaper(
    cost: CostParts, days: int, one: Candidate, needed: int, currency: str
) -> list[Sentence]:
    """Every single part that could fall by `needed` micro units."""
    levers: list[Sentence] = []
    charged = cost.fee + cost.surcharge
    if charged >= needed:
        less = amount(-(-needed // MICRO), currency)
        levers.append(Sentence(f"手续费降低至少 {less}", f"its fee falls by at least {less}"))
    if days and cost.capital + cost.lateness >= needed:
        sooner = min(-(-needed * days // cost.capital), days) if cost.capital else days
        levers.append(
            Sentence(
                f"到账提前至少 {sooner} 个自然日",
                f"it arrives at least {sooner} calendar day{'s' if sooner > 1 else ''} sooner",
            )
        )
    if cost.fail >= needed:
        # fail = (1 - success) x penalty, so the share of it that must go is the same share of risk.
        risk = MICRO - one.success_ppm
        success = one.success_ppm + -(-risk * needed // cost.fail)
        levers.append(
            Sentence(
                f"成功率达到 {percent(success)}",
                f"its success rate reaches {percent(success)}",
            )
        )
    if cost.unknown >= needed:
        doubt = one.unknown_ppm - -(-one.unknown_ppm * needed // cost.unknown)
        levers.append(
            Sentence(
                f"结果未知率降到 {percent(doubt)}",
                f"its share of unknown outcomes falls to {percent(doubt)}",
            )
        )
    return levers


# --- Out ---------------------------------------------------------------------------------------


def _after_lifting(gap: int, currency: str) -> tuple[Sentence, ...]:
    if gap < 0:
        return ()
    more = money(gap, currency)
    return (
        Sentence(
            f"即使可用也比选中的渠道贵 {more}，价格还需降低",
            f"even then it costs {more} more than the chosen one, so its price has to fall, too",
        ),
    )


class _Values(NamedTuple):
    """A reason's values, and how to show money."""

    values: tuple[int | str, ...]
    currency: str

    def number(self, at: int) -> int:
        """The value at a position, as stored."""
        return int(self.values[at])

    def amount(self, minor: int) -> str:
        """Minor units as money."""
        return amount(minor, self.currency)


def _lift(reason: Exclusion, currency: str) -> Sentence:
    """What would have to happen for the reason to go."""
    make = _LIFTS.get(reason.code)
    if make is not None:
        lever = make(_Values(reason.values, currency))
    else:
        lever = Sentence(f"不再“{reason.zh}”", f"no longer: {reason.en}")
    if reason.lifts_at is None or reason.code in _BY_PEOPLE:
        return lever
    at = moment(reason.lifts_at)
    return Sentence(f"{lever.zh}（最早 {at}）", f"{lever.en} (at {at} at the earliest)")


_BY_PEOPLE: Final = frozenset(
    {
        *(Code.KILLED, Code.CREDENTIAL_EXPIRED, Code.PAUSED, Code.DRAINING),
        *(Code.FLOAT_SHORT, Code.NO_FEE),
    }
)
"""Their time is only when to look again; a person or a top-up is what it takes."""

_Make: TypeAlias = Callable[[_Values], Sentence]


def _fixed(zh: str, en: str) -> _Make:
    return lambda _: Sentence(zh, en)


def _float(of: _Values) -> Sentence:
    missing = of.amount(of.number(1) - of.number(0))
    return Sentence(f"资金池至少补充 {missing}", f"the float is topped up by at least {missing}")


def _day_cap(of: _Values) -> Sentence:
    return Sentence(
        f"新的一天，或日限额（{of.amount(of.number(1))}）提高",
        f"a new day begins, or the daily cap ({of.amount(of.number(1))}) is raised",
    )


def _minimum(of: _Values) -> Sentence:
    least = of.amount(of.number(0))
    return Sentence(f"单笔下限降到 {least}", f"its minimum falls to {least}")


def _maximum(of: _Values) -> Sentence:
    most = of.amount(of.number(0))
    return Sentence(f"单笔上限升到 {most}", f"its maximum rises to {most}")


def _max_fee(of: _Values) -> Sentence:
    fee = of.amount(of.number(0))
    return Sentence(f"本单手续费上限至少 {fee}", f"the payout allows a fee of at least {fee}")


def _slow(of: _Values) -> Sentence:
    return Sentence(
        f"到账快于 {of.values[1]} 个自然日，或本单不要求 {of.values[0]}",
        f"it takes less than {of.values[1]} calendar days, or the payout does not ask for "
        f"{of.values[0]}",
    )


def _below(zh: str, en: str) -> _Make:
    return lambda of: Sentence(
        f"{zh}低于 {of.values[1]}（现 {of.values[0]}）",
        f"{en} fall below {of.values[1]} (now {of.values[0]})",
    )


_LIFTS: Final[Mapping[Code, _Make]] = {
    Code.KILLED: _fixed("由具名人员解除紧急停用", "a person who gives a name revives it"),
    Code.CREDENTIAL_EXPIRED: lambda of: Sentence(
        f"更换已过期的 {of.values[0]}", f"its expired {of.values[0]} is replaced"
    ),
    Code.PAUSED: _fixed("操作员恢复该渠道", "an operator resumes it"),
    Code.DRAINING: _fixed("操作员恢复该渠道", "an operator resumes it"),
    Code.CURRENCY: lambda of: Sentence(
        f"支持 {of.values[1]}", f"it pays {of.values[1]}, not only {of.values[0]}"
    ),
    Code.RAIL: lambda of: Sentence(f"支持收款方式 {of.values[0]}", f"it reaches {of.values[0]}"),
    Code.NO_FEE: _fixed("在其合同条款中填写手续费", "its terms name a fee"),
    Code.AMOUNT_BELOW_MINIMUM: _minimum,
    Code.AMOUNT_ABOVE_MAXIMUM: _maximum,
    Code.DAY_CAP: _day_cap,
    Code.FLOAT_SHORT: _float,
    Code.IN_FLIGHT_FULL: _below("在途笔数", "its payouts in flight"),
    Code.IN_DOUBT_FULL: _below("结果未知笔数", "its payouts in doubt"),
    Code.CLOSED: _fixed("渠道开门", "it opens"),
    Code.MAINTENANCE: _fixed("计划维护结束", "its planned maintenance ends"),
    Code.BANK_DOWN: lambda of: Sentence(
        f"收款银行 {of.values[0]} 探测成功", f"probes of the bank {of.values[0]} succeed"
    ),
    Code.QUARANTINED: _fixed("探测成功、解除熔断", "its probes succeed"),
    Code.POLICY_DENIES: _fixed("策略不再禁止", "the policy no longer denies it"),
    Code.POLICY_ONLY: _fixed("策略允许该渠道", "the policy lists it for the merchant"),
    Code.FEE_OVER_MAXIMUM: _max_fee,
    Code.TOO_SLOW: _slow,
}
"""By code; what is not here is told as "no longer …"."""
