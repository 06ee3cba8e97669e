"""Accounts in other protocols, as operators make them."""

from dataclasses import replace
from typing import Any

import pytest

from tests.gateway.api.desk import Desk
from tests.gateway.dialects.conftest import OpenPlatform, Site, pairs
from tests.gateway.dialects.xxpayer import XxPayer

MINE = "/v1/admin/merchants/m_other/dialects"


async def ask(desk: Desk, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    """Do something as the operator."""
    told = await desk.call(method, path, body, key="operator")
    assert told.status == status, told.raw
    return told.json


async def test_an_account_works_with_what_it_was_shown(site: Site) -> None:
    """A base URL and keys, nothing else; they are shown this once."""
    made = await ask(site.desk, "POST", MINE, {"dialect": "epay"}, 201)
    secrets = made.pop("secrets")
    plugin = replace(
        site.plugin,
        appurl=str(site.desk.server.make_url(made["path"])),
        appid=made["public_id"],
        appkey=secrets["platform_public_key"],
        appsecret=secrets["merchant_private_key"],
    )

    assert (await plugin.submit("A")).ok
    assert (await replace(plugin, md5_key=secrets["md5_key"]).submit("A")).ok
    shown = await ask(site.desk, "GET", f"/v1/admin/dialects/{made['id']}")
    assert shown == made
    assert (await ask(site.desk, "GET", MINE))["data"] == [made]
    assert shown["keys"][0]["public"] == {"platform_public_key": secrets["platform_public_key"]}
    stored = site.desk.file.read_bytes() + site.desk.log.getvalue().encode()
    assert secrets["md5_key"].encode() not in stored
    assert secrets["merchant_private_key"][:64].encode() not in stored


async def test_a_caller_may_bring_its_id_and_key(site: Site) -> None:
    """Then there is no private key of its to show."""
    switches = {"rsa_only": True, "ip_allow": ["127.0.0.1"], "soft_dedupe_minutes": 3}
    body = {"dialect": "epay", "public_id": "77", "public_key": pairs()[2][1]}
    made = await ask(site.desk, "POST", MINE, {**body, "switches": switches}, 201)
    plugin = replace(
        site.plugin,
        appid="77",
        appkey=made["secrets"]["platform_public_key"],
        appsecret=pairs()[2][0],
    )

    assert set(made["secrets"]) == {"platform_public_key", "md5_key"}
    assert made["switches"]["ip_allow"] == ["127.0.0.1/32"]
    assert (await plugin.submit("A")).ok


@pytest.mark.parametrize(
    ("changes", "status", "code", "param"),
    [
        ({"public_id": "10001"}, 409, "public_id_taken", "public_id"),
        ({"public_id": "abc"}, 422, "field_invalid", "public_id"),
        ({"public_key": "nonsense"}, 422, "public_key_invalid", "public_key"),
        ({"dialect": "zhiyu"}, 422, "field_invalid", "dialect"),
        ({"switches": {"ip_allow": ["here"]}}, 422, "field_invalid", "switches.ip_allow.0"),
    ],
)
async def test_what_cannot_be_is_refused(
    site: Site, changes: dict[str, Any], status: int, code: str, param: str
) -> None:
    """With the field at fault."""
    told = await site.desk.post(MINE, {"dialect": "epay", **changes}, key="operator")

    assert (told.status, told.code, told.json["param"]) == (status, code, param)
    assert (await ask(site.desk, "GET", MINE))["data"] == []


async def test_keys_are_exchanged_while_both_work(site: Site) -> None:
    """`only` ends the ones before."""
    made = await ask(site.desk, "POST", "/v1/admin/dialects/da_1/rotate", {}, 201)
    fresh = replace(
        site.plugin,
        appkey=made["secrets"]["platform_public_key"],
        appsecret=made["secrets"]["merchant_private_key"],
    )
    assert (await site.plugin.submit("A")).ok
    assert (await fresh.submit("A")).ok

    last = await ask(site.desk, "POST", "/v1/admin/dialects/da_1/rotate", {"only": True}, 201)

    assert len(last["keys"]) == 1
    assert (await site.plugin.submit("A")).reply["code"] == -3
    assert (await fresh.submit("A")).reply["code"] == -3


async def test_a_removed_account_stays_and_gets_no_keys(site: Site) -> None:
    """Removing it twice is the same."""
    gone = await ask(site.desk, "DELETE", "/v1/admin/dialects/da_1")
    again = await ask(site.desk, "DELETE", "/v1/admin/dialects/da_1")
    refused = await site.desk.post("/v1/admin/dialects/da_1/rotate", {}, key="operator")

    assert gone == again
    assert gone["removed_at"] is not None
    assert (refused.status, refused.code) == (409, "account_removed")


async def test_merchants_have_no_business_here(site: Site) -> None:
    """Their keys lack the scope; what is not there is not found."""
    refused = await site.desk.post(MINE, {"dialect": "epay"}, key="other")
    absent = await site.desk.get("/v1/admin/dialects/da_9", key="operator")
    nobody = await site.desk.get("/v1/admin/merchants/m_none/dialects", key="operator")

    assert refused.code == "scope_missing"
    assert (absent.code, nobody.code) == ("no_such_account", "no_such_merchant")


async def test_an_alipay_account_works_with_what_it_was_shown(platform: OpenPlatform) -> None:
    """An address and keys, nothing else; a key of the application's own is not shown back."""
    mine = await ask(platform.desk, "POST", MINE, {"dialect": "alipay"}, 201)
    secrets = mine.pop("secrets")
    app = replace(
        platform.app,
        url=str(platform.desk.server.make_url(mine["path"] + "gateway.do")),
        app_id=mine["public_id"],
        alipay_public_key=secrets["alipay_public_key"],
        private_key=secrets["app_private_key"],
    )
    brought = await ask(
        *(platform.desk, "POST", MINE),
        {"dialect": "alipay", "public_id": "2021000000000088", "public_key": pairs()[2][1]},
        201,
    )

    assert (await app.pay("A"))["status"] == "DEALING"
    assert len(mine["public_id"]) == 16
    assert set(brought["secrets"]) == {"alipay_public_key"}
    assert await ask(platform.desk, "GET", f"/v1/admin/dialects/{mine['id']}") == mine
    stored = platform.desk.file.read_bytes() + platform.desk.log.getvalue().encode()
    assert secrets["app_private_key"][64:128].encode() not in stored


@pytest.mark.parametrize(
    ("changes", "param"),
    [({"public_id": "77"}, "public_id"), ({"public_key": "nonsense"}, "public_key")],
)
async def test_what_an_sdk_could_not_use_is_refused(
    platform: OpenPlatform, changes: dict[str, Any], param: str
) -> None:
    """With the field at fault."""
    told = await platform.desk.post(MINE, {"dialect": "alipay", **changes}, key="operator")

    assert (told.status, told.json["param"]) == (422, param)


async def test_rsa2_takes_no_short_keys(platform: OpenPlatform) -> None:
    """2048 bits, as the platform demands."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    short = generate_private_key(65537, 1024).public_key()  # noqa: S505 - that is the point
    text = short.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    told = await platform.desk.post(MINE, {"dialect": "alipay", "public_key": text}, key="operator")

    assert (told.status, told.code) == (422, "public_key_invalid")


SWITCHES = "/v1/admin/dialects/da_1/switches"


async def test_switches_are_changed_later(site: Site) -> None:
    """At once; those that were not given stay, and the change is in the audit log."""
    change = {"soft_dedupe_as": "refuse", "rsa_only": True, "ip_allow": ["127.0.0.1"]}
    made = await ask(site.desk, "POST", SWITCHES, {"switches": change})

    assert made["version"] == 2
    assert made["switches"] == {
        "replay_duplicates": True,
        "soft_dedupe_minutes": 10,
        "soft_dedupe_as": "refuse",
        "soft_dedupe_native": False,
        "awaiting_review_as": "processing",
        "rsa_only": True,
        "ip_allow": ["127.0.0.1/32"],
        "returned_as": "returned",
    }
    assert (await site.md5().submit("A")).reply["code"] == -3
    assert (await site.plugin.submit("A")).ok
    assert (await site.plugin.submit("B")).reply["code"] == -1
    deed = (await site.desk.store.audit_trail(50))[-1]
    assert (deed.action, deed.subject) == ("dialect.switched", "da_1")
    assert deed.detail["switches"] == made["switches"]


async def test_the_same_switches_again_change_nothing(site: Site) -> None:
    """No version, no entry."""
    body = {"switches": {"soft_dedupe_minutes": 3}}
    first = await ask(site.desk, "POST", SWITCHES, body)

    assert await ask(site.desk, "POST", SWITCHES, body) == first


async def test_what_somebody_else_changed_is_looked_at_again(site: Site) -> None:
    """Two operators with the same page before them: the second one is told."""
    one = {"switches": {"soft_dedupe_minutes": 3}, "version": 1}
    two = {"switches": {"soft_dedupe_as": "refuse"}, "version": 1}
    await ask(site.desk, "POST", SWITCHES, one)

    told = await site.desk.post(SWITCHES, two, key="operator")

    assert (told.status, told.code, told.json["param"]) == (409, "account_moved", "version")
    shown = await ask(site.desk, "GET", "/v1/admin/dialects/da_1")
    assert shown["switches"]["soft_dedupe_as"] == "hold"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"switches": {"soft_dedupe_minutes": 1441}}, "switches.soft_dedupe_minutes"),
        ({"switches": {"soft_dedupe_as": "pay"}}, "switches.soft_dedupe_as"),
        ({"switches": {"ip_allow": ["10.0.0.0/8", "here"]}}, "switches.ip_allow.1"),
        ({"switches": {"dedupe": 1}}, "switches.dedupe"),
        ({"switches": {}}, "switches"),
        ({"switches": {"rsa_only": True}, "version": 0}, "version"),
    ],
)
async def test_a_switch_that_cannot_be_is_refused(
    site: Site, body: dict[str, Any], param: str
) -> None:
    """With the field at fault; nothing is changed."""
    told = await site.desk.post(SWITCHES, body, key="operator")

    assert (told.status, told.json["param"]) == (422, param)
    assert (await ask(site.desk, "GET", "/v1/admin/dialects/da_1"))["version"] == 1


async def test_a_protocol_without_rsa_cannot_be_told_to_demand_it(site: Site) -> None:
    """Nobody could ask any more."""
    body = {"dialect": "xxpay", "switches": {"rsa_only": True}}
    refused = await site.desk.post(MINE, body, key="operator")
    made = await ask(site.desk, "POST", MINE, {"dialect": "xxpay"}, 201)
    path = f"/v1/admin/dialects/{made['id']}/switches"
    later = await site.desk.post(path, {"switches": {"rsa_only": True}}, key="operator")

    assert refused.json["param"] == later.json["param"] == "switches.rsa_only"
    assert set(made["secrets"]) == {"private_key"}


async def test_a_removed_account_has_no_switches(site: Site) -> None:
    """It asks for nothing new."""
    await ask(site.desk, "DELETE", "/v1/admin/dialects/da_1")

    told = await site.desk.post(SWITCHES, {"switches": {"rsa_only": True}}, key="operator")

    assert (told.status, told.code) == (409, "account_removed")


async def test_an_xxpay_account_works_with_what_it_was_shown(site: Site) -> None:
    """A base URL, an id and a key; a public key is refused."""
    made = await ask(site.desk, "POST", MINE, {"dialect": "xxpay", "public_id": "20000009"}, 201)
    caller = XxPayer(
        http=site.desk.http,
        base_url=str(site.desk.server.make_url(made["path"])),
        mch_id="20000009",
        key=made["secrets"]["private_key"],
        now=site.plugin.now,
    )
    key = {"dialect": "xxpay", "public_key": pairs()[2][1]}
    refused = await site.desk.post(MINE, key, key="operator")

    assert (await caller.apply("A")).ok
    assert refused.json["param"] == "public_key"
    stored = site.desk.file.read_bytes() + site.desk.log.getvalue().encode()
    assert made["secrets"]["private_key"].encode() not in stored
