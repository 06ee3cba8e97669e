"""Decisions in words and as JSON."""

import json
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.build import build
from policies.decide import decide
from policies.document import parse
from policies.exclusions import Code, Exclusion
from policies.explain import explain, from_json, place, to_json
from policies.facts import Cycle, Decision, Hours
from policies.policy import ChannelLists
from policies.wording import money
from tests.policies.builders import FRIDAY_NOON, beijing, channel, payout, policy
from tests.policies.test_decide import PROBING, TWO

SLOW = channel("slow", 0, cycle=Cycle(days=7, calendar="cn_statutory"))
QUICK = channel("quick", 3_000)
PLAIN = channel("plain", 4_000)


def decided(*channels: object, **asked: Any) -> Decision:
    """A decision on a payout of ¥50,000."""
    return decide(
        payout(5_000_000, **asked),
        channels,  # type: ignore[arg-type]  # the tests give channels
        policy(),
        FRIDAY_NOON,
        0,
    )


def test_winner_in_one_sentence() -> None:
    """Who won, at what cost, against the runner-up and against the cheapest sticker."""
    zh, en = explain(decided(SLOW, QUICK, PLAIN))
    assert zh == (
        "选择 quick：预计总成本 ¥30.0200，比次优 plain 省 ¥10.0000，"
        "比标价最低的 slow（标价 ¥0.0000，11 个自然日到账）省 ¥150.8219，"
        "预计 2026-11-20 到账。"
    )
    assert en == (
        "quick was chosen at an expected total cost of ¥30.0200; ¥10.0000 less than the next "
        "best, plain; ¥150.8219 less than slow, which lists the lowest fee (¥0.0000) and takes "
        "11 calendar days; money arrives by 2026-11-20."
    )


def test_single_candidate_has_no_rival() -> None:
    """Nothing to compare with, nothing said."""
    assert explain(decided(QUICK)).en == (
        "quick was chosen at an expected total cost of ¥30.0200; money arrives by 2026-11-20."
    )


def test_preference_tells_what_it_costs() -> None:
    """A preferred but dearer channel is explained by the policy, with the extra cost."""
    rules = policy(ChannelLists(prefer=frozenset({"plain"})))
    decision = decide(payout(5_000_000), [QUICK, PLAIN], rules, FRIDAY_NOON, 0)
    zh, en = explain(decision)
    assert "按策略优先使用，比次优 quick 多 ¥10.0000" in zh
    assert "the policy prefers it; ¥10.0000 more than the next best, quick" in en


def test_exploration_and_probes_say_so() -> None:
    """A payout spent on learning is not passed off as the cheapest choice."""
    near = channel("near", 3_010)
    drawn = decide(
        payout(5_000_000), [QUICK, near], policy(explore_ppm=10_000), FRIDAY_NOON, 999_999
    )
    assert "本单用于探索" in explain(drawn).zh
    assert "drawn for exploration" in explain(drawn).en
    probe = decide(payout(), [QUICK, channel("sick", health=PROBING)], policy(), FRIDAY_NOON, 0)
    assert "sick：" in explain(probe).zh
    assert "探测熔断渠道" in explain(probe).zh
    assert "probes whether the channel has recovered" in explain(probe).en


def test_one_day_and_unpublished_calendar() -> None:
    """A guessed arrival is called one, and one day is a day."""
    at = beijing(2026, 12, 31)
    slow = channel("slow", 0, cycle=Cycle(days=1))
    guess = channel("guess", 1, cycle=Cycle(days=1, calendar="cn_statutory"))
    best = channel("best", 1)
    en = explain(decide(payout(5_000_000), [slow, best], policy(), at, 0)).en
    assert "takes 1 calendar day;" in en
    zh, en = explain(decide(payout(), [guess], policy(), at, 0))
    assert zh.endswith("到账（节假日安排未公布）。")
    assert en.endswith("(calendar not published).")


def test_no_candidate_now() -> None:
    """The commonest reason comes first, and the time to ask again is told."""
    closed = channel("c", hours=Hours(((time(13), time(14)),)), status="paused")
    zh, en = explain(decided(channel("a", status="paused"), channel("b", in_doubt=200), closed))
    assert zh == (
        "暂无可用渠道，2026-11-20T04:00:30+00:00 起重试："
        "渠道已暂停（2）；渠道不在营业时间（1）；结果未知笔数 200 已达上限 200（1）。"
    )
    assert en == (
        "No channel can pay now, asked again from 2026-11-20T04:00:30+00:00: the channel is "
        "paused (2); the channel is outside its opening hours (1); 200 payouts are in doubt, the "
        "most allowed is 200 (1)."
    )


