"""The configuration: precedence, origins, interpolation, and mistakes named by file and line."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from channels.contract import Cycle, FeeSchedule, Terms, Window
from channels.money import Currency
from gateway.settings import Loaded, Problem, SettingsError, check_credentials, load, show
from policies.maintenance import Once, Weekly

KEK = base64.b64encode(bytes(range(32))).decode()
PEPPER = "p" * 32
ENV = {"KEK": KEK, "PEPPER": PEPPER, "APP_KEY": "canary-app-key"}

WHOLE = """\
server:
  port: 9000
  public_url: https://pay.example.com/
database:
  url: postgresql://pay:${APP_KEY}@db/pay?sslmode=require
data_dir: var
secrets:
  kek: ${KEK}
  key_pepper: ${PEPPER}
webhooks:
  allow: ["127.0.0.1:8099", 10.0.0.0/8]
policy:
  file: policies/main.yaml
channels:
  - name: alipay-main
    kind: alipay
    label: {zh: 支付宝主户, en: Alipay main}
    credentials:
      app_id: "2021"
      app_key: ${APP_KEY}
      private_key_file: keys/main.pem
    terms:
      currency: CNY
      amount_min: 10
      amount_max: 5_000_000
      fee: {flat_minor: 10, rate_ppm: 600, max_minor: 2500}
      cycle: {days: 1, calendar: cn_statutory, cutoff: 17:30}
      hours: ["09:00-17:00", "22:00-02:00"]
      maintenance: ["2026-11-23 01:00-05:00", "Sun 02:00-04:00"]
      day_cap_minor: 900000000
      inflight_max: 8
"""

SECRETS = "secrets:\n  kek: ${KEK}\n  key_pepper: ${PEPPER}\n"

Load = Callable[..., Loaded]


@pytest.fixture
def loading(tmp_path: Path) -> Load:
    """Write a file and load it with the usual environment."""

    def run(
        text: str, env: Mapping[str, str] = {}, flags: Mapping[str, object] | None = None
    ) -> Loaded:
        file = tmp_path / "hangdao.yaml"
        file.write_text(text, encoding="utf-8")
        return load(file, {**ENV, **env}, flags)

    return run


@pytest.fixture
def refusing(tmp_path: Path, loading: Load) -> Callable[..., list[tuple[str, str]]]:
    """Load and give the problems, with the file's folder taken off."""

    def run(text: str, env: Mapping[str, str] = {}) -> list[tuple[str, str]]:
        with pytest.raises(SettingsError) as caught:
            loading(text, env)
        return [(p.where.removeprefix(f"{tmp_path}/"), p.message) for p in caught.value.problems]

    return run


def test_a_whole_file_becomes_typed_settings(loading: Load, tmp_path: Path) -> None:
    """Every section arrives typed, paths absolute, secrets replaced."""
    settings = loading(WHOLE).settings
    assert settings.server.port == 9000
    assert settings.server.public_url == "https://pay.example.com"
    assert (
        settings.database.url.get_secret_value()
        == "postgresql://pay:canary-app-key@db/pay?sslmode=require"
    )
    assert settings.data_dir == tmp_path / "var"
    assert settings.policy.file == tmp_path / "policies/main.yaml"
    assert settings.secrets.kek_bytes == bytes(range(32))
    assert settings.secrets.previous_kek_bytes is None
    assert settings.secrets.key_pepper_bytes == PEPPER.encode()
    assert settings.channels[0].credentials["app_key"] == "canary-app-key"


def test_terms_become_the_channels_own_value(loading: Load) -> None:
    """Contract terms keep amounts, times of day and opening hours exactly."""
    assert loading(WHOLE).settings.channels[0].terms.as_terms() == Terms(
        currency=Currency.CNY,
        amount_min=10,
        amount_max=5_000_000,
        fee=FeeSchedule(flat_minor=10, rate_ppm=600, max_minor=2500),
        cycle=Cycle(days=1, calendar="cn_statutory", cutoff=time(17, 30)),
        hours=(Window(time(9), time(17)), Window(time(22), time(2))),
        day_cap_minor=900_000_000,
        inflight_max=8,
    )


