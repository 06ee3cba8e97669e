"""`hangdao doctor`: what it finds, and that it changes and shows nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest
import yaml

from gateway.cli.checks import _calendar
from gateway.cli.findings import State
from gateway.ports import Position
from gateway.sandbox.installation import Installation
from gateway.sandbox.institutions import Account
from gateway.store.mark import HALTED, write_mark
from tests.gateway.cli.served import Served, configure, hangdao
from tests.gateway.cli.test_installations import make_newer
from tests.gateway.health.valkey import valkey


def examined(made: Installation, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Findings by check (the worst one of each), and whether all is well."""
    result = hangdao(
        *("doctor", "--config", str(made.config), "--json"), env={**made.env, **(env or {})}
    )
    document = orjson.loads(result.stdout)
    assert result.exit_code == (0 if document["ok"] else 1)
    order = [state.value for state in State]
    found: dict[str, Any] = {"ok": document["ok"]}
    for one in document["checks"]:
        known = found.get(one["check"])
        if known is None or order.index(one["state"]) > order.index(known["state"]):
            found[one["check"]] = one
    return found


def states(found: Mapping[str, Any]) -> dict[str, str]:
    """Only how each check ended."""
    return {check: one["state"] for check, one in found.items() if check != "ok"}


@pytest.fixture
def sound(served: Served, tmp_path: Path) -> Installation:
    """An installation of its own with the running one's credentials; nothing is started."""
    given = orjson.loads((served.folder / "credentials.json").read_bytes())[0]
    return configure(tmp_path, Account("alipay", "alipay-1", given))


def edit(made: Installation, old: str, new: str) -> None:
    """Change the configuration."""
    text = made.config.read_text(encoding="utf-8")
    assert old in text
    made.config.write_text(text.replace(old, new), encoding="utf-8")


def test_a_sound_installation_has_no_failure(sound: Installation) -> None:
    """A sandbox is warned about its movable clock and its unmade database, no more."""
    found = examined(sound)
    assert found["ok"]
    warned = {check for check, state in states(found).items() if state == "warn"}
    # From November on the calendar of the next year may be missing.
    assert warned - {"calendar"} == {"clock", "database"}


def test_looking_changes_nothing(sound: Installation) -> None:
    """No folder and no database comes to be."""
    before = sorted(sound.config.parent.iterdir())
    examined(sound)
    assert sorted(sound.config.parent.iterdir()) == before


def test_no_secret_is_shown(sound: Installation) -> None:
    """Neither in the table nor in the document."""
    for flags in ((), ("--json",)):
        result = hangdao("doctor", "--config", str(sound.config), *flags, env=sound.env)
        assert all(secret not in result.output for secret in sound.env.values())
        assert "PRIVATE" not in result.output


def test_the_table_is_in_both_languages(sound: Installation) -> None:
    """Chinese first, English below."""
    shown = hangdao("doctor", "--config", str(sound.config), env=sound.env).stdout
    assert "结构版本 0" in shown
    assert "run `hangdao migrate`" in shown


def test_a_configuration_that_is_wrong_is_the_only_finding(tmp_path: Path) -> None:
    """Every mistake is listed; nothing else can be looked at."""
    config = tmp_path / "hangdao.yaml"
    config.write_text("sever: {}\n")
    result = hangdao("doctor", "--config", str(config), "--json")
    checks = orjson.loads(result.stdout)["checks"]
    assert result.exit_code == 1
    assert {one["check"] for one in checks} == {"config"}
    assert any(f"{config}:1: sever: unknown key" in one["en"] for one in checks)


def test_it_works_while_the_gateway_runs(served: Served) -> None:
    """The lock on the database is read as what it is."""
    found = examined(served.installation)
    assert found["ok"]
    assert "the gateway is running" in found["database"]["en"]
    assert "网关正在运行" in found["database"]["zh"]
    assert states(found)["address"] == "ok"


def test_a_newer_database_is_a_failure(sound: Installation) -> None:
    """The program must be upgraded, not the database."""
    hangdao("migrate", "--config", str(sound.config), env=sound.env)
    assert states(examined(sound))["database"] == "ok"
    make_newer(sound.config.parent / "data" / "hangdao.db")
    assert "999 is newer" in examined(sound)["database"]["en"]


