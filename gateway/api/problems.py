"""Errors as RFC 9457 problem documents: the only place where domain errors meet HTTP statuses."""

from collections.abc import Awaitable, Callable, Sequence

import orjson
from aiohttp import web

from gateway.api.context import WHO
from gateway.domain.batch import BatchInvalidError, Fault
from gateway.domain.errors import (
    AbsenceError,
    ConflictError,
    ForbiddenError,
    GatewayError,
    GoneError,
    InvalidError,
    UnauthenticatedError,
    UnavailableError,
    UnfundedError,
)
from gateway.domain.policy_mistake import Mistake, PolicyInvalidError
from gateway.ports import CommitUnknownError, StoreError

TYPE_BASE = "urn:hangdao:problem:"
"""Namespace of problem types: they identify and do not resolve (RFC 9457 §3.1.1)."""

FAULTS_SHOWN = 1_000
"""Of a file in one answer; `hangdao batch check` shows all."""

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)

_STATUS: dict[type[GatewayError], int] = {
    InvalidError: 422,
    PolicyInvalidError: 422,
    BatchInvalidError: 422,
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    AbsenceError: 404,
    ConflictError: 409,
    GoneError: 410,
    UnfundedError: 402,
    UnavailableError: 503,
}

_CODE_STATUS = {
    # draft-ietf-httpapi-idempotency-key-header-07 §2.7: missing 400, same key other body 422.
    "idempotency_key_missing": 400,
    "idempotency_key_reused": 422,
    "body_not_json": 400,
    "body_duplicate_key": 400,
    "body_too_large": 413,
    "content_type_unsupported": 415,
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def status_of(error: GatewayError) -> int:
    """The HTTP status of a domain error."""
    if error.code in _CODE_STATUS:
        return _CODE_STATUS[error.code]
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def problem(
    request: web.Request,
    status: int,
    code: str,
    detail: str,
    *,
    zh: str = "",
    param: str | None = None,
    retryable: bool = False,
    retry_after_s: int = 1,
    mistakes: Sequence[Mistake] = (),
    faults: Sequence[Fault] = (),
) -> web.Response:
    """A problem document; `detail_zh` says in Chinese, if known, what `detail` says.

    `mistakes` of a policy and `faults` of a file become `errors`, one for each place (RFC 9457
    §3.2: an extension member).
    """
    body: dict[str, object] = {
        "type": TYPE_BASE + code,
        "title": code.replace("_", " "),
        "status": status,
        "detail": _writable(detail),
        "code": code,
        "retryable": retryable,
        "request_id": request.get(REQUEST_ID, ""),
    }
    if zh:
        body["detail_zh"] = _writable(zh)
    if param is not None:
        body["param"] = _writable(param)
    if mistakes:
        body["errors"] = [
            {
                "line": one.line,
                "column": one.column,
                "code": one.code,
                "detail": _writable(one.message),
                "detail_zh": _writable(one.zh),
            }
            for one in mistakes
        ]
    if faults:
        body["errors"] = [fault_view(one) for one in faults[:FAULTS_SHOWN]]
        body["errors_total"] = len(faults)
    response = web.Response(
        status=status, body=orjson.dumps(body), content_type="application/problem+json"
    )
    request.get(WHO, {})["code"] = code
    if retryable:
        response.headers["Retry-After"] = str(retry_after_s)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="hangdao"'
    return response


def fault_view(fault: Fault) -> dict[str, object]:
    """A file's fault: line and column as a spreadsheet shows them."""
    return {
        "line": fault.line,
        "column": None if fault.column is None else _writable(fault.column),
        "code": fault.code,
        "detail": _writable(fault.en),
        "detail_zh": _writable(fault.zh),
    }


def _writable(text: str) -> str:
    """Text that UTF-8 can hold: half a surrogate pair, which JSON allows in a key, is not."""
    return text.encode("utf-8", "backslashreplace").decode()


def problem_of(request: web.Request, error: Exception) -> web.Response | None:
    """The problem document of what a handler raised; None for a defect. Nothing internal leaks."""
    match error:
        case GatewayError():
            return problem(
                request,
                status_of(error),
                error.code,
                error.message,
                zh=error.zh,
                param=error.param,
                retryable=error.retryable,
                retry_after_s=error.retry_after_s if isinstance(error, UnavailableError) else 1,
                mistakes=error.mistakes if isinstance(error, PolicyInvalidError) else (),
                faults=error.faults if isinstance(error, BatchInvalidError) else (),
            )
        case CommitUnknownError():
            return problem(
                request,
                503,
                "commit_unknown",
                "the request may or may not have been stored; send it again with the same key",
                zh="请求是否已保存未知，请用相同的幂等键重试",
                retryable=True,
            )
        case StoreError():
            return problem(
                request,
                503,
                "store_unavailable",
                "nothing was stored; try again shortly",
                zh="未保存任何内容，请稍后重试",
                retryable=True,
            )
        case web.HTTPException():
            return _of_library(request, error)
    return None


def _of_library(request: web.Request, error: web.HTTPException) -> web.Response:
    match error:
        case web.HTTPRequestEntityTooLarge():
            return problem(request, 413, "body_too_large", "the body is too large", zh="请求体过大")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            response = problem(
                request, 405, "method_not_allowed", f"use {allowed}", zh=f"请使用 {allowed}"
            )
            response.headers["Allow"] = allowed
            return response
        case web.HTTPNotFound():
            return problem(request, 404, "no_such_path", "there is nothing here", zh="路径不存在")
    return problem(request, error.status, "http_error", error.reason)