def test_planned_maintenance_is_on_the_channels_own_clock(loading: Load) -> None:
    """One o'clock in Shanghai is five in the afternoon of the day before in UTC."""
    once, weekly = loading(WHOLE).settings.channels[0].terms.as_maintenance()
    assert once == Once(
        datetime(2026, 11, 22, 17, tzinfo=UTC), datetime(2026, 11, 22, 21, tzinfo=UTC)
    )
    assert weekly == Weekly(6, time(2), time(4), "Asia/Shanghai")


def test_defaults_put_a_database_into_the_data_folder(loading: Load, tmp_path: Path) -> None:
    """Without a database SQLite is used, in the data folder beside the file."""
    settings = loading(SECRETS).settings
    assert settings.database.url.get_secret_value() == f"sqlite://{tmp_path}/data/hangdao.db"
    assert settings.limits.body_kib == 64
    assert not settings.clock.adjustable


def test_flag_beats_environment_beats_file_beats_default(loading: Load) -> None:
    """Each level of precedence wins over the next."""
    text = SECRETS + "server:\n  port: 1\n  host: file.example\n"
    env = {"HANGDAO_SERVER__PORT": "3", "HANGDAO_LIMITS__BODY_KIB": "4"}
    loaded = loading(text, env, {"server.port": 5})
    server = loaded.settings.server
    assert (server.port, server.host, server.public_url) == (5, "file.example", None)
    assert loaded.settings.limits.body_kib == 4
    origins = {row.key: row.origin.rpartition("/")[2] for row in show(loaded)}
    assert origins["server.port"] == "flag server.port"
    assert origins["limits.body_kib"] == "environment HANGDAO_LIMITS__BODY_KIB"
    assert origins["server.host"] == "hangdao.yaml:6"
    assert origins["server.public_url"] == "default"


def test_environment_alone_is_enough() -> None:
    """A container needs no file; lists are written with commas, one-part names reach the root."""
    loaded = load(
        None,
        {
            "HANGDAO_SECRETS__KEK": KEK,
            "HANGDAO_SECRETS__KEY_PEPPER": PEPPER,
            "HANGDAO_WEBHOOKS__ALLOW": "10.0.0.0/8, localhost:9",
            "HANGDAO_CLOCK__ADJUSTABLE": "true",
            "HANGDAO_WORKER__POLL_S": "0.25",
            "HANGDAO_DATA_DIR": "/var/lib/hangdao",
            "HANGDAO_OPERATORS_OWN": "ignored",
        },
    )
    settings = loaded.settings
    assert settings.webhooks.allow == ("10.0.0.0/8", "localhost:9")
    assert settings.clock.adjustable
    assert settings.worker.poll_s == 0.25
    assert settings.data_dir == Path("/var/lib/hangdao")


