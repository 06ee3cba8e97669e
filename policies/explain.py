"""A Decision in words for people, and as a small stable dict for the store.

The words are one sentence in Chinese and one in English: who won, at what expected cost, by how
much against the runner-up and against the cheapest listed fee. `to_json` and `from_json` are
exact inverses; the key `v` changes when the layout does.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final, TypeAlias, cast

import orjson

from policies.exclusions import Code, Exclusion
from policies.facts import (
    MICRO,
    UNRANKED,
    Arrival,
    Candidate,
    CostParts,
    Decision,
    Effect,
    Excluded,
)
from policies.wording import Sentence, money, percent

Json: TypeAlias = bool | int | str | list["Json"] | dict[str, "Json"] | None

LAYOUT: Final = 2
_READABLE: Final = (1, 2)


def explain(decision: Decision) -> Sentence:
    """Why this channel, or why none, in one sentence each."""
    chosen = decision.chosen
    if chosen is None:
        return _none(decision)
    currency = decision.currency
    cost = money(chosen.cost.total, currency)
    zh = [f"选择 {chosen.channel}：预计总成本 {cost}"]
    en = [f"{chosen.channel} was chosen at an expected total cost of {cost}"]
    why_zh, why_en = _WHY[decision.outcome]
    if why_zh:
        zh.append(why_zh)
        en.append(why_en)
    if len(decision.order) > 1:
        rival = min(decision.order[1:], key=lambda one: one.cost.total)
        gap_zh, gap_en = _gap(rival.cost.total - chosen.cost.total, currency)
        stands = place(rival) if rival.level > chosen.level else None
        about_zh, about_en = (f"（{stands.zh}）", f" ({stands.en})") if stands else ("", "")
        zh.append(f"比次优 {rival.channel}{about_zh} {gap_zh}")
        en.append(f"{gap_en} than the next best, {rival.channel}{about_en}")
    sticker = decision.cheapest_sticker
    if sticker is not None and sticker is not chosen:
        gap_zh, gap_en = _gap(decision.saved_micro, currency)
        listed = money(sticker.cost.fee, currency)
        days = sticker.arrival.days_calendar
        zh.append(f"比标价最低的 {sticker.channel}（标价 {listed}，{days} 个自然日到账）{gap_zh}")
        en.append(
            f"{gap_en} than {sticker.channel}, which lists the lowest fee ({listed}) "
            f"and takes {_days(days)}"
        )
    arrives = chosen.arrival
    sure_zh, sure_en = (
        ("", "") if arrives.known else ("（节假日安排未公布）", " (calendar not published)")
    )
    zh.append(f"预计 {arrives.on.isoformat()} 到账{sure_zh}")
    en.append(f"money arrives by {arrives.on.isoformat()}{sure_en}")
    return Sentence("，".join(zh) + "。", "; ".join(en) + ".")


_WHY: Final[Mapping[str, tuple[str, str]]] = {
    "cheapest": ("", ""),
    "preferred": ("按策略优先使用", "the policy prefers it"),
    "split": ("按策略的流量比例分配", "the policy splits the volume"),
    "planned": ("按月度计划的份额", "the month's plan gives it this share"),
    "explored": ("本单用于探索", "this payout was drawn for exploration"),
    "probe": (
        "本单用于探测熔断渠道是否恢复",
        "this payout probes whether the channel has recovered",
    ),
    "forced": (
        "等待恢复已到时限，仍按最优渠道发出",
        "it had waited for a recovery as long as the policy lets it",
    ),
}


_DOES: Final[Mapping[str, tuple[str, str]]] = {
    "prefer": ("优先使用", "preferred"),
    "avoid": ("尽量不用", "avoided"),
    "split": ("按比例分流", "takes a share"),
    "weight": ("排序价格", "ranked by its cost times"),
    "request_prefers": ("请求优先使用", "preferred by the request"),
    "merchant_prefers": ("商户名单优先使用", "preferred by the merchant's list"),
}


def place(one: Candidate) -> Sentence | None:
    """What rules, lists and the request did to a candidate's place; None when nothing."""
    if not one.effects:
        return None
    parts = [_done(effect) for effect in one.effects]
    return Sentence("、".join(part.zh for part in parts), ", ".join(part.en for part in parts))


