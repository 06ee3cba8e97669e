"""`hangdao policy`: one policy's whole life by commands, and the ways it is refused."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import orjson
import pytest
from click.testing import Result

from gateway.clock import SystemClock
from gateway.settings import load
from gateway.wiring import create_operator_key, open_configured_store
from tests.gateway.cli.served import Process, Served, answer, configure, hangdao

NIGHT = """\
version: 1
name: night
parameters:
  capital_rate_ppm: 150000
"""
NIGHT_2 = NIGHT.replace("150000", "90000")


class Office:
    """A gateway without channels, and the keys of two people."""

    def __init__(self, folder: Path) -> None:
        """Made once, started by `start`."""
        self.folder = folder
        self.installation = configure(folder)
        self.config = str(self.installation.config)
        self.keys = {
            "nobody": self._key(None),
            "wang": self._key("Wang"),
            "zhao": self._key("Zhao"),
        }
        self.gateway = Process(("serve", "--config", self.config), self.installation.env)

    def _key(self, person: str | None) -> str:
        loaded = load(self.installation.config, self.installation.env)
        return asyncio.run(create_operator_key(loaded, person or "first", person))

    def run(self, who: str, *arguments: str) -> Result:
        """Somebody gives a command."""
        env = {"HANGDAO_URL": self.gateway.ready["url"], "HANGDAO_KEY": self.keys[who]}
        return hangdao("policy", *arguments, env=env)

    def ask(self, who: str, *arguments: str) -> Any:
        """One that must succeed, and its document."""
        return answer(self.run(who, *arguments, "--json"))

    def refused(self, who: str, *arguments: str) -> Any:
        """One that must not."""
        result = self.run(who, *arguments, "--json")
        assert result.exit_code == 1, result.output
        return orjson.loads(result.stdout)["error"]

    def file(self, text: str) -> str:
        """A policy file."""
        made = self.folder / "draft.yaml"
        made.write_text(text)
        return str(made)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Running."""
    made = Office(tmp_path_factory.mktemp("office"))
    made.gateway.start()
    try:
        yield made
    finally:
        made.gateway.stop()


def test_a_policy_lives_and_dies_by_commands(office: Office) -> None:
    """Validate, diff, propose, approve by another, canary, raise, activate, roll back."""
    draft = office.file(NIGHT)
    assert office.ask("wang", "validate", draft)["name"] == "night"
    told = office.run("wang", "diff", draft)
    assert "capital cost rises from 12 % a year to 15 % a year" in told.stdout
    assert "资金成本由 每年 12 % 升至 每年 15 %" in told.stdout
    made = office.ask("wang", "propose", draft, "--note", "slow channels cost too much")
    change, policy = made["change"]["id"], made["policy_hash"]
    assert office.refused("wang", "approve", change)["code"] == "same_person"
    assert office.refused("nobody", "approve", change)["code"] == "person_unknown"
    waiting = office.run("zhao", "changes")
    assert change in waiting.stdout
    assert "slow channels win less often" in office.run("zhao", "review", change).stdout
    assert office.ask("zhao", "approve", change)["state"] == "approved"
    office.ask("wang", "canary", "start", change, "5%")
    assert "night v2" in office.run("wang", "status").stdout
    assert office.ask("wang", "status")["canary"]["share_ppm"] == 50_000
    assert office.ask("wang", "canary", "raise", "20%")["share_ppm"] == 200_000
    assert office.ask("wang", "activate", change)["state"] == "active"
    assert office.ask("wang", "status")["active"]["hash"] == policy
    back = office.run("zhao", "rollback", "--reason", "slow channels are missing")
    assert "active is default v1" in back.stdout
    acts = [one["act"] for one in office.ask("wang", "history")["data"]]
    assert acts == [
        *("seeded", "proposed", "approved", "canaried", "canaried", "activated", "rolled_back")
    ]
    assert "rolled_back" in office.run("wang", "history").stdout
    assert [one["name"] for one in office.ask("wang", "ls")["data"]] == ["night", "default"]


