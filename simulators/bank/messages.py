"""The bank's own messages: pain.002.001.12 and camt.052, .053, .054 in version 08.

Source: wire-protocols.md §4.5 and §4.7; a test holds pain.002 to its schema and reads every camt
with the generated classes of another library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lxml import etree

from simulators.bank.submission import NAME as ASKED
from simulators.clock import BEIJING

_SPACE = "urn:iso:std:iso:20022:tech:xsd:"

BODIES = {
    "camt.052": ("BkToCstmrAcctRpt", "Rpt"),
    "camt.053": ("BkToCstmrStmt", "Stmt"),
    "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}


@dataclass(frozen=True, slots=True)
class StatusWord:
    """One status of one transaction, with the echoes of what was asked."""

    original_message_id: str
    original_created_at: str
    payment_id: str
    instruction_id: str
    end_to_end_id: str
    status: str
    reason: str
    amount: str
    currency: str
    payee: str
    service_ref: str
    for_group: bool = False
    """A refusal of the whole file: no transaction is named."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry on an account."""

    entry_ref: str
    amount_minor: int
    credit: bool
    booked_at: datetime
    family: str
    sub_family: str
    end_to_end_id: str = ""
    message_id: str = ""
    payee: str = ""
    returned_for: str = ""
    """The reason a payment came back."""


@dataclass(frozen=True, slots=True)
class BalanceWord:
    """One balance; `at` instead of `on` for one of this very moment."""

    kind: str
    amount_minor: int
    on: date
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """The account a report is about."""

    number: str
    currency: str
    exponent: int
    name: str


def status_report(message_id: str, at: datetime, word: StatusWord) -> bytes:
    """A pain.002.001.12 about one transaction, or about a whole file."""
    root, body = _document("pain.002.001.12", "CstmrPmtStsRpt")
    header = _add(body, "GrpHdr")
    _add(header, "MsgId", message_id)
    _add(header, "CreDtTm", stamp(at))
    group = _add(body, "OrgnlGrpInfAndSts")
    _add(group, "OrgnlMsgId", word.original_message_id)
    _add(group, "OrgnlMsgNmId", ASKED)
    if word.original_created_at:
        _add(group, "OrgnlCreDtTm", word.original_created_at)
    if word.for_group:
        _add(group, "GrpSts", word.status)
        _reason(group, word.reason)
        return _bytes(root)
    block = _add(body, "OrgnlPmtInfAndSts")
    _add(block, "OrgnlPmtInfId", word.payment_id)
    one = _add(block, "TxInfAndSts")
    if word.instruction_id:
        _add(one, "OrgnlInstrId", word.instruction_id)
    _add(one, "OrgnlEndToEndId", word.end_to_end_id)
    _add(one, "TxSts", word.status)
    _reason(one, word.reason)
    if word.service_ref:
        _add(one, "AcctSvcrRef", word.service_ref)
    echo = _add(one, "OrgnlTxRef")
    amount = _add(_add(echo, "Amt"), "InstdAmt", word.amount)
    amount.set("Ccy", word.currency)
    if word.payee:
        _add(_add(_add(_add(echo, "CdtrAcct"), "Id"), "Othr"), "Id", word.payee)
    return _bytes(root)


def account_report(
    kind: str,
    message_id: str,
    at: datetime,
    owner: Owner,
    balances: Sequence[BalanceWord],
    lines: Sequence[Line],
    *,
    number: int | None = None,
) -> bytes:
    """A camt.052, .053 or .054; `number` is the sequence number of a statement."""
    wrapper, each = BODIES[kind]
    root, body = _document(f"{kind}.001.08", wrapper)
    header = _add(body, "GrpHdr")
    _add(header, "MsgId", message_id)
    _add(header, "CreDtTm", stamp(at))
    report = _add(body, each)
    _add(report, "Id", message_id)
    if number is not None:
        _add(report, "ElctrncSeqNb", str(number))
    _add(report, "CreDtTm", stamp(at))
    account = _add(report, "Acct")
    _add(_add(_add(account, "Id"), "Othr"), "Id", owner.number)
    _add(account, "Ccy", owner.currency)
    _add(_add(account, "Ownr"), "Nm", owner.name)
    for balance in balances:
        _balance(report, balance, owner)
    if kind == "camt.053":
        totals = _add(_add(report, "TxsSummry"), "TtlNtries")
        _add(totals, "NbOfNtries", str(len(lines)))
    for line in lines:
        _entry(report, line, owner)
    return _bytes(root)


