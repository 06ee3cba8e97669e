"""What a file of payouts comes to: each row by the same model as a single payout, and the totals.

Nothing is stored here, so that `hangdao batch check` says exactly what an upload would.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct
from pydantic import ValidationError

from channels.money import Currency, Money
from gateway.api.context import field_fault
from gateway.api.payouts import requested
from gateway.api.schemas import PayoutIn
from gateway.domain.batch import BatchMode, BatchRow, Fault, Refused, RowState
from gateway.engine.batch_body import body_of, refused_body
from gateway.sheets.grid import FileFaultError
from gateway.sheets.profile import FieldName, Profile
from gateway.sheets.read import Draft, Sheet, read_sheet

_FIELD_OF: Mapping[str, FieldName] = {
    "number": "account",
    "identity": "account",
    "openid": "account",
    "account_id": "account",
    "address": "account",
    "name": "name",
    "bank_code": "bank_code",
    "bank_name": "bank_name",
    "appid": "appid",
    "chain": "chain",
    "merchant_ref": "merchant_ref",
    "amount": "amount",
    "currency": "currency",
    "purpose": "purpose",
    "note": "note",
    "rail": "rail",
}


class Declared(Struct, frozen=True):
    """What the caller says the file holds: a cut-off file does not hold it."""

    count: int
    total: Money


class Examined(Struct, frozen=True):
    """A file, row by row. With `faults` nothing of it may be taken."""

    kind: str
    encoding: str
    rows: list[BatchRow]
    count: int
    total_minor: int
    faults: list[Fault]
    warnings: list[Fault]
    content: str
    """Hash of what is to be paid, whatever kind of file said so."""


def examine(
    content: bytes,
    profile: Profile,
    currency: Currency,
    mode: BatchMode,
    declared: Declared | None,
) -> Examined:
    """Read a file whole. With `per_row`, a row whose number and amount are clear may be refused
    alone; with `all_or_nothing` any fault is the file's."""
    try:
        sheet = read_sheet(content, profile, currency)
        tally = _Tally(sheet, currency, mode)
        # Each row is done with, but for its bytes, before the next one is read.
        for draft in sheet.drafts:
            tally.take(draft)
    except FileFaultError as error:
        return Examined("unknown", "unknown", [], 0, 0, [error.fault], [], "")
    faults = tally.faults
    if declared is not None and not sheet.faults:
        unread = [one for one in faults if one.line is not None]
        faults += _declared(declared, tally.count, tally.total, exact=not unread)
    return Examined(
        *(sheet.kind, sheet.encoding, tally.rows, tally.count, tally.total),
        *(faults, sheet.warnings, tally.digest.hexdigest()),
    )


@dataclass(slots=True)
class _Tally:
    """What the rows read so far come to."""

    sheet: Sheet
    currency: Currency
    mode: BatchMode
    rows: list[BatchRow] = field(default_factory=list)
    count: int = 0
    total: int = 0
    faults: list[Fault] = field(init=False)
    digest: Any = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        """Begin with what concerns the file as a whole."""
        self.faults = list(self.sheet.faults)

    def take(self, draft: Draft) -> None:
        """Count a row in, as one to be paid, one that is refused, or with its faults."""
        self.count += 1
        asked, found = _asked(draft, self.sheet.headings, self.currency)
        wrong = [*draft.faults, *found]
        minor = _amount(draft, self.currency) if asked is None else asked.money.minor
        self.total += minor or 0
        if asked is not None and not wrong:
            body = body_of(requested(asked, asked.merchant_ref or ""), draft.cells)
        else:
            body = refused_body(draft.body, draft.cells)
        self.digest.update(hashlib.sha256(body).digest())
        may_stay = self.mode == "per_row" and minor is not None and _ref(draft) is not None
        if wrong and not may_stay:
            self.faults += wrong
            return
        why = _refusal(wrong[0]) if wrong else None
        self.rows.append(
            BatchRow(
                number=self.count,
                line=draft.line,
                merchant_ref=_ref(draft) or "",
                amount_minor=minor or 0,
                hold_minor=0,
                body=body,
                state=RowState.REFUSED if why else RowState.WAITING,
                refused=why,
            )
        )


def _asked(
    draft: Draft, headings: Mapping[FieldName, str], currency: Currency
) -> tuple[PayoutIn | None, list[Fault]]:
    if draft.faults and not draft.body:
        return None, []
    try:
        asked = PayoutIn.model_validate(draft.body)
    except ValidationError as failure:
        known = {one.column for one in draft.faults}
        found = [_fault(one, draft, headings) for one in failure.errors(include_url=False)]
        # A cell that could not be read is told once, not also as a field that is missing.
        return None, [one for one in found if one.column not in known or one.column is None]
    wrong = []
    if asked.merchant_ref is None:
        en, zh = "each row of a batch needs a merchant_ref", "批次中每行都需要商户单号"
        wrong.append(Fault("ref_missing", en, zh, draft.line, "merchant_ref"))
    if asked.currency is not currency:
        en = f"the row is in {asked.currency}, the batch was declared in {currency}"
        zh = f"该行币种为 {asked.currency}，批次声明为 {currency}"
        column = headings.get("currency", "currency")
        wrong.append(Fault("currency_differs", en, zh, draft.line, column))
    return asked, wrong


def _fault(error: Any, draft: Draft, headings: Mapping[FieldName, str]) -> Fault:
    where, what = field_fault(error)
    name = _FIELD_OF.get(where.rpartition(".")[2])
    column = where if name is None else headings.get(name, name if headings else where)
    shown = column.rpartition(".")[2]
    if error["type"] == "missing":
        en = f"{shown} is missing; fill it in"
        return Fault("cell_missing", en, f"{shown} 缺失，请填写", draft.line, column)
    return Fault("cell_invalid", f"{shown}: {what}", f"{shown} 无效：{what}", draft.line, column)


def _amount(draft: Draft, currency: Currency) -> int | None:
    """The amount of a row that is wrong elsewhere, as the declared total counts it."""
    said, minor = draft.body.get("amount"), draft.body.get("amount_minor")
    if isinstance(said, str) and minor is None:
        try:
            found = Money.parse(said, currency).minor
        except ValueError:
            return None
        return found if 0 < found < 2**61 else None
    if said is None and type(minor) is int and 0 < minor < 2**61:
        return minor
    return None


def _ref(draft: Draft) -> str | None:
    ref = draft.body.get("merchant_ref")
    return ref[:64] if isinstance(ref, str) and ref else None


def _refusal(fault: Fault) -> Refused:
    return Refused(fault.code, fault.en, fault.zh, fault.column)


def _declared(declared: Declared, count: int, total: int, *, exact: bool) -> list[Fault]:
    found = []
    if count != declared.count:
        en = f"{declared.count} rows were declared, the file has {count}; is it whole?"
        zh = f"声明 {declared.count} 行，文件实有 {count} 行，请确认文件完整"
        found.append(Fault("count_differs", en, zh))
    if total != declared.total.minor and exact:
        said, real = declared.total, Money(total, declared.total.currency)
        en = f"{said} {said.currency} were declared, the rows come to {real}; is the file whole?"
        zh = f"声明总额 {said} {said.currency}，各行合计 {real}，请核对"
        found.append(Fault("total_differs", en, zh))
    return found
