"""A bank's XML, spoilt: pain.002 and camt.053; judged by another parser than the adapter's."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from xml.etree import ElementTree

from channels.bank import statement, verdict
from channels.bank.documents import DocumentError
from channels.bank.reading import told
from channels.contract import Pending, Rejected, StatementBrokenError, StatementLine, Unknown
from channels.money import Currency
from tests.channels.bank import house, letters
from tests.proof.hostile.aims import Input
from tests.proof.hostile.mutate import Spoiler

BANK = house.settings().bank
DAY = date(2026, 11, 2)
STATUSES: Sequence[bytes] = (
    letters.report(letters.status("ACSC", amount="123.45", payee=house.CARD.number)),
    letters.report(letters.status("ACCC"), block="ACSC", group="ACSP"),
    letters.report(letters.status("RJCT", "AC01", amount="123.45", text="账号不存在")),
    letters.report(letters.status("RJCT", "AM04"), letters.status("ACSC", reference="ANOTHER1")),
    letters.report(group="RJCT", group_why=letters.why("FF01")),
    letters.report(letters.status("PDNG"), message_id="BANK0002"),
)
DAYS: Sequence[bytes] = (
    letters.statement(
        letters.Booking("100.00", ref="E1"),
        letters.Booking("0.50", ref="E2", family="CHRG"),
        letters.Booking("100.00", "CRDT", ref="E3", back_for="AC04"),
        letters.Booking("5.00", "CRDT", ref="E4", reference=None),
        closing="1004.50",
    ),
    letters.statement(letters.Booking("100.30", ref="E1", part="100.00"), closing="899.70"),
)
WORDS: Sequence[str] = (
    *("ACSC", "ACCC", "RJCT", "CANC", "PDNG", "RCVD", "ACSP", "AC01", "AM05", "DU03", "BOOK"),
    *(
        "DBIT",
        "CRDT",
        "CNY",
        "USD",
        "OPBD",
        "CLBD",
        "PRCD",
        "123.45",
        "123.46",
        "100.00",
        "1004.50",
    ),
    *(house.REFERENCE, house.ACCOUNT, "ANOTHER1", "2026-11-02", "&lt;", "&x;", "&#0;", "<Sts/>"),
)
KNOWN = frozenset(re.findall(r"<(\w+)", b"".join((*STATUSES, *DAYS)).decode()))
MANY = frozenset(
    [
        *("OrgnlPmtInfAndSts", "TxInfAndSts", "StsRsnInf", "AddtlInf"),
        *("Stmt", "Bal", "Ntry", "NtryDtls", "TxDtls"),
    ]
)
"""Of those, what the standard lets stand several times."""
_VALUE = re.compile(r">([^<>]+)<")
_ELEMENT = re.compile(r"<(\w+)(?: [^<>]*)?>[^<>]*</\1>")
_TEXTS = ("utf-8", "utf-16", "utf-7", "gb18030", "latin-1")
_DTD = '<!DOCTYPE Document [<!ENTITY x "RJCT"><!ENTITY y SYSTEM "file:///etc/hostname">]>'


def spoil(spoiler: Spoiler, given: Sequence[bytes]) -> Input:
    """Values, elements, namespaces, DTD, encoding, bytes."""
    chance = spoiler.random
    text = chance.choice(given).decode()
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        found = list((_VALUE if chance.random() < 0.6 else _ELEMENT).finditer(text))
        if found:
            at = chance.choice(found)
            text = text[: at.start()] + _other(spoiler, at) + text[at.end() :]
    if chance.random() < 0.06:
        text = text.replace("<Document", f"{_DTD}<Document", 1)
    if chance.random() < 0.06:
        text = text.replace(letters.SPACE, str(chance.choice(("", "urn:x:", letters.SPACE + "a"))))
    if chance.random() < 0.06:
        version = chance.choice(("001.02", "001.03", "008.99", "001.12", "001.08"))
        text = re.sub(r"(pain.002.|camt.053.)\d+.\d+", rf"\g<1>{version}", text, count=1)
    encoding = "utf-8" if chance.random() < 0.92 else chance.choice(_TEXTS)
    if encoding != "utf-8":
        text = re.sub(r"^<\?xml.*?\?>", "", text)
        text = f'<?xml version="1.0" encoding="{encoding}"?>{text}'
    raw = text.encode(encoding, errors="replace")
    return Input(spoiler.bytes(raw) if chance.random() < 0.1 else raw)


def _other(spoiler: Spoiler, at: re.Match[str]) -> str:
    """What to put in the place of a value, or of an element without children."""
    part = at[0]
    if not part.startswith("<"):
        return f">{spoiler.value(at[1])}<"
    changes = (
        "",
        part + part,
        re.sub(r"^<(\w+)", r'<\1 xmlns="urn:somebody:else"', part),
        f'<e:Envlp xmlns:e="urn:somebody:else">{part}</e:Envlp>',
        f"<!--{part}-->",
        f"<![CDATA[{part}]]>",
        part.replace(">", ">&y;", 1),
    )
    return spoiler.random.choice(changes)


@dataclass(frozen=True, slots=True)
class _Document:
    """What stands in the message's own namespace, and nothing that stands in another."""

    root: ElementTree.Element
    space: str

    def texts(self, *names: str, under: ElementTree.Element | None = None) -> list[str]:
        """The texts of the elements of these names."""
        found = self._own(self.root if under is None else under)
        return ["".join(one.itertext()).strip() for one in found if one.tag in self._tags(names)]

    def all(self, name: str) -> list[ElementTree.Element]:
        """The elements of this name."""
        return [one for one in self._own(self.root) if one.tag in self._tags((name,))]

    def says_twice(self) -> str | None:
        """What stands twice in one place where the standard has it once."""
        for one in self._own(self.root):
            names = [inner.tag for inner in one if inner.tag.startswith(f"{{{self.space}}}")]
            for name in names:
                local = name.rpartition("}")[2]
                if names.count(name) > 1 and local in KNOWN - MANY:
                    return local
        return None

    def _tags(self, names: Sequence[str]) -> set[str]:
        return {f"{{{self.space}}}{name}" for name in names}

    def _own(self, at: ElementTree.Element) -> Iterator[ElementTree.Element]:
        if at.tag.startswith(f"{{{self.space}}}"):
            yield at
            for inner in at:
                yield from self._own(inner)


