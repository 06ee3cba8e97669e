"""Reading a customer's pain.001.001.09: schema first, then the rules of the house.

Source: the schema in `schemas/`, and wire-protocols.md §4.2 to §4.4. DTDs, entities and anything
but UTF-8 are refused before parsing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

NAME = "pain.001.001.09"
_SCHEMA = Path(__file__).parent / "schemas" / f"{NAME}.xsd"
_SPACE = {"p": f"urn:iso:std:iso:20022:tech:xsd:{NAME}"}
_BYTES_MAX = 8 << 20
_LINE_NUMBER = re.compile(r"[0-9]{12}")


class UnreadableError(Exception):
    """Not a pain.001.001.09: nothing can be said about it by a pain.002."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One credit transfer as it was asked for."""

    end_to_end_id: str
    instruction_id: str
    payment_id: str
    amount: Decimal
    currency: str
    payee: str
    """The number of the beneficiary's account."""
    payee_name: str
    agent: str
    """The line number of the beneficiary's bank; empty when it is not named."""
    debtor: str
    debtor_currency: str
    requested_on: date
    note: str

    def minor(self, exponent: int) -> int | None:
        """The amount in minor units; None if it has a part of one."""
        scaled = self.amount.scaleb(exponent)
        return int(scaled) if scaled == int(scaled) else None


@dataclass(frozen=True, slots=True)
class Submission:
    """One file."""

    message_id: str
    created_at: str
    count: int
    control_sum: Decimal | None
    transactions: tuple[Transaction, ...]

    def problem(self) -> str | None:
        """The reason code of a file whose totals do not fit."""
        if self.count != len(self.transactions):
            return "AM18"
        total = sum((one.amount for one in self.transactions), Decimal(0))
        return "AM10" if self.control_sum is not None and self.control_sum != total else None


def read(raw: bytes) -> Submission:
    """Parse and validate. Raises UnreadableError."""
    if len(raw) > _BYTES_MAX or b"<!DOCTYPE" in raw or b"<!ENTITY" in raw or b"\0" in raw:
        raise UnreadableError("too large, with a DTD, or not UTF-8")
    try:
        root = etree.fromstring(raw, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableError("not well-formed") from error
    if not _schema().validate(root):
        raise UnreadableError("does not keep the schema")
    header = root.find("p:CstmrCdtTrfInitn/p:GrpHdr", _SPACE)
    total = _text(header, "p:CtrlSum")
    return Submission(
        message_id=_text(header, "p:MsgId"),
        created_at=_text(header, "p:CreDtTm"),
        count=int(_text(header, "p:NbOfTxs")),
        control_sum=Decimal(total) if total else None,
        transactions=tuple(_transactions(root)),
    )


def problem(one: Transaction, exponent: int) -> str | None:
    """The reason code for which this bank refuses a transaction by its looks."""
    if one.minor(exponent) is None:
        return "CH20"
    if one.amount <= 0:
        return "AM01"
    if not one.payee:
        return "AC03"
    if not one.payee_name:
        return "BE22"
    return "RC10" if one.agent and not _LINE_NUMBER.fullmatch(one.agent) else None


def _transactions(root: Any) -> Iterator[Transaction]:
    for block in root.iterfind("p:CstmrCdtTrfInitn/p:PmtInf", _SPACE):
        on = _text(block, "p:ReqdExctnDt/p:Dt") or _text(block, "p:ReqdExctnDt/p:DtTm")[:10]
        for one in block.iterfind("p:CdtTrfTxInf", _SPACE):
            amount = one.find("p:Amt/p:InstdAmt", _SPACE)
            yield Transaction(
                end_to_end_id=_text(one, "p:PmtId/p:EndToEndId"),
                instruction_id=_text(one, "p:PmtId/p:InstrId"),
                payment_id=_text(block, "p:PmtInfId"),
                amount=Decimal("NaN") if amount is None else Decimal(amount.text.strip()),
                currency="" if amount is None else amount.get("Ccy"),
                payee=_text(one, "p:CdtrAcct/p:Id/p:Othr/p:Id"),
                payee_name=_text(one, "p:Cdtr/p:Nm"),
                agent=_text(one, "p:CdtrAgt/p:FinInstnId/p:ClrSysMmbId/p:MmbId"),
                debtor=_text(block, "p:DbtrAcct/p:Id/p:Othr/p:Id"),
                debtor_currency=_text(block, "p:DbtrAcct/p:Ccy"),
                requested_on=date.fromisoformat(on[:10]),
                note=_text(one, "p:RmtInf/p:Ustrd"),
            )


def _text(holder: Any, path: str) -> str:
    found = holder.find(path, _SPACE)
    return "" if found is None or found.text is None else found.text.strip()


def _parser() -> Any:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


@cache
def _schema() -> Any:
    return etree.XMLSchema(etree.parse(str(_SCHEMA)))
