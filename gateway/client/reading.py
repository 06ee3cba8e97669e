"""JSON into frozen dataclasses, by their annotations.

A field the class does not know is left out: a newer gateway may say more. A field it needs and
does not find, or finds of another kind, makes the whole answer unreadable; nothing is guessed.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


class UnreadableError(ValueError):
    """The text is not what it should be; the message names the place, and repeats no content."""


def read(kind: type[T], value: object) -> T:
    """The value as `kind`. Raises `UnreadableError`."""
    return cast("T", _read(kind, value, ""))


def _read(kind: Any, value: object, place: str) -> object:
    origin = get_origin(kind)
    if origin in {Union, UnionType}:
        return None if value is None else _read(_given(kind), value, place)
    if kind is object:
        return value
    if origin is Literal:
        # A newer gateway may have another state: told as it is.
        return _plain(str, value, place)
    if origin is tuple:
        many = _plain(list, value, place)
        return tuple(_read(get_args(kind)[0], one, f"{place}[{n}]") for n, one in enumerate(many))
    if origin is Mapping:
        inner = get_args(kind)[1]
        named = _plain(dict, value, place)
        return {name: _read(inner, one, f"{place}.{name}") for name, one in named.items()}
    if is_dataclass(kind):
        return _object(kind, _plain(dict, value, place), place)
    if kind in {datetime, date}:
        return _moment(kind, _plain(str, value, place), place)
    return _plain(kind, value, place)


def _given(kind: Any) -> Any:
    """What stands beside None."""
    (given,) = (one for one in get_args(kind) if one is not NoneType)
    return given


def _plain(kind: type[T], value: object, place: str) -> T:
    # By identity: true is no 1, and 1.0 is no amount.
    if type(value) is not kind:
        raise UnreadableError(f"{place or 'the answer'}: not of type {kind.__name__}")
    return value


def _object(kind: Any, value: Mapping[str, object], place: str) -> object:
    found: dict[str, object] = {}
    for name, hint, needed in _fields(kind):
        if name in value:
            found[name] = _read(hint, value[name], f"{place}.{name}".lstrip("."))
        elif needed:
            raise UnreadableError(f"{place}.{name}".lstrip(".") + ": missing")
    return kind(**found)


@cache
def _fields(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (one.name, hints[one.name], one.default is MISSING and one.default_factory is MISSING)
        for one in fields(kind)
        if one.init
    )


def _moment(kind: Any, text: str, place: str) -> object:
    try:
        found = kind.fromisoformat(text)
    except ValueError:
        raise UnreadableError(f"{place}: not a date or time") from None
    if isinstance(found, datetime) and found.tzinfo is None:
        raise UnreadableError(f"{place}: a time without a zone")
    return found