def _done(effect: Effect) -> Sentence:
    zh, en = _DOES[effect.does]
    if effect.does == "weight":
        zh, en = f"{zh} × {percent(effect.ppm)}", f"{en} {percent(effect.ppm)}"
    elif effect.does == "split":
        zh, en = f"{zh} {percent(effect.ppm)}", f"{en} of {percent(effect.ppm)}"
    if effect.rule:
        zh, en = f"规则“{effect.rule}”{zh}", f"{en} by rule {effect.rule}"
    return Sentence(zh, en)


def _none(decision: Decision) -> Sentence:
    counts: dict[Code, tuple[Exclusion, int]] = {}
    for one in decision.excluded:
        for reason in one.reasons:
            counts[reason.code] = (reason, counts.get(reason.code, (reason, 0))[1] + 1)
    # Most frequent first, so that "the bank is down everywhere" is what the reader sees.
    ranked = sorted(counts.values(), key=lambda pair: (-pair[1], pair[0].code))
    zh = "；".join(f"{reason.zh}（{count}）" for reason, count in ranked) or "没有配置渠道"
    en = "; ".join(f"{reason.en} ({count})" for reason, count in ranked) or "none is configured"
    if decision.retry_at is None:
        return Sentence(f"没有可用渠道，等待无效：{zh}。", f"No channel can pay, ever: {en}.")
    at = decision.retry_at.astimezone(UTC).isoformat(timespec="seconds")
    return Sentence(
        f"暂无可用渠道，{at} 起重试：{zh}。",
        f"No channel can pay now, asked again from {at}: {en}.",
    )


def _gap(micro: int, currency: str) -> tuple[str, str]:
    if micro >= 0:
        return f"省 {money(micro, currency)}", f"{money(micro, currency)} less"
    return f"多 {money(-micro, currency)}", f"{money(-micro, currency)} more"


def _days(count: int) -> str:
    return "1 calendar day" if count == 1 else f"{count} calendar days"


# --- Storage -----------------------------------------------------------------------------------


def to_json(decision: Decision) -> dict[str, Json]:
    """The whole Decision as plain values for any JSON library; no floats."""
    arrivals: list[Arrival] = []
    for one in decision.order:
        if one.arrival not in arrivals:
            arrivals.append(one.arrival)
    return {
        "v": LAYOUT,
        "payout": decision.payout_id,
        "merchant": decision.merchant_id,
        "amount_minor": decision.amount_minor,
        "currency": decision.currency,
        "at": _stamp(decision.decided_at),
        "policy": decision.policy_hash,
        "draw_ppm": decision.draw_ppm,
        "outcome": decision.outcome,
        "retry_at": _stamp(decision.retry_at),
        "rules": list(decision.rules),
        "faults": list(decision.faults),
        "max_attempts": decision.max_attempts,
        "review": decision.review,
        "deadline_at": _stamp(decision.deadline_at),
        "plan": decision.plan_id,
        "arrivals": [
            [one.on.isoformat(), _stamp(one.at), one.days_calendar, one.known] for one in arrivals
        ],
        "order": [
            {
                "channel": one.channel,
                "instrument": one.instrument,
                "rail": one.rail,
                "cost": list(one.cost.parts),
                "arrival": arrivals.index(one.arrival),
                "success_ppm": one.success_ppm,
                "unknown_ppm": one.unknown_ppm,
                "preferred": one.preferred,
                "probing": one.probing,
                "propensity_ppm": propensity,
                **_standing(one),
            }
            for one, propensity in zip(decision.order, decision.propensities_ppm, strict=True)
        ],
        "excluded": [
            {
                "channel": one.channel,
                "instrument": one.instrument,
                "cost": None if one.cost is None else list(one.cost.parts),
                "reasons": [
                    [reason.code.value, list(reason.values), _stamp(reason.lifts_at)]
                    for reason in one.reasons
                ],
            }
            for one in decision.excluded
        ],
    }