def major(minor: int, exponent: int) -> str:
    """A plain decimal with all the currency's decimals."""
    digits = str(abs(minor)).rjust(exponent + 1, "0")
    return f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits


def stamp(at: datetime) -> str:
    """ISODateTime with the zone, as Chinese banks keep it."""
    return at.astimezone(BEIJING).replace(microsecond=0).isoformat()


def _balance(report: Any, balance: BalanceWord, owner: Owner) -> None:
    one = _add(report, "Bal")
    _add(_add(_add(one, "Tp"), "CdOrPrtry"), "Cd", balance.kind)
    amount = _add(one, "Amt", major(balance.amount_minor, owner.exponent))
    amount.set("Ccy", owner.currency)
    _add(one, "CdtDbtInd", "CRDT" if balance.amount_minor >= 0 else "DBIT")
    when = _add(one, "Dt")
    if balance.at is None:
        _add(when, "Dt", balance.on.isoformat())
    else:
        _add(when, "DtTm", stamp(balance.at))


def _entry(report: Any, line: Line, owner: Owner) -> None:
    entry = _add(report, "Ntry")
    _add(entry, "NtryRef", line.entry_ref)
    amount = _add(entry, "Amt", major(line.amount_minor, owner.exponent))
    amount.set("Ccy", owner.currency)
    _add(entry, "CdtDbtInd", "CRDT" if line.credit else "DBIT")
    _add(_add(entry, "Sts"), "Cd", "BOOK")
    _add(_add(entry, "BookgDt"), "DtTm", stamp(line.booked_at))
    _add(_add(entry, "ValDt"), "Dt", line.booked_at.astimezone(BEIJING).date().isoformat())
    _add(entry, "AcctSvcrRef", line.entry_ref)
    domain = _add(_add(entry, "BkTxCd"), "Domn")
    _add(domain, "Cd", "PMNT")
    family = _add(domain, "Fmly")
    _add(family, "Cd", line.family)
    _add(family, "SubFmlyCd", line.sub_family)
    details = _add(_add(entry, "NtryDtls"), "TxDtls")
    refs = _add(details, "Refs")
    if line.message_id:
        _add(refs, "MsgId", line.message_id)
    _add(refs, "AcctSvcrRef", line.entry_ref)
    _add(refs, "EndToEndId", line.end_to_end_id or "NOTPROVIDED")
    part = _add(details, "Amt", major(line.amount_minor, owner.exponent))
    part.set("Ccy", owner.currency)
    if line.payee:
        account = _add(_add(details, "RltdPties"), "CdtrAcct")
        _add(_add(_add(account, "Id"), "Othr"), "Id", line.payee)
    if line.returned_for:
        _add(_add(_add(details, "RtrInf"), "Rsn"), "Cd", line.returned_for)


def _reason(holder: Any, reason: str) -> None:
    """A code of the external set has four letters; a longer one is the bank's own."""
    if reason:
        kind = "Cd" if len(reason) <= 4 else "Prtry"
        _add(_add(_add(holder, "StsRsnInf"), "Rsn"), kind, reason[:35])


def _document(name: str, wrapper: str) -> tuple[Any, Any]:
    space = _SPACE + name
    root = etree.Element(f"{{{space}}}Document", nsmap={None: space})
    return root, etree.SubElement(root, f"{{{space}}}{wrapper}")


def _add(parent: Any, name: str, text: str | None = None) -> Any:
    child = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")
    child.text = text
    return child


def _bytes(root: Any) -> bytes:
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written
