"""The README's tables say what the code does."""

import re
from dataclasses import fields
from pathlib import Path

import policies
from policies import cost
from policies.calendars import arrival
from policies.cost import price
from policies.document import load
from policies.exclusions import Code
from policies.facts import HealthView
from policies.fees import Fee, fee_minor, surcharge_minor
from policies.policy import Parameters
from policies.schema import ThenDocument
from policies.table import OUTCOMES
from policies.vocabulary import FACTS
from tests.policies.builders import FRIDAY_NOON, T1

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