MISTAKES = {
    "unknown key": (
        "server:\n  prot: 1\n" + SECRETS,
        ("hangdao.yaml:2", "server.prot: unknown key; did you mean port?"),
    ),
    "unknown section": (SECRETS + "sever: {}\n", ("hangdao.yaml:4", "sever: unknown key; did you")),
    "wrong type": (
        SECRETS + "server:\n  port: many\n",
        ("hangdao.yaml:5", "server.port: Input should be a valid integer"),
    ),
    "number as text": (
        SECRETS + 'server:\n  port: "80"\n',
        ("hangdao.yaml:5", "server.port: Input should be a valid integer"),
    ),
    "text as number": (
        SECRETS + "server:\n  host: 10\n",
        ("hangdao.yaml:5", "server.host: Input should be a valid string; put it in quotes"),
    ),
    "not a mapping": (SECRETS + "server: 5\n", ("hangdao.yaml:4", "server: Input should be")),
    "out of range": (
        SECRETS + "server:\n  port: 65536\n",
        ("hangdao.yaml:5", "server.port: Input should be less than or equal to 65535"),
    ),
    "key given twice": (
        SECRETS + "server:\n  port: 1\n  port: 2\n",
        ("hangdao.yaml:6", "port is given twice, first in line 5"),
    ),
    "section given twice": (
        SECRETS + SECRETS,
        ("hangdao.yaml:4", "secrets is given twice, first in line 1"),
    ),
    "missing variable": (
        SECRETS.replace("${KEK}", "${ABSENT}"),
        ("hangdao.yaml:2", "secrets.kek: the environment variable ABSENT is not set"),
    ),
    "missing secret": (
        "secrets:\n  kek: ${KEK}\n",
        ("hangdao.yaml:1", "secrets.key_pepper: is missing"),
    ),
    "missing section": ("server:\n  port: 1\n", ("hangdao.yaml:1", "secrets: is missing")),
    "short key": (
        SECRETS.replace("${KEK}", "c2hvcnQ="),
        ("hangdao.yaml:2", "secrets.kek: must be 32 random bytes in base64"),
    ),
    "variable outside a secret": (
        SECRETS + "server:\n  host: ${KEK}\n",
        ("hangdao.yaml:5", "server.host: ${…} is replaced in secrets and credentials only"),
    ),
    "not YAML": ("server: [1\n", ("hangdao.yaml:2", "not YAML: ")),
    "a list at the top": ("- a\n", ("hangdao.yaml:1", "must be sections with keys")),
    "a key that is no word": ("? [a]\n: 1\n", ("hangdao.yaml:1", "a key must be a word")),
    "another tag": ("server: !!python/name:os.system\n", ("hangdao.yaml:1", "not YAML: could not")),
    "unknown database": (
        SECRETS + "database:\n  url: mysql://x\n",
        ("hangdao.yaml:5", "database.url: must be sqlite:///path or postgresql://…"),
    ),
    "webhook target": (
        SECRETS + "webhooks:\n  allow:\n    - example.com\n",
        ("hangdao.yaml:6", "webhooks.allow[0]: must be host:port or a network"),
    ),
    "channel name": (
        WHOLE.replace("alipay-main", "Main"),
        ("hangdao.yaml:15", "channels[0].name: String should match pattern"),
    ),
    "amount with decimals": (
        WHOLE.replace("amount_min: 10", "amount_min: 10.5"),
        ("hangdao.yaml:24", "channels[0].terms.amount_min: Input should be a valid integer"),
    ),
    "amount as float": (
        WHOLE.replace("amount_min: 10", "amount_min: 10.0"),
        ("hangdao.yaml:24", "channels[0].terms.amount_min: Input should be a valid integer"),
    ),
    "amounts crossed": (
        WHOLE.replace("amount_min: 10", "amount_min: 6000000"),
        ("hangdao.yaml:22", "channels[0].terms: amount_max must not be below amount_min"),
    ),
    "cut-off as number": (
        WHOLE.replace("17:30", "1730"),
        ("hangdao.yaml:27", 'channels[0].terms.cycle.cutoff: must be a local time such as "17:30"'),
    ),
    "time zone": (
        WHOLE.replace("cutoff: 17:30", "timezone: Asia/Nowhere"),
        ("hangdao.yaml:27", "channels[0].terms.cycle.timezone: Asia/Nowhere is not a time zone"),
    ),
    "hours": (
        WHOLE.replace("09:00-17:00", "09:00"),
        ("hangdao.yaml:28", "channels[0].terms.hours[0]: must be opening hours"),
    ),
    "maintenance": (
        WHOLE.replace("Sun 02:00-04:00", "Sunday 2-4"),
        (
            "hangdao.yaml:29",
            "channels[0].terms.maintenance[1]: 'Sunday 2-4' is no maintenance window; write",
        ),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_by_file_and_line(
    name: str, refusing: Callable[..., list[tuple[str, str]]]
) -> None:
    """Each mistake gives exactly one problem, at its own line."""
    text, (where, message) = MISTAKES[name]
    problems = refusing(text)
    assert [p[0] for p in problems] == [where]
    assert problems[0][1].startswith(message)


def test_two_channels_of_one_name_name_both_lines(
    refusing: Callable[..., list[tuple[str, str]]], tmp_path: Path
) -> None:
    """The second is refused and the first is pointed at."""
    channel = WHOLE.partition("channels:\n")[2]
    [(where, message)] = refusing(WHOLE + channel)
    assert where == "hangdao.yaml:32"
    assert message == (
        f"channels[1].name: alipay-main is also the name of {tmp_path}/hangdao.yaml:15"
    )


def test_all_mistakes_are_reported_at_once(refusing: Callable[..., list[tuple[str, str]]]) -> None:
    """Nobody has to start four times to find four mistakes."""
    problems = refusing("server:\n  port: x\n  prot: 1\nlog:\n  level: loud\n" + SECRETS)
    assert [p[0] for p in problems] == ["hangdao.yaml:2", "hangdao.yaml:3", "hangdao.yaml:5"]


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("HANGDAO_SERVER__PORT", "many", "server.port: Input should be a valid integer"),
        ("HANGDAO_SERVER__PROT", "1", "server.prot: unknown key; did you mean port?"),
        ("HANGDAO_SEVER__PORT", "1", "sever: unknown key; did you mean server?"),
        ("HANGDAO_CHANNELS__0__NAME", "a", "channels are configured in the file"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    variable: str, text: str, message: str, refusing: Callable[..., list[tuple[str, str]]]
) -> None:
    """The operator learns which variable to look at."""
    [(where, said)] = refusing(SECRETS, {variable: text})
    assert where == f"environment {variable}"
    assert said.startswith(message)


@pytest.mark.parametrize(
    "url",
    [
        *("http://h", "redis://", "redis://h:0/0", "redis://h:x/0", "redis://h:99999", "unix://"),
        *("redis://h?db=1", "valkey://h", "h:6379", ""),
    ],
)
def test_a_redis_address_that_cannot_be_one_is_refused(
    url: str, refusing: Callable[..., list[tuple[str, str]]]
) -> None:
    """And is not shown, since it may hold a password."""
    [(_, said)] = refusing(SECRETS, {"HANGDAO_REDIS__URL": url})
    assert said == "redis.url: must be redis://host:port/0, rediss://… or unix:///path"


def test_an_absent_file_is_a_clear_error(tmp_path: Path) -> None:
    """No file at the given path is not the same as no file asked for."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "hangdao.yaml", ENV)
    [problem] = caught.value.problems
    assert problem.where == str(tmp_path / "hangdao.yaml")
    assert "No such file" in problem.message


def test_secrets_never_show(loading: Load) -> None:
    """Neither what is printed, nor a repr, nor an error holds a secret."""
    loaded = loading(f"{WHOLE}\nredis:\n  url: rediss://pay:${{APP_KEY}}@cache:6380/2\n")
    rows = {row.key: row.value for row in show(loaded)}
    assert rows["secrets.kek"] == "********"
    assert rows["database.url"] == "postgresql://pay:********@db/pay?sslmode=********"
    assert rows["redis.url"] == "rediss://pay:********@cache:6380/2"
    assert rows["channels[0].credentials.app_key"] == "********"
    assert rows["channels[0].credentials.private_key_file"] == "keys/main.pem"
    with pytest.raises(SettingsError) as caught:
        loading(WHOLE.replace("${KEK}", "canary-bad-kek"))
    for text in (str(rows), repr(loaded), str(loaded.settings), repr(caught.value)):
        assert "canary" not in text
        assert KEK not in text
        assert PEPPER not in text


def test_every_setting_is_shown(loading: Load) -> None:
    """One row per value, in a fixed order, defaults included."""
    rows = show(loading(WHOLE))
    assert [row.key for row in rows][:5] == [
        *("server.host", "server.port", "server.public_url", "server.replicas", "server.workers"),
    ]
    assert len({row.key for row in rows}) == len(rows)
    shown = {row.key: row.value for row in rows}
    assert shown["webhooks.allow"] == "127.0.0.1:8099, 10.0.0.0/8"
    assert shown["channels[0].terms.cycle.cutoff"] == "17:30:00"
    assert shown["log.level"] == "info"


class _Credentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    app_id: str
    app_key: SecretStr
    private_key_file: Path | None = None


def test_credentials_are_checked_by_the_adapters_model(loading: Load, tmp_path: Path) -> None:
    """The model gets the values, with paths taken from the folder of the file."""
    loaded = loading(WHOLE)
    credentials = check_credentials(loaded, loaded.settings.channels[0], _Credentials)
    assert credentials.app_id == "2021"
    assert credentials.private_key_file == tmp_path / "keys/main.pem"


def test_a_mistake_in_credentials_has_its_line(loading: Load, tmp_path: Path) -> None:
    """The adapter's complaints point into the file, also about what is missing."""
    loaded = loading(WHOLE.replace('app_id: "2021"', "app_idd: 2021"))
    with pytest.raises(SettingsError) as caught:
        check_credentials(loaded, loaded.settings.channels[0], _Credentials)
    file = tmp_path / "hangdao.yaml"
    assert caught.value.problems == [
        Problem(f"{file}:18", "channels[0].credentials.app_id: is missing"),
        Problem(
            f"{file}:19",
            "channels[0].credentials.app_idd: unknown key; did you mean app_id?",
        ),
    ]
