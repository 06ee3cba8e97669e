"""Calls for many payouts at once: splits and batches. Pure, as `calls`."""

from typing import Literal

from gateway.client.answers import Receipt
from gateway.client.bulk_answers import (
    Batch,
    BatchPage,
    BatchRowPage,
    BatchState,
    CreatedBatch,
    CreatedSplit,
    RowState,
    Split,
)
from gateway.client.bulk_requests import BatchFile, SplitRequest
from gateway.client.calls import (
    Answer,
    Call,
    as_kind,
    document,
    dumped,
    key_of,
    named,
    query_of,
)
from gateway.client.errors import Advice

SPLIT_AGAIN = Advice(
    "the split may have been made: call splits.create again with this error's request and "
    "idempotency_key, which never pays twice",
    "分账可能已受理：请用本错误中的 request 和 idempotency_key 再次调用 splits.create，"
    "不会重复付款",
)
UPLOAD_AGAIN = Advice(
    "the batch may have been taken: call batches.create again with this error's request and "
    "idempotency_key; the same file is the same batch, and never pays twice",
    "批次可能已受理：请用本错误中的 request 和 idempotency_key 再次调用 batches.create，"
    "同一文件即同一批次，不会重复付款",
)
LOOK_AT_BATCH = Advice(
    "it may have been cancelled: look at the batch before you decide anything",
    "批次可能已取消：请先查询该批次的状态，再决定下一步",
)


def create_split(request: SplitRequest, idempotency_key: str | None) -> Call[CreatedSplit]:
    """Make a split, under a key of ours if none is given."""
    key = key_of(idempotency_key)

    def created(answer: Answer) -> CreatedSplit:
        return CreatedSplit(as_kind(Split)(answer), key, _is_replayed(answer))

    return Call(
        *("POST", "/v1/splits", created),
        body=dumped(request.as_json()),
        advice=SPLIT_AGAIN,
        key=key,
        request=request,
    )


def split(split_id: str) -> Call[Split]:
    """Show a split."""
    return Call("GET", f"/v1/splits/{named('split_id', split_id)}", as_kind(Split))


def create_batch(request: BatchFile, idempotency_key: str | None) -> Call[CreatedBatch]:
    """Upload a file. Without a key its content is what makes it the same batch again."""
    if request.repeat and idempotency_key is None:
        raise ValueError("idempotency_key: give one with repeat, and store it first")

    def created(answer: Answer) -> CreatedBatch:
        return CreatedBatch(as_kind(Batch)(answer), _is_replayed(answer))

    return Call(
        *("POST", "/v1/batches", created),
        query=query_of(request.query),
        body=request.content,
        content_type=request.content_type,
        advice=UPLOAD_AGAIN,
        key=None if idempotency_key is None else key_of(idempotency_key),
        request=request,
    )


def cancel_batch(batch_id: str) -> Call[Batch]:
    """Stop one of which nothing is accepted yet."""
    return Call("POST", f"{_batch(batch_id)}/cancel", as_kind(Batch), advice=LOOK_AT_BATCH)


def batches(state: BatchState | None, after: str | None, limit: int) -> Call[BatchPage]:
    """A page of batches, newest first."""
    query = query_of({"state": state, "after": after, "limit": str(limit)})
    return Call("GET", "/v1/batches", as_kind(BatchPage), query=query)


def batch(batch_id: str) -> Call[Batch]:
    """Show a batch."""
    return Call("GET", _batch(batch_id), as_kind(Batch))


def batch_rows(batch_id: str, state: RowState | None, after: int, limit: int) -> Call[BatchRowPage]:
    """A page of its rows."""
    query = query_of({"state": state, "after": str(after), "limit": str(limit)})
    return Call("GET", f"{_batch(batch_id)}/rows", as_kind(BatchRowPage), query=query)


def batch_result(
    batch_id: str, kind: Literal["csv", "xlsx"], lang: Literal["zh", "en"]
) -> Call[Receipt]:
    """Its outcome as a file."""
    path = f"{_batch(batch_id)}/result.{kind}"
    return Call("GET", path, document, query=query_of({"lang": lang}))


def batch_template(
    kind: Literal["csv", "xlsx"], profile: str, lang: Literal["zh", "en"]
) -> Call[Receipt]:
    """A file to fill in."""
    query = query_of({"format": kind, "profile": profile, "lang": lang})
    return Call("GET", "/v1/batches/template", document, query=query)


def _batch(batch_id: str) -> str:
    return f"/v1/batches/{named('batch_id', batch_id)}"


def _is_replayed(answer: Answer) -> bool:
    return answer.headers.get("idempotency-replayed") == "true"
