"""A comparison in figures and sentences: what a console, a page and a JSON document say of it.

Everything a person reads comes from here, in Chinese and English, so that no two outputs disagree.
Signs: a negative change means that the draft costs less, or arrives earlier.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import date

from msgspec import Struct

from policies.backtest.bill import Closed, MonthLine, Sum
from policies.backtest.estimate import ESS_MIN, Doubt, Judged
from policies.backtest.replay import Comparison
from policies.facts import MICRO
from policies.wording import Sentence

PARTS: tuple[tuple[str, str, str], ...] = (
    ("fee", "手续费", "fees"),
    ("surcharge", "加急费", "surcharges"),
    ("capital", "资金占用", "capital"),
    ("lateness", "逾期", "lateness"),
    ("risk", "失败与存疑", "failures and doubt"),
    ("shortfall", "保底差额", "missed commitments"),
)
"""Key, Chinese and English name of each part of the cost."""


class Money(Struct, frozen=True):
    """Both sides of one currency, in micro units."""

    currency: str
    payouts: int
    old: dict[str, int]
    new: dict[str, int]

    @property
    def before(self) -> int:
        """What history costs."""
        return sum(self.old.values())

    @property
    def after(self) -> int:
        """What the draft would have cost."""
        return sum(self.new.values())

    @property
    def change(self) -> int:
        """The draft less history."""
        return self.after - self.before


class Line(Struct, frozen=True):
    """Both sides of a day, a merchant, or a channel."""

    name: str
    currency: str
    old: Sum
    new: Sum

    @property
    def change(self) -> int:
        """The draft less history, in micro units, without shortfalls."""
        return self.new.total - self.old.total

    @property
    def days_change(self) -> float:
        """Calendar days to arrival, on average; the draft less history."""
        return mean_days(self.new) - mean_days(self.old)


def mean_days(part: Sum) -> float:
    """Calendar days to arrival of an average payout."""
    return part.days / part.payouts if part.payouts else 0.0


def by_currency(comparison: Comparison) -> list[Money]:
    """The totals, the currency with most payouts first."""
    channels: defaultdict[str, set[str]] = defaultdict(set)
    for channel, currency in comparison.currencies.items():
        channels[currency].add(channel)
    found = []
    for currency, names in channels.items():
        old, new = comparison.old.total(names), comparison.new.total(names)
        if old.payouts or new.payouts:
            found.append(
                Money(
                    currency,
                    old.payouts // MICRO,
                    _parts(old, comparison.old.shortfall(names)),
                    _parts(new, comparison.new.shortfall(names)),
                )
            )
    return sorted(found, key=lambda one: (-one.payouts, one.currency))


def _parts(total: Sum, shortfall: int) -> dict[str, int]:
    return {
        "fee": total.fee,
        "surcharge": total.surcharge,
        "capital": total.capital,
        "lateness": total.lateness,
        "risk": total.risk,
        "shortfall": shortfall,
    }


def by_day(comparison: Comparison, currency: str) -> list[tuple[date, Sum, Sum]]:
    """Every day with what both sides cost, shortfalls aside."""
    old, new = (
        _days(comparison.old, comparison, currency),
        _days(comparison.new, comparison, currency),
    )
    return [(day, old.get(day, Sum()), new.get(day, Sum())) for day in sorted({*old, *new})]


def _days(side: Closed, comparison: Comparison, currency: str) -> dict[date, Sum]:
    found: dict[date, Sum] = {}
    for (day, channel), part in side.by_day.items():
        if comparison.currencies[channel] == currency:
            found[day] = found.get(day, Sum()).plus(part)
    return found


def by_channel(comparison: Comparison) -> list[Line]:
    """Every channel, the one with most payouts on either side first."""
    return sorted(
        _lines(comparison, lambda _, channel: channel),
        key=lambda one: (-max(one.old.payouts, one.new.payouts), one.name),
    )


def by_merchant(comparison: Comparison) -> list[Line]:
    """Every merchant and currency, the largest change first."""
    return sorted(
        _lines(comparison, lambda merchant, _: merchant),
        key=lambda one: (-abs(one.change), one.name),
    )


def _lines(comparison: Comparison, name_of: Callable[[str, str], str]) -> list[Line]:
    pairs: dict[tuple[str, str], tuple[Sum, Sum]] = {}
    for at, side in enumerate((comparison.old, comparison.new)):
        for (merchant, channel), part in side.by_merchant.items():
            key = (name_of(merchant, channel), comparison.currencies[channel])
            old, new = pairs.get(key, (Sum(), Sum()))
            pairs[key] = (old.plus(part), new) if at == 0 else (old, new.plus(part))
    return [Line(name, currency, old, new) for (name, currency), (old, new) in pairs.items()]


# --- Sentences ---------------------------------------------------------------------------------


def amount(micro: int, currency: str) -> str:
    """Micro units in major units with two decimals, rounded half up; yuan carry their sign."""
    minor = (abs(micro) + MICRO // 2) // MICRO
    whole = currency in {"JPY", "KRW", "VND"}
    text = f"{minor:,}" if whole else f"{minor // 100:,}.{minor % 100:02d}"
    sign = "-" if micro < 0 and minor else ""
    return f"{sign}¥{text}" if currency == "CNY" else f"{sign}{text} {currency}"


def percent(part: int, whole: int) -> str:
    """A share of a whole in percent, with its sign; `0.0 %` of nothing."""
    return f"{100 * part / whole:+.1f} %" if whole else "0.0 %"


def headline(comparison: Comparison) -> list[Sentence]:
    """What a person wants to know first; the draft's dead ends before its savings."""
    found = [*_dead_ends(comparison)]
    counts = comparison.counts
    if not counts.compared:
        return [
            *found,
            Sentence(
                f"没有可比较的代付：共 {counts.payouts:,} 笔有路由决策，"
                f"另有 {counts.undecided:,} 笔从未路由。",
                f"Nothing can be compared: {counts.payouts:,} payouts have a routing decision, "
                f"{counts.undecided:,} more never had one.",
            ),
        ]
    for money in by_currency(comparison):
        found.append(_cost(money, comparison))
    found.append(_time(comparison))
    found.append(success(comparison.success))
    found += _caveats(comparison)
    return found


