"""Fields of the families' messages, and forms of them. Pure.

Servers and resellers write numbers as text or as numbers, and sign both alike.
"""

from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import BeforeValidator, Field, StringConstraints

from channels.money import INT64_MAX

FORM_FIELDS_MAX = 64


class FormError(ValueError):
    """Not a form, or not to be read in one way only; the text quotes nothing of it."""


def whole(value: object) -> object:
    """Take digits for their number."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        return int(value)
    return value


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:@|-]{1,128}$")]
"""A number or a code. Never a free text: those may hold what looks like another signed field."""
Fen = Annotated[int, BeforeValidator(whole), Field(ge=0, le=INT64_MAX)]
State = Annotated[Word, BeforeValidator(_text)]


def read_form(raw: bytes | str, encoding: str) -> dict[str, str]:
    """The fields of a notice; FormError for anything but a form that names each field once."""
    try:
        pairs = parse_qsl(
            raw if isinstance(raw, str) else raw.decode(encoding),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FORM_FIELDS_MAX,
        )
    except ValueError:  # its text would quote the message
        raise FormError("not a form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise FormError("a field stands twice")
    return fields
