"""What an explanation consists of; apart from what makes one, which few ever ask for."""

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on


class Difference(TypedDict):
    """The first `same` characters agree; then `ours` stands here and `theirs` there."""

    same: int
    before: str
    ours: str
    theirs: str


class DroppedView(TypedDict):
    """A field that is not part of the string."""

    name: str
    why: str
    en: str
    zh: str


class BytesView(TypedDict):
    """A signed value outside ASCII, and the bytes it was sent as."""

    name: str
    text: str
    hex: str


class SaidView(TypedDict):
    """A mistake or a note; `field` where it is about one."""

    code: str
    field: str
    en: str
    zh: str


class ExplanationView(TypedDict):
    """Why a signature fits or does not. `string` has `***` where the secret stands."""

    dialect: str
    account: str | None
    algorithm: str
    verifies: bool
    key: str | None
    """The key that made it: a key set's id."""
    signed: list[str]
    """Names, in the order of the string."""
    dropped: list[DroppedView]
    string: str
    bytes: list[BytesView]
    ours: str | None
    theirs: str | None
    their_string: str | None
    difference: Difference | None
    """Between the two strings; never between digests."""
    mistakes: list[SaidView]
    alike: list[str]
    """Codes of mistakes that would have led to the same signature."""
    notes: list[SaidView]
