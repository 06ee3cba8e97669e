"""A plan in words and shares, as people read it: Chinese and English."""

import re
from collections.abc import Mapping
from typing import Final

from policies.fees import PPM
from policies.plan.classes import PayoutClass
from policies.plan.model import ChannelPlan, Plan
from policies.wording import Sentence, money, percent

_HUNDREDTHS: Final = re.compile(r"(\.\d\d)00\b")


def shares_by_class(plan: Plan) -> list[tuple[PayoutClass, dict[str, int]]]:
    """Each class's shares over the rest of the month, in parts per million; in class order."""
    found: dict[PayoutClass, dict[str, int]] = {}
    for share in plan.shares:
        weight = plan.groups[share.group].share_ppm
        sums = found.setdefault(share.kind, {})
        for channel, ppm in share.parts:
            sums[channel] = sums.get(channel, 0) + ppm * weight
    return [
        (
            kind,
            {
                channel: weight // max(1, sum(sums.values()) // PPM)
                for channel, weight in sorted(sums.items())
            },
        )
        for kind, sums in sorted(found.items())
    ]


def class_name(kind: PayoutClass, currency: str) -> str:
    """A class as people say it, e.g. `bank_card standard ¥100-200`."""
    low, end = _whole(kind.floor_minor if kind.band else 0, currency), kind.end_minor
    span = f">= {low}" if end is None else f"{low}-{_whole(end, currency)}"
    return f"{kind.rail} {kind.speed} {span}"


def _whole(minor: int, currency: str) -> str:
    """An amount without what lies behind the point."""
    return money(minor * PPM, currency).split(".", maxsplit=1)[0]


def _amount(micro: int, currency: str) -> str:
    """An amount rounded to minor units; a plan is not known to a hundredth of one."""
    rounded = (micro + PPM // 2) // PPM * PPM
    return _HUNDREDTHS.sub(r"\1", money(rounded, currency))


def channel_told(one: ChannelPlan, reached: int, plan: Plan) -> Sentence:
    """What a channel is planned for, and what the plan relies on; `reached` in the fee's basis."""
    share = percent(round(one.payouts * 100 / max(1, plan.forecast.payouts)) * PPM // 100)
    zh = [f"{one.name}：本月余下计划分配 {share} 的笔数"]
    en = [f"{one.name}: {share} of the payouts still to come this month"]

    def count(units: int) -> tuple[str, str]:
        if one.basis == "payouts":
            return f"{units:,} 笔", f"{units:,} payouts"
        text = _amount(units * PPM, plan.currency)
        return text, text

    if one.floor:
        reached_zh, reached_en = count(reached)
        floor_zh, floor_en = count(one.floor)
        done = percent(min(PPM, reached * PPM // one.floor) // 10_000 * 10_000)
        zh.append(f"已达 {reached_zh}，计划档位起点 {floor_zh}（{done}）")
        en.append(f"{reached_en} reached of the planned tier's {floor_en} ({done})")
    if one.next_floor is not None:
        next_zh, next_en = count(one.next_floor)
        zh.append(f"下一档 {next_zh} 不在计划内")
        en.append(f"the next tier at {next_en} is not planned for")
    if one.margin is not None:
        zh_margin, en_margin = count(abs(one.margin))
        ppm = percent((abs(one.margin_ppm or 0) + 500) // 1_000 * 1_000)
        if one.margin < 0:
            zh.append(f"预计仍差 {zh_margin}（{ppm}），档位有风险")
            en.append(f"expected to miss it by {en_margin} ({ppm}): the tier is at risk")
        else:
            zh.append(f"悬崖余量 {zh_margin}（{ppm}）")
            en.append(f"cliff margin {en_margin} ({ppm})")
    if one.committed is not None:
        least_zh, least_en = count(one.committed)
        if one.shortfall:
            short_zh, short_en = count(one.shortfall)
            cost = _amount(one.shortfall_cost_minor * PPM, plan.currency)
            zh.append(f"承诺量 {least_zh}，预计少 {short_zh}，赔付 {cost}")
            en.append(f"commitment of {least_en} falls short by {short_en}, which costs {cost}")
        else:
            zh.append(f"承诺量 {least_zh} 可完成")
            en.append(f"commitment of {least_en} is met")
    return Sentence("，".join(zh) + "。", "; ".join(en) + ".")


def told(plan: Plan, reached: Mapping[str, int]) -> list[Sentence]:
    """The whole plan: how it was made, what it saves, each channel, what could not be carried."""
    method_zh = "整数规划" if plan.method == "milp" else "启发式（未安装 planner 组件）"
    method_en = (
        "mixed-integer programme" if plan.method == "milp" else "heuristic (no planner extra)"
    )
    cost = _amount(plan.cost_micro, plan.currency)
    saved = _amount(plan.unplanned_micro - plan.cost_micro, plan.currency)
    found = [
        Sentence(
            f"计划由{method_zh}生成，预计余下总成本 {cost}，比不做计划节省 {saved}。",
            f"Made by {method_en}; the rest of the month is expected to cost {cost}, {saved} less "
            "than without a plan.",
        )
    ]
    found += [
        channel_told(one, reached.get(one.name, one.used), plan)
        for one in plan.channels
        if one.payouts or one.floor or one.committed is not None
    ]
    for one in plan.scarce:
        name, names = class_name(one.kind, plan.currency), ", ".join(one.channels)
        found.append(
            Sentence(
                f"约 {one.payouts:,} 笔（{name}）没有足够额度：{names or '没有可用渠道'}"
                f"{' 的单日限额不足' if names else ''}。",
                f"No capacity for about {one.payouts:,} payouts ({name}): "
                + (f"day caps of {names} are too small." if names else "no channel takes them."),
            )
        )
    return found
