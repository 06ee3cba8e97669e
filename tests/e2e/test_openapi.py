"""The OpenAPI document against the running gateway: neither promises what the other breaks.

Schemathesis makes requests from the document, right ones and wrong ones, and sends them over a real
socket with a key that may do everything. A fixed seed makes every run the same.
"""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import requests
import schemathesis
from aiohttp.web import AbstractResource
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.config import SchemathesisConfig

from channels.contract import Rail
from channels.money import Currency
from gateway.api.openapi import document
from gateway.api.routes import ROUTES
from gateway.api.schemas import SPLIT_KIND
from gateway.domain.payout import Event, PayoutState
from gateway.ports import Scope
from gateway.store.archive_files import ArchiveFiles
from tests.gateway.api.desk import ACME, Desk, open_desk
from tests.gateway.api.till import Till

AnyCase = schemathesis.Case[Any]
VERSION = "1.2.3"
EXAMPLES = 30

DOCUMENT: Any = document(ROUTES, VERSION)
schema = schemathesis.openapi.from_dict(
    DOCUMENT,
    config=SchemathesisConfig.from_dict(
        {
            "seed": 20260302,
            "generation": {
                "mode": "all",
                "max-examples": EXAMPLES,
                "deterministic": True,
                "database": "none",
            },
            "checks": {
                # `refused_only_for_what_it_is_about` looks closer at these.
                "positive_data_acceptance": {
                    "expected-statuses": ["2xx", "400", "402", "403", "404", "409", "422"]
                },
            },
        }
    ),
)


@schemathesis.serializer(
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/x-ndjson"
)
def as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """Files are any bytes: what is generated is sent."""
    data = getattr(value, "data", value)
    return data if isinstance(data, bytes) else str(data).encode("utf-8", "replace")


ABOUT = {
    *("no_channel", "deadline_passed", "release_too_late", "insufficient_funds", "url_refused"),
    *("idempotency_key_missing", "idempotency_key_reused", "merchant_ref_reused"),
    *("public_id_taken", "public_key_invalid", "no_such_account"),
    *("split_not_found", "batch_not_found", "batch_invalid", "profile_unknown"),
    *("no_such_endpoint", "request_unreadable"),
    *("merchant_exists", "scope_not_for_merchants", "currency_mismatch", "state_forbids"),
    *("payout_not_found", "no_such_thing", "no_such_key", "no_such_merchant", "no_such_channel"),
    *("endpoint_not_found", "delivery_not_found", "no_such_incident", "no_such_proposal"),
    *("no_such_change", "no_such_policy", "no_shadow", "policy_invalid", "time_invalid"),
    *("reason_missing", "policy_moved"),
    *("person_unknown", "no_backup", "channel_unknown", "not_quarantined"),
    *("not_killed", "window_invalid", "window_past", "no_such_maintenance"),
    *("calendar_incomplete", "channel_no_fee", "backup_in_future"),
    *("person_unknown", "no_backup", "no_plan", "plan_without_history", "plan_without_channels"),
    *("batch_not_found", "batch_invalid", "batch_repeated", "profile_unknown"),
    *("archive_too_young", "archived"),
    # To JSON Schema 2024.0 is an integer; to us it is a number that has been a float.
    "number_not_integer",
}
"""Why a request that is right in form may be refused."""

BEYOND_JSON_SCHEMA = (
    ("amount", "has more than"),
    ("total", "give exactly one of"),
    ("total", "has more than"),
    ("max_minor", "is below"),
    ("channels.deny", "is denied and wanted"),
    ("channels.prefer", "is preferred but not among"),
    ("days", "a day is given twice"),
    *(("", f"give {what}") for what in ("exactly one of", "amount_minor in all legs")),
    *(("legs", why) for why in ("add up to", "have the same merchant_ref", "shares")),
    ("merchant_ref", "have the same merchant_ref"),
    *(("amount_minor", why) for why in ("the legs add up to", "shares need")),
    ("share_ppm", "less than one minor unit"),
    ("switches", "give at least one switch"),
    ("tiers", "must begin at floor 0 and rise"),
    ("tiers", "flat and rate belong into the tiers"),
    ("", "contains the invisible character"),
    ("", "must not begin or end with a space"),
)
"""What a field must keep and the document cannot say: two fields compared, all of Unicode."""


