"""From a file to payouts asked for, in the native API's own form; every fault with its place.

What a payout may contain is the API's affair. Here is decided what a cell says, which field it is
of, and what only shows when all rows are seen: a number, or payee and amount, given twice.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import replace

from channels.money import Currency
from gateway.domain.batch import Fault
from gateway.sheets import cells
from gateway.sheets.cells import Cell
from gateway.sheets.grid import (
    ROWS_MAX,
    FileFaultError,
    Line,
    encoding_of,
    grid_of,
    sized,
    text_of,
)
from gateway.sheets.profile import FieldName, Profile

Read = Callable[[Cell], tuple[str, str | None] | Fault]

_READ: Mapping[FieldName, Read] = {
    "merchant_ref": cells.code,
    "amount": cells.amount,
    "currency": cells.code,
    "account": cells.account,
    "bank_code": cells.code,
    "appid": cells.code,
    "chain": cells.code,
}
_USER_ID = re.compile(r"2088[0-9]{12}", re.ASCII)
"""Alipay's own user ids."""


@dataclass(slots=True)
class Draft:
    """One row: the payout it asks for, the cells it was read from, what is wrong with it."""

    line: int
    body: dict[str, Any]
    cells: dict[str, str] = field(default_factory=dict, repr=False)
    faults: list[Fault] = field(default_factory=list)


class Sheet(Struct, frozen=True):
    """A file as it is read: what concerns it as a whole, and its rows, one by one.

    Taking `drafts` may raise `FileFaultError`; then nothing of the file counts.
    """

    kind: str
    encoding: str
    headings: Mapping[FieldName, str]
    drafts: Iterator[Draft]
    faults: list[Fault]
    warnings: list[Fault]
    """Complete once all drafts were taken."""


def read_sheet(content: bytes, profile: Profile, currency: Currency) -> Sheet:
    """Read whatever it is. Raises `FileFaultError`, and nothing else."""
    if content[:1] == b"{":
        return _json_lines(content)
    found = grid_of(content)
    first = next(found.lines, None)
    if first is None:
        raise FileFaultError(Fault("file_empty", "the file has no rows", "文件没有任何行"))
    places, faults = _headings(first, profile)
    if faults:
        return Sheet(found.kind, found.encoding, {}, iter(()), faults, [])
    titles = [_text(cell) for cell in first[1]]
    headings = {name: titles[place] for name, place in places.items()}
    warnings: list[Fault] = []
    drafts = _rows(found.lines, _Form(profile, currency, titles, places, headings), warnings)
    return Sheet(found.kind, found.encoding, headings, drafts, [], warnings)


class _Form(Struct, frozen=True):
    """How the rows of one file are read."""

    profile: Profile
    currency: Currency
    titles: list[str]
    places: Mapping[FieldName, int]
    headings: Mapping[FieldName, str]


def _plain(text: str) -> str:
    """A heading or a word, as it is compared."""
    return "".join(text.translate(cells.WIDE).split()).strip("*\ufeff").casefold()


def _headings(line: Line, profile: Profile) -> tuple[dict[FieldName, int], list[Fault]]:
    """Which column holds which field."""
    number, row = line
    known = {
        _plain(text): name
        for name, column in profile.columns.items()
        for text in (column.zh, column.en, *column.also)
    }
    places: dict[FieldName, int] = {}
    faults = []
    for place, cell in enumerate(row):
        if isinstance(cell, Fault):
            faults.append(replace(cell, line=number))
            continue
        text = cell if isinstance(cell, str) else cell.text
        name = known.get(_plain(text))
        if name is not None and name in places:
            en, zh = f"the heading {text[:40]!r} stands twice", f"表头 {text[:40]!r} 重复"
            faults.append(Fault("heading_twice", en, zh, number, text[:40]))
        elif name is not None:
            places[name] = place
    for name, column in profile.columns.items():
        if column.required and name not in places and name not in profile.defaults:
            en = f"there is no column {column.zh} / {column.en}; take the template's headings"
            zh = f"缺少列“{column.zh}”，请使用模板的表头"
            faults.append(Fault("heading_missing", en, zh, number, column.zh))
    return places, faults


