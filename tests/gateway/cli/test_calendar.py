"""`hangdao calendar` and `hangdao channel show|compare`: against a running gateway."""

from pathlib import Path

import orjson
import pytest

from tests.gateway.cli.served import CHANNEL, Served

RESTS = ("01-01", "02-05", "05-01", "10-01", "10-02", "10-03")
FAR = 2199
"""A year that no other test and no release will give."""


def holiday_cn(*without: str) -> bytes:
    """A year as NateScarlet/holiday-cn has it."""
    days = [
        {"name": "x", "date": f"{FAR}-{day}", "isOffDay": True}
        for day in RESTS
        if day not in without
    ]
    return orjson.dumps({"year": FAR, "papers": [], "days": days})


def test_a_day_is_set_looked_up_and_listed(served: Served) -> None:
    """With its note; how it counts differs by calendar class."""
    served.ask("calendar", "set", "2190-03-03", "work", "--note", "a make-up Wednesday")
    said = [one for one in served.ask("calendar", "ls")["days"] if one["on"] == "2190-03-03"]
    assert [(one["works"], one["note"]) for one in said] == [(True, "a make-up Wednesday")]
    day = served.ask("calendar", "check", "2190-03-03")["day"]
    assert (day["cn_statutory"], day["known"]) == (True, False)
    shown = served.run("calendar", "check", "2190-03-03").stdout
    assert "a guess" in shown
    assert "2190-03-03" in served.run("calendar", "ls").stdout


def test_a_year_is_taken_in_from_either_kind_of_file(served: Served, tmp_path: Path) -> None:
    """JSON as holiday-cn publishes it, TOML as our own table."""
    json, toml = tmp_path / "2199.json", tmp_path / "2198.toml"
    json.write_bytes(holiday_cn())
    rests = ", ".join(f'"{day}"' for day in RESTS)
    toml.write_text(f"[2198]\nrest = [{rests}]\nwork = []\n", encoding="utf-8")
    for file in (json, toml):
        served.ask("calendar", "import", str(file), "--note", "a notice")
    assert {one["year"] for one in served.ask("calendar", "ls")["years"]} == {2198, FAR}
    assert "a notice" in served.run("calendar", "ls").stdout
    assert served.ask("calendar", "check", "2199-10-01")["day"]["known"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", b"{}"),
        ("x.json", b"not json"),
        ("x.json", b'{"year": 2199, "days": [{"date": "2199-01-01", "isOffDay": 1}]}'),
        ("x.toml", b"[2198]\nrest = []\nwork = []\n[2199]\nrest = []\nwork = []\n"),
        ("x.toml", b"\xff"),
    ],
)
def test_a_file_of_another_kind_is_a_usage_error(
    served: Served, tmp_path: Path, name: str, content: bytes
) -> None:
    """Nothing is sent."""
    file = tmp_path / name
    file.write_bytes(content)
    result = served.run("calendar", "import", str(file), "--note", "x")
    assert result.exit_code == 2
    assert "not a year's calendar" in result.stderr


def test_a_year_cut_short_is_refused(served: Served, tmp_path: Path) -> None:
    """In both languages, with what is missing."""
    file = tmp_path / "x.json"
    file.write_bytes(holiday_cn("10-02"))
    result = served.run("calendar", "import", str(file), "--note", "x")
    assert result.exit_code == 1
    assert "10-02" in result.stderr
    assert "日历不完整" in result.stderr


def test_a_day_that_is_none_is_a_usage_error(served: Served) -> None:
    """Before anything is asked."""
    assert served.run("calendar", "set", "tomorrow", "rest", "--note", "x").exit_code == 2


def test_check_passes_or_names_the_missing_year(served: Served) -> None:
    """Refused exactly while a year is due, so that a timer can watch it."""
    missing = served.ask("calendar", "ls")["missing_year"]
    result = served.run("calendar", "check", "--json")
    document = orjson.loads(result.stdout)
    if missing is None:
        assert (result.exit_code, document["problem"]) == (0, None)
    else:
        assert result.exit_code == 1
        assert document["error"]["code"] == "calendar_missing"
        assert document["error"]["missing_year"] == missing


def test_a_channel_is_shown_and_compared(served: Served) -> None:
    """Its month in payouts and money; with itself it never crosses."""
    shown = served.run("channel", "show", CHANNEL).stdout
    assert "this month" in shown
    assert "as promised" in shown
    assert served.ask("channel", "show", CHANNEL)["name"] == CHANNEL
    text = served.run("channel", "compare", CHANNEL, CHANNEL).stdout
    assert "50000.00 CNY" in text
    assert "never dearer" in text
    assert "tier" in served.run("channel", "ls").stdout
