"""The page for shops' developers: its vectors are computed again, its rows lead to tests."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from standardwebhooks import Webhook

from channels.alipay import signing as alipay
from channels.keyed_md5 import signature
from gateway.api.dialects import alipay as alipay_door
from gateway.api.dialects import epay, epay_reading, epay_signing, jeepay, xxpay
from gateway.api.dialects.registry import DIALECTS as DOORS
from gateway.api.dialects.wire import form
from gateway.api.explain.explain import Question, explain
from gateway.api.explain.keys import given
from gateway.api.explain.native import NATIVES, explain_native
from gateway.api.explain.recipe import DIALECTS
from gateway.api.explain.sent import read_fields, read_message
from gateway.api.explain.views import ExplanationView
from gateway.api.routes import ROUTES
from gateway.cli import main
from gateway.clock import SystemEntropy
from gateway.domain.dialect import KeySet
from tests.builders import NOW
from tests.gateway.dialects.epayn import text_to_sign
from tests.tidy.tree import ROOT

PAGE = (ROOT / "gateway" / "api" / "dialects" / "README.md").read_text(encoding="utf-8")
DOCS_KEY = "docs-rsa"

Vector = Mapping[str, str]


def _vectors() -> list[Vector]:
    blocks = re.findall(r"```text\n(dialect: .+?)```", PAGE, re.DOTALL)
    return [dict(line.split(": ", 1) for line in one.strip().splitlines()) for one in blocks]


VECTORS = _vectors()
TITLES = [f"{one['dialect']}-{place}" for place, one in enumerate(VECTORS)]


def docs_key(half: str) -> str:
    """The page's pair, joined."""
    found = re.search(rf"```text\n{DOCS_KEY} {half}\n(.+?)```", PAGE, re.DOTALL)
    assert found is not None
    return "".join(found[1].split())


def string_of(vector: Vector) -> bytes:
    """What is signed."""
    text = vector["string"]
    return (text.replace("\\n", "\n") if vector["dialect"] in NATIVES else text).encode()


def message_of(vector: Vector) -> bytes:
    """What is sent."""
    text = vector["request"]
    return (text.replace("\\n", "\n") if vector["dialect"] in NATIVES else text).encode()


def explained(vector: Vector, sent: bytes) -> ExplanationView:
    """By somebody who has the page's key."""
    kind, text = vector["dialect"], vector["key"]
    key = given("page", docs_key("public") if text == DOCS_KEY else text)
    if kind in NATIVES:
        return explain_native(kind, read_message(sent), (key,), show_ours=True)
    asked = read_fields(sent, both=kind != "epay")
    return explain(Question(kind, asked, (key,), show_ours=True))


def made(vector: Vector) -> str:
    """The signature, from string and key alone, by nobody's code but the libraries'."""
    text, key = string_of(vector), vector["key"].encode()
    if vector["key"] == DOCS_KEY:
        private = serialization.load_der_private_key(base64.b64decode(docs_key("private")), None)
        assert isinstance(private, RSAPrivateKey)
        return base64.b64encode(private.sign(text, PKCS1v15(), hashes.SHA256())).decode()
    match vector["dialect"]:
        case "epay":
            return hashlib.md5(text + key, usedforsecurity=False).hexdigest()
        case "jeepay" | "xxpay":
            whole = text + b"&key=" + key
            return hashlib.md5(whole, usedforsecurity=False).hexdigest().upper()
        case "webhook":
            mac = hmac.digest(base64.b64decode(key.removeprefix(b"whsec_")), text, "sha256")
            return "v1," + base64.b64encode(mac).decode()
        case _:
            return "v1=" + hmac.digest(base64.b64decode(key), text, "sha256").hex()


@pytest.mark.parametrize("vector", VECTORS, ids=TITLES)
def test_a_vectors_signature_is_made_from_its_string_and_key(vector: Vector) -> None:
    """By arithmetic; either case of hex where the protocol takes both."""
    told = vector["sign"]
    assert made(vector) == (told.upper() if vector["dialect"] == "xxpay" else told)


@pytest.mark.parametrize("vector", VECTORS, ids=TITLES)
def test_a_vector_is_what_the_explainer_says(vector: Vector) -> None:
    """The request verifies, and its string is the page's."""
    found = explained(vector, message_of(vector))

    assert found["verifies"], found["mistakes"]
    tail = {"epay": "***", "jeepay": "&key=***", "xxpay": "&key=***"}
    keyed = vector["key"] != DOCS_KEY
    shown = vector["string"] + (tail.get(vector["dialect"], "") if keyed else "")
    assert found["string"].replace("\\n\n", "\\n") == shown


@pytest.mark.parametrize("vector", VECTORS, ids=TITLES)
def test_a_changed_vector_does_not_verify(vector: Vector) -> None:
    """One character of any value."""
    sent = message_of(vector)
    place = sent.rindex(b"1", 0, sent.index(b"sign=") if b"sign=" in sent else len(sent))
    assert not explained(vector, sent[:place] + b"7" + sent[place + 1 :])["verifies"]


def test_the_pages_pair_is_a_pair() -> None:
    """The public half is the private one's, and adapters can read it."""
    private = serialization.load_der_private_key(base64.b64decode(docs_key("private")), None)
    public = serialization.load_der_public_key(base64.b64decode(docs_key("public")))
    assert isinstance(private, RSAPrivateKey)
    assert isinstance(public, RSAPublicKey)
    assert private.public_key().public_numbers() == public.public_numbers()
    assert alipay.load_private_key(docs_key("private")).key_size == 2048