def _rows(lines: Iterator[Line], form: _Form, warnings: list[Fault]) -> Iterator[Draft]:
    headings, profile = form.headings, form.profile
    rails = {_plain(word): rail for word, rail in profile.rails.items()}
    payable = {_plain(word) for word in profile.payable}
    seen = _Seen(headings, warnings)
    for number, row in lines:
        draft = Draft(number, {}, dict(zip(form.titles, map(_text, row), strict=False)))
        values = _values(row, form.places, headings, draft, warnings)
        _payable(values, payable, headings, draft)
        _filled(values, profile, form.currency, rails, headings, draft)
        seen.look(draft)
        yield draft
    if not seen.any:
        raise FileFaultError(
            Fault("file_empty", "there are headings, but no rows", "只有表头，没有数据行")
        )


def _text(cell: Cell) -> str:
    if isinstance(cell, Fault):
        return ""
    return (cell if isinstance(cell, str) else cell.text)[: cells.TEXT_MAX]


def _values(
    row: list[Cell],
    places: Mapping[FieldName, int],
    headings: Mapping[FieldName, str],
    draft: Draft,
    warnings: list[Fault],
) -> dict[FieldName, str]:
    values: dict[FieldName, str] = {}
    for name, place in places.items():
        said = _READ.get(name, cells.plain)(row[place] if place < len(row) else "")
        if isinstance(said, Fault):
            draft.faults.append(replace(said, line=draft.line, column=headings[name]))
            continue
        text, changed = said
        if changed is not None:
            zh = cells.WARNINGS_ZH[changed]
            found = Fault("cell_corrected", changed, zh, draft.line, headings[name], True)
            warnings.append(found)
        if text:
            values[name] = text
    return values


def _payable(
    values: Mapping[FieldName, str],
    payable: set[str],
    headings: Mapping[FieldName, str],
    draft: Draft,
) -> None:
    """What the platform no longer waits for must not be paid again."""
    said = values.get("status")
    if payable and "status" in headings and _plain(said or "") not in payable:
        draft.faults.append(
            Fault(
                "row_not_payable",
                f"its status is {(said or 'blank')[:20]!r}: the platform does not wait for it to "
                "be paid; export only rows that do",
                f"状态为“{(said or '空')[:20]}”，不是待付款，请只导出待付款的记录",
                draft.line,
                headings["status"],
            )
        )


def _filled(
    values: dict[FieldName, str],
    profile: Profile,
    currency: Currency,
    rails: Mapping[str, str],
    headings: Mapping[FieldName, str],
    draft: Draft,
) -> None:
    """The native API's form of the row."""
    values = {**profile.defaults, **values}
    word = values.get("rail", "")
    rail = rails.get(_plain(word))
    if rail is None or rail == "refused":
        unknown = f"{word[:20]!r} is not a way to pay here; known: {', '.join(profile.rails)}"
        zh = f"“{word[:20]}”不是可用的付款方式，可用：{'、'.join(profile.rails)}"
        if rail == "refused":
            unknown = f"{word[:20]!r} cannot be paid through an institution; pay it by hand"
            zh = f"“{word[:20]}”无法通过机构代付，请人工处理"
        draft.faults.append(Fault("rail_unknown", unknown, zh, draft.line, headings.get("rail")))
        rail = ""
    ref = values.get("merchant_ref")
    body: dict[str, Any] = {
        "merchant_ref": None if ref is None else f"{profile.ref_prefix}{ref}",
        "amount": values.get("amount"),
        "currency": values.get("currency", currency.value).upper(),
        "beneficiary": {"instruments": [_instrument(rail, values)]},
        "purpose": values.get("purpose"),
    }
    if "note" in values:
        body["metadata"] = {"note": values["note"]}
    draft.body = {name: value for name, value in body.items() if value is not None}


