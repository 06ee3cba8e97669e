"""The OpenAPI 3.1 document, generated from the route table and its models; nothing by hand.

Only what is outside the table (probes, channel notices) has rows of its own here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from gateway.api.context import ID, File, Route
from gateway.api.views import AliveView, ReadyView, VersionView

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "detail", "code", "retryable", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "detail_zh": {"type": "string"},
        "code": {"type": "string"},
        "param": {"type": "string"},
        "retryable": {"type": "boolean"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Every mistake of a text, where it has more than one place",
            "items": {
                "type": "object",
                "required": ["line", "column", "code", "detail", "detail_zh"],
                "properties": {
                    "line": {"type": ["integer", "null"], "description": "Null: the whole file"},
                    "column": {
                        "type": ["integer", "string", "null"],
                        "description": "A number in a text, a heading in a sheet",
                    },
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "detail_zh": {"type": "string"},
                },
            },
        },
        "errors_total": {"type": "integer", "description": "Of a file's, where not all are listed"},
    },
}

_SAID = {
    400: "The request cannot be read",
    401: "No valid key or signature",
    402: "The balance does not cover it",
    403: "The key may not do this",
    404: "No such thing, or not yours",
    409: "It contradicts what is stored",
    410: "It was archived; the answer says in which file",
    413: "The body is too large",
    415: "The body is not said to be JSON",
    422: "A field is wrong; `param` names it",
    503: "Try again; nothing was stored",
}

_TEXT: Mapping[str, Any] = {"schema": {"type": "string"}}
_ALWAYS: Mapping[str, Any] = {
    "X-Request-Id": {"description": "Yours if you sent a usable one, else ours", **_TEXT},
    "Server-Timing": {"description": "Milliseconds spent here", **_TEXT},
}
_WITH_STATUS: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "How to authenticate", "required": True, **_TEXT}},
    503: {"Retry-After": {"description": "Seconds", "schema": {"type": "string"}}},
}

_REF = "#/components/schemas/{model}"


def document(routes: Sequence[Route], version: str) -> dict[str, object]:
    """The whole document, with every model once under `components`."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    paths |= _open_paths(schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hangdao 航道",
            "version": version,
            "description": "Payout routing gateway: native API.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    if route.answer is File:
        binary = {"type": "string", "format": "binary"}
        first, *others = route.files
        done = _answer("The document, as its maker made it", first, binary)
        for content_type in others:
            done["content"][content_type] = {"schema": binary}
    else:
        schema = _schema(route.answer, schemas, "serialization")
        done = _done(schema, route.answer_headers)
    operation: dict[str, Any] = {
        "operationId": f"{route.handle.__module__.rsplit('.', 1)[-1]}_{route.handle.__name__}",
        "summary": route.summary,
        "description": f"Needs the scope `{route.scope}`.",
        "parameters": [*_path_parameters(route.path), *_header_parameters(route.headers)],
        "responses": {
            str(route.status): done,
            **{str(status): _problem(status) for status in _statuses(route)},
        },
    }
    if route.query is not None:
        operation["parameters"] += _query_parameters(route.query)
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _schema(route.body, schemas, "validation")}},
        }
    if route.document:
        kinds = {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in route.document
        }
        operation["requestBody"] = {"required": True, "content": kinds}
    return operation


def _open_paths(schemas: dict[str, Any]) -> dict[str, Any]:
    """What needs no key: probes, this document, and the door for channels' notices."""
    alive, ready, version = (
        _schema(view, schemas, "serialization") for view in (AliveView, ReadyView, VersionView)
    )
    text = _answer("Prometheus text format", "text/plain", {"type": "string"})
    unready = {"503": _answer("Not now", "application/json", ready)}
    return {
        "/healthz": _probe("Whether the process runs", {"200": _done(alive)}),
        "/readyz": _probe("Whether payouts are taken", {"200": _done(ready), **unready}),
        "/version": _probe("The installed version", {"200": _done(version)}),
        "/metrics": _probe("Metrics", {"200": text}),
        "/openapi.json": _probe("This document", {"200": _done({"type": "object"})}),
        "/notices/{channel}": {
            "post": {
                "operationId": "notice",
                "summary": "What a channel tells us, in its own format and signed by it",
                "security": [],
                "parameters": list(_path_parameters("/notices/{channel}")),
                "requestBody": {"content": {"*/*": {"schema": {}}}},
                "responses": {
                    "default": {"description": "The reply this channel expects"},
                    **{str(status): _problem(status) for status in (404, 413, 422, 503)},
                },
            }
        },
    }


def _probe(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"summary": summary, "security": [], "responses": responses}}


def _statuses(route: Route) -> list[int]:
    statuses = {401, 403, 422, 503, *route.errors}
    if route.body is not None:
        statuses |= {400, 413, 415}
    if "{" in route.path:
        statuses.add(404)
    return sorted(statuses)


def _problem(status: int) -> dict[str, Any]:
    reference = {"$ref": "#/components/schemas/Problem"}
    answer = _answer(_SAID[status], "application/problem+json", reference)
    answer["headers"].update(_WITH_STATUS.get(status, {}))
    return answer


def _done(schema: dict[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    answer = _answer("Done", "application/json", schema)
    for name, description in (headers or {}).items():
        answer["headers"][name] = {"description": description, **_TEXT}
    return answer


def _answer(description: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "headers": dict(_ALWAYS),
        "content": {kind: {"schema": schema}},
    }


def _schema(
    model: Any, schemas: dict[str, Any], mode: Literal["validation", "serialization"]
) -> dict[str, Any]:
    found = TypeAdapter(model).json_schema(ref_template=_REF, mode=mode)
    schemas.update(found.pop("$defs", {}))
    name = getattr(model, "__name__", "")
    schemas[name] = found
    return {"$ref": f"#/components/schemas/{name}"}


def _path_parameters(path: str) -> Iterable[dict[str, Any]]:
    for part in path.split("/"):
        if part.startswith("{"):
            yield {
                "name": part[1:-1],
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": f"^{ID.pattern}$"},
            }


def _header_parameters(names: Iterable[str]) -> Iterable[dict[str, Any]]:
    for name in names:
        yield {
            "name": name,
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 16, "maxLength": 255},
        }


def _query_parameters(model: type[BaseModel]) -> Iterable[dict[str, Any]]:
    schema = TypeAdapter(model).json_schema(ref_template=_REF)
    needed = schema.get("required", ())
    for name, field in schema["properties"].items():
        yield {
            "name": name,
            "in": "query",
            "required": name in needed,
            "schema": _inlined(field, schema),
        }


def _inlined(field: Any, schema: dict[str, Any]) -> Any:
    """A query field with its references replaced: parameters stand on their own."""
    if isinstance(field, dict):
        reference = field.get("$ref")
        if isinstance(reference, str):
            return schema["$defs"][reference.rsplit("/", 1)[-1]]
        kept = {
            key: _inlined(value, schema)
            for key, value in field.items()
            if not (key == "default" and value is None)
        }
        options = kept.get("anyOf")
        if isinstance(options, list):
            # A query parameter is absent or given; there is no way to write null.
            real = [option for option in options if option != {"type": "null"}]
            if len(real) == 1:
                kept = {**{k: v for k, v in kept.items() if k != "anyOf"}, **real[0]}
        return kept
    if isinstance(field, list):
        return [_inlined(one, schema) for one in field]
    return field