def _dead_ends(comparison: Comparison) -> list[Sentence]:
    counts = comparison.counts
    if not counts.waits and not counts.fails:
        return []
    return [
        Sentence(
            f"注意：草案下有 {counts.waits + counts.fails:,} 笔找不到渠道："
            f"{counts.waits:,} 笔须等待，{counts.fails:,} 笔会失败。它们不在下列比较之内。",
            f"Mind: under this draft {counts.waits + counts.fails:,} payouts find no channel: "
            f"{counts.waits:,} would have waited, {counts.fails:,} failed. "
            "They are not part of the comparison below.",
        )
    ]


def _cost(money: Money, comparison: Comparison) -> Sentence:
    cheaper = money.change < 0
    much = amount(abs(money.change), money.currency)
    share = percent(money.change, money.before)
    span_zh, span_en = _span(comparison)
    if money.change == 0:
        return Sentence(
            f"{span_zh}的 {money.payouts:,} 笔代付，此草案的成本与历史相同"
            f"（{amount(money.before, money.currency)}）。",
            f"Over {money.payouts:,} payouts {span_en} this draft would have cost the same "
            f"({amount(money.before, money.currency)}).",
        )
    return Sentence(
        f"{span_zh}的 {money.payouts:,} 笔代付，此草案本可{'节省' if cheaper else '多花'} {much}"
        f"（{share}，由 {amount(money.before, money.currency)} 变为 "
        f"{amount(money.after, money.currency)}）。",
        f"Over {money.payouts:,} payouts {span_en} this draft would have cost {much} "
        f"{'less' if cheaper else 'more'} ({share}, {amount(money.before, money.currency)} to "
        f"{amount(money.after, money.currency)}).",
    )


def _span(comparison: Comparison) -> tuple[str, str]:
    days = sorted(day for side in (comparison.old, comparison.new) for day, _ in side.by_day)
    return f"{days[0]} 至 {days[-1]} ", f"from {days[0]} to {days[-1]}"


def _time(comparison: Comparison) -> Sentence:
    old, new = comparison.old.total(), comparison.new.total()
    change = mean_days(new) - mean_days(old)
    counts = comparison.counts
    moved_zh = (
        f"{counts.changed:,} 笔（{100 * counts.changed / counts.compared:.1f} %）改走其他渠道"
    )
    moved_en = f"{counts.changed:,} payouts ({100 * counts.changed / counts.compared:.1f} %) move"
    if abs(change) < 0.005:
        return Sentence(
            f"{moved_zh}；平均到账时间不变（{mean_days(new):.2f} 个自然日）。",
            f"{moved_en}; money arrives as fast on average ({mean_days(new):.2f} calendar days).",
        )
    zh, en = ("提前", "earlier") if change < 0 else ("推迟", "later")
    return Sentence(
        f"{moved_zh}；平均到账{zh} {abs(change):.2f} 个自然日"
        f"（{mean_days(old):.2f} → {mean_days(new):.2f}）。",
        f"{moved_en}; money arrives {abs(change):.2f} calendar days {en} on average "
        f"({mean_days(old):.2f} to {mean_days(new):.2f}).",
    )