def _instrument(rail: str, values: Mapping[FieldName, str]) -> dict[str, Any]:
    told = values.get("account")
    bank: dict[str, Any] = {
        "bank_code": values.get("bank_code"),
        "bank_name": values.get("bank_name"),
    }
    shape: dict[str, Any]
    match rail:
        case "alipay":
            kind = "user_id" if _USER_ID.fullmatch(told or "") else "logon_id"
            shape = {"identity": told, "identity_type": kind}
        case "wechat":
            shape = {"openid": told, "appid": values.get("appid")}
        case "wire":
            shape = {"account_id": told}
        case "chain":
            shape = {"address": told, "chain": values.get("chain")}
        case _:
            shape = {"number": told, **bank}
    shape = {"rail": rail, **shape, "name": values.get("name")}
    return {name: value for name, value in shape.items() if value is not None}


class _Seen:
    """What only shows over all rows: the same number, or the same payee and amount, twice."""

    def __init__(self, headings: Mapping[FieldName, str], warnings: list[Fault]) -> None:
        self._headings = headings
        self._warnings = warnings
        self._refs: dict[str, int] = {}
        self._payees: dict[bytes, int] = {}
        self.any = False

    def look(self, draft: Draft) -> None:
        """Compare it with those before it."""
        self.any = True
        ref = draft.body.get("merchant_ref")
        if isinstance(ref, str):
            first = self._refs.setdefault(ref, draft.line)
            if first != draft.line:
                en = f"the merchant_ref stands on line {first} already; each payment needs its own"
                zh = f"商户单号与第 {first} 行重复，每笔付款须使用不同的单号"
                column = self._headings.get("merchant_ref", "merchant_ref")
                draft.faults.append(Fault("ref_twice", en, zh, draft.line, column))
        payee = draft.body.get("beneficiary"), draft.body.get("amount")
        try:
            same = orjson.dumps(payee, option=orjson.OPT_SORT_KEYS)
        except TypeError:
            # Nested more deeply than any payout: it is refused for that.
            return
        first = self._payees.setdefault(blake2b(same, digest_size=16).digest(), draft.line)
        if first != draft.line:
            en = f"the same payee and amount stand on line {first}; make sure both are meant"
            zh = f"与第 {first} 行收款人和金额相同，请确认不是重复付款"
            column = self._headings.get("account", "beneficiary")
            self._warnings.append(Fault("payee_twice", en, zh, draft.line, column, True))


def _json_lines(content: bytes) -> Sheet:
    """One payout of the native API a line."""
    sized(content)
    encoding = encoding_of(content)
    warnings: list[Fault] = []
    drafts = _objects(content, encoding, _Seen({}, warnings))
    return Sheet("jsonl", encoding.removesuffix("-sig"), {}, drafts, [], warnings)


def _objects(content: bytes, encoding: str, seen: _Seen) -> Iterator[Draft]:
    count = 0
    with text_of(content, encoding, "\n") as lines:
        for number, text in enumerate(lines, 1):
            if not text.strip():
                continue
            count += 1
            if count > ROWS_MAX:
                en, zh = f"more than {ROWS_MAX:,} rows; split it", f"超过 {ROWS_MAX:,} 行，请拆分"
                raise FileFaultError(Fault("file_too_many_rows", en, zh))
            draft = Draft(number, {})
            try:
                body = orjson.loads(text)
            except (orjson.JSONDecodeError, UnicodeEncodeError):
                body = None
            if isinstance(body, dict):
                draft.body = body
            else:
                en, zh = "the line is not a JSON object", "该行不是 JSON 对象"
                draft.faults.append(Fault("line_not_json", en, zh, number))
            seen.look(draft)
            yield draft
