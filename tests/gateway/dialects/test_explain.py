"""`POST /v1/sign/explain`: helps whoever may know, and never signs for anybody."""

import base64
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from msgspec.structs import replace

from gateway.api.auth import new_key
from gateway.api.explain.sent import SENT_BYTES_MAX
from gateway.domain.dialect import DialectAccount, KeySet, Switches
from gateway.ports import Scope
from tests import builders as build
from tests.gateway.api.desk import ACME, OTHER, PEPPER, Answer
from tests.gateway.api.explain.callers import md5, rsa
from tests.gateway.dialects.conftest import MD5_KEY, PID, Site, pairs
from tests.gateway.dialects.epayn import text_to_sign

PATH = "/v1/sign/explain"
FIELDS = {"pid": PID, "timestamp": "1772416800", "type": "alipay", "name": "王小五", "remark": ""}
SIGNED = md5(text_to_sign(FIELDS) + MD5_KEY)


def sent(sign: str, **more: str) -> str:
    """The form."""
    return urlencode({**FIELDS, **more, "sign": sign})


async def ask(site: Site, request: str, *, key: str = "acme", **more: Any) -> Any:
    """The explanation."""
    told = await site.desk.post(PATH, {"dialect": "epay", "request": request, **more}, key=key)
    assert told.status == 200, told.raw
    return told.json


async def refused(site: Site, body: dict[str, Any], key: str = "acme") -> Answer:
    """A refusal."""
    told = await site.desk.post(PATH, {"dialect": "epay", **body}, key=key)
    assert told.status >= 400
    return told


@pytest.fixture
async def production(site: Site) -> AsyncIterator[Site]:
    """Where the clock cannot be moved."""
    moved = site.desk.api.advance_clock
    site.desk.api.advance_clock = None
    yield site
    site.desk.api.advance_clock = moved


@pytest.fixture
async def rehearsal(site: Site) -> Site:
    """Where it can."""
    site.desk.api.advance_clock = lambda _: None
    return site


async def test_production_shows_strings_and_no_digest(production: Site) -> None:
    """The string, the difference and the mistake; not what would be a valid signature."""
    wrong = md5(f"{text_to_sign(FIELDS)}&key={MD5_KEY}")
    found = await ask(production, sent(wrong))

    assert not found["verifies"]
    assert found["account"] == "da_1"
    assert found["string"] == f"{text_to_sign(FIELDS)}***"
    assert found["mistakes"][0]["code"] == "tail_key"
    assert found["ours"] is None
    assert found["notes"][-1]["code"] == "ours_hidden"
    whole = orjson.dumps(found).decode()
    assert SIGNED not in whole.lower()
    assert MD5_KEY not in whole


async def test_production_is_no_oracle_letter_by_letter(production: Site) -> None:
    """Signatures that agree with ours in 0, 1 … 31 places are all answered alike."""
    told = []
    for right in range(32):
        rest = "".join("0" if one != "0" else "1" for one in SIGNED[right:])
        found = await ask(production, sent(SIGNED[:right] + rest))
        told.append({**found, "theirs": None})

    assert all(one == told[0] for one in told)
    assert told[0]["mistakes"][0]["code"] == "wrong_key"


async def test_production_repeats_a_valid_signature_only_to_whom_has_it(production: Site) -> None:
    """Then it is the caller's own."""
    found = await ask(production, sent(SIGNED))

    assert found["verifies"]
    assert (found["ours"], found["theirs"]) == (SIGNED, SIGNED)
    upper = await ask(production, sent(SIGNED.upper()))
    assert [one["code"] for one in upper["mistakes"]] == ["hex_case"]
    assert upper["ours"] is None


async def test_a_rehearsal_shows_both_digests(rehearsal: Site) -> None:
    """Nothing there is worth a signature."""
    found = await ask(rehearsal, sent("0" * 32))
    assert found["ours"] == SIGNED
    assert MD5_KEY not in orjson.dumps(found).decode()


async def test_rsa_is_explained_in_full(production: Site) -> None:
    """A public key checks and cannot sign: both digests are shown."""
    (private, _), _, _ = pairs()
    plugin = production.plugin
    fields = plugin.signed({"type": "alipay", "remark": "提现"})
    assert private == plugin.appsecret
    assert (await ask(production, urlencode(fields)))["verifies"]

    found = await ask(production, urlencode({**fields, "remark": "别的"}))
    assert found["mistakes"][0]["code"] == "value_changed"
    assert found["ours"].startswith("SHA-256 ")
    assert found["theirs"].startswith("SHA-256 ")
    assert found["ours"] != found["theirs"]
    assert (await ask(production, urlencode({**fields, "sign": rsa("x")})))["mistakes"][0][
        "code"
    ] == "wrong_key_rsa"


async def test_the_explainer_and_the_door_agree(site: Site) -> None:
    """What verifies is taken; what does not is refused for its signature."""
    right = site.plugin.signed({"out_biz_no": "1"})
    for fields in (right, {**right, "out_biz_no": "2"}):
        code = (await site.plugin.post("api/transfer/query", fields))["code"]
        found = await ask(site, urlencode(fields))
        assert found["verifies"] == (code != -3)


async def test_a_reply_of_ours_is_explained(site: Site) -> None:
    """A caller that cannot verify our replies pastes one."""
    fields = site.plugin.signed({})
    reply = dict(await site.plugin.post("api/merchant/info", fields))
    found = await ask(site, orjson.dumps(reply).decode(), account="da_1")
    assert found["verifies"], found["mistakes"]

    turned = urlencode({**FIELDS, "sign_type": "RSA", "sign": reply["sign"]})
    assert "other_side" in [one["code"] for one in (await ask(site, turned))["mistakes"]]


