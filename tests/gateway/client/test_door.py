"""Addresses, keys, signatures and headers: refused early, shown never."""

import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest

from gateway.client import AsyncClient, Client, Limits, calls
from gateway.client.calls import Call
from gateway.client.door import Door
from tests.gateway.client.stand_in import KEY, REQUEST, URL, FakeClock, calling, made

SIGNING = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.mark.parametrize(
    "url",
    [
        *("", "gateway.test", "ftp://gateway.test", "https://", "https://user:pw@gateway.test"),
        *("https://gateway.test?x=1", "https://gateway.test#x", "http://gateway.test"),
        *("http://10.0.0.1:8080", "http://localhost.evil.test"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    """Above all one on which everybody could read the key."""
    with pytest.raises(ValueError, match="url"):
        Door(url, KEY)


@pytest.mark.parametrize("url", ["http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1"])
def test_plain_http_is_allowed_on_this_machine(url: str) -> None:
    """A sandbox has no certificate."""
    assert Door(url, KEY).url == url


def test_plain_http_can_be_demanded() -> None:
    """Where the network itself is private."""
    assert Door("http://gateway:8080/", KEY, plain_http=True).url == "http://gateway:8080"


def test_a_path_before_the_api_is_kept() -> None:
    """A proxy may have put the gateway under one."""
    door = Door("https://proxy.test/pay/", KEY)
    assert door.target(calls.payout("po_1")) == "https://proxy.test/pay/v1/payouts/po_1"


@pytest.mark.parametrize("key", ["", "hd_x_y", KEY + "x", f"Bearer {KEY}", KEY + "\n"])
def test_what_is_no_key_is_refused_and_not_repeated(key: str) -> None:
    """Half a key in a log is half a key too much."""
    with pytest.raises(ValueError, match="key: must look like") as raised:
        Door(URL, key)
    assert "ssss" not in str(raised.value)


@pytest.mark.parametrize("limits", [{"budget_s": 0}, {"answer_s": -1}, {"connect_s": 4000}])
def test_limits_that_never_try_or_never_stop_are_refused(limits: dict[str, float]) -> None:
    """Every limit is a limit."""
    with pytest.raises(ValueError, match="must lie between"):
        Limits(**limits)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_no_secret_is_in_a_repr(kind: Any) -> None:
    """Only the key's id, by which operators know it."""
    client = kind(URL, KEY, signing_secret=SIGNING)
    door = client._door
    shown = repr(client) + repr(door) + repr(door.limits)
    assert "0123456789abcdef" in repr(client)
    assert "ssss" not in shown
    assert SIGNING not in shown


def test_a_signature_is_the_documented_one() -> None:
    """The example of the gateway's own description of signatures."""
    clock = FakeClock(datetime.fromtimestamp(1772416800, UTC))
    door = Door(URL, KEY, SIGNING, clock=clock)
    call: Call[object] = Call("POST", "/v1/payouts", str, body=b'{"merchant_ref":"order-1"}')
    with patch("gateway.client.door.nonce", return_value="n-0123456789abcdef"):
        headers = door.headers(call, "request-1")
    assert headers["Hangdao-Signature"] == (
        "v1=480b0badad26de8ebb7733e9a43bd0d0ed7e0faed8d019046580d9084ba88ab2"
    )


def test_a_signing_secret_that_is_none_is_refused() -> None:
    """Before the first request is."""
    with pytest.raises(ValueError, match="signing_secret"):
        Door(URL, KEY, "not base64!")


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
async def test_every_request_says_who_asks(kind: str) -> None:
    """Program and version, the key, an id for the log."""
    with calling(kind) as caller:
        caller.route.post("/v1/payouts").mock(return_value=made())
        await caller.run(calls.create(REQUEST, None))
        (sent,) = caller.requests
    assert sent.headers["User-Agent"] == f"hangdao-python/{version('hangdao')}"
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert UUID(sent.headers["X-Request-Id"].removesuffix("-1")).version == 4


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
async def test_every_try_has_timeouts(kind: str) -> None:
    """Without being asked for."""
    with calling(kind) as caller:
        caller.route.post("/v1/payouts").mock(return_value=made())
        await caller.run(calls.create(REQUEST, None))
        (sent,) = caller.requests
    assert sent.extensions["timeout"] == {"connect": 5, "read": 30, "write": 30, "pool": 5}


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("trusted", [False, True])
def test_the_environment_leads_nowhere_unless_trusted(
    kind: Any, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy variable would see every payee."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    client = kind(URL, KEY, trust_env=trusted) if trusted else kind(URL, KEY)
    assert bool(client._http._mounts) is trusted


def test_importing_the_client_brings_nothing_of_the_server() -> None:
    """Programs of merchants start fast, and need of the gateway's libraries only the structs'."""
    heavy = (
        "aiohttp apsw asyncpg cel_expr_python cryptography lxml msgspec orjson pydantic redis "
        "structlog"
    )
    code = (
        "import sys, gateway.client\n"
        "ours = [one for one in sys.modules if one.split('.')[0] in "
        "('gateway', 'channels', 'policies', 'simulators')]\n"
        "odd = [one for one in ours if not one.startswith('gateway.client')]\n"
        f"print(sorted(odd), sorted(set({heavy.split()!r}) & set(sys.modules)))"
    )
    told = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    wanted = (
        "['channels', 'channels.contract', 'channels.money', 'channels.unprinted', 'gateway'] "
        "['msgspec']"
    )
    assert told.stdout.strip() == wanted
