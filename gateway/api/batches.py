"""Batches over HTTP: files in, progress and rows, files to write back."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime

from typing_extensions import TypedDict

from channels.money import Money
from gateway.api.batch_files import Declared, Examined, examine
from gateway.api.context import Answer, Call, File
from gateway.api.payouts import given_key, merchant_of
from gateway.api.schemas import (
    BatchListQuery,
    BatchQuery,
    BatchResultQuery,
    BatchRowsQuery,
    BatchTemplateQuery,
)
from gateway.domain.batch import (
    Batch,
    BatchInvalidError,
    BatchRow,
    BatchState,
    Refused,
    RowState,
)
from gateway.domain.errors import AbsenceError, InvalidError
from gateway.domain.payout import PayoutState
from gateway.engine import batches
from gateway.engine.batch_body import cells_of
from gateway.sheets.profile import Outcome, Profile, Source
from gateway.sheets.write import CONTENT_TYPES, Format, template, written_back

READ_AT_ONCE = 1000
PAGE_S = 60
"""A database that does not give a page within ends the file; the request fails."""


class RefusedView(TypedDict):
    """Why a batch or a row was not taken."""

    code: str
    detail: str
    detail_zh: str
    param: str | None


class BatchCountView(TypedDict):
    """Rows that stand alike."""

    state: str
    payout_state: str | None
    rows: int
    minor: int


class BatchSummary(TypedDict):
    """A batch in a list."""

    id: str
    state: str
    mode: str
    profile: str
    currency: str
    count: int
    total_minor: int
    total: str
    refused: RefusedView | None
    created_at: datetime
    updated_at: datetime
    actor: str


class BatchView(BatchSummary):
    """A batch and how far it is."""

    progress_ppm: int
    counts: list[BatchCountView]


class BatchPage(TypedDict):
    """A page of batches; ask for the next with `after` = the last id."""

    data: list[BatchSummary]
    has_more: bool


class BatchRowView(TypedDict):
    """A row and what became of it; no payee data."""

    number: int
    line: int
    merchant_ref: str
    amount_minor: int
    state: str
    payout_id: str | None
    payout_state: str | None
    reason: str | None
    refused: RefusedView | None


class BatchRowPage(TypedDict):
    """A page of rows; ask for the next with `after` = the last number."""

    data: list[BatchRowView]
    has_more: bool


async def create(call: Call) -> Answer:
    """POST /v1/batches."""
    query: BatchQuery = call.query
    merchant = merchant_of(call)
    profile = _profile(call, query.profile)
    declared = Declared(query.count, query.money)
    content = await call.request.read()
    async with call.api.batch_turn:
        found = await asyncio.to_thread(
            examine, content, profile, query.currency, query.mode, declared
        )
    if found.faults:
        raise BatchInvalidError(found.faults)
    order = batches.Order(
        key=given_key(call) or f"content:{found.content}",
        mode=query.mode,
        profile=query.profile,
        rows=found.rows,
        total=declared.total,
        content=found.content,
        fingerprint=_fingerprint(query, found),
        repeat=query.repeat == "true",
    )
    made = await batches.create(call.gateway, merchant, order, call.caller.actor)
    headers = {"Location": f"/v1/batches/{made.batch.id}"}
    if made.repeated:
        headers["Idempotency-Replayed"] = "true"
    return 202, await _view(call, made.batch), headers


async def listing(call: Call) -> Answer:
    """GET /v1/batches."""
    query: BatchListQuery = call.query
    found = await call.gateway.store.batches(
        call.caller.sees, query.after, query.limit + 1, state=query.state
    )
    page = [_summary(one) for one in found[: query.limit]]
    return 200, {"data": page, "has_more": len(found) > query.limit}


async def show(call: Call) -> Answer:
    """GET /v1/batches/{batch_id}."""
    return 200, await _view(call, await _find(call))


async def cancel(call: Call) -> Answer:
    """POST /v1/batches/{batch_id}/cancel."""
    actor = call.caller.actor
    found = await batches.cancel(call.gateway, call.path("batch_id"), call.caller.sees, actor)
    return 200, await _view(call, found)


async def rows(call: Call) -> Answer:
    """GET /v1/batches/{batch_id}/rows."""
    query: BatchRowsQuery = call.query
    batch = await _find(call)
    found = await call.gateway.store.batch_rows(
        *(batch, query.after, query.limit + 1),
        state=query.state,
        payout_state=query.payout_state,
    )
    page = [_row_view(row) for row in found[: query.limit]]
    return 200, {"data": page, "has_more": len(found) > query.limit}


async def result_csv(call: Call) -> Answer:
    """GET /v1/batches/{batch_id}/result.csv."""
    return await _result(call, "csv")


async def result_xlsx(call: Call) -> Answer:
    """GET /v1/batches/{batch_id}/result.xlsx."""
    return await _result(call, "xlsx")


async def template_file(call: Call) -> Answer:
    """GET /v1/batches/template."""
    query: BatchTemplateQuery = call.query
    profile = _profile(call, query.profile)
    body = template(profile, query.format, query.lang)
    return 200, File(CONTENT_TYPES[query.format], body, f"{profile.name}-template.{query.format}")


async def _result(call: Call, kind: Format) -> Answer:
    query: BatchResultQuery = call.query
    batch = await _find(call)
    profile = _profile(call, batch.profile)
    told = _told(batch, profile, _pages(call, batch), query.lang)
    async with call.api.batch_turn:
        body = await asyncio.to_thread(written_back, profile, told, kind, query.lang)
    return 200, File(CONTENT_TYPES[kind], body, f"{batch.id}-result.{kind}")


def _pages(call: Call, batch: Batch) -> Iterator[BatchRow]:
    """Every row, read while the file is written in another thread: a page of them at a time."""
    store, loop, after = call.gateway.store, asyncio.get_running_loop(), 0

    def rows() -> Iterator[BatchRow]:
        nonlocal after
        while True:
            page = store.batch_rows(batch, after, READ_AT_ONCE)
            found = asyncio.run_coroutine_threadsafe(page, loop).result(PAGE_S)
            if not found:
                return
            after = found[-1].number
            yield from found

    return rows()


def _told(
    batch: Batch, profile: Profile, known: Iterator[BatchRow], language: str
) -> Iterator[tuple[Mapping[Source, str], Mapping[str, str]]]:
    for row in known:
        why = row.refused or (batch.refused if row.payout_id is None else None)
        reason = row.payout_reason or ""
        if why is not None:
            reason = why.zh if language == "zh" else why.en
        values = {
            "merchant_ref": row.merchant_ref,
            "original_ref": row.merchant_ref.removeprefix(profile.ref_prefix),
            "amount": str(Money(row.amount_minor, batch.currency)),
            "currency": batch.currency.value,
            "status": outcome(batch, row),
            "reason": reason,
            "payout_id": row.payout_id or "",
            "payout_state": row.payout_state or "",
            "line": str(row.line),
        }
        yield values, cells_of(row.body)


def outcome(batch: Batch, row: BatchRow) -> Outcome:
    """What may be said of a row elsewhere. Never `failed` while money may still move.

    A row that was never tried is `refused`, not `failed`: a platform that gives money back for it
    would pay twice if the row is corrected and uploaded again, or was paid by an earlier batch.
    """
    match row.payout_state:
        case PayoutState.PAID | PayoutState.SETTLED:
            return "paid"
        case PayoutState.FAILED:
            return "failed"
        case PayoutState.RETURNED:
            return "returned"
        case PayoutState.CANCELLED:
            return "refused"
        case None:
            over = row.state is RowState.REFUSED or batch.state is BatchState.REFUSED
            return "refused" if over else "processing"
    return "processing"


def _fingerprint(query: BatchQuery, found: Examined) -> bytes:
    said = (query.mode, query.profile, query.currency, query.count, query.money.minor)
    return hashlib.sha256("\x1f".join(map(str, (found.content, *said))).encode()).digest()


def _profile(call: Call, name: str) -> Profile:
    profile = call.api.batch_profiles.get(name)
    if profile is None:
        known = ", ".join(call.api.batch_profiles)
        raise InvalidError(
            "profile_unknown",
            f"there is no profile named {name}; there are: {known}",
            zh=f"没有名为 {name} 的格式，可用：{known}",
            param="profile",
        )
    return profile


async def _find(call: Call) -> Batch:
    batch = await call.gateway.store.batch(call.path("batch_id"), call.caller.sees)
    if batch is None:
        raise AbsenceError("batch_not_found", "there is no such batch", zh="批次不存在")
    return batch


def _refused_view(refused: Refused | None) -> RefusedView | None:
    if refused is None:
        return None
    return {
        "code": refused.code,
        "detail": refused.en,
        "detail_zh": refused.zh,
        "param": refused.param,
    }


def _summary(batch: Batch) -> BatchSummary:
    return {
        "id": batch.id,
        "state": batch.state,
        "mode": batch.mode,
        "profile": batch.profile,
        "currency": batch.currency,
        "count": batch.count,
        "total_minor": batch.total_minor,
        "total": str(Money(batch.total_minor, batch.currency)),
        "refused": _refused_view(batch.refused),
        "created_at": batch.created_at,
        "updated_at": batch.updated_at,
        "actor": batch.actor,
    }


async def _view(call: Call, batch: Batch) -> BatchView:
    counts = await call.gateway.store.batch_counts(batch)
    over = sum(one.rows for one in counts if one.state is not RowState.WAITING)
    ended = batch.state in {BatchState.DONE, BatchState.REFUSED}
    return {
        **_summary(batch),
        "progress_ppm": 1_000_000 if ended else over * 1_000_000 // batch.count,
        "counts": [
            {
                "state": one.state,
                "payout_state": one.payout_state,
                "rows": one.rows,
                "minor": one.minor,
            }
            for one in counts
        ],
    }


def _row_view(row: BatchRow) -> BatchRowView:
    return {
        "number": row.number,
        "line": row.line,
        "merchant_ref": row.merchant_ref,
        "amount_minor": row.amount_minor,
        "state": row.state,
        "payout_id": row.payout_id,
        "payout_state": row.payout_state,
        "reason": row.payout_reason,
        "refused": _refused_view(row.refused),
    }
