"""`hangdao attempt`, `hangdao incident`, `hangdao payout unpark`: against a running gateway."""

from pathlib import Path

import orjson

from tests.gateway.cli.served import Served, hangdao


def test_nothing_is_open_in_a_fresh_sandbox(served: Served) -> None:
    """Both lists are there, and empty."""
    assert served.ask("attempt", "proposals") == {"data": []}
    assert served.ask("attempt", "proposals", "--all") == {"data": []}
    assert served.ask("incident", "ls") == {"data": []}
    assert served.ask("incident", "ls", "--all") == {"data": []}


def test_the_bootstrap_key_is_nobodys(served: Served, tmp_path: Path) -> None:
    """What needs two people needs keys that say whose they are; the refusal says so."""
    letter = tmp_path / "letter.pdf"
    letter.write_bytes(b"letter")
    made = served.ask(
        *("payout", "create", "--amount", "12.30", "--alipay", "zhang@example.test"),
        *("--name", "张三丰", "--purpose", "佣金"),
    )
    asked = ("--reason", "rail_down", "--evidence", "a letter", "--file", str(letter))
    result = served.run("attempt", "certify", made["id"], *asked, "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["error"]["code"] == "person_unknown"
    for command in ("approve", "reject"):
        result = served.run("attempt", command, made["id"], "--json")
        assert result.exit_code == 1
    result = served.run("payout", "unpark", made["id"], "--json")
    assert orjson.loads(result.stdout)["error"]["code"] == "state_forbids"


def test_unknown_incidents_are_refused(served: Served) -> None:
    """To show, and to release."""
    for command in (("show", "in_x"), ("release", "in_x", "--reason", "looked")):
        result = served.run("incident", *command, "--json")
        assert result.exit_code == 1
        assert orjson.loads(result.stdout)["error"]["code"] == "no_such_incident"


def test_a_merchants_key_has_no_person(tmp_path: Path) -> None:
    """`--person` is for operators' keys."""
    result = hangdao("key", "create", "acme", "--label", "x", "--person", "Wang")
    assert result.exit_code == 2
    assert "--person" in result.output
