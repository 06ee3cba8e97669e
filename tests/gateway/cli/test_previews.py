"""`hangdao history export`, `hangdao policy preview`: a gateway, a file, a generated month."""

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from policies.backtest.lines import KIND, LAYOUT, Header, header_line, read, record_line
from policies.backtest.world import World
from policies.document import example
from tests.gateway.cli.served import Served, answer, hangdao
from tests.policies.backtest.past import choice, record, terms


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A policy file: the default one."""
    file = tmp_path / "draft.yaml"
    file.write_text(example(), encoding="utf-8")
    return file


def export_of(file: Path, *lines: bytes) -> Path:
    """A history of two channels with these lines."""
    channels = (terms("a"), terms("b"))
    file.write_bytes(
        header_line(Header(KIND, LAYOUT, None, None, None, channels)) + b"".join(lines)
    )
    return file


def refused(*arguments: str) -> dict[str, Any]:
    """The error of a command that was refused."""
    result = hangdao(*arguments, "--json")
    assert result.exit_code != 0
    found: dict[str, Any] = orjson.loads(result.stdout)["error"]
    return found


def test_a_generated_month_needs_no_gateway(draft: Path, tmp_path: Path) -> None:
    """Figures, both languages, and the two files."""
    out = tmp_path / "report"
    command = ("policy", "preview", str(draft), "--generated", "1:400", "--out", str(out))
    found = answer(hangdao(*command, "--json"))
    assert found["compared"] == 400
    assert {"zh", "en"} == set(found["said"][0])
    assert (out / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert (out / "report.csv").read_text("utf-8").startswith("merchant,channel")
    shown = hangdao(*command)
    assert shown.exit_code == 0
    assert "成本" in shown.stdout
    assert "report.html" in shown.stdout


def test_a_running_gateway_hands_out_its_history(
    served: Served, draft: Path, tmp_path: Path
) -> None:
    """Exported, pseudonymous, and previewed alike from file and gateway."""
    served.ask(
        *("payout", "create", "--amount", "12.30", "--alipay", "zhang@example.test"),
        *("--name", "张三丰", "--purpose", "佣金"),
    )
    file = tmp_path / "past.jsonl.gz"
    wrote = served.ask("history", "export", str(file))
    header, records = read(gzip.decompress(file.read_bytes()).splitlines(keepends=True))
    found = list(records)
    assert wrote["payouts"] == len(found) >= 1
    assert header.salt is not None
    assert all(one.merchant.startswith("x_") for one in found)
    assert "张三丰".encode() not in gzip.decompress(file.read_bytes())
    assert not file.with_name("past.jsonl.gz.part").exists()

    live = served.ask("policy", "preview", str(draft))
    filed = answer(hangdao("policy", "preview", str(draft), "--history", str(file), "--json"))
    assert live["payouts"] == filed["payouts"]
    assert live["cost_micro"] == filed["cost_micro"]


def test_merchants_by_their_own_names(served: Served, tmp_path: Path) -> None:
    """On request, for those who may know them."""
    file = tmp_path / "past.jsonl"
    served.ask("history", "export", str(file), "--plain-merchants")
    header, records = read(file.read_bytes().splitlines(keepends=True))
    assert header.salt is None
    assert not any(one.merchant.startswith("x_") for one in records)


def test_an_empty_span_is_an_empty_history(served: Served, draft: Path) -> None:
    """Nothing to compare is no error."""
    found = served.ask("policy", "preview", str(draft), "--until", "2020-01-01")
    assert found["payouts"] == 0
    assert "Nothing can be compared" in found["said"][0]["en"]


def test_a_bad_line_is_refused_with_its_number(draft: Path, tmp_path: Path) -> None:
    """And nothing is computed from the lines before it."""
    file = export_of(tmp_path / "past.jsonl", record_line(record(choice("a"))), b"{}\n")
    error = refused("policy", "preview", str(draft), "--history", str(file))
    assert error["code"] == "history_invalid"
    assert "line 3" in error["detail"]


def test_a_file_that_was_cut_off_is_refused(draft: Path, tmp_path: Path) -> None:
    """Half a gzip file is not a shorter history."""
    whole = export_of(tmp_path / "whole", *(record_line(one) for one in World(1, 50).records()))
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(whole.read_bytes())[:-20])
    error = refused("policy", "preview", str(draft), "--history", str(cut))
    assert error["code"] == "history_invalid"


def test_since_reads_the_month_and_counts_from_there(draft: Path, tmp_path: Path) -> None:
    """What came before in the month moves tiers only."""
    month = list(World(1, 200).records())
    lines = [record_line(one) for one in month]
    file = tmp_path / "past.jsonl"
    header = Header(KIND, LAYOUT, None, None, None, World(1, 200).terms)
    file.write_bytes(header_line(header) + b"".join(lines))
    command = ("policy", "preview", str(draft), "--history", str(file), "--since", "2026-03-16")
    found = answer(hangdao(*command, "--json"))
    assert 0 < found["payouts"] < 200
    old = next(one for one in found["months"] if one["side"] == "old")
    assert old["whole"]


def test_prices_measure_both_sides(draft: Path, tmp_path: Path) -> None:
    """A draft that calls time free is still charged for it."""
    free = tmp_path / "free.yaml"
    free.write_text(example().replace("120000", "0"), encoding="utf-8")
    asked = ("policy", "preview", str(free), "--generated", "1:300", "--json")
    alone = answer(hangdao(*asked))["cost_micro"][0]["new"]["capital"]
    measured = answer(hangdao(*asked, "--prices", str(draft)))["cost_micro"][0]["new"]["capital"]
    assert alone == 0 < measured


@pytest.mark.parametrize(
    "more",
    [
        ("--generated", "x"),
        ("--generated", "1:0"),
        ("--since", "yesterday"),
        ("--since", "2026-03-01T00:00:00"),
        ("--generated", "1:50", "--float", "a"),
    ],
)
def test_wrong_usage_is_told(draft: Path, more: tuple[str, ...]) -> None:
    """With click's own exit code."""
    assert hangdao("policy", "preview", str(draft), *more).exit_code == 2