def test_a_canary_is_finished_or_aborted(office: Office) -> None:
    """Both name no change: there is only one that runs."""
    assert office.refused("wang", "canary", "abort")["code"] == "no_canary"
    made = office.ask("wang", "propose", office.file(NIGHT_2), "--note", "x", "--canary", "0.5%")
    change = made["change"]["id"]
    assert office.ask("zhao", "approve", change)["share_ppm"] == 5_000
    assert office.ask("wang", "canary", "abort", "--note", "no")["state"] == "cancelled"
    again = office.ask("wang", "propose", office.file(NIGHT_2), "--note", "x", "--canary", "5%")
    office.ask("zhao", "approve", again["change"]["id"])
    assert office.ask("wang", "canary", "finish")["state"] == "active"
    office.ask("zhao", "rollback", "--reason", "back to the start")


def test_a_rollback_ends_a_running_canary_first(office: Office) -> None:
    """The active policy stays."""
    before = office.ask("wang", "status")["active"]["hash"]
    made = office.ask("wang", "propose", office.file(NIGHT_2), "--note", "x", "--canary", "5%")
    office.ask("zhao", "approve", made["change"]["id"])
    found = office.ask("zhao", "rollback", "--reason", "the canary fails")
    assert (found["active"]["hash"], found["canary"]) == (before, None)


def test_a_shadow_is_started_reported_and_stopped(office: Office) -> None:
    """Without payouts its report is empty."""
    made = office.ask("wang", "propose", office.file(NIGHT_2), "--note", "x")
    change = made["change"]["id"]
    office.ask("zhao", "approve", change)
    assert office.ask("wang", "shadow", "start", change)["state"] == "shadow"
    report = office.ask("wang", "shadow-report")
    assert (report["decisions"], report["agreement_ppm"]) == (0, None)
    assert change in office.run("wang", "shadow-report", change).stdout
    assert office.ask("wang", "shadow", "stop")["state"] == "cancelled"


def test_a_time_is_business_time(office: Office) -> None:
    """Asia/Shanghai unless it says otherwise; a change may be given up or refused."""
    made = office.ask("wang", "propose", office.file(NIGHT), "--note", "x")
    change = made["change"]["id"]
    office.ask("zhao", "approve", change)
    assert office.refused("wang", "activate", change, "--at", "2020-01-01T02:00")["code"] == (
        "time_invalid"
    )
    assert office.run("wang", "activate", change, "--at", "tomorrow").exit_code == 2
    then = (datetime.now(UTC) + timedelta(days=3)).astimezone(ZoneInfo("Asia/Shanghai"))
    office.ask("wang", "activate", change, "--at", f"{then:%Y-%m-%dT%H:%M}")
    assert f"{then:%Y-%m-%d %H:%M}:00" in office.run("wang", "status").stdout
    assert office.ask("wang", "activate", change, "--at", "now")["state"] == "active"
    office.ask("zhao", "rollback", "--reason", "x")
    made = office.ask("wang", "propose", office.file(NIGHT_2), "--note", "x")
    assert office.ask("zhao", "reject", made["change"]["id"], "--note", "no")["state"] == "rejected"
    made = office.ask("wang", "propose", office.file(NIGHT_2), "--note", "x")
    office.ask("zhao", "approve", made["change"]["id"])
    assert office.ask("wang", "cancel", made["change"]["id"])["state"] == "cancelled"


def test_texts_come_out_as_they_went_in(office: Office, tmp_path: Path) -> None:
    """By number, to the screen or a file."""
    office.ask("wang", "propose", office.file("version: 1\nname: kept # 备注\n"), "--note", "x")
    number = office.ask("wang", "ls")["data"][0]["version"]
    assert office.run("wang", "export", f"v{number}").stdout == "version: 1\nname: kept # 备注\n"
    office.run("wang", "export", f"v{number}", "--out", str(tmp_path / "out.yaml"))
    assert (tmp_path / "out.yaml").read_text() == "version: 1\nname: kept # 备注\n"
    assert "备注" in office.run("wang", "show", f"v{number}").stdout
    assert office.refused("wang", "show", "v999")["code"] == "no_such_policy"