def from_json(content: Mapping[str, Json]) -> Decision:
    """The Decision that `to_json` was given. Raises ValueError for an unknown layout."""
    if content.get("v") not in _READABLE:
        raise ValueError(f"unknown decision layout {content.get('v')!r}")
    arrivals = [
        Arrival(
            on=date.fromisoformat(cast("str", row[0])),
            at=datetime.fromisoformat(cast("str", row[1])),
            days_calendar=cast("int", row[2]),
            known=cast("bool", row[3]),
        )
        for row in cast("list[list[Json]]", content["arrivals"])
    ]
    order = cast("list[dict[str, Json]]", content["order"])
    return Decision(
        payout_id=cast("str", content["payout"]),
        merchant_id=cast("str", content["merchant"]),
        amount_minor=cast("int", content["amount_minor"]),
        currency=cast("str", content["currency"]),
        decided_at=datetime.fromisoformat(cast("str", content["at"])),
        policy_hash=cast("str", content["policy"]),
        draw_ppm=cast("int", content["draw_ppm"]),
        outcome=content["outcome"],  # type: ignore[arg-type]  # written by to_json, layout checked
        order=tuple(_candidate(row, arrivals) for row in order),
        propensities_ppm=tuple(cast("int", row["propensity_ppm"]) for row in order),
        excluded=tuple(
            _excluded(row) for row in cast("list[dict[str, Json]]", content["excluded"])
        ),
        retry_at=_moment(content["retry_at"]),
        # Layout 1 knew no rules.
        rules=tuple(cast("list[str]", content.get("rules", []))),
        faults=tuple(cast("list[str]", content.get("faults", []))),
        max_attempts=cast("int | None", content.get("max_attempts")),
        review=cast("str | None", content.get("review")),
        deadline_at=_moment(content.get("deadline_at")),
        plan_id=cast("str | None", content.get("plan")),
    )


def _candidate(row: dict[str, Json], arrivals: list[Arrival]) -> Candidate:
    return Candidate(
        channel=cast("str", row["channel"]),
        instrument=cast("int", row["instrument"]),
        rail=cast("str", row["rail"]),
        cost=CostParts(*cast("list[int]", row["cost"])),
        arrival=arrivals[cast("int", row["arrival"])],
        success_ppm=cast("int", row["success_ppm"]),
        unknown_ppm=cast("int", row["unknown_ppm"]),
        preferred=cast("bool", row["preferred"]),
        probing=cast("bool", row["probing"]),
        level=cast("int", row.get("level", UNRANKED)),
        weight_ppm=cast("int", row.get("weight_ppm", MICRO)),
        effects=tuple(
            Effect(*cast("tuple[str, str, int]", one))  # type: ignore[arg-type]  # by to_json
            for one in cast("list[Json]", row.get("effects", []))
        ),
    )


def _standing(one: Candidate) -> dict[str, Json]:
    """What rules, lists and the request did to it; nothing for most candidates of most payouts."""
    if not one.effects:
        return {}
    return {
        "level": one.level,
        "weight_ppm": one.weight_ppm,
        "effects": [list(effect) for effect in one.effects],
    }


def _excluded(row: dict[str, Json]) -> Excluded:
    # Decisions stored before excluded candidates were priced have no such key.
    cost = row.get("cost")
    return Excluded(
        channel=cast("str", row["channel"]),
        instrument=cast("int", row["instrument"]),
        reasons=tuple(
            Exclusion(Code(code), tuple(values), _moment(lifts_at))
            for code, values, lifts_at in cast(
                "list[tuple[str, list[int | str], Json]]", row["reasons"]
            )
        ),
        cost=None if cost is None else CostParts(*cast("list[int]", cost)),
    )


def _stamp(at: datetime | None) -> str | None:
    """As `isoformat` writes it, in a quarter of its time."""
    return None if at is None else orjson.dumps(at)[1:-1].decode()


def _moment(text: Json) -> datetime | None:
    return None if text is None else datetime.fromisoformat(cast("str", text))