_DOUBTS: dict[Doubt, tuple[str, str]] = {
    "no_data": (
        "历史中没有渠道自身造成的明确结果",
        "the history has no definite outcome that a channel caused",
    ),
    "ess": (
        "有效样本量 {ess:,.0f}，低于 {least:,}",
        "effective sample {ess:,.0f}, below {least:,}",
    ),
    "support": (
        "草案的选择中有 {untried:.1f} % 在历史上从未有机会被选中",
        "{untried:.1f} % of the draft's choices never had a chance in history",
    ),
    "disagree": (
        "SNIPS（{snips:.2f} %）与 DR（{robust:.2f} %）不一致",
        "SNIPS ({snips:.2f} %) and DR ({robust:.2f} %) disagree",
    ),
}


def success(judged: Judged) -> Sentence:
    """The verdict on success rates, or why there is none and what would give one."""
    if judged.verdict != "none":
        zh, en = {
            "better": ("提高", "higher"),
            "worse": ("降低", "lower"),
            "no_difference": ("无显著差异", "no significant difference"),
        }[judged.verdict]
        return Sentence(
            f"首次尝试成功率：{zh}，{100 * judged.old:.2f} % → {100 * judged.new:.2f} %"
            f"（变化的 95 % 区间 {_pp(judged.change_low)} 至 {_pp(judged.change_high)}，"
            f"有效样本量 {judged.ess:,.0f}）。",
            f"First-attempt success: {en}, {100 * judged.old:.2f} % to {100 * judged.new:.2f} % "
            f"(95 % interval of the change {_pp(judged.change_low)} to "
            f"{_pp(judged.change_high)}, effective sample {judged.ess:,.0f}).",
        )
    values = {
        "ess": judged.ess,
        "least": ESS_MIN,
        "untried": 100 * (1 - judged.support),
        "snips": 100 * judged.new,
        "robust": 100 * judged.doubly_robust,
    }
    zh_why = "；".join(_DOUBTS[one][0].format(**values) for one in judged.doubts)
    en_why = "; ".join(_DOUBTS[one][1].format(**values) for one in judged.doubts)
    zh_do, en_do = _advice(judged)
    return Sentence(
        f"首次尝试成功率：不下结论（{zh_why}）。{zh_do}",
        f"First-attempt success: no verdict ({en_why}). {en_do}",
    )


def _advice(judged: Judged) -> tuple[str, str]:
    zh, en = [], []
    advice = judged.advice
    if advice is not None and advice.explore_ppm is not None:
        zh.append(f"把 explore_ppm 提高到 {advice.explore_ppm:,} 并运行 {judged.days} 天")
        en.append(f"raise explore_ppm to {advice.explore_ppm:,} and run for {judged.days} days")
    if advice is not None and advice.days is not None:
        zh.append(f"按现有探索比例共需 {advice.days:,} 天")
        en.append(f"exploring as now, {advice.days:,} days are needed in all")
    if {"support", "disagree"} & set(judged.doubts):
        zh.append("用灰度（canary）让草案先承担一小部分代付")
        en.append("let the draft carry a small share first (canary)")
    if not zh:
        zh.append("等历史积累后再评估")
        en.append("judge again once there is more history")
    return "可行办法：" + "；或".join(zh) + "。", "What to do: " + "; or ".join(en) + "."


def _pp(share: float) -> str:
    return f"{100 * share:+.2f} pp"


