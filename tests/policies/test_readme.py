"""The README's tables say what the code does."""

import re
from pathlib import Path

from msgspec.structs import fields

import policies
from policies import cost
from policies.arrivals_seen import arrivals_of, distribution
from policies.calendars import arrival
from policies.cost import expected_capital_micro, price
from policies.document import load
from policies.exclusions import Code
from policies.facts import HealthView
from policies.fees import Fee, MonthUse, Tier, fee_minor, surcharge_minor
from policies.health import HealthSettings
from policies.policy import Parameters
from policies.schema import ThenDocument
from policies.table import OUTCOMES
from policies.vocabulary import FACTS
from tests.policies.builders import FRIDAY_NOON, T1, beijing

README = Path(policies.__file__).with_name("README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a second-level heading."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_parameter_is_documented_with_its_default() -> None:
    """The table lists exactly the parameters there are."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", section("Parameters"), flags=re.MULTILINE)
    defaults = Parameters()
    assert rows == [(one.name, str(getattr(defaults, one.name))) for one in fields(Parameters)]


def test_every_exclusion_code_is_documented() -> None:
    """The table lists exactly the codes there are, in their order."""
    rows = re.findall(r"^\| `(\w+)` \|", section("Exclusion codes"), flags=re.MULTILINE)
    assert rows == [code.value for code in Code]


def test_every_fact_and_effect_is_documented() -> None:
    """The tables list exactly the facts of the language with their kinds, and the effects."""
    rows = re.findall(r"^\| `(\w+\.\w+)` \| ([\w()]+) \|", section("Rules"), flags=re.MULTILINE)
    assert rows == [(fact.name, fact.kind.value) for fact in FACTS.values()]
    effects = section("Rules").split("| effect | does |")[1].split("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", effects, flags=re.MULTILINE)
    assert named == list(OUTCOMES)
    fields_of_then = [one.alias or name for name, one in ThenDocument.model_fields.items()]
    assert named == fields_of_then


def test_the_rules_shown_are_a_policy() -> None:
    """The README's example is accepted as it stands."""
    block = section("Rules").split("\n\n")[1]
    text = "\n".join(line.removeprefix("    ") for line in block.splitlines())
    sketch = "channels:\n  bank-direct: {rails: [bank_card]}\n  card-fast: {rails: [bank_card]}\n"
    more = (
        "  - name: weak\n    payout: {rail: bank_card}\n"
        "    channels: {card-fast: {success_ppm: 1, observations: 50}}\n"
        "    expect: {rules: [weak]}\n"
    )
    policy = load(f"version: 2\nname: readme\n{sketch}{text}\n{more}")
    assert policy.rules.names(3) == ("large-by-bank", "weak")


def numbers(title: str) -> list[tuple[int, ...]]:
    """The table rows of a section that hold only whole numbers."""
    rows = re.findall(r"^\| ([\d |]+) \|$", section(title), flags=re.MULTILINE)
    return [tuple(int(cell) for cell in row.split(" | ")) for row in rows]


def test_the_tiered_example_is_right() -> None:
    """Each row's fees, for both schemes, are what the code computes."""
    flat = (Tier(0, 200), Tier(50_000, 120), Tier(150_000, 80))
    rate = (Tier(0, 50, 600), Tier(1_000_000, 50, 400), Tier(3_000_000, 50, 250))
    every = Fee(tiers=flat, scheme="all_units")
    parts = Fee(tiers=rate, basis="amount")
    rows = numbers("Tiers over a month")
    assert [row[0] for row in rows] == [0, 49_999, 50_000, 150_000]
    for payouts, all_units, minor, incremental in rows:
        assert fee_minor(every, 10_000, MonthUse(payouts, 0)) == all_units
        assert fee_minor(parts, 10_000, MonthUse(0, minor)) == incremental


def test_the_measured_example_is_right() -> None:
    """Shares and capital of both rows."""
    rows = re.findall(r"^\| [^|]+ \| (\d+: [^|]+) \| (\d+) \|$", section("Measured arrival"), re.M)
    monday = beijing(2026, 11, 16)
    for (shares, capital), seen in zip(rows, ((), (3,) * 300), strict=True):
        found = distribution(seen, 1) or ((1, 1_000_000),)
        assert ", ".join(f"{day}: {ppm}" for day, ppm in found) == shares
        _, spread = arrivals_of(T1, found, monday)
        assert expected_capital_micro(1_000_000, 120_000, spread) == int(capital)


def test_worked_example_is_right() -> None:
    """Each part of the README's example, and the docstring's total, is what the code computes."""
    fee = Fee(flat_minor=30, rate_ppm=600, min_minor=10, max_minor=2500, surcharge_ppm=1000)
    parts = price(
        123_456,
        (fee_minor(fee, 123_456), surcharge_minor(fee, 123_456)),
        arrival(T1, FRIDAY_NOON),
        deadline_at=None,
        health=HealthView(success_ppm=980_000, unknown_ppm=1_000),
        parameters=Parameters(),
    )
    rows = dict(re.findall(r"^\| (\w+) \| (\d+) \|$", section("Cost"), flags=re.MULTILINE))
    names = ("fee", "surcharge", "capital", "lateness", "fail", "unknown", "total")
    assert rows == {name: str(getattr(parts, name)) for name in names}
    assert cost.__doc__ is not None
    assert f"{parts.total / 1_000_000:.6f} fen" in cost.__doc__


def test_constants_of_health_are_what_they_are() -> None:
    """Every constant the table names has the value it says."""
    named: dict[str, str] = {}
    for row in re.findall(r"^\| `.*\|$", section("Health"), flags=re.MULTILINE):
        cells = [one.strip() for one in row.strip("|").split("|")]
        for names, values in (cells[:2], cells[2:]):
            named |= zip(re.findall(r"`(\w+)`", names), values.split(" · "), strict=True)
    defaults = HealthSettings()
    assert len(named) == 19
    assert {name: float(value) for name, value in named.items()} == {
        name: getattr(defaults, name) for name in named
    }
