"""`hangdao backup` beside a running gateway and without one; `restore`; `quarantine`."""

from pathlib import Path

from tests.gateway.cli.served import Process, answer, configure, hangdao


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
        refused = hangdao("restore", *config, str(out), env=made.env)
        assert (refused.exit_code, "running" in refused.stderr) == (1, True)
        other = tmp_path / "online.db"
        again = hangdao("backup", *config, *reach, "--out", str(other), "--json", env=made.env)
        assert answer(again)["sha256"]
        assert other.with_name("online.db.json").exists()
    finally:
        assert process.stop() == 0
