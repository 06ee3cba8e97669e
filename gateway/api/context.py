"""What handlers share, and the route table's row: one place for path, scope, models and answer."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from channels.contract import Rail
from channels.unprinted import Unprinted
from gateway.api.admission import Admission
from gateway.api.auth import Authenticator, Caller
from gateway.api.body import read_object
from gateway.api.confirm_links import ConfirmLinks
from gateway.domain.errors import AbsenceError, InvalidError
from gateway.engine.archive import Files
from gateway.engine.audit import Auditor
from gateway.engine.balances import Balances
from gateway.engine.gateway import Gateway
from gateway.engine.plan import Planner
from gateway.engine.policies import Board
from gateway.engine.standby import Note
from gateway.ports import Backup, Entropy, Scope
from gateway.sheets.profile import Profile, shipped

M = TypeVar("M", bound=BaseModel)
_RAILS = frozenset(Rail)


@dataclass(slots=True)
class Api:
    """The application's parts, beside the gateway itself."""

    gateway: Gateway
    authenticator: Authenticator
    auditor: Auditor
    policies: Board
    entropy: Entropy
    pepper: bytes = field(repr=False)
    version: str
    planner: Planner
    balances: Balances
    check_webhook_url: Callable[[str], str | None]
    """A sentence on what is wrong with a webhook URL, or None."""
    new_webhook_secret: Callable[[bytes], str]
    ready: Callable[[], Awaitable[list[str]]]
    """What keeps the process from taking payouts now; empty when it is ready."""
    metrics: Callable[[], bytes]
    batch_profiles: Mapping[str, Profile] = field(default_factory=shipped)
    """How platforms' files of payouts are read and written back, by name."""
    batch_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Files are read one at a time: each may take some hundred megabytes while it is."""
    explain_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Signatures are explained one at a time: trying every mistake takes a moment."""
    admission: Admission = field(default_factory=lambda: Admission(delay_s=0.05, most=512))
    """Who is let in while too many ask for payouts."""
    notes: Callable[[], list[Note]] = list
    """What operators should know that does not keep it from taking payouts."""
    backup: Callable[[], Awaitable[tuple[Path, Backup]]] | None = None
    """Writes a backup beside the database."""
    archive_files: Files | None = None
    """Where archives are kept; None without a folder."""
    advance_clock: Callable[[int], None] | None = None
    """Moves a test clock forward by seconds; None in production."""
    confirm_links: ConfirmLinks | None = None
    """Pages on which payees confirm; None without an address that payees could open."""
    dialect_hosts: Mapping[str, str] = field(default_factory=dict)
    """Host names under which a dialect's stock paths are answered, with its name."""


ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
"""What ids and names in paths consist of."""

API: web.AppKey[Api] = web.AppKey("api", Api)
WHO: web.RequestKey[dict[str, str]] = web.RequestKey("who", dict)
"""Ids for the request's log line: request, key, merchant."""


class File(Unprinted, frozen=True):
    """An answer that is a document of its own and not JSON."""

    hidden = frozenset({"body"})

    content_type: str
    body: bytes
    name: str
    """What it may be saved as; plain ASCII."""


Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]
Endpoint = Callable[["Call"], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request with what was read from it."""

    api: Api
    request: web.Request
    caller: Caller
    body: Any = None
    query: Any = None
    raw: dict[str, object] = field(default_factory=dict)

    @property
    def gateway(self) -> Gateway:
        """The gateway."""
        return self.api.gateway

    def path(self, name: str) -> str:
        """A path parameter. Raises `AbsenceError` for text that nothing can be called."""
        value = self.request.match_info[name]
        if ID.fullmatch(value) is None:
            raise AbsenceError("no_such_thing", "nothing is called that", zh="不存在", param=name)
        return value


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the route table. The application and the OpenAPI document are both made from it."""

    method: str
    path: str
    summary: str
    handle: Endpoint
    scope: Scope
    answer: Any
    """The TypedDict of the answer, or `File`."""
    status: int = 200
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    """Optional request headers worth documenting."""
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer, with what they say."""
    document: tuple[str, ...] = ()
    """The content types of a body that is a document of its own and not JSON."""
    files: tuple[str, ...] = ("application/pdf", "application/octet-stream")
    """The content types of an answer that is a `File`."""
    body_max: int | None = None
    """Bytes, where the usual bound of a request is too small."""
    intake: bool = False
    """Whether it makes payouts at once, and may be told to come again before it is read."""


def serve(api: Api, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Wrap a row's handler: authenticate, validate, call, encode."""

    async def bounded(request: web.Request) -> web.Response:
        entered = api.admission.enter()
        try:
            return await handler(request)
        finally:
            api.admission.leave(entered)

    async def handler(request: web.Request) -> web.Response:
        if route.body_max is not None:
            request = request.clone(client_max_size=route.body_max)
        caller = await api.authenticator.caller(request, route.scope)
        who = request[WHO]
        who["key_id"] = caller.key.id
        if caller.key.merchant_id is not None:
            who["merchant_id"] = caller.key.merchant_id
        raw: dict[str, object] = {}
        body = query = None
        if route.body is not None:
            raw = await read_object(request)
            body = _validate(route.body, raw)
        if route.query is not None:
            query = _validate(route.query, _query(request), strict=False)
        elif request.query_string:
            raise InvalidError(
                "query_unknown",
                "this path takes no query parameters",
                zh="此路径不接受查询参数",
                param=next(iter(request.query), None),
            )
        result = await route.handle(Call(api, request, caller, body, query, raw))
        headers = result[2] if len(result) == 3 else None
        if isinstance(result[1], File):
            return _document(result[0], result[1])
        return web.Response(
            status=result[0],
            body=orjson.dumps(result[1]),
            content_type="application/json",
            headers=headers,
        )

    return bounded if route.intake else handler


def _document(status: int, file: File) -> web.Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return web.Response(
        status=status, body=file.body, content_type=file.content_type, headers=headers
    )


def _query(request: web.Request) -> dict[str, object]:
    pairs: dict[str, object] = {}
    for key, value in request.query.items():
        if key in pairs:
            raise InvalidError("query_duplicate", f"{key[:80]!r} is given twice", param=key[:80])
        pairs[key] = value
    return pairs


def _validate(model: type[M], raw: dict[str, object], *, strict: bool | None = None) -> M:
    """The model, or an `InvalidError` that names the first field at fault."""
    try:
        return model.model_validate(raw, strict=strict)
    except ValidationError as failure:
        first = failure.errors(include_url=False, include_input=False)[0]
        where, what = field_fault(first)
        unknown = first["type"] == "extra_forbidden"
        raise InvalidError(
            "field_unknown" if unknown else "field_invalid",
            f"{where}: {'no such field' if unknown else what}" if where else what,
            zh=f"字段 {where} {'不存在' if unknown else '无效'}" if where else "请求无效",
            param=where or None,
        ) from None


def field_fault(error: Any) -> tuple[str, str]:
    """Which field one of pydantic's errors is about, and what is wrong with it."""
    where = _where(error["loc"], error.get("ctx", {}).get("param"))
    return where, str(error["msg"]).removeprefix("Value error, ")


def _where(parts: tuple[int | str, ...], param: str | None) -> str:
    """The path of a field as the caller wrote it: without the tag that chose among instruments."""
    written = [
        part
        for part, before in zip(parts, (None, *parts), strict=False)
        if not (isinstance(before, int) and part in _RAILS)
    ]
    return ".".join(str(part)[:80] for part in (*written, *([param] if param else [])))