def test_a_database_that_is_none_is_a_failure(sound: Installation) -> None:
    """A file with other bytes is told, not overwritten."""
    data = sound.config.parent / "data"
    data.mkdir()
    (data / "hangdao.db").write_bytes(b"not a database" * 100)
    assert states(examined(sound))["database"] == "fail"


def test_a_database_that_does_not_answer_is_a_failure(sound: Installation) -> None:
    """And its password stays unsaid."""
    env = {"HANGDAO_DATABASE__URL": "postgresql://me:canary@127.0.0.1:9/none"}
    found = examined(sound, env)
    assert found["database"]["state"] == "fail"
    assert "canary" not in str(found)


def test_a_data_folder_that_cannot_be_made_is_a_failure(sound: Installation) -> None:
    """A file stands where the folder should be."""
    (sound.config.parent / "data").write_text("in the way")
    found = examined(sound)
    assert found["data folder"]["state"] == "fail"


def test_wrong_credentials_are_a_failure_with_their_line(sound: Installation) -> None:
    """As a start would say."""
    edit(sound, "app_id:", "app_identity:")
    found = examined(sound)
    assert found["channels"]["state"] == "fail"
    assert f"{sound.config}:" in found["channels"]["en"]


def test_no_channels_is_a_warning(tmp_path: Path) -> None:
    """It starts, and accepts nothing."""
    assert states(examined(configure(tmp_path)))["channels"] == "warn"


def test_an_unknown_channel_in_the_policy_is_a_warning(sound: Installation) -> None:
    """A misspelt name would silently prefer nothing."""
    policy = sound.config.parent / "policy.yaml"
    policy.write_text("version: 1\nname: p\nmerchants:\n  '*': {prefer: [alipay-mian]}\n")
    found = examined(sound, {"HANGDAO_POLICY__FILE": str(policy)})
    assert found["policy"]["state"] == "warn"
    assert "alipay-mian" in found["policy"]["en"]


def test_a_policy_that_cannot_be_used_is_a_failure(sound: Installation) -> None:
    """The gateway would not start with it."""
    policy = sound.config.parent / "policy.yaml"
    policy.write_text("version: 2\n")
    found = examined(sound, {"HANGDAO_POLICY__FILE": str(policy)})
    assert found["policy"]["state"] == "fail"


def test_without_a_public_address_notices_cannot_come(sound: Installation) -> None:
    """Inquiries do the work then, later."""
    lines = sound.config.read_text(encoding="utf-8").splitlines(keepends=True)
    sound.config.write_text("".join(one for one in lines if "public_url" not in one))
    assert "notices" in examined(sound)["address"]["en"]


def test_an_old_key_that_is_the_same_key_is_a_warning(sound: Installation) -> None:
    """A rotation that was never finished, or never begun."""
    env = {"HANGDAO_SECRETS__PREVIOUS_KEK": sound.env["HANGDAO_SANDBOX_KEK"]}
    assert states(examined(sound, env))["secrets"] == "warn"


def test_a_key_in_two_channels_is_a_warning(sound: Installation) -> None:
    """Who steals it has both accounts; the platform's own key may be in any number."""
    assert "keys" not in states(examined(sound))
    document = yaml.safe_load(sound.config.read_text(encoding="utf-8"))
    (first,) = document["channels"]
    document["channels"].append({**first, "name": "alipay-second"})
    sound.config.write_text(yaml.safe_dump(document), encoding="utf-8")
    found = examined(sound)
    assert found["keys"]["state"] == "warn"
    assert f"{first['name']}, alipay-second use the same private_key_file" in found["keys"]["en"]


def test_a_clock_behind_the_configuration_is_a_failure(sound: Installation) -> None:
    """A file cannot have been written in the future."""
    import os

    ahead = datetime.now(UTC).timestamp() + 86_400
    os.utime(sound.config, (ahead, ahead))
    assert states(examined(sound))["clock"] == "fail"


def test_a_production_clock_is_fine(sound: Installation) -> None:
    """Only sandboxes move it."""
    assert states(examined(sound, {"HANGDAO_CLOCK__ADJUSTABLE": "false"}))["clock"] == "ok"


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (datetime(2026, 6, 1, tzinfo=UTC), State.OK),
        (datetime(2098, 12, 5, tzinfo=UTC), State.FAIL),
        (datetime(2099, 1, 1, tzinfo=UTC), State.FAIL),
    ],
)
def test_a_year_without_working_days_is_found(now: datetime, state: State) -> None:
    """T+1 cannot be promised in a year whose holidays are unknown."""
    assert _calendar(now).state is state


