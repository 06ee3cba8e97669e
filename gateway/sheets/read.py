"""From a file to payouts asked for, in the native API's own form; every fault with its place.

What a payout may contain is the API's affair. Here is decided what a cell says, which field it is
of, and what only shows when all rows are seen: a number, or payee and amount, given twice.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from channels.money import Currency
from gateway.domain.batch import Fault
from gateway.sheets import cells
from gateway.sheets.cells import Cell
from gateway.sheets.grid import ROWS_MAX, SIZE_MAX, Grid, Line, decoded, grid_of
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


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as it was read. `faults` concern the file as a whole."""

    kind: str
    encoding: str
    headings: Mapping[FieldName, str]
    drafts: list[Draft]
    faults: list[Fault]
    warnings: list[Fault]


def read_sheet(content: bytes, profile: Profile, currency: Currency) -> Sheet:
    """Read whatever it is; never raises."""
    if content[:1] == b"{":
        return _json_lines(content)
    found = grid_of(content)
    if isinstance(found, Fault):
        return _broken(found)
    if not found.lines:
        return _broken(Fault("file_empty", "the file has no rows", "文件没有任何行"))
    headings, faults = _headings(found.lines[0], profile)
    if faults:
        return Sheet(found.kind, found.encoding, {}, [], faults, [])
    if len(found.lines) == 1:
        return _broken(
            Fault("file_empty", "there are headings, but no rows", "只有表头，没有数据行")
        )
    return _rows(found, profile, currency, headings)


def _broken(fault: Fault) -> Sheet:
    return Sheet("unknown", "unknown", {}, [], [fault], [])


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


def _rows(found: Grid, profile: Profile, currency: Currency, places: dict[FieldName, int]) -> Sheet:
    titles = [_text(cell) for cell in found.lines[0][1]]
    headings = {name: titles[place] for name, place in places.items()}
    warnings: list[Fault] = []
    drafts = []
    rails = {_plain(word): rail for word, rail in profile.rails.items()}
    payable = {_plain(word) for word in profile.payable}
    lines = deque(found.lines)
    lines.popleft()
    # A file of 100,000 rows takes hundreds of megabytes: each line goes as its draft comes.
    found.lines.clear()
    while lines:
        number, row = lines.popleft()
        draft = Draft(number, {}, dict(zip(titles, map(_text, row), strict=False)))
        values = _values(row, places, headings, draft, warnings)
        _payable(values, payable, headings, draft)
        _filled(values, profile, currency, rails, headings, draft)
        drafts.append(draft)
    _twice(drafts, headings, warnings)
    return Sheet(found.kind, found.encoding, headings, drafts, [], warnings)


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


def _twice(drafts: list[Draft], headings: Mapping[FieldName, str], warnings: list[Fault]) -> None:
    refs: dict[str, int] = {}
    payees: dict[bytes, int] = {}
    for draft in drafts:
        ref = draft.body.get("merchant_ref")
        if isinstance(ref, str):
            first = refs.setdefault(ref, draft.line)
            if first != draft.line:
                en = f"the merchant_ref stands on line {first} already; each payment needs its own"
                zh = f"商户单号与第 {first} 行重复，每笔付款须使用不同的单号"
                column = headings.get("merchant_ref", "merchant_ref")
                draft.faults.append(Fault("ref_twice", en, zh, draft.line, column))
        payee = draft.body.get("beneficiary"), draft.body.get("amount")
        try:
            same = orjson.dumps(payee, option=orjson.OPT_SORT_KEYS)
        except TypeError:
            # Nested more deeply than any payout: it is refused for that.
            continue
        first = payees.setdefault(same, draft.line)
        if first != draft.line:
            en = f"the same payee and amount stand on line {first}; make sure both are meant"
            zh = f"与第 {first} 行收款人和金额相同，请确认不是重复付款"
            column = headings.get("account", "beneficiary")
            warnings.append(Fault("payee_twice", en, zh, draft.line, column, True))


def _json_lines(content: bytes) -> Sheet:
    """One payout of the native API a line."""
    if len(content) > SIZE_MAX:
        return _broken(Fault("file_too_large", "the file is too large", "文件过大"))
    found = decoded(content)
    if isinstance(found, Fault):
        return _broken(found)
    drafts: list[Draft] = []
    for number, text in enumerate(found[0].split("\n"), 1):
        if not text.strip():
            continue
        if len(drafts) >= ROWS_MAX:
            en, zh = f"more than {ROWS_MAX:,} rows; split it", f"超过 {ROWS_MAX:,} 行，请拆分"
            return _broken(Fault("file_too_many_rows", en, zh))
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
        drafts.append(draft)
    warnings: list[Fault] = []
    _twice(drafts, {}, warnings)
    return Sheet("jsonl", found[1], {}, drafts, [], warnings)
