"""What people read: both languages, the dead ends first, one self-contained page, a safe CSV."""

import csv
import re
from io import StringIO

import pytest

from policies.backtest import plots, report, summary
from policies.backtest.record import Ending
from policies.backtest.replay import Comparison
from policies.backtest.world import World
from policies.facts import MICRO
from policies.fees import Fee
from policies.policy import ChannelLists, Parameters, Policy
from tests.policies.backtest.past import choice, record, run, terms
from tests.policies.builders import policy


@pytest.fixture(scope="module")
def month() -> Comparison:
    """A generated month under a draft that holds time half as dear."""
    world = World(7, 1_500)
    draft = Policy("half-price-time", "f" * 64, Parameters(capital_rate_ppm=60_000))
    return run(world.records(), world.terms, draft)


def test_the_saving_is_said_in_both_languages() -> None:
    """How much, of how much, over how many payouts; a hundredth of the unknown channel's fail."""
    compared = run(
        [record(choice("a"))],
        [terms("a"), terms("b", Fee(flat_minor=40))],
        policy(fail_penalty_minor=0),
    )
    first = summary.headline(compared)[0]
    assert first.en.startswith("Over 1 payouts from 2026-03-02 to 2026-03-02")
    assert "¥0.59 less (-59.4 %, ¥1.00 to ¥0.41)" in first.en
    assert "节省 ¥0.59（-59.4 %" in first.zh


def test_payouts_without_a_channel_come_first() -> None:
    """A saving is worth nothing to those who are not paid."""
    denied = Policy("d", "d", Parameters(), {"m_2": ChannelLists(deny=frozenset({"a"}))})
    compared = run([record(choice("a")), record(choice("a"), merchant="m_2")], [terms("a")], denied)
    first, second = summary.headline(compared)[:2]
    assert "1 payouts find no channel: 0 would have waited, 1 failed" in first.en
    assert "找不到渠道" in first.zh
    assert second.en.startswith("Over 1 payouts")


def test_nothing_to_compare_is_said() -> None:
    """An empty history makes a page, too."""
    compared = run([], [terms("a")])
    (only,) = summary.headline(compared)
    assert only.en.startswith("Nothing can be compared")
    assert "没有可比较的代付" in report.page(compared)
    assert report.table(compared).count("\n") == 1


def test_too_little_exploration_has_no_verdict_and_says_what_to_do(month: Comparison) -> None:
    """The sentence names the effective sample and a way out."""
    said = summary.success(month.success)
    assert "no verdict (effective sample" in said.en
    assert "What to do:" in said.en
    assert "不下结论" in said.zh


def test_figures_and_page_agree(month: Comparison) -> None:
    """JSON, page and console are made of the same numbers."""
    (cost,) = summary.by_currency(month)
    figures = summary.figures(month)
    assert isinstance(figures["cost_micro"], list)
    assert figures["changed"] == month.counts.changed
    page = report.page(month)
    assert summary.amount(cost.after, "CNY") in page
    assert f"{month.success.ess:,.0f}" in page


def test_the_page_needs_nothing_else(month: Comparison) -> None:
    """No address is loaded, no script runs, every plot is inline."""
    page = report.page(month)
    assert not re.search(r"<(script|link|img|iframe)\b", page)
    assert not re.search(r"(src|href)=[\"']?https?:", page)
    assert page.count("<figure>") == page.count("<svg") == 7


def test_the_same_comparison_gives_the_same_page(month: Comparison) -> None:
    """Plots carry no date and no random ids."""
    assert report.page(month) == report.page(month)


def test_without_matplotlib_there_are_tables_and_a_hint(
    month: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is optional; the page says how to get plots."""
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    page = report.page(month)
    assert "<svg" not in page
    assert "hangdao[report]" in page


def test_names_cannot_write_into_the_page() -> None:
    """A hostile merchant id stays text."""
    compared = run([record(choice("a"), merchant="<b>x</b>")], [terms("a")])
    assert "<b>x</b>" not in report.page(compared)


def test_the_csv_has_every_merchant_and_channel(month: Comparison) -> None:
    """Its columns add up to the totals."""
    rows = list(csv.DictReader(StringIO(report.table(month))))
    for side, closed in (("old", month.old), ("new", month.new)):
        assert sum(int(row[f"{side}_fee_micro"]) for row in rows) == pytest.approx(
            closed.total().fee, abs=2 * len(rows) + 500
        )
    assert {row["merchant"] for row in rows} == {merchant for merchant, _ in month.old.by_merchant}


def test_a_merchants_name_is_no_formula_in_a_spreadsheet() -> None:
    """A cell that would begin a formula is quoted."""
    compared = run([record(choice("a"), merchant="=1+1")], [terms("a")])
    assert "'=1+1" in report.table(compared)


def test_two_currencies_are_never_added() -> None:
    """Each has its own total."""
    from dataclasses import replace

    dollars = replace(terms("usd"), currency="USD")
    compared = run(
        [record(choice("a")), record(choice("usd"), currency="USD")],
        [terms("a"), dollars],
        policy(),
    )
    assert {one.currency: one.before for one in summary.by_currency(compared)} == {
        "CNY": 100 * MICRO,
        "USD": 100 * MICRO,
    }
    assert "1.00 USD" in report.page(compared)


def test_history_of_several_policies_is_said() -> None:
    """Whoever reads should know that the old side is no single policy."""
    compared = run([record(choice("a", policy=name)) for name in ("x", "y")], [terms("a")])
    assert any("2 versions of the policy" in one.en for one in summary.headline(compared))


def test_endings_that_are_not_the_channels_do_not_count_for_success() -> None:
    """A closed account leaves no definite outcome at all."""
    compared = run([record(choice("a", ending=Ending.PAYEE_FAILED))], [terms("a")])
    assert compared.success.not_the_channel == 1
    assert "no definite outcome" in summary.success(compared.success).en
