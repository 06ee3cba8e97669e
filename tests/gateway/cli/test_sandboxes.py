"""What `hangdao up` and `demo` say; what they do is shown end to end."""

import shlex
from pathlib import Path

import pytest

from gateway.cli.demo import _LastLine
from gateway.cli.sandboxes import _greet
from gateway.sandbox import card
from gateway.sandbox.card import Card

MADE = Card("http://127.0.0.1:1", "http://127.0.0.1:2", "hd_operator", "demo", "hd_merchant", {})


def test_the_greeting_has_all_that_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """Chinese first; addresses, keys, a command line to paste and what to do next."""
    _greet(MADE, Path(card.FOLDER))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("航道沙箱已就绪")
    for text in ("http://127.0.0.1:1", "http://127.0.0.1:2", "hd_operator", "hd_merchant"):
        assert any(text in line for line in lines)
    curl = next(shlex.split(line) for line in lines if line.strip().startswith("curl"))
    assert "Authorization: Bearer hd_merchant" in curl
    assert "  hangdao payout show first-1" in lines


def test_a_sandbox_elsewhere_is_named_in_what_to_paste(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Commands would not find it by themselves."""
    _greet(MADE, Path("somewhere else"))
    assert "hangdao statement read --dir 'somewhere else'" in capsys.readouterr().out


def test_a_rehearsals_last_line_is_its_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Under --json the tables go to standard error, and only the last line stays."""
    screen = _LastLine()
    for text in ("table\n", '{"payouts"', ":1}\n", "\n"):
        screen.write(text)
    assert screen.last == '{"payouts":1}'
    assert capsys.readouterr() == ("", 'table\n{"payouts":1}\n\n')