def test_history_and_generated_exclude_each_other(draft: Path, tmp_path: Path) -> None:
    """Two histories are none."""
    file = export_of(tmp_path / "past.jsonl")
    both = ("--history", str(file), "--generated", "1:50")
    assert hangdao("policy", "preview", str(draft), *both).exit_code == 2


def test_a_policy_with_mistakes_is_refused_with_its_lines(tmp_path: Path) -> None:
    """As `policy validate` does."""
    file = tmp_path / "bad.yaml"
    file.write_text("version: 1\nname: x\nparameters: {explore_ppm: -1}\n", encoding="utf-8")
    error = refused("policy", "preview", str(file), "--generated", "1:50")
    assert error["code"] == "policy_invalid"
    assert f"{file}:3" in error["problems"][0]["where"]


def test_suggestions_come_with_a_draft_that_is_not_activated(tmp_path: Path) -> None:
    """What was found, how sure it is, and a file that `preview` takes."""
    habit = tmp_path / "habit.yaml"
    text = example().replace("prefer: []", "prefer: [dear]").replace("10000 ", "90000 ")
    habit.write_text(text, encoding="utf-8")
    out = tmp_path / "better.yaml"
    command = ("policy", "suggest", str(habit), "--generated", "1:400", "--out", str(out))
    found = answer(hangdao(*command, "--json"))
    assert {"fail_penalty", "prefer"} <= {one["kind"] for one in found["suggestions"]}
    assert found["policy"] == out.read_text(encoding="utf-8")
    assert hangdao("policy", "validate", str(out)).exit_code == 0
    shown = hangdao(*command)
    assert shown.exit_code == 0
    assert "a month (95 %" in shown.stdout