def test_a_broken_policy_is_refused_with_every_line(office: Office) -> None:
    """Before it is sent, and by whoever compares."""
    broken = office.file("version: 1\nname: BAD\nparameters:\n  explore_ppm: lots\n")
    for command in (("propose", broken, "--note", "x"), ("validate", broken), ("diff", broken)):
        result = office.run("wang", *command)
        assert result.exit_code == 2
        assert ":2: name" in result.output
        assert ":4: parameters.explore_ppm" in result.output


@pytest.mark.parametrize("share", ["5", "0%", "100%", "x%", "0.00001%", "-1%"])
def test_a_share_is_a_percentage(office: Office, share: str) -> None:
    """Above nothing, below all, and exact."""
    assert office.run("wang", "canary", "raise", "--", share).exit_code == 2


def test_two_files_are_compared_without_a_gateway(tmp_path: Path) -> None:
    """Nothing is asked."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(NIGHT)
    new.write_text(NIGHT)
    assert "no difference" in hangdao("policy", "diff", str(new), str(old)).stdout


def test_a_policy_is_imported_before_anything_runs(tmp_path: Path) -> None:
    """Straight into the store, once; afterwards it takes two people."""
    installation = configure(tmp_path)
    file = tmp_path / "first.yaml"
    file.write_text(NIGHT)
    command = ("policy", "import", str(file), "--config", str(installation.config), "--json")
    policy = answer(hangdao(*command, env=installation.env))["active"]
    assert answer(hangdao(*command, env=installation.env))["active"] == policy
    file.write_text(NIGHT_2)
    result = hangdao(*command, env=installation.env)
    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["error"]["code"] == "policy_seeded"

    async def stored() -> list[str]:
        loaded = load(installation.config, installation.env)
        store = await open_configured_store(loaded, SystemClock(), migrate=False)
        try:
            return [act.kind for act in await store.policy_acts(1)]
        finally:
            await store.aclose()

    assert asyncio.run(stored()) == ["seeded"]


def test_in_file_mode_the_file_is_the_writer(tmp_path: Path) -> None:
    """It is followed while the gateway runs; commands are told to edit it; a broken one is told."""
    folder, file = tmp_path / "x", tmp_path / "policy.yaml"
    folder.mkdir()
    file.write_text(NIGHT)
    office = Office(folder)
    office.gateway.env = {**office.installation.env, "HANGDAO_POLICY__FILE": str(file)}
    office.gateway.start()
    try:
        found = office.ask("wang", "status")
        assert (found["mode"], found["active"]["name"]) == ("file", "night")
        refused = office.refused("wang", "propose", office.file(NIGHT_2), "--note", "x")
        assert refused["code"] == "policy_file_mode"
        assert str(file) in refused["detail"]
        file.write_text(NIGHT.replace("night", "later"))
        _until(lambda: office.ask("wang", "status")["active"]["name"] == "later")
        file.write_text("version: 1\nname: NO\n")
        _until(lambda: office.ask("wang", "status")["refused"] is not None)
        assert office.ask("wang", "status")["active"]["name"] == "later"
        url = office.gateway.ready["url"]
        notes = {note["code"]: note["en"] for note in httpx.get(f"{url}/readyz").json()["notes"]}
        assert str(file) in notes["policy_refused"]
        metrics = httpx.get(f"{url}/metrics").text
        assert 'name="later",role="active"} 1.0' in metrics
        assert 'hangdao_alarms_total{event="policy.refused"} 1.0' in metrics
        assert "later" in office.run("wang", "status").stdout
    finally:
        office.gateway.stop()
    command = ("policy", "import", str(file), "--config", office.config, "--json")
    result = hangdao(*command, env=office.gateway.env)
    assert orjson.loads(result.stdout)["error"]["code"] == "policy_file_mode"


def _until(holds: Any) -> None:
    deadline = monotonic() + 10
    while not holds():
        assert monotonic() < deadline
        sleep(0.1)


def test_a_sandbox_key_of_nobody_is_told_how_to_get_one(served: Served) -> None:
    """`hangdao up` makes a key without a person: nothing here works with it, and it says why."""
    text = served.folder / "draft.yaml"
    text.write_text(NIGHT)
    result = served.run("policy", "propose", str(text), "--note", "x", "--json")
    error = orjson.loads(result.stdout)["error"]
    assert error["code"] == "person_unknown"
    assert "hangdao key create --operator" in error["detail"]
