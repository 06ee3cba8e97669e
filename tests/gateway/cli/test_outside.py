"""`hangdao channel balance` and `hangdao payout receipt` at a running gateway."""

import hashlib
from pathlib import Path

import pytest

from tests.gateway.cli.served import CHANNEL, Served
from tests.gateway.cli.test_payouts import ask_for, until_paid


def test_a_channels_balance_is_asked_and_shown(served: Served) -> None:
    """The institution's word beside our float, with the difference."""
    found = served.ask("channel", "balance", CHANNEL, "--ask")
    assert found["low_minor"] <= found["available_minor"] <= found["high_minor"]
    assert (found["difference_minor"], found["failures"]) == (0, 0)
    shown = served.run("channel", "balance", CHANNEL).stdout
    for part in ("our float", "difference", "to be counted on", "CNY"):
        assert part in shown


def test_all_channels_balances_are_listed(served: Served) -> None:
    """One row each; asking needs a name."""
    served.ask("channel", "balance", CHANNEL, "--ask")
    listed = served.ask("channel", "balance")["data"]
    assert [one["channel"] for one in listed] == [CHANNEL]
    assert CHANNEL in served.run("channel", "balance").stdout
    assert served.run("channel", "balance", "--ask").exit_code == 2
    assert served.run("channel", "balance", "nobody").exit_code == 1


def test_a_receipt_is_fetched_into_a_file(served: Served, tmp_path: Path) -> None:
    """Refused while it is made; then the institution's PDF, never over another file."""
    made = ask_for(served)
    until_paid(served, made["id"])
    file = tmp_path / "r.pdf"
    early = served.run("payout", "receipt", made["id"], "-o", str(file))
    assert early.exit_code == 1
    assert "still making the receipt" in early.stderr
    assert not file.exists()
    served.ask("clock", "advance", "1m", "--wait", "0")
    told = served.ask("payout", "receipt", made["id"], "-o", str(file))
    content = file.read_bytes()
    assert content.startswith(b"%PDF-")
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert told["content_type"] == "application/pdf"
    again = served.run("payout", "receipt", made["id"], "-o", str(file))
    assert again.exit_code == 1
    assert "is there already" in again.stderr
    assert file.read_bytes() == content


def test_without_a_name_it_is_named_by_the_institution(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder one is in."""
    made = ask_for(served)
    until_paid(served, made["id"])
    served.run("payout", "receipt", made["id"])
    served.ask("clock", "advance", "1m", "--wait", "0")
    monkeypatch.chdir(tmp_path)
    told = served.ask("payout", "receipt", made["id"])
    (file,) = tmp_path.iterdir()
    assert told["file"] == file.name
    assert file.name.startswith("alipay-")
