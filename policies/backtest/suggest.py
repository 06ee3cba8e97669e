"""Better policies, from history: what to change, what it would save, and how sure that is.

Candidates are small edits of the policy in force. All of them are replayed beside it in one pass;
they are chosen by the first part of the history and judged by the last part, which the choice has
not seen. Savings are differences from the policy in force, a month of 30 days; their intervals come
from resampling the judged days. A person proposes and activates; nothing here does.

Some findings stay with people: what a failure is worth, what a denial is for, how dear time is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from random import Random
from typing import Final, TypeVar

import yaml
from msgspec import Struct

from policies.backtest.edit import with_parameter, without_list, without_rule
from policies.backtest.estimate import ESS_MIN
from policies.backtest.habits import Habits, Within, by_source, habits, middle, within_reach
from policies.backtest.record import Record
from policies.backtest.replay import Comparison, Replay
from policies.backtest.summary import amount, mean_days
from policies.backtest.terms import Terms
from policies.calendars.workdays import PUBLISHED, Almanac
from policies.document import PolicyError
from policies.facts import MICRO
from policies.policy import Policy
from policies.wording import Sentence

_T = TypeVar("_T")
MONTH_DAYS: Final = 30
TRAIN_PPM: Final = 600_000
"""The first part of the days chooses, the rest judges."""
DAYS_MIN: Final = 4
"""Fewer days cannot be split into choosing and judging."""
SURE: Final = 0.95
TRIALS_MAX: Final = 12
EXPLORE_MOST_PPM: Final = 100_000
"""Above a tenth it would no longer be worth a verdict."""
EXPLORE_LEAST_PPM: Final = 5_000
"""Below half a percent idle channels would be forgotten, whatever it saves."""
_RESAMPLES: Final = 2_000
_SOFT: Final = frozenset({"prefer", "avoid", "weight", "split"})
"""Effects of rules that say a wish; others may be there for reasons that no cost shows."""


class Saving(Struct, frozen=True):
    """A month's saving in micro units with its 95 % interval, and how sure it is one at all."""

    micro: int
    low: int
    high: int
    sure: float


class Suggestion(Struct, frozen=True):
    """One finding. `applied`: it is in the proposed text; else it is for people to weigh."""

    kind: str
    said: Sentence
    saving: Saving | None
    applied: bool


class Advice(Struct, frozen=True):
    """All findings, and the policy's text with those applied that proved themselves."""

    suggestions: list[Suggestion]
    text: str
    changed: bool
    whole: Saving | None
    """What the proposed text as a whole saves on the judged days; None when nothing changed."""
    judged_days: int
    untried: int
    """Candidates beyond `TRIALS_MAX`, or that the policy's own examples forbid."""


class _Trial(Struct, frozen=True):
    """A candidate: what it takes away, as text and as policy."""

    kind: str
    zh: str
    en: str
    edit: Callable[[str], str]
    may_apply: bool


Load = Callable[[str], Policy]
Records = Callable[[], Iterable[Record]]


def suggest(
    records: Records,
    terms: Sequence[Terms],
    text: str,
    load: Load,
    *,
    horizon_days: int = 14,
    almanac: Almanac = PUBLISHED,
) -> Advice:
    """Findings for a policy's text; `records` is read two or three times, `load` compiles text.

    `horizon_days` is how soon exploration shall allow a verdict on a channel.
    """
    policy = load(text)
    by_name = {one.name: one for one in terms}
    found = habits(records(), by_name, policy.parameters)
    days = sorted(found.days)
    suggestions = [*_penalties(found, policy), *_tiers(found, by_name)]
    explored, text_now = _exploration(found, policy, text, horizon_days)
    suggestions += explored
    wanted = _trials(text)
    # What examples of the policy insist on, or another rule needs, cannot just be taken out.
    trials = [one for one in wanted if _loads(load, one.edit(text))][:TRIALS_MAX]
    untried = len(wanted) - len(trials)
    if len(days) < DAYS_MIN:
        return Advice(suggestions, text_now, text_now != text, None, 0, len(wanted))
    split = len(days) * TRAIN_PPM // MICRO
    train, held = set(days[:split]), days[split:]
    base, *others = _replayed(
        records, terms, [text, *(one.edit(text) for one in trials)], load, almanac
    )
    for trial, other in zip(trials, others, strict=False):
        suggestion = _judged(trial, base, other, train, held)
        if suggestion is not None:
            suggestions.append(suggestion)
            edited = trial.edit(text_now) if suggestion.applied else text_now
            if _loads(load, edited):
                text_now = edited
    whole = None
    if text_now != text:
        base, final = _replayed(records, terms, [text, text_now], load, almanac)
        whole = _saving(base, final, held)
    return Advice(suggestions, text_now, text_now != text, whole, len(held), untried)


