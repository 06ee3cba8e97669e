"""Configuration, database and operators' keys: commands that need no running gateway."""

from pathlib import Path

import apsw
import pytest

from tests.gateway.cli.served import Served, answer, configure, hangdao

KEK, PEPPER = "HANGDAO_SANDBOX_KEK", "HANGDAO_SANDBOX_PEPPER"


def test_the_configuration_is_shown_without_its_secrets(tmp_path: Path) -> None:
    """Every value with its origin; secrets are masked."""
    made = configure(tmp_path)
    result = hangdao("config", "show", "--config", str(made.config), env=made.env)
    assert result.exit_code == 0
    assert f"{made.config}:" in result.stdout
    assert made.env[KEK] not in result.stdout
    assert made.env[PEPPER] not in result.stdout


def test_the_configuration_is_a_document_too(tmp_path: Path) -> None:
    """A list of key, value and origin."""
    made = configure(tmp_path)
    flags = ("--config", str(made.config), "--json")
    shown = answer(hangdao("config", "show", *flags, env=made.env))["settings"]
    adjustable = next(one for one in shown if one["key"] == "clock.adjustable")
    assert adjustable["value"] == "True"
    assert adjustable["origin"].startswith(f"{made.config}:")


@pytest.mark.parametrize(
    "command", [("config", "show"), ("migrate",), ("serve",), ("key", "ls", "--operator")]
)
def test_every_mistake_is_listed_with_its_line(command: tuple[str, ...], tmp_path: Path) -> None:
    """Exit code 2; nothing is started on a configuration that is wrong."""
    config = tmp_path / "hangdao.yaml"
    config.write_text("server:\n  prot: 1\nsecrets:\n  kek: ${ABSENT}\n  key_pepper: short\n")
    result = hangdao(*command, "--config", str(config))
    assert result.exit_code == 2
    assert f"{config}:2: server.prot: unknown key; did you mean port?" in result.stderr
    assert "environment variable ABSENT is not set" in result.stderr
    assert f"{config}:5:" in result.stderr


def test_mistakes_are_a_document_too(tmp_path: Path) -> None:
    """Each with its place, under --json."""
    absent = str(tmp_path / "absent.yaml")
    result = hangdao("migrate", "--config", absent, "--json")
    assert result.exit_code == 2
    assert '"problems":[{"where":"' + absent in result.stdout


def test_migrating_says_from_where_to_where(tmp_path: Path) -> None:
    """A new database comes from version 0; a second run has nothing to do."""
    made = configure(tmp_path)
    flags = ("migrate", "--config", str(made.config))
    first = answer(hangdao(*flags, "--json", env=made.env))
    assert first["from"] == 0
    assert first["to"] >= 1
    assert f"already at {first['to']}" in hangdao(*flags, env=made.env).stdout


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    """Neither migrated nor served; the sentence names both versions."""
    made = configure(tmp_path)
    flags = ("--config", str(made.config))
    hangdao("migrate", *flags, env=made.env)
    make_newer(tmp_path / "data" / "hangdao.db")
    for command in ("migrate", "serve"):
        result = hangdao(command, *flags, env=made.env)
        assert result.exit_code == 1
        assert "schema version 999" in result.stderr.splitlines()[-1]


def make_newer(database: Path) -> None:
    """As if a later program had migrated it."""
    connection = apsw.Connection(str(database))
    connection.execute("INSERT INTO schema_version (version, name) VALUES (999, 'future')")
    connection.close()


def test_operators_keys_are_made_without_a_gateway(tmp_path: Path) -> None:
    """The first one opens everything; the list does not show it."""
    made = configure(tmp_path)
    flags = ("--operator", "--config", str(made.config))
    key = answer(hangdao("key", "create", *flags, "--label", "first", "--json", env=made.env))
    assert key["key"].startswith(f"hd_{key['id']}_")
    listed = answer(hangdao("key", "ls", *flags, "--json", env=made.env))["data"]
    assert [(one["id"], one["label"]) for one in listed] == [(key["id"], "first")]
    assert "admin" in listed[0]["scopes"]


@pytest.mark.parametrize(
    "command", [("key", "create", "--operator", "--label", "x"), ("migrate",), ("serve",)]
)
def test_a_running_gateway_is_said_to_be_running(command: tuple[str, ...], served: Served) -> None:
    """The embedded database belongs to one process; exit code 1 and what to do."""
    flags = ("--config", str(served.installation.config))
    result = hangdao(*command, *flags, env=served.installation.env)
    assert result.exit_code == 1
    assert "stop it first" in result.stderr
    assert "网关正在运行" in result.stderr


def test_a_database_that_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    """No traceback and no password."""
    made = configure(tmp_path)
    env = {**made.env, "HANGDAO_DATABASE__URL": "postgresql://me:canary@127.0.0.1:9/none"}
    for command in ("migrate", "serve"):
        result = hangdao(command, "--config", str(made.config), env=env)
        assert result.exit_code == 1
        assert "PostgreSQL cannot be reached" in result.stderr
        assert "canary" not in result.output


def test_migrating_postgres_says_from_where_to_where(
    fresh_postgres_url: str, tmp_path: Path
) -> None:
    """The other database is looked at in the same way."""
    made = configure(tmp_path)
    env = {**made.env, "HANGDAO_DATABASE__URL": fresh_postgres_url}
    flags = ("migrate", "--config", str(made.config), "--json")
    first = answer(hangdao(*flags, env=env))
    assert (first["from"], answer(hangdao(*flags, env=env))["from"]) == (0, first["to"])


def test_a_policy_is_checked(tmp_path: Path) -> None:
    """A good one shows its name and hash; mistakes come with their lines, exit code 2."""
    good = tmp_path / "good.yaml"
    good.write_text("version: 1\nname: night\n")
    assert answer(hangdao("policy", "validate", str(good), "--json"))["name"] == "night"
    assert "valid" in hangdao("policy", "validate", str(good)).stdout
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nname: night\nparameters:\n  explore_ppm: 2000000\n  x: 1\n")
    result = hangdao("policy", "validate", str(bad))
    assert result.exit_code == 2
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [
        f"{bad}:4",
        f"{bad}:5",
    ]


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_policy_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    """Absent, or not text."""
    file = tmp_path / "policy.yaml"
    if content is not None:
        file.write_bytes(content)
    result = hangdao("policy", "validate", str(file))
    assert result.exit_code == 2
    assert str(file) in result.stderr
