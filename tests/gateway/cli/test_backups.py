"""`hangdao backup` beside a running gateway and without one; `restore`; `quarantine`."""

from pathlib import Path

import orjson

from tests.gateway.cli.served import Process, Served, answer, configure, hangdao


def test_backup_restore_and_what_follows(tmp_path: Path) -> None:
    """Offline: backed up, put back; the next start is in quarantine and says so."""
    made = configure(tmp_path)
    config = ("--config", str(made.config))
    key = answer(
        hangdao("key", "create", "--operator", "--label", "t", *config, "--json", env=made.env)
    )["key"]
    out = tmp_path / "copy.db"
    told = answer(hangdao("backup", *config, "--out", str(out), "--json", env=made.env))
    assert told["attempts"] == 0
    assert hangdao("backup", *config, "--out", str(out), env=made.env).exit_code == 1
    done = answer(hangdao("restore", *config, str(out), "--json", env=made.env))
    assert Path(done["replaced"]).exists()
    process = Process(("serve", *config), made.env).start()
    try:
        reach = ("--url", process.ready["url"], "--key", key)
        status = answer(hangdao("quarantine", "status", *reach, "--json"))
        assert status["quarantined"]
        assert status["backup_at"] <= told["at"].replace("+00:00", "Z")
        begun = answer(
            hangdao("quarantine", "begin", "--reason", "the machine was", *reach, "--json")
        )
        assert begun["quarantined"]
        shown = hangdao("quarantine", "status", *reach)
        assert (shown.exit_code, "restored from the backup" in shown.stdout) == (0, True)
        nowhere = ("nowhere", "--reason", "x")
        unknown = hangdao("quarantine", "release", *nowhere, *reach, "--json")
        assert orjson.loads(unknown.stdout)["error"]["code"] == "no_such_channel"
        refused = hangdao("restore", *config, str(out), env=made.env)
        assert (refused.exit_code, "running" in refused.stderr) == (1, True)
        other = tmp_path / "online.db"
        again = hangdao("backup", *config, *reach, "--out", str(other), "--json", env=made.env)
        assert answer(again)["sha256"]
        assert other.with_name("online.db.json").exists()
    finally:
        assert process.stop() == 0


def test_without_a_quarantine_there_is_none_to_release(served: Served) -> None:
    """Status says so, and release refuses; what is no time is refused before anybody is asked."""
    assert not served.ask("quarantine", "status")["quarantined"]
    assert "未处于隔离状态" in served.run("quarantine", "status").stdout
    vouch = ("alipay-1", "--reason", "x")
    refused = served.run("quarantine", "release", *vouch, "--json")
    assert orjson.loads(refused.stdout)["error"]["code"] == "not_quarantined"
    wrong = served.run("quarantine", "begin", "--reason", "x", "--since", "yesterday")
    assert (wrong.exit_code, "--since" in wrong.output) == (2, True)
