"""The composition root: everything is put together, or refused by file and line, nothing half."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from channels import fingerprints
from channels.registry import KINDS
from gateway.clock import SystemClock
from gateway.engine import credentials
from gateway.engine.gateway import ChannelLabel
from gateway.ports import Scope, StoreError
from gateway.settings import SettingsError
from gateway.store import LockedError, SchemaError
from gateway.wiring import (
    Assembly,
    accounts_of,
    assemble,
    channels_of,
    create_operator_key,
    open_configured_store,
    policy_of,
    program_version,
)
from tests.gateway.install import Edit, handed_out, installed
from tests.simulators.keys import pair


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keys take a while to make: once for all tests here."""
    return handed_out(tmp_path_factory.mktemp("institutions"))


async def put_together(tmp_path: Path, accounts: Any, edit: Edit | None = None) -> Assembly:
    """An assembled gateway."""
    return await assemble(installed(tmp_path, accounts, edit))


def line_of(tmp_path: Path, text: str) -> str:
    """Where a text stands in the configuration, as problems name it."""
    config = tmp_path / "hangdao.yaml"
    lines = config.read_text(encoding="utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if text in line)
    return f"{config}:{number}"


async def test_every_configured_channel_is_built(tmp_path: Path, accounts: Any) -> None:
    """Names, kinds and terms are those of the file."""
    assembly = await put_together(tmp_path, accounts)
    try:
        channels = assembly.gateway.channels
        assert {name: one.traits.kind for name, one in channels.items()} == {
            "alipay-main": "alipay",
            "wechat-main": "wechat_pay",
        }
        assert channels["wechat-main"].traits.terms.amount_min == 30
        assert program_version() != "0"
    finally:
        await assembly.aclose()


async def test_closing_twice_is_harmless_and_lets_go_of_the_database(
    tmp_path: Path, accounts: Any
) -> None:
    """Another process could start right after."""
    loaded = installed(tmp_path, accounts)
    assembly = await assemble(loaded)
    await assembly.aclose()
    await assembly.aclose()
    again = await assemble(loaded)
    await again.aclose()


async def test_a_database_in_use_refuses_the_start(tmp_path: Path, accounts: Any) -> None:
    """One process owns an embedded database."""
    loaded = installed(tmp_path, accounts)
    assembly = await assemble(loaded)
    try:
        with pytest.raises(LockedError):
            await assemble(loaded)
    finally:
        await assembly.aclose()


def unknown_kind(document: dict[str, Any]) -> None:
    document["channels"][0]["kind"] = "carrier-pigeon"


def unknown_credential(document: dict[str, Any]) -> None:
    document["channels"][0]["credentials"]["app_idd"] = "2021"


def lost_key(document: dict[str, Any]) -> None:
    document["channels"][1]["credentials"]["private_key_file"] = "/nowhere/key.pem"


def other_currency(document: dict[str, Any]) -> None:
    document["channels"][0]["terms"] = {"currency": "USD", "amount_max": 100}


@pytest.mark.parametrize(
    ("edit", "where", "says"),
    [
        (unknown_kind, "kind: carrier-pigeon", "there is no kind 'carrier-pigeon'"),
        (unknown_credential, "app_idd", "app_idd"),
        (lost_key, "kind: wechat_pay", "/nowhere/key.pem cannot be read"),
        (other_currency, "name: alipay-main", "USD"),
    ],
)
async def test_a_channel_that_cannot_be_built_is_named_by_file_and_line(
    tmp_path: Path, accounts: Any, edit: Edit, where: str, says: str
) -> None:
    """The start is refused; nothing is left open."""
    loaded = installed(tmp_path, accounts, edit)
    with pytest.raises(SettingsError) as refused:
        await assemble(loaded)
    (problem,) = refused.value.problems
    assert says in problem.message
    assert problem.where.startswith(str(tmp_path / "hangdao.yaml"))
    assert abs(_line(problem.where) - _line(line_of(tmp_path, where))) <= 1
    assert not (tmp_path / "data").exists()


def _line(where: str) -> int:
    return int(where.rpartition(":")[2])


async def test_every_bad_channel_is_named_at_once(tmp_path: Path, accounts: Any) -> None:
    """Two mistakes, two problems: nobody has to start twice to see both."""

    def both(document: dict[str, Any]) -> None:
        unknown_kind(document)
        lost_key(document)

    with pytest.raises(SettingsError) as refused:
        channels_of(installed(tmp_path, accounts, both), SystemClock())
    assert len(refused.value.problems) == 2


def certified(folder: Path, accounts: Any, ends: timedelta) -> Edit:
    """Give the WeChat channel the certificate of its key, ending so long from now."""
    given = next(one.given for one in accounts if one.kind == "wechat_pay")
    key = load_pem_private_key(Path(given["private_key_file"]).read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "merchant")])
    now, file = SystemClock().now(), folder / "certificate.pem"
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), int(given["serial_no"], 16))
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + ends)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(made.public_bytes(Encoding.PEM))

    def edit(document: dict[str, Any]) -> None:
        document["channels"][1]["credentials"]["certificate_file"] = str(file)
        document["channels"][1]["label"] = {"zh": "微信主户", "en": "WeChat main"}

    return edit