def test_no_candidate_ever() -> None:
    """Without hope the sentence says so."""
    zh, en = explain(decided(channel(currency="HKD")))
    assert zh == "没有可用渠道，等待无效：渠道币种为 HKD，不支持 CNY（1）。"
    assert en == "No channel can pay, ever: the channel pays HKD, not CNY (1)."
    assert explain(decided()).en == "No channel can pay, ever: none is configured."
    assert explain(decided()).zh == "没有可用渠道，等待无效：没有配置渠道。"


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_words_in_both_languages(code: Code) -> None:
    """Any reason can be shown, and the languages differ."""
    reason = Exclusion(code, (1, 2))
    assert reason.zh
    assert reason.en
    assert any("\u4e00" <= letter <= "\u9fff" for letter in reason.zh)
    assert reason.en.isascii()


@pytest.mark.parametrize(
    ("micro", "currency", "text"),
    [
        (0, "CNY", "¥0.0000"),
        (4_999, "CNY", "¥0.0000"),
        (5_000, "CNY", "¥0.0001"),
        (123_456_789_012, "CNY", "¥1,234.5679"),
        (-1_000_000, "CNY", "-¥0.0100"),
        (1_000_000, "USD", "0.0100 USD"),
        (1_250_000, "JPY", "1.25 JPY"),
    ],
)
def test_costs_are_shown_with_two_more_digits(micro: int, currency: str, text: str) -> None:
    """Costs below a minor unit stay visible; currencies without decimals have none to add to."""
    assert money(micro, currency) == text


def test_json_is_plain_and_compact() -> None:
    """Any JSON library can store it, and eight channels fit in a few kilobytes."""
    channels = [channel(f"channel-{n}", n) for n in range(8)]
    channels += [channel("out", status="paused")]
    decision = decide(payout(instruments=TWO), channels, policy(), FRIDAY_NOON, 5)
    text = json.dumps(to_json(decision), separators=(",", ":"))
    assert len(text) < 4_000
    assert from_json(json.loads(text)) == decision


def test_unknown_layout_is_refused() -> None:
    """A decision of another version is not guessed at."""
    content = to_json(decided(QUICK)) | {"v": 3}
    with pytest.raises(ValueError, match="layout 3"):
        from_json(content)


def test_times_survive_storage() -> None:
    """The stored retry time is the very moment."""
    decision = decided(channel(status="paused"))
    assert from_json(to_json(decision)).retry_at == FRIDAY_NOON + timedelta(seconds=60)


@given(
    st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
        timezones=st.sampled_from(
            [UTC, ZoneInfo("Asia/Shanghai"), timezone(timedelta(hours=-3, minutes=-30))]
        ),
    )
)
def test_times_are_stored_as_isoformat_writes_them(at: datetime) -> None:
    """Microseconds only where there are any, the zone as its offset."""
    assert to_json(replace(decided(QUICK), decided_at=at))["at"] == at.isoformat()


def test_the_plan_that_could_be_followed_survives_storage() -> None:
    """History tells which plan a payout was given out under."""
    decision = replace(decided(QUICK), plan_id="pl_1")
    assert from_json(to_json(decision)).plan_id == "pl_1"


def test_what_rules_did_to_a_candidate_is_told_and_survives_storage() -> None:
    """The runner-up is behind by a rule, not its price; without effects nothing is stored."""
    text = (
        "version: 2\nname: x\nrules:\n"
        "  - {name: night, when: 'true', then: {avoid: [late], weight: {late: 900000}}}\n"
    )
    rules = build(parse(text)).policy
    decision = decide(payout(), [QUICK, channel("late", 1)], rules, FRIDAY_NOON, 0)
    avoided = decision.order[1]
    assert place(avoided) == (
        "规则“night”尽量不用、规则“night”排序价格 × 90 %",
        "avoided by rule night, ranked by its cost times 90 % by rule night",
    )
    assert "late（规则“night”尽量不用、规则“night”排序价格 × 90 %）" in explain(decision).zh
    stored = json.loads(json.dumps(to_json(decision)))
    assert from_json(stored) == decision
    assert "effects" not in stored["order"][0]
