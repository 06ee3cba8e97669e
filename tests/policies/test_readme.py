"""The README's tables say what the code does."""

import re
from dataclasses import fields
from pathlib import Path

import policies
from policies import cost
from policies.calendars import arrival
from policies.cost import price
from policies.exclusions import Code
from policies.facts import HealthView
from policies.fees import Fee, fee_minor, surcharge_minor
from policies.health import HealthSettings
from policies.policy import Parameters
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