async def test_an_expired_certificate_keeps_one_channel_out(tmp_path: Path, accounts: Any) -> None:
    """The process starts, for the others and for what is open; people are told which key it is."""
    edit = certified(tmp_path, accounts, timedelta(days=-1))
    assembly = await put_together(tmp_path, accounts, edit)
    try:
        gateway = assembly.gateway
        now = gateway.clock.now()
        assert not gateway.is_usable("wechat-main", now)
        assert gateway.is_usable("alipay-main", now)
        [note] = credentials.notes(gateway)
        assert "channel wechat-main: our certificate_file expired on" in note.en
        assert gateway.labels == {"wechat-main": ChannelLabel("微信主户", "WeChat main")}
    finally:
        await assembly.aclose()


async def test_a_certificate_that_lasts_keeps_nobody_out(tmp_path: Path, accounts: Any) -> None:
    """And is not spoken of."""
    edit = certified(tmp_path, accounts, timedelta(days=300))
    assembly = await put_together(tmp_path, accounts, edit)
    try:
        assert assembly.gateway.is_usable("wechat-main", assembly.gateway.clock.now())
        assert credentials.notes(assembly.gateway) == []
    finally:
        await assembly.aclose()


async def test_a_restart_takes_another_key_of_ours(tmp_path: Path, accounts: Any) -> None:
    """The configuration names the new one; nothing of the old one is kept."""

    def renewed(document: dict[str, Any]) -> None:
        given = document["channels"][0]["credentials"]
        del given["private_key_file"]
        given["private_key"] = pair("renewed").private_pem

    before = accounts_of(installed(tmp_path, accounts), SystemClock())["alipay-main"]
    after = accounts_of(installed(tmp_path, accounts, renewed), SystemClock())["alipay-main"]
    old, new = ({one.fingerprint for one in each.credentials} for each in (before, after))
    own = fingerprints.of_public_key(pair("renewed").key.public_key())
    assert new - old == {own}
    assert len(old - new) == 1


async def test_a_refused_secret_is_not_shown(tmp_path: Path, accounts: Any) -> None:
    """The message about a bad credential does not repeat it."""

    def canary(document: dict[str, Any]) -> None:
        document["channels"][1]["credentials"]["apiv3_key"] = "canary-secret"

    with pytest.raises(SettingsError) as refused:
        channels_of(installed(tmp_path, accounts, canary), SystemClock())
    assert "canary" not in str(refused.value) + repr(refused.value.problems)


async def test_without_a_policy_file_the_built_in_one_is_used(
    tmp_path: Path, accounts: Any
) -> None:
    """It has a name and a hash, as any other."""
    policy = policy_of(installed(tmp_path, accounts))
    assert policy.name
    assert len(policy.hash) == 64


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("version: 1\nname: x\nparameters: {explore_ppm: lots}\n", ":3: "),
        ("- a list\n", "mapping"),
    ],
)
async def test_a_policy_file_that_cannot_be_used_refuses_the_start(
    tmp_path: Path, accounts: Any, text: str | None, says: str
) -> None:
    """Missing, wrong type, wrong shape: file and line are named."""
    file = tmp_path / "policy.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")

    def point(document: dict[str, Any]) -> None:
        document["policy"] = {"file": str(file)}

    with pytest.raises(SettingsError) as refused:
        await put_together(tmp_path, accounts, point)
    assert says in str(refused.value)
    assert str(file) in str(refused.value)


async def test_a_configured_policy_file_is_used(tmp_path: Path, accounts: Any) -> None:
    """Its name is the policy's."""
    file = tmp_path / "policy.yaml"
    file.write_text("version: 1\nname: by-hand\n", encoding="utf-8")

    def point(document: dict[str, Any]) -> None:
        document["policy"] = {"file": str(file)}

    assembly = await put_together(tmp_path, accounts, point)
    await assembly.aclose()
    assert assembly.gateway.policy.name == "by-hand"