def test_several_machines_need_one_audit_key(sound: Installation) -> None:
    """On PostgreSQL a key that is not configured would be another one on each machine."""
    shared = {"HANGDAO_DATABASE__URL": "postgresql://me@127.0.0.1:9/none"}
    key = {"HANGDAO_SECRETS__AUDIT_KEY": "A" * 43 + "="}
    assert states(examined(sound, shared))["secrets"] == "warn"
    assert states(examined(sound, {**shared, **key}))["secrets"] == "ok"


def test_redis_is_tried_out_and_never_a_failure(sound: Installation) -> None:
    """There, away, slow, or needed and not configured: a warning at the most, without its password.
    It leaves nothing behind that another replica would count."""
    with valkey() as there:
        found = examined(
            sound, {"HANGDAO_REDIS__URL": there.url, "HANGDAO_REDIS__BUDGET_MS": "200"}
        )
        assert found["redis"]["state"] == "ok"
        client = there.client()
        assert not [key for key in client.scan_iter("*") if b"rate" in key]
        client.close()
        there.stop()
        found = examined(
            sound, {"HANGDAO_REDIS__URL": there.url, "HANGDAO_REDIS__CONNECT_MS": "50"}
        )
        assert (found["ok"], found["redis"]["state"]) == (True, "warn")
        assert "timeout" in found["redis"]["en"]
        there.go_on()
    found = examined(sound, {"HANGDAO_REDIS__URL": "redis://:geheim@127.0.0.1:1/0"})
    assert (found["ok"], found["redis"]["state"]) == (True, "warn")
    assert "geheim" not in str(found)
    assert "代付照常进行" in found["redis"]["zh"]
    found = examined(sound, {"HANGDAO_SERVER__REPLICAS": "3"})
    assert (found["ok"], found["redis"]["state"]) == (True, "warn")
    assert "redis" not in examined(sound)


# --- What would halt the gateway, or put it in quarantine ----------------------------------------


@pytest.fixture
def used(sound: Installation) -> Installation:
    """The same, with a database."""
    made = hangdao(
        *("key", "create", "--operator", "--label", "t", "--config", str(sound.config), "--json"),
        env=sound.env,
    )
    assert made.exit_code == 0
    return sound


def database(made: Installation) -> Path:
    """Its database."""
    (file,) = made.config.parent.rglob("hangdao.db")
    return file


def test_a_sound_ledger_is_said_to_be_sound(used: Installation) -> None:
    """Undamaged and balanced; nothing about marks or halts."""
    found = states(examined(used))
    assert found["books"] == "ok"
    assert not {"mark", "last halt"} & found.keys()


def test_a_ledger_that_is_off_is_a_failure(used: Installation) -> None:
    """Money from nowhere: named, and the gateway would not send."""
    connection = apsw.Connection(str(database(used)))
    connection.execute(
        "INSERT INTO balances (book, owner, currency, minor) VALUES ('float', 'x', 'CNY', 700)"
    )
    connection.close()
    found = examined(used)
    assert not found["ok"]
    assert found["books"]["state"] == "fail"
    assert "add up" in found["books"]["en"]
    assert "账簿" in found["books"]["zh"]


def test_a_database_behind_its_mark_is_warned_about(used: Installation) -> None:
    """A start would be in quarantine."""
    folder = database(used).parent
    write_mark(folder, Position("another", 10**9, 7))
    found = examined(used)
    assert found["mark"]["state"] == "warn"
    assert "quarantine" in found["mark"]["en"]
    assert "隔离" in found["mark"]["zh"]


def test_the_last_halt_is_told(used: Installation) -> None:
    """Until somebody has looked, in both languages."""
    note = {"at": "2026-03-02T10:00:00+08:00", "code": "x", "en": "disk full", "zh": "磁盘满"}
    (database(used).parent / HALTED).write_bytes(orjson.dumps(note))
    found = examined(used)
    assert found["last halt"]["state"] == "warn"
    assert "disk full" in found["last halt"]["en"]
    assert "磁盘满" in found["last halt"]["zh"]
