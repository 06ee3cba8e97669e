"""Bodies: what is read the short way is what the strict way reads, and nothing else is."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from gateway.api.body import _DECODER, _plain
from gateway.domain.errors import GatewayError

_TEXT = some.text(some.sampled_from('ab":\\ \n{}[],é张'), max_size=8)
_VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | _TEXT,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


def strictly(raw: bytes) -> Any:
    """What the decoder says that looks at every sign; None when it refuses."""
    try:
        return _DECODER.decode(raw.decode())
    except (GatewayError, ValueError):
        return None


def typed(value: Any) -> str:
    """A value with its types: 1, true and 1.0 are equal otherwise."""
    return repr(value)


@given(some.dictionaries(_TEXT, _VALUES, max_size=4), some.booleans(), some.sampled_from([None, 1]))
def test_any_object_reads_the_same(
    value: dict[str, Any], escaped: bool, indent: int | None
) -> None:
    """Where the short way answers, it answers as the strict one."""
    raw = json.dumps(value, ensure_ascii=escaped, indent=indent).encode()
    read = _plain(raw)
    assert read is None or typed(read) == typed(strictly(raw))


_PIECES = some.sampled_from(
    [
        b'{"a":1',
        b',"a":2',
        b',"a" :2',
        b',"a"\t:2',
        b',"a"\n:2',
        b',"a"\r:2',
        b',"b":"c\\":"',
        b',"\\u0061":3',
        b',"d":{"a":1}',
        b',"e":[{"a":1}]',
        b"}",
    ]
)


@given(some.lists(_PIECES, max_size=6))
@example([b'{"a":1', b',"\\u0061":3', b"}"])
@example([b'{"a":1', b',"b":"c\\":"', b',"a":2', b"}"])
@example([b'{"a":1', b',"t":"2026-01-01T00:00:00Z"', b',"a" :2', b"}"])
@example([b'{"a":1', b',"a"\t:2', b"}"])
@example([b'{"a":1', b',"a"\n:2', b"}"])
@example([b'{"a":1', b',"a"\r:2', b"}"])
def test_a_key_given_twice_is_never_read_the_short_way(pieces: list[bytes]) -> None:
    """However the key is spelt, and whatever looks like a key beside it."""
    raw = b"".join(pieces)
    read = _plain(raw)
    assert read is None or typed(read) == typed(strictly(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1.5}',
        b'{"a":[1e3]}',
        b'{"a":18446744073709551616}',
        b'{"a":1,"a":1}',
        b'{"a":"\\ud800"}',
        b'{"a":NaN}',
        b"[]",
        b"1",
        b"{",
        b'{"a":"\xff"}',
    ],
)
def test_what_needs_a_closer_look_gets_one(raw: bytes) -> None:
    """Numbers that are no integers, keys twice, half characters, what is no object."""
    assert _plain(raw) is None


def test_an_ordinary_request_needs_none() -> None:
    """Nested objects and lists, colons in texts."""
    raw = b'{"a":"x:y","b":{"c":[1,{"d":null}]},"e":true}'
    assert _plain(raw) == {"a": "x:y", "b": {"c": [1, {"d": None}]}, "e": True}