def _document(raw: bytes) -> _Document | None:
    """The message, unless it is none, or brings a DTD along."""
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        return None
    try:
        root = ElementTree.fromstring(raw)  # noqa: S314 - no DTD, so no entity; see above
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    space, _, name = root.tag.removeprefix("{").partition("}")
    is_ours = name == "Document" and space.removeprefix(letters.SPACE) in BANK.accepts
    return _Document(root, space) if is_ours else None


def _fen(text: str) -> Decimal | None:
    try:
        return Decimal(text) * 100
    except InvalidOperation:
        return None


@dataclass(frozen=True, slots=True)
class Receipts:
    """A pain.002 that answers a file."""

    name: str = "bank status"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """A spoilt status report."""
        return spoil(spoiler, STATUSES)

    def read(self, given: Input) -> object:
        """What it means; `DocumentError` is the one way to say that it cannot be read."""
        try:
            return verdict.read_receipt(house.inquiry(), told(given.body, BANK).statuses, BANK)
        except DocumentError as error:
            return error

    def objection(self, given: Input, answer: object) -> str | None:
        """Only a status in the message's own namespace, about our number and amount."""
        if isinstance(answer, Unknown | DocumentError):
            return None
        document = _document(given.body)
        if document is None:
            return "it is no message of the bank's profile"
        if twice := document.says_twice():
            return f"{twice} stands twice"
        if house.REFERENCE not in document.texts("OrgnlEndToEndId", "OrgnlMsgId"):
            return "about another number"
        codes = set(document.texts("TxSts", "PmtInfSts", "GrpSts"))
        amounts = document.texts("InstdAmt")
        if amounts and house.AMOUNT.minor not in {_fen(text) for text in amounts}:
            return "about another amount"
        match answer:
            case Pending(stage=stage):
                return None if stage in codes - {"RJCT"} else "no such status is told"
            case Rejected():
                return None if "RJCT" in codes else "no rejection is told"
        return f"the first word proves no more than that: {answer!r}"


@dataclass(frozen=True, slots=True)
class Statements:
    """A camt.053 of a day."""

    name: str = "bank statement"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """A spoilt statement."""
        return spoil(spoiler, DAYS)

    def read(self, given: Input) -> object:
        """Every line, or why there are none."""
        try:
            reports = told(given.body, BANK).reports
            return statement.lines(reports, DAY, Currency.CNY, BANK, ())
        except (DocumentError, StatementBrokenError) as error:
            return error

    def objection(self, given: Input, answer: object) -> str | None:
        """Lines lead from a balance to another that are told, and name only what is told."""
        if isinstance(answer, DocumentError | StatementBrokenError):
            return None
        if not isinstance(answer, list):
            return f"an answer of no known kind: {answer!r}"
        document = _document(given.body)
        if document is None:
            return "it is no message of the bank's profile"
        if twice := document.says_twice():
            return f"{twice} stands twice"
        moved = sum(one.amount.minor if one.credit else -one.amount.minor for one in answer)
        told_at = {fen for one in document.all("Bal") for fen in self._balances(document, one)}
        if not any(b - a == moved for a in told_at for b in told_at):
            return "the lines lead from no balance to another"
        return next(filter(None, (self._line(document, one) for one in answer)), None)

    def _balances(self, document: _Document, one: ElementTree.Element) -> Iterator[Decimal]:
        """What it may be read as."""
        signs = {1 if text == "CRDT" else -1 for text in document.texts("CdtDbtInd", under=one)}
        for fen in map(_fen, document.texts("Amt", under=one)):
            if fen is not None and fen.is_finite():
                yield from (sign * fen for sign in signs)

    def _line(self, document: _Document, one: StatementLine) -> str | None:
        named = {"", *document.texts("EndToEndId", "MsgId")}
        return None if (one.reference or "").strip() in named else "a number that is not told"


AIMS = (Receipts(), Statements())
