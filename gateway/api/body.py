"""Read a JSON body strictly: bounded, UTF-8, an object, no key twice, no float."""

import json
import re
from collections.abc import Iterable
from typing import NoReturn

import orjson
from aiohttp import web

from gateway.domain.errors import InvalidError

JSON = "application/json"
SHOWN_MAX = 12

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_AFTER_KEY = (b'":', b" :", b"\t:", b"\n:", b"\r:")
"""The colon of a key is one of these."""


def _refuse_float(text: str) -> NoReturn:
    # Long ones are not repeated: an account number written as a number is still one.
    shown = text if len(text) <= SHOWN_MAX else f"{text[:4]}…"
    raise InvalidError(
        "number_not_integer",
        f"{shown} is not a whole number; amounts are integers of minor units, "
        'or decimal strings such as "12.30"',
        zh=f"{shown} 不是整数；金额请用最小货币单位的整数，或十进制字符串",
    )


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidError(
            "body_duplicate_key",
            f"the key {twice[:80]!r} stands twice in one object; which one counts is unclear",
            zh=f"JSON 键 {twice[:80]!r} 重复",
            param=twice[:80],
        )
    return result


_DECODER = json.JSONDecoder(
    object_pairs_hook=_no_duplicates,
    parse_float=_refuse_float,
    parse_constant=_refuse_float,
)


def _plain(raw: bytes) -> dict[str, object] | None:
    """The object, where that is certain without reading it sign by sign; None is for `_DECODER`.

    Every key is followed by a colon. Where there are no more colons that could follow one than keys
    were read, none stood twice, as that one would be missing.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    keys = _keys(value)
    if keys is None:
        return None
    # Most bodies have no other colon, which is all that has to be counted then.
    sure = raw.count(b":") == keys or sum(map(raw.count, _AFTER_KEY)) == keys
    return value if sure else None


def _keys(value: object) -> int | None:
    """How many keys a value has within it; None where a number is no integer."""
    if isinstance(value, dict):
        found = len(value)
        parts: Iterable[object] = value.values()
    elif isinstance(value, list):
        found, parts = 0, value
    else:
        return None if isinstance(value, float) else 0
    for part in parts:
        if isinstance(part, str):
            continue
        within = _keys(part)
        if within is None:
            return None
        found += within
    return found


async def read_object(request: web.Request) -> dict[str, object]:
    """The body as an object. An empty body reads as an empty object."""
    raw = await request.read()
    if not raw:
        return {}
    if request.content_type != JSON:
        raise InvalidError(
            "content_type_unsupported",
            f"send the body as Content-Type: {JSON}",
            zh=f"请求体须以 Content-Type: {JSON} 发送",
            param="Content-Type",
        )
    value = _plain(raw)
    if value is not None:
        return value
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
        if _SURROGATE.search(raw):
            # An escape may stand for half a character, which no database and no channel can hold.
            orjson.loads(raw)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidError(
            "body_not_json", f"the body is not JSON: {type(error).__name__}", zh="请求体不是 JSON"
        ) from None
    except ValueError:
        # CPython refuses to read integers of more than 4,300 digits.
        raise InvalidError(
            "body_not_json", "the body holds a number that is too long", zh="请求体中的数字过长"
        ) from None
    if not isinstance(value, dict):
        raise InvalidError("body_not_json", "the body must be a JSON object", zh="请求体须为对象")
    return value