def _caveats(comparison: Comparison) -> list[Sentence]:
    counts, found = comparison.counts, list[Sentence]()
    if counts.reviews:
        found.append(
            Sentence(
                f"草案要求人工复核 {counts.reviews:,} 笔后才能付出；等待的时间未计价。",
                f"The draft has people review {counts.reviews:,} payouts before they go; the time "
                "that takes is not priced.",
            )
        )
    if counts.gone:
        names = ", ".join(sorted(counts.gone))
        total = sum(counts.gone.values())
        found.append(
            Sentence(
                f"{total:,} 笔历史代付走的渠道已不存在（{names}），按当时记录的成本计入。",
                f"{total:,} payouts went through channels that no longer exist ({names}); "
                "they count at the cost logged then.",
            )
        )
    if counts.rescued:
        found.append(
            Sentence(
                f"{counts.rescued:,} 笔当时没有渠道的代付，草案能找到渠道（不计入比较）。",
                f"{counts.rescued:,} payouts that found no channel then would find one "
                "(not compared).",
            )
        )
    if len(counts.policies) > 1:
        found.append(
            Sentence(
                f"历史由 {len(counts.policies)} 个策略版本产生。",
                f"The history was decided by {len(counts.policies)} versions of the policy.",
            )
        )
    if counts.clock_backwards:
        found.append(
            Sentence(
                f"{counts.clock_backwards:,} 个决策的时间早于前一笔（定时代付或时钟回拨），"
                "按各自日期计入。",
                f"{counts.clock_backwards:,} decisions are earlier than the one before (scheduled "
                "payouts, or a clock set back); each counts on its own date.",
            )
        )
    if counts.no_propensity:
        found.append(
            Sentence(
                f"{counts.no_propensity:,} 笔没有记录选择概率，未用于成功率评估。",
                f"{counts.no_propensity:,} payouts logged no propensity and were not used to "
                "judge success.",
            )
        )
    parts = [line for line in (*comparison.old.months, *comparison.new.months) if not line.whole]
    if any(line.tiers or line.least is not None for line in parts):
        found.append(
            Sentence(
                "历史不含完整月份：阶梯按已覆盖日期内达到的档位计，保底量按天数折算。",
                "The history does not cover whole months: tiers are those reached within it, "
                "commitments are cut to its days.",
            )
        )
    return found


# --- Figures -----------------------------------------------------------------------------------

Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None


def figures(comparison: Comparison) -> dict[str, Json]:
    """The comparison as one JSON document; money in micro units, rates from 0 to 1."""
    counts, judged = comparison.counts, comparison.success
    advice = judged.advice
    return {
        "draft": {"name": comparison.draft.name, "hash": comparison.draft.hash},
        "payouts": counts.payouts,
        "compared": counts.compared,
        "changed": counts.changed,
        "would_wait": counts.waits,
        "would_fail": counts.fails,
        "without_channel": list[Json](counts.stuck),
        "reviews": counts.reviews,
        "undecided": counts.undecided,
        "rescued": counts.rescued,
        "neither": counts.neither,
        "gone_channels": dict[str, Json](counts.gone),
        "policies": dict[str, Json](counts.policies),
        "clock_backwards": counts.clock_backwards,
        "cost_micro": [
            {
                "currency": money.currency,
                "payouts": money.payouts,
                "old": dict[str, Json](money.old),
                "new": dict[str, Json](money.new),
                "change": money.change,
            }
            for money in by_currency(comparison)
        ],
        "mean_days": {
            "old": mean_days(comparison.old.total()),
            "new": mean_days(comparison.new.total()),
        },
        "success": {
            "verdict": judged.verdict,
            "doubts": list[Json](judged.doubts),
            "payouts": judged.payouts,
            "censored": judged.censored,
            "not_the_channel": judged.not_the_channel,
            "old": judged.old,
            "snips": judged.new,
            "interval": [judged.new_low, judged.new_high],
            "change_interval": [judged.change_low, judged.change_high],
            "doubly_robust": judged.doubly_robust,
            "effective_sample": judged.ess,
            "support": judged.support,
            "explore_ppm_for_a_verdict": advice.explore_ppm if advice else None,
            "days_for_a_verdict": advice.days if advice else None,
        },
        "channels": [
            {
                "channel": line.name,
                "old_payouts": line.old.payouts // MICRO,
                "new_payouts": line.new.payouts // MICRO,
                "change_micro": line.change,
            }
            for line in by_channel(comparison)
        ],
        "months": [
            _month(line, side)
            for side, closed in (("old", comparison.old), ("new", comparison.new))
            for line in closed.months
            if line.tiers or line.least is not None
        ],
        "said": [{"zh": one.zh, "en": one.en} for one in headline(comparison)],
    }


def _month(line: MonthLine, side: str) -> dict[str, Json]:
    return {
        "side": side,
        "month": f"{line.month[0]}-{line.month[1]:02d}",
        "channel": line.channel,
        "payouts": line.use.payouts,
        "minor": line.use.minor,
        "tier": line.tier,
        "next_floor": line.next_floor,
        "commitment": line.least,
        "shortfall_micro": line.shortfall,
        "whole": line.whole,
    }
