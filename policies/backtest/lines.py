"""The file format of history: JSON lines, read strictly.

The first line is a `Header`, every further one a `Record`; policies/README.md describes both. A
line that is not exactly that is refused with its number, and with it the file: half a history
would give an answer that looks whole. Merchants may be pseudonyms: keyed hashes whose salt stands
in the header, so that a policy which names merchants still finds them (`unmask`).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, ClassVar, Final, Literal, TypeVar

import orjson
from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError

from policies.backtest.record import Choice, Record
from policies.backtest.terms import Terms
from policies.calendars.workdays import Almanac
from policies.facts import MICRO

_T = TypeVar("_T")
KIND: Final = "hangdao.history"
LAYOUT: Final = 1
LINE_MAX: Final = 1_000_000
"""Bytes in a line; far more than any decision takes."""
_WORD: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class HistoryError(ValueError):
    """A history that must not be used; `line` counts from 1, 0 stands for the whole."""

    def __init__(self, line: int, text: str) -> None:
        """Say where and what."""
        super().__init__(f"line {line}: {text}" if line else text)
        self.line = line
        self.text = text


@dataclass(frozen=True, slots=True)
class Header:
    """What a history is, and the channels' terms when it was made."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    kind: Literal["hangdao.history"]
    v: Literal[1]
    since: AwareDatetime | None
    until: AwareDatetime | None
    salt: Annotated[str, Field(min_length=8, max_length=64)] | None
    """What merchants' pseudonyms were made with; None: the ids are as they are."""
    channels: tuple[Terms, ...]
    almanac: Almanac | None = None
    """The working days as the installation knows them; None: as published."""


# Built when first asked for: a gateway that nobody asks for its history needs none of them.
@cache
def _header_form() -> TypeAdapter[Header]:
    return TypeAdapter(Header)


@cache
def _record_form() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


@cache
def _page_form() -> "TypeAdapter[Page]":
    return TypeAdapter(Page)


def header_line(header: Header) -> bytes:
    """The first line, with its end."""
    return _header_form().dump_json(header) + b"\n"


def record_line(record: Record) -> bytes:
    """A record's line, with its end."""
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def header_json(header: Header) -> dict[str, object]:
    """The header as plain JSON values."""
    made: dict[str, object] = _header_form().dump_python(header, mode="json")
    return made


def header_of(text: bytes) -> Header:
    """A header from its JSON. Raises `HistoryError`."""
    return _checked(_header_form(), text, 0)


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, and the payout after which the next page begins; None: there is none."""

    data: tuple[Record, ...]
    next: str | None


def page_of(text: bytes) -> Page:
    """A page of the API. Raises `HistoryError`."""
    try:
        page = _page_form().validate_json(text)
    except ValidationError as error:
        raise HistoryError(0, _first(error)) from None
    for record in page.data:
        wrong = _nonsense(record)
        if wrong:
            raise HistoryError(0, f"{record.payout}: {wrong}")
    return page


def record_of(line: bytes) -> Record:
    """One record from its JSON. Raises `HistoryError`."""
    record = _checked(_record_form(), line, 0)
    wrong = _nonsense(record)
    if wrong:
        raise HistoryError(0, wrong)
    return record


def read(lines: Iterable[bytes]) -> tuple[Header, Iterator[Record]]:
    """The header, and the records as they are asked for. Raises `HistoryError`, also while read."""
    numbered = enumerate(lines, 1)
    _, first = next(numbered, (0, b""))
    if not first.strip():
        raise HistoryError(1, "the file is empty; a history begins with its header")
    header = _checked(_header_form(), first, 1)
    names = [one.name for one in header.channels]
    if len(set(names)) != len(names):
        raise HistoryError(1, "two channels have the same name")
    return header, _records(numbered)


def _records(numbered: Iterator[tuple[int, bytes]]) -> Iterator[Record]:
    for number, line in numbered:
        record = _checked(_record_form(), line, number)
        wrong = _nonsense(record)
        if wrong:
            raise HistoryError(number, wrong)
        yield record


def _nonsense(record: Record) -> str:
    """What is wrong with values that have the right types; empty for nothing."""
    if record.amount_minor <= 0 or not record.ways or not record.merchant:
        return "amount_minor, ways, merchant: a payout has all three"
    if record.max_fee_minor is not None and record.max_fee_minor < 0:
        return "max_fee_minor: negative"
    for at in (record.accepted_at, record.deadline_at):
        if at is not None and at.utcoffset() is None:
            return "a time has no time zone"
    indices = {way.index for way in record.ways}
    for choice in record.choices:
        wrong = _nonsense_in(choice, indices)
        if wrong:
            return wrong
    return ""


def _nonsense_in(choice: Choice, indices: set[int]) -> str:
    if not 0 <= choice.draw_ppm < MICRO:
        return "draw_ppm: outside 0 to 999,999"
    if choice.at.utcoffset() is None:
        return "a time has no time zone"
    total, unlogged = 0, 0
    for one in choice.order:
        if one.instrument not in indices:
            return f"instrument {one.instrument}: the payout has no such one"
        if not (0 <= one.success_ppm <= MICRO and 0 <= one.unknown_ppm <= MICRO):
            return "success_ppm, unknown_ppm: outside 0 to 1,000,000"
        if min(one.fee, one.surcharge, one.capital, one.lateness, one.fail, one.unknown) < 0:
            return "a cost is negative"
        if one.propensity_ppm is None:
            unlogged += 1
        elif one.propensity_ppm < 0:
            return "propensity_ppm: negative"
        else:
            total += one.propensity_ppm
    # `decide` draws among all of them and gives each a share; anything else is no distribution.
    if choice.order and unlogged != len(choice.order):
        if unlogged or total != MICRO:
            return "propensity_ppm: they do not add up to 1,000,000"
        if not choice.order[0].propensity_ppm:
            return "propensity_ppm: the chosen one has none"
    return ""


def _checked(adapter: TypeAdapter[_T], line: bytes, number: int) -> _T:
    if len(line) > LINE_MAX:
        raise HistoryError(number, f"longer than {LINE_MAX:,} bytes")
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        raise HistoryError(number, _first(error)) from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "line"
    return f"{where}: {first['msg']}"


# --- Pseudonyms --------------------------------------------------------------------------------


def pseudonym(merchant: str, salt: str) -> str:
    """A merchant's name in an export: the same within one file, another in the next.

    Whoever guesses a merchant id can check the guess: it keeps names out of sight, not secret.
    """
    digest = hashlib.blake2b(merchant.encode(), key=salt.encode(), digest_size=8).hexdigest()
    return f"x_{digest}"


def masked(record: Record, salt: str) -> Record:
    """The record under its merchant's pseudonym."""
    return replace(record, merchant=pseudonym(record.merchant, salt))


def names_behind(policy_text: str, salt: str) -> Mapping[str, str]:
    """Pseudonym → merchant, for every word of a policy: those it names are found, wherever."""
    return {pseudonym(word, salt): word for word in set(_WORD.findall(policy_text))}


def unmasked(records: Iterable[Record], names: Mapping[str, str]) -> Iterator[Record]:
    """Records with those merchants under their own ids that a policy names."""
    for record in records:
        known = names.get(record.merchant)
        yield record if known is None else replace(record, merchant=known)
