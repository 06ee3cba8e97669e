"""What reaches the screen: tables without a terminal, colours, refusals."""

from io import StringIO

import orjson
import pytest
from rich.console import Console

from gateway.cli.output import Refusal, amount, console, facts, grid, moment


def drawn(renderable: object) -> str:
    """What a console of 200 columns shows."""
    screen = StringIO()
    Console(file=screen, width=200).print(renderable)
    return screen.getvalue()


def test_a_pipe_gets_whole_ids(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal nothing is cut or wrapped to a window."""
    row = ["po_06h001kfm2nv3uj63eqkp8dkak"] * 5
    console().print(grid(("a", "b", "c", "d", "e"), [row]))
    assert "  ".join(row) in capsys.readouterr().out


def test_nothing_in_a_cell_is_taken_for_markup() -> None:
    """A merchant's own text cannot colour or hide anything."""
    assert "[red]x[/red]" in drawn(grid(("a",), [("[red]x[/red]",)]))
    assert "[red]x[/red]" in drawn(facts([("a", "[red]x[/red]")]))


def test_no_rows_are_said_to_be_none() -> None:
    """An empty table would look like a failure."""
    assert drawn(grid(("a",), [])).strip() == "none"


def test_facts_without_a_value_are_left_out() -> None:
    """Only what is known is listed."""
    assert drawn(facts([("a", 1), ("b", None), ("c", "")])).split() == ["a", "1"]


def test_no_color_is_honoured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal gets colours unless NO_COLOR is set."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    console().print("x", style="red")
    monkeypatch.setenv("NO_COLOR", "1")
    console().print("x", style="red")
    coloured, plain = capsys.readouterr().out.splitlines()
    assert ("\x1b[31m" in coloured, plain) == (True, "x")


def test_a_moment_is_shown_in_business_time() -> None:
    """UTC of the API becomes Asia/Shanghai; dates stay dates."""
    assert moment("2026-11-21T21:14:41.5Z") == "2026-11-22 05:14:41"
    assert (moment("2026-11-21"), moment(None)) == ("2026-11-21", None)


def test_an_amount_is_shown_with_its_currency() -> None:
    """Minor units become major ones without a float."""
    assert (str(amount(1230, "CNY")), str(amount(-5, "CNY"))) == ("12.30 CNY", "-0.05 CNY")


def test_a_refusal_speaks_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    """English and Chinese on standard error, with the advice at the end of each."""
    refusal = Refusal("busy", "it is busy", zh="繁忙")
    refusal.advise("try again", "请重试")
    refusal.show()
    assert capsys.readouterr() == ("", "it is busy; try again\n繁忙；请重试\n")


def test_a_refusal_without_chinese_has_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is made up where the API gave no translation."""
    Refusal("busy", "it is busy").show()
    assert capsys.readouterr().err == "it is busy\n"


def test_a_refusal_is_a_document_too() -> None:
    """Code, sentence and facts are machine-readable."""
    document = Refusal("busy", "it is busy", zh="繁忙", status=409).document()
    assert orjson.loads(orjson.dumps(document)) == {
        "error": {"code": "busy", "detail": "it is busy", "status": 409, "detail_zh": "繁忙"}
    }
