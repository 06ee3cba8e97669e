"""The same signed text as other fields: it does not say where a name or a value ends.

A door must not let a field hide in another one: an order without its number is another order, and
one whose number swallowed the field behind it is, too.
"""

import random
import re
from collections.abc import Callable, Collection, Mapping
from urllib.parse import parse_qsl

from tests.proof.hostile.aims import Input
from tests.proof.hostile.desk import METHOD, QUERY

RAW = "surrogateescape"
BLANKS = " \t\n\r\0\x0b"
"""What PHP's `trim` takes off."""
_INNER = re.compile(r"&(\w+)=")


def cut_elsewhere(
    chance: random.Random, fields: Mapping[str, str], place: Callable[[str], str]
) -> dict[str, str]:
    """These signed fields with one text and other names: two neighbours as one, or one as two.

    `place`: by what the text's `name=value` are sorted.
    """
    for name, value in fields.items():
        inner = _INNER.search(value)
        if inner is not None and chance.random() < 0.7:
            more = {name: value[: inner.start()], inner[1]: value[inner.end() :]}
            return {**fields, **more}
    names = sorted(fields, key=lambda name: place(f"{name}={fields[name]}&"))
    if len(names) < 2:
        return dict(fields)
    at = chance.randrange(len(names) - 1)
    one, two = names[at], names[at + 1]
    rest = {name: value for name, value in fields.items() if name not in {one, two}}
    if chance.random() < 0.5:
        return {**rest, one: f"{fields[one]}&{two}={fields[two]}"}
    return {**rest, f"{one}={fields[one]}&{two}": fields[two]}


def hides(
    fields: Mapping[str, object], known: Collection[str], opaque: Collection[str]
) -> str | None:
    """A field that holds another one that the protocol knows, where that could matter."""
    for name, value in fields.items():
        inside = _INNER.findall(f"{name}={value}")
        if name not in opaque and {*inside} & {*known}:
            return name
    return None


def readable(texts: Mapping[str, str], free: Collection[str] = ()) -> bool:
    """Whether a person can read all of them; `free` ones may hold line ends."""
    for name, text in texts.items():
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
        if name not in free and not text.isprintable():
            return False
    return True


def form_of(given: Input) -> Mapping[str, str]:
    """Fields of query and body, the body's before the query's; of several of one name the last."""
    query = given.headers[QUERY]
    body = given.body.decode("utf-8", RAW) if given.headers[METHOD] == "POST" else ""
    found: dict[str, str] = {}
    for part in (query, body):
        pairs = parse_qsl(part, keep_blank_values=True, errors=RAW)
        found |= {name: value for name, value in dict(pairs).items() if "[" not in name}
    return found


def text_in(fields: Mapping[str, object], name: str) -> str:
    """A field as it is signed; empty for what nobody can sign."""
    match fields.get(name):
        case bool() as value:
            return "true" if value else "false"
        case int() | str() as value:
            return str(value)
        case _:
            return ""


def trimmed(text: str) -> str:
    """Without what PHP's `trim` takes off."""
    return text.strip(BLANKS)