async def test_the_first_operators_key_opens_the_door(tmp_path: Path, accounts: Any) -> None:
    """Made before anything runs, straight in the store; only its keyed hash is kept."""
    loaded = installed(tmp_path, accounts)
    text = await create_operator_key(loaded, "bootstrap")
    store = await open_configured_store(loaded, SystemClock(), migrate=False)
    try:
        (key,) = await store.keys(None)
        assert (key.label, key.merchant_id, Scope.ADMIN in key.scopes) == ("bootstrap", None, True)
    finally:
        await store.aclose()
    for file in (tmp_path / "data").glob("hangdao.db*"):
        assert text.rpartition("_")[2].encode() not in file.read_bytes()
    assembly = await assemble(loaded)
    try:
        async with TestClient(TestServer(assembly.app)) as http:
            with_key = {"Authorization": f"Bearer {text}"}
            assert (await http.get("/v1/admin/ledger", headers=with_key)).status == 200
            assert (await http.get("/v1/admin/ledger")).status == 401
    finally:
        await assembly.aclose()


async def test_no_operators_key_while_the_gateway_runs(tmp_path: Path, accounts: Any) -> None:
    """The database is its own; the API makes keys then."""
    loaded = installed(tmp_path, accounts)
    assembly = await assemble(loaded)
    try:
        with pytest.raises(LockedError):
            await create_operator_key(loaded, "second")
    finally:
        await assembly.aclose()


async def test_an_older_schema_needs_the_migration_to_be_asked_for(
    tmp_path: Path, accounts: Any
) -> None:
    """Opening without migrating an empty database says what is missing."""
    loaded = installed(tmp_path, accounts)
    with pytest.raises(SchemaError):
        await open_configured_store(loaded, SystemClock(), migrate=False)


async def test_an_unreachable_database_refuses_the_start(tmp_path: Path, accounts: Any) -> None:
    """Nobody listens there: one clear error, and no channel is left open."""

    def away(document: dict[str, Any]) -> None:
        document["database"] = {"url": "postgresql://hangdao@127.0.0.1:1/hangdao"}

    with pytest.raises(StoreError):
        await put_together(tmp_path, accounts, away)


async def test_the_assembled_application_answers(tmp_path: Path, accounts: Any) -> None:
    """Ready with store, channels and calendar; not ready once it is stopping."""
    assembly = await put_together(tmp_path, accounts)
    try:
        async with TestClient(TestServer(assembly.app)) as http:
            ready = await http.get("/readyz")
            assert (ready.status, (await ready.json())["problems"]) == (200, [])
            text = await (await http.get("/metrics")).text()
            assert "hangdao_build_info" in text
            assembly.stopping.set()
            stopping = await http.get("/readyz")
            assert stopping.status == 503
            assert (await stopping.json())["problems"] == ["the process is stopping"]
    finally:
        await assembly.aclose()


async def test_without_channels_it_is_not_ready(tmp_path: Path, accounts: Any) -> None:
    """It starts, so that it can be administered, and says why it takes no payouts."""

    def bare(document: dict[str, Any]) -> None:
        document["channels"] = []

    assembly = await put_together(tmp_path, accounts, bare)
    try:
        async with TestClient(TestServer(assembly.app)) as http:
            answer = await http.get("/readyz")
            assert answer.status == 503
            assert "no channel is configured" in (await answer.json())["problems"]
    finally:
        await assembly.aclose()


async def test_the_clock_is_adjustable_only_where_it_is_allowed(
    tmp_path: Path, accounts: Any
) -> None:
    """A production clock cannot be moved over the API."""

    def fixed(document: dict[str, Any]) -> None:
        document["clock"] = {"adjustable": False}

    loaded = installed(tmp_path, accounts, fixed)
    key = await create_operator_key(loaded, "ops")
    assembly = await assemble(loaded)
    try:
        async with TestClient(TestServer(assembly.app)) as http:
            answer = await http.post(
                "/v1/admin/clock/advance",
                data=json.dumps({"seconds": 60}),
                headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            )
            assert (answer.status, (await answer.json())["code"]) == (403, "clock_is_real")
    finally:
        await assembly.aclose()


def test_every_kind_of_channel_can_be_configured() -> None:
    """The registry's settings are models that refuse unknown keys."""
    for kind in KINDS.values():
        assert kind.settings.model_config.get("extra") == "forbid"