def refused_only_for_what_it_is_about(
    _: schemathesis.CheckContext, response: schemathesis.Response, case: AnyCase
) -> None:
    """A request the document calls right is not refused for its form."""
    if case.meta is None or case.meta.generation.mode.is_negative or response.status_code < 400:
        return
    told = response.json()
    if told["code"] in ABOUT:
        return
    param, detail = told.get("param") or "", told["detail"]
    assert told["code"] == "field_invalid", told
    assert any(param.endswith(one) and why in detail for one, why in BEYOND_JSON_SCHEMA), told


class Serving:
    """A desk on a thread of its own, for a client that blocks."""

    def __init__(self, folder: Path) -> None:
        """Start, and return once requests are answered."""
        self._folder = folder
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self.url = ""
        self.key = ""
        self.resources: list[AbstractResource] = []
        self._thread.start()
        self._started.wait(30)

    async def _serve(self) -> None:
        async with open_desk(self._folder) as desk:
            await desk.add_key("all", ACME, frozenset(Scope))
            self.url = str(desk.server.make_url("")).rstrip("/")
            self.key = desk.keys["all"]
            self.resources = list(desk.server.app.router.resources())
            await self._prepare(desk)
            self._started.set()
            await self._stop.wait()

    async def _prepare(self, desk: Desk) -> None:
        # Every beneficiary can be reached, and no statement is waited for over a dead line.
        desk.gateway.channels = {"till": Till(Rail, statement=False)}
        desk.api.archive_files = ArchiveFiles(self._folder)
        for ref in ("order-1", "order-2"):
            await desk.work(await desk.pay(ref))

    def close(self) -> None:
        """Stop, and wait until everything is closed."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One running gateway for all generated requests."""
    serving = Serving(tmp_path_factory.mktemp("openapi"))
    try:
        yield serving
    finally:
        serving.close()


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """Connections that are used again."""
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


@schema.parametrize()
def test_the_gateway_keeps_what_the_document_promises(
    case: AnyCase, gateway: Serving, session: requests.Session
) -> None:
    """Every generated request is answered with a documented status, type, body and headers."""
    case.call_and_validate(
        base_url=gateway.url,
        session=session,
        additional_checks=[refused_only_for_what_it_is_about],
        headers={"Authorization": f"Bearer {gateway.key}"},
    )


def test_the_document_is_valid() -> None:
    """OpenAPI 3.1, checked by the specification's own schema."""
    assert DOCUMENT["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_the_document_is_the_one_that_is_served(
    gateway: Serving, session: requests.Session
) -> None:
    """What is tested here is what clients are generated from."""
    served = session.get(f"{gateway.url}/openapi.json", timeout=10)
    assert served.headers["Content-Type"].startswith("application/json")
    assert served.json() == DOCUMENT


def test_every_route_of_the_application_is_in_the_document(gateway: Serving) -> None:
    """Probes and notices as well as the route table; and nothing that does not exist.

    Other platforms' protocols take any method and are described by those platforms; the page on
    which a payee confirms is for people.
    """
    served = {
        (route.method, resource.canonical)
        for resource in gateway.resources
        for route in resource
        if route.method not in {"HEAD", "*"} and not resource.canonical.startswith("/c/")
    }
    described = {
        (method.upper(), path) for path, ways in DOCUMENT["paths"].items() for method in ways
    }
    assert described == served


def test_only_probes_and_notices_need_no_key() -> None:
    """Everything under /v1 is secured."""
    unsecured = {
        path
        for path, ways in DOCUMENT["paths"].items()
        for one in ways.values()
        if one.get("security", DOCUMENT["security"]) == []
    }
    assert unsecured == {
        *("/healthz", "/readyz", "/version", "/metrics", "/openapi.json", "/notices/{channel}")
    }


def test_the_document_names_what_the_domain_has() -> None:
    """States, currencies and kinds of event come from the domain, so that they cannot drift."""
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["PayoutState"]["enum"] == [one.value for one in PayoutState]
    assert schemas["Currency"]["enum"] == [one.value for one in Currency]
    kinds = schemas["EndpointIn"]["properties"]["kinds"]["items"]["enum"]
    events = {event.kind for event in get_args(Event)}
    assert set(kinds) == events | {f"payout.{kind}" for kind in events} | {SPLIT_KIND}