def test_the_signers_behind_the_doors_agree() -> None:
    """Door, adapters, the rebuilt plugin and the webhook library, each over its vectors."""
    keys = (KeySet("k", NOW, None, docs_key("public")),)
    for one in VECTORS:
        kind, fields = one["dialect"], form(message_of(one)) or {}
        if kind == "epay" and "{" not in one["request"]:
            secret = None if one["key"] == DOCS_KEY else one["key"]
            proof = epay_signing.prove(
                fields, (KeySet("k", NOW, secret), *keys), epay_reading.KNOWN, rsa_only=False
            )
            assert proof is not None
            assert text_to_sign(fields) == one["string"]
        elif kind in {"jeepay", "xxpay"}:
            asked = read_fields(message_of(one)).fields
            texts: dict[str, object] = {field.name: field.text for field in asked}
            assert signature(texts, one["key"]) == one["sign"].upper()
        elif kind == "alipay":
            leave_out = ("sign", "sign_type") if "notify_id" in fields else ("sign",)
            assert alipay.string_to_sign(fields, *leave_out) == string_of(one)
            assert alipay.verifies(
                alipay.load_public_key(docs_key("public")), string_of(one), one["sign"]
            )
        elif kind == "webhook":
            message = read_message(message_of(one))
            at = datetime.fromtimestamp(int(message.headers["webhook-timestamp"]), UTC)
            signer = Webhook(one["key"])
            assert (
                signer.sign(message.headers["webhook-id"], at, message.body.decode())
                == (one["sign"])
            )


def test_every_dialect_has_a_vector() -> None:
    """Whatever can be explained, and whatever has a door."""
    assert {one["dialect"] for one in VECTORS} == {*DIALECTS, *NATIVES}
    assert set(DOORS) <= set(DIALECTS)


def rows() -> list[list[str]]:
    """Of the table of clients."""
    part = PAGE.split("## What ran against it")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("| ") and not line.startswith(("| dialect", "| ---"))
    ]


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}-{row[1]}-{row[2][:12]}")
def test_a_row_of_the_table_leads_to_its_test(row: list[str]) -> None:
    """With dialect, operation, client, version, and a file that holds tests."""
    dialect, operation, client, version, test = row
    assert dialect in {*DIALECTS, *NATIVES}
    assert operation
    assert client
    assert version
    file = Path(ROOT, test.strip("`"))
    assert "def test_" in file.read_text(encoding="utf-8")
    if dialect in DOORS and "/" in operation:
        said = "".join(one.read_text(encoding="utf-8") for one in file.parent.glob("*.py"))
        assert f"api/{operation.split(',')[0]}" in said


def test_every_door_has_a_row_and_a_place() -> None:
    """Nothing that answers goes undocumented; a dialect's base URL names it."""
    assert set(DOORS) <= {row[0] for row in rows()}
    places = set(re.findall(r"https://<gateway>/d/(\w+)/", PAGE))
    assert set(DOORS) <= places <= set(DIALECTS)


OPERATIONS = {
    "epay": {path.removeprefix("/api/") for path in epay._ACTS},
    "jeepay": {path.removeprefix("/api/") for path in jeepay._ACTS} | {"notice"},
    "xxpay": {f"agentpay/{name}" for name in ("apply", "query_order", "query_balance")}
    | {"notice"},
    "alipay": {*alipay_door._METHODS, "notice"},
}


def test_every_operation_of_a_door_has_a_client_that_ran() -> None:
    """Whatever a door answers, and its notices where it sends some."""
    ran: dict[str, set[str]] = {name: set() for name in DOORS}
    for dialect, operation, *_ in rows():
        if dialect in ran:
            ran[dialect].add(operation.split(",")[0])
    assert ran == OPERATIONS
    clones = {path.rpartition("/")[2].replace("_", "").lower() for path in xxpay._ACTS}
    stock = {one.rpartition("/")[2].replace("_", "") for one in OPERATIONS["xxpay"]}
    assert clones == stock - {"notice"}


def test_the_sdk_that_ran_is_the_pinned_one() -> None:
    """Its rows say the version that the tests install."""
    pins = (ROOT / "requirements-test.txt").read_text(encoding="utf-8")
    pinned = re.search(r"^alipay-sdk-python==(\S+)", pins, re.MULTILINE)
    assert pinned is not None
    assert {row[3] for row in rows() if "alipay-sdk-python" in row[2]} == {pinned[1]}


def test_keys_have_the_names_that_are_shown() -> None:
    """What `merchant dialect add` prints can be found in the row of its base URL."""
    part = PAGE.split("## What to put where")[1].split("\n## ")[0]
    for name, door in DOORS.items():
        shown = door.mint(SystemEntropy(), KeySet("k1", NOW)).shown
        named = set(re.findall(r"`(\w+)`", "".join(place_of(name, part))))
        assert shown.keys() <= named, name


def place_of(dialect: str, part: str) -> list[str]:
    """The lines of a dialect, and the one behind the first, which goes on with it."""
    lines = part.splitlines()
    at = next(i for i, line in enumerate(lines) if f"/d/{dialect}/" in line)
    return lines[at : at + 2] if dialect == "epay" else [lines[at]]


def test_what_the_page_names_exists() -> None:
    """Commands, flags and the path."""
    assert "/v1/sign/explain" in PAGE
    assert any(one.path == "/v1/sign/explain" for one in ROUTES)
    context = main.make_context("hangdao", ["sign", "explain", "--help"], resilient_parsing=True)
    group = main.get_command(context, "sign")
    assert group is not None
    command = group.get_command(context, "explain")  # type: ignore[attr-defined] # a group
    flags = {flag for one in command.params for flag in one.opts}
    used = set(re.findall(r"--[a-z-]+", PAGE.split("## When the signature")[1].split("\n## ")[0]))
    assert used <= flags
    assert used >= {"--request", "--account", "--signing-key", "--string", "--json"}