# --- Findings without a replay -----------------------------------------------------------------


def _penalties(found: Habits, policy: Policy) -> list[Suggestion]:
    made = []
    parameters = policy.parameters
    if found.failures:
        minutes = middle(found.failure_delays_s) / 60
        lost = amount(found.lost_by_failure // found.failures, "CNY")
        penalty = amount(parameters.fail_penalty_minor * MICRO, "CNY")
        made.append(
            Suggestion(
                "fail_penalty",
                Sentence(
                    f"{found.failures:,} 次首次尝试因渠道失败，中位耽搁 {minutes:.1f} 分钟，"
                    f"平均资金占用 {lost}；策略按每次 {penalty} 计。"
                    "其余部分是人工与体验的价值，由人决定。",
                    f"{found.failures:,} first attempts failed at their channel; the median delay "
                    f"was {minutes:.1f} minutes, tied-up money cost {lost} each on average. The "
                    f"policy charges {penalty} each; what is beyond is work and trust, for people "
                    "to price.",
                ),
                None,
                applied=False,
            )
        )
    if found.doubts:
        minutes = middle(found.doubt_delays_s) / 60
        penalty = amount(parameters.unknown_penalty_minor * MICRO, "CNY")
        made.append(
            Suggestion(
                "unknown_penalty",
                Sentence(
                    f"{found.doubts:,} 笔首次尝试曾存疑，中位 {minutes:.1f} 分钟后查明；"
                    f"策略按每笔 {penalty} 计。",
                    f"{found.doubts:,} first attempts were in doubt, for {minutes:.1f} minutes in "
                    f"the median; the policy charges {penalty} each.",
                ),
                None,
                applied=False,
            )
        )
    if found.probes:
        limit = amount(parameters.probe_max_minor * MICRO, "CNY")
        made.append(
            Suggestion(
                "probes",
                Sentence(
                    f"{found.probes:,} 次探测（单笔不超过 {limit}），"
                    f"其中 {found.probes_failed:,} 次失败。",
                    f"{found.probes:,} probes (of at most {limit} each), {found.probes_failed:,} "
                    "of them failed.",
                ),
                None,
                applied=False,
            )
        )
    return made


def _tiers(found: Habits, terms: Mapping[str, Terms]) -> list[Suggestion]:
    best: dict[str, tuple[Saving, Within]] = {}
    for goal in within_reach(found, terms):
        saving = _resampled(goal.per_day, goal.goal.saving)
        known = best.get(goal.channel)
        if known is None or saving.low > known[0].low:
            best[goal.channel] = (saving, goal)
    made = []
    for saving, one in best.values():
        currency = terms[one.channel].currency
        month = amount(saving.micro, currency)
        goal_zh = "完成保底量" if one.tier is None else f"达到第 {one.tier + 1} 档"
        goal_en = "keeps its commitment" if one.tier is None else f"reaches its tier {one.tier + 1}"
        made.append(
            Suggestion(
                "tier",
                Sentence(
                    f"每天约 {one.a_day:,} 笔从 {by_source(one.sources)} 等改走 {one.channel}，"
                    f"可{goal_zh}（{one.floor:,} 笔），每月约省 {month}；"
                    "由月度计划（plan）执行。",
                    f"Moving about {one.a_day:,} payouts a day to {one.channel}, from "
                    f"{by_source(one.sources)}, {goal_en} ({one.floor:,} payouts) and saves about "
                    f"{month} a month; that is the plan's work.",
                ),
                saving,
                applied=False,
            )
        )
    return made


def _exploration(
    found: Habits, policy: Policy, text: str, horizon_days: int
) -> tuple[list[Suggestion], str]:
    """As much as gives a verdict on any comparable channel within the horizon, and no more."""
    payouts = sum(day.pools for day in found.days.values())
    if not payouts:
        return [], text
    now = policy.parameters.explore_ppm
    a_day = payouts / len(found.days)
    # An arm that gets share p of its pool's payouts has an effective sample of n p.
    exact = ESS_MIN * found.pool / (a_day * horizon_days) * MICRO
    wanted = max(-(-int(exact) // 1_000) * 1_000, EXPLORE_LEAST_PPM)
    if wanted == now:
        return [], text
    if wanted > EXPLORE_MOST_PPM:
        return [_too_little(exact, now, horizon_days)], text
    per_day = [day.extra for _, day in sorted(found.days.items())]
    costs = [extra * (now - wanted) // MICRO for extra in per_day]
    saving = _interval(costs)
    zh = (
        f"explore_ppm 由 {now:,} 改为 {wanted:,}：{horizon_days} 天内即可对任一可比渠道作出评估"
        f"（有效样本量 {ESS_MIN:,}）"
    )
    en = (
        f"explore_ppm from {now:,} to {wanted:,}: gives a verdict on any comparable channel "
        f"within {horizon_days} days (effective sample {ESS_MIN:,})"
    )
    if wanted > now:
        price = amount(-saving.micro, "CNY")
        zh, en = f"{zh}，每月多花约 {price}。", f"{en}, for about {price} a month."
    else:
        zh, en = f"{zh}，且更省。", f"{en}, for less."
    # Knowing more is worth money to some and not to others: only cheaper is proposed unasked.
    applied = wanted < now and saving.sure >= SURE
    made = Suggestion("explore", Sentence(zh, en), saving, applied)
    return [made], with_parameter(text, "explore_ppm", wanted) if applied else text


def _too_little(exact: float, now: int, horizon_days: int) -> Suggestion:
    if not now:
        return Suggestion(
            "explore",
            Sentence(
                "未探索：历史永远无法评估其他渠道的成功率。",
                "Nothing is explored: history will never say how other channels would have done.",
            ),
            None,
            applied=False,
        )
    days = -(-int(exact * horizon_days) // now)
    return Suggestion(
        "explore",
        Sentence(
            f"以目前的笔数与 explore_ppm {now:,}，约 {days:,} 天后才能评估某一可比渠道；"
            "要更快请用灰度（canary）。",
            f"With this volume and explore_ppm {now:,}, a verdict on a comparable channel takes "
            f"about {days:,} days; a canary is faster.",
        ),
        None,
        applied=False,
    )


# --- Candidates that are replayed --------------------------------------------------------------


def _trials(text: str) -> list[_Trial]:
    content = yaml.safe_load(text)
    made = [
        _without_list(merchant, key, names)
        for merchant, lists in (content.get("merchants") or {}).items()
        for key in ("prefer", "only", "deny")
        if (names := (lists or {}).get(key))
    ]
    for rule in content.get("rules") or []:
        effects = rule.get("then") or {}
        made.append(_without_rule(str(rule["name"]), soft=bool(effects) and set(effects) <= _SOFT))
    return sorted(made, key=lambda one: not one.may_apply)


def _without_list(merchant: str, key: str, names: Sequence[str]) -> _Trial:
    listed = ", ".join(names)
    return _Trial(
        key,
        f"商户 {merchant} 的 {key} 名单（{listed}）",
        f"the {key} list of {merchant} ({listed})",
        lambda text: without_list(text, merchant, key),
        key == "prefer",
    )


def _without_rule(name: str, *, soft: bool) -> _Trial:
    return _Trial(
        "rule", f"规则「{name}」", f"the rule {name!r}", lambda text: without_rule(text, name), soft
    )


def _loads(load: Load, text: str) -> bool:
    try:
        load(text)
    except PolicyError:
        return False
    return True


def _replayed(
    records: Records,
    terms: Sequence[Terms],
    texts: Sequence[str],
    load: Load,
    almanac: Almanac,
) -> list[Comparison]:
    """Every text through the same history, by the first text's prices; the history is read once."""
    policies = [load(text) for text in texts]
    yardstick = policies[0].parameters
    runs = [Replay(terms, one, yardstick=yardstick, almanac=almanac) for one in policies]
    for record in records():
        for run in runs:
            run.feed(record)
    return [run.finish() for run in runs]


def _judged(
    trial: _Trial, base: Comparison, other: Comparison, train: set[date], held: Sequence[date]
) -> Suggestion | None:
    """What the policy costs by having it; None when the first part of history finds no cost."""
    per_day = _differences(base, other)
    chosen_by = sum(per_day.get(day, 0) for day in train)
    lost = other.counts.waits + other.counts.fails - base.counts.waits - base.counts.fails
    if chosen_by <= 0 or lost > 0:
        return None
    saving = _interval([per_day.get(day, 0) for day in held])
    slower = mean_days(other.new.total()) - mean_days(base.new.total())
    worse = other.success.verdict == "worse" and base.success.verdict != "worse"
    buys = slower > 0.01 or worse
    currency = next(iter(base.currencies.values()), "CNY")
    cost = amount(saving.micro, currency)
    zh = f"{trial.zh}每月约花费 {cost}"
    en = f"{trial.en} costs about {cost} a month"
    if buys:
        zh += f"，换来平均早到 {slower:.2f} 天" if slower > 0.01 else "，换来更高的成功率"
        en += (
            f" and buys {slower:.2f} days of earlier arrival on average"
            if slower > 0.01
            else " and buys a higher success rate"
        )
    else:
        zh += "，没有带来可测量的好处"
        en += " and buys nothing measurable"
    applied = trial.may_apply and not buys and saving.sure >= SURE
    if not trial.may_apply:
        zh += "；它可能另有原因，由人决定"
        en += "; it may be there for another reason, so people decide"
    return Suggestion(trial.kind, Sentence(f"{zh}。", f"{en}."), saving, applied)


def _differences(base: Comparison, other: Comparison) -> dict[date, int]:
    """What `base` costs more than `other`, by day; missed commitments are spread over the days."""
    found: dict[date, int] = {}
    for sign, side in ((1, base.new), (-1, other.new)):
        for (day, _), part in side.by_day.items():
            found[day] = found.get(day, 0) + sign * part.total
    missed = base.new.shortfall() - other.new.shortfall()
    return {day: cost + missed // len(found) for day, cost in found.items()}


def _saving(base: Comparison, other: Comparison, days: Sequence[date]) -> Saving:
    per_day = _differences(base, other)
    return _interval([per_day.get(day, 0) for day in days])


def _interval(per_day: Sequence[int]) -> Saving:
    return _resampled(per_day, sum)


def _resampled(days: Sequence[_T], total: Callable[[Sequence[_T]], int]) -> Saving:
    """A month's total from days drawn with replacement; the same days give the same interval."""
    count = len(days)
    if not count:
        return Saving(0, 0, 0, 0.0)
    dice = Random(count)  # noqa: S311 - resampling, not a secret
    sums = sorted(total(dice.choices(days, k=count)) for _ in range(_RESAMPLES))
    scaled = [one * MONTH_DAYS // count for one in sums]
    edge = _RESAMPLES * 25 // 1_000
    return Saving(
        total(days) * MONTH_DAYS // count,
        scaled[edge],
        scaled[-edge - 1],
        sum(one > 0 for one in sums) / _RESAMPLES,
    )