async def test_only_ones_own_accounts_are_explained(site: Site) -> None:
    """Another merchant's account does not exist; an operator sees all."""
    keys = (KeySet("k9", build.NOW, "another-merchants-secret"),)
    theirs = DialectAccount("da_9", OTHER, "epay", "90009", keys, Switches(), build.NOW)
    await site.desk.store.add_dialect_account(theirs, "test")
    request = urlencode({**FIELDS, "pid": "90009", "sign": "0" * 32})

    for body in ({"request": request}, {"request": request, "account": "da_9"}):
        told = await refused(site, body)
        assert (told.status, told.code, told.json["param"]) == (404, "no_such_account", "account")
    assert (await ask(site, request, key="operator"))["account"] == "da_9"
    by_name = await ask(site, request, account=PID)
    assert by_name["account"] == "da_1"


@pytest.mark.parametrize("scope", [Scope.PAYOUTS_READ, Scope.WEBHOOKS])
async def test_a_key_that_may_not_order_payouts_is_refused(site: Site, scope: Scope) -> None:
    """It would learn in a rehearsal how to sign an order."""
    stored, text, _ = new_key(
        site.desk.api.entropy,
        PEPPER,
        merchant_id=ACME,
        scopes=frozenset({scope}),
        label="narrow",
        signed=False,
        now=build.NOW,
    )
    await site.desk.store.add_key(stored, "test")
    site.desk.keys["narrow"] = text

    told = await refused(site, {"request": sent(SIGNED)}, key="narrow")
    assert (told.status, told.code) == (403, "scope_missing")


async def test_switches_and_rotation_are_told(site: Site) -> None:
    """RSA only, an older key set, an account that was removed."""
    await site.set(rsa_only=True)
    found = await ask(site, sent(SIGNED))
    assert [one["code"] for one in found["mistakes"]] == ["md5_not_taken"]

    await site.set(rsa_only=False)
    fresh = KeySet("k2", build.NOW, "a-new-secret-of-the-account")
    site.account = site.account.rotated(fresh, only=False)
    removed = replace(site.account, removed_at=build.NOW)
    await site.desk.store.change_dialect_account(removed, "removed", "test")
    found = await ask(site, sent(SIGNED))
    assert found["verifies"]
    assert found["key"] == "k1"
    assert {one["code"] for one in found["notes"]} >= {"older_key", "account_removed"}


async def test_a_webhook_is_explained_to_its_merchant(production: Site) -> None:
    """By the endpoint's id; its secret stays where it is."""
    made = await production.desk.post("/v1/webhook-endpoints", {"url": "https://shop.example/h"})
    endpoint = made.json
    message = (
        "POST /h\nwebhook-id: e1\nwebhook-timestamp: 1772416800\n"
        f"webhook-signature: v1,{base64.b64encode(bytes(32)).decode()}\n\n{{}}"
    )
    body = {"dialect": "webhook", "request": message, "account": endpoint["id"]}
    told = await production.desk.post(PATH, body)

    assert told.status == 200, told.raw
    assert told.json["ours"] is None
    assert [one["code"] for one in told.json["mistakes"]] == ["wrong_key"]
    assert endpoint["secret"].removeprefix("whsec_") not in told.raw.decode()
    absent = await refused(production, {**body, "account": "we_none"})
    assert (absent.status, absent.code) == (404, "no_such_endpoint")
    stranger = await refused(production, body, key="other")
    assert (stranger.status, stranger.code) == (404, "no_such_endpoint")


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"request": "{"}, 422, "request_unreadable", "request"),
        ({"request": "a" * (SENT_BYTES_MAX + 1)}, 422, "field_invalid", "request"),
        ({"request": "提" * SENT_BYTES_MAX}, 413, "body_too_large", None),
        ({"request": "提" * 11_000}, 422, "request_unreadable", "request"),
        ({"request": "%%%", "encoding": "base64"}, 422, "request_unreadable", "request"),
        ({"request": "a=1", "dialect": "zhiyu"}, 422, "field_invalid", "dialect"),
        ({"request": "a=1", "secret": "x"}, 422, "field_unknown", "secret"),
        ({"request": "a=1"}, 404, "no_such_account", "account"),
    ],
)
async def test_what_cannot_be_explained_says_which_field(
    site: Site, body: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    """Bounded, and no key is ever taken over the wire."""
    told = await refused(site, body)
    assert (told.status, told.code, told.json.get("param")) == (status, code, param)


async def test_bytes_that_are_no_utf8_come_in_base64(site: Site) -> None:
    """A GBK caller's request, byte for byte."""
    body = urlencode({**FIELDS, "sign": "0"}, encoding="gbk").encode()
    found = await ask(site, base64.b64encode(body).decode(), encoding="base64")
    assert found["bytes"][0]["hex"] == "王小五".encode("gbk").hex(" ")


async def test_one_at_a_time(site: Site) -> None:
    """Whoever asks meanwhile is told to come again."""
    async with site.desk.api.explain_turn:
        told = await refused(site, {"request": sent(SIGNED)})
    assert (told.status, told.code) == (503, "explaining_busy")
    assert told.headers["Retry-After"] == "1"
    assert (await ask(site, sent(SIGNED)))["verifies"]


async def test_the_log_has_the_verdict_and_no_value(site: Site) -> None:
    """Dialect and mistake, by their codes."""
    await ask(site, sent(md5(f"{text_to_sign(FIELDS)}&key={MD5_KEY}")))
    log = site.desk.log.getvalue()
    holds: Callable[[str], bool] = log.__contains__

    assert holds("sign:epay:tail_key")
    assert not any(holds(part) for part in ("王小五", MD5_KEY, SIGNED, "timestamp=", "alipay&"))
