"""What a message says twice: where the schema allows one, neither is believed."""

import re
from datetime import timedelta

import pytest

from channels.bank.documents import DocumentError
from channels.bank.reading import told
from channels.bank.verdict import judge, read_receipt
from channels.contract import Rejected, Unknown, UnknownCause
from tests.channels.bank.house import CARD, NOW, inquiry, settings
from tests.channels.bank.letters import Booking, balance, camt, report, status, why

BANK = settings().bank
REFUSED = report(
    status("RJCT", "AC01", amount="123.45", payee=CARD.number, service_ref="S1"),
    group="ACTC",
    block="ACTC",
)
STATEMENT = camt(
    "camt.053",
    Booking("100.30", ref="E1", part="100.00", payee="6222", back_for="AC04"),
    balances=balance("OPBD", "1000.00") + balance("CLBD", "899.70"),
    page=(1, True),
    count=1,
)


def twice(raw: bytes, name: str, other: str | None = None) -> bytes:
    """The message with its first element of this name repeated behind it, with another text."""
    found = re.search(rf"<{name}( [^<>]*)?>.*?</{name}>", raw.decode(), re.DOTALL)
    assert found is not None
    more = found[0] if other is None else re.sub(r">[^<>]+<", f">{other}<", found[0], count=1)
    return raw.replace(found[0].encode(), (found[0] + more).encode(), 1)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("TxSts", "ACSC"),
        ("OrgnlEndToEndId", "ANOTHER1"),
        ("AcctSvcrRef", "S2"),
        ("OrgnlTxRef", None),
        ("Amt", None),
        ("InstdAmt", "1.00"),
        ("CdtrAcct", None),
        ("Othr", None),
        ("GrpSts", "RJCT"),
        ("PmtInfSts", "RJCT"),
        ("OrgnlGrpInfAndSts", None),
        ("OrgnlMsgId", "ANOTHER1"),
        ("Rsn", None),
        ("Cd", "AM05"),
        ("GrpHdr", None),
        ("MsgId", "BANK0002"),
        ("CreDtTm", "2026-11-02T10:00:01+08:00"),
        ("CstmrPmtStsRpt", None),
    ],
)
def test_a_status_that_says_a_thing_twice_is_unreadable(name: str, other: str | None) -> None:
    """Even where it says the same twice; what is read here was chosen by nobody."""
    told(REFUSED, BANK)
    with pytest.raises(DocumentError, match=f"{name} stands twice"):
        told(twice(REFUSED, name, other), BANK)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("BkToCstmrStmt", None),
        ("Acct", None),
        ("PgNb", "2"),
        ("LastPgInd", "false"),
        ("TxsSummry", None),
        ("NbOfNtries", "2"),
        ("CdtDbtInd", "DBIT"),
        ("Sts", None),
        ("BookgDt", None),
        ("AcctSvcrRef", "E2"),
        ("BkTxCd", None),
        ("SubFmlyCd", "RRTN"),
        ("Refs", None),
        ("EndToEndId", "ANOTHER1"),
        ("RtrInf", None),
        ("RltdPties", None),
        ("Tp", None),
    ],
)
def test_a_statement_that_says_a_thing_twice_is_unreadable(name: str, other: str | None) -> None:
    """Amounts, directions and numbers above all."""
    told(STATEMENT, BANK)
    with pytest.raises(DocumentError, match=f"{name} stands twice"):
        told(twice(STATEMENT, name, other), BANK)


@pytest.mark.parametrize(("raw", "at"), [(STATEMENT, "100.30"), (STATEMENT, "1000.00")])
def test_two_amounts_are_none(raw: bytes, at: str) -> None:
    """Of an entry, of a balance."""
    one = f'<Amt Ccy="CNY">{at}</Amt>'.encode()
    with pytest.raises(DocumentError, match="Amt stands twice"):
        told(raw.replace(one, one + b'<Amt Ccy="CNY">1.00</Amt>'), BANK)


@pytest.mark.parametrize(
    ("raw", "one", "both"),
    [
        (REFUSED, b"<Cd>AC01</Cd>", b"<Cd>AC01</Cd><Prtry>AM05</Prtry>"),
        (REFUSED, b"<Id><Othr>", b"<Id><IBAN>DE02120300000000202051</IBAN><Othr>"),
        (STATEMENT, b"<Cd>BOOK</Cd>", b"<Cd>BOOK</Cd><Prtry>PDNG</Prtry>"),
        (
            STATEMENT,
            b"<Dt>2026-11-02</Dt></BookgDt>",
            b"<Dt>2026-11-02</Dt><DtTm>2026-11-03T00:00:00Z</DtTm></BookgDt>",
        ),
        (STATEMENT, b"<Cd>OPBD</Cd>", b"<Cd>OPBD</Cd><Prtry>PRCD</Prtry>"),
    ],
    ids=["reason", "account", "status", "date", "balance"],
)
def test_a_choice_is_made_once(raw: bytes, one: bytes, both: bytes) -> None:
    """One of two alternatives; a message with both has not chosen."""
    assert one in raw
    with pytest.raises(DocumentError, match="more than one alternative"):
        told(raw.replace(one, both, 1), BANK)


@pytest.mark.parametrize("name", ["TxInfAndSts", "StsRsnInf", "OrgnlPmtInfAndSts"])
def test_what_may_stand_twice_in_a_status_may(name: str) -> None:
    """Transactions, their reasons, blocks."""
    told(twice(REFUSED, name), BANK)


@pytest.mark.parametrize("name", ["Ntry", "NtryDtls", "TxDtls", "Bal", "Stmt"])
def test_what_may_stand_twice_in_a_statement_may(name: str) -> None:
    """Entries, their parts, balances; what the doubling means is another's to judge."""
    told(twice(STATEMENT, name), BANK)


def test_what_nobody_here_knows_may_stand_twice() -> None:
    """A bank's additions, and elements of another namespace, are not read at all."""
    for more in (b"<Bnk>1</Bnk>", b'<TxSts xmlns="urn:somebody:else">ACSC</TxSts>'):
        (read,) = told(REFUSED.replace(b"<TxSts>", more + more + b"<TxSts>"), BANK).statuses
        assert read.code == "RJCT"


def test_a_refusal_that_is_also_a_success_proves_nothing() -> None:
    """Whichever of both came last: the file is unreadable, and refusals beside it are in doubt."""
    sound = report(status("RJCT", "AC01", amount="123.45", payee=CARD.number))
    statuses = told(sound, BANK).statuses
    question, now = inquiry(), NOW + timedelta(days=3)
    assert isinstance(judge(question, statuses, (), (), BANK, now), Rejected)
    assert isinstance(read_receipt(question, statuses, BANK), Rejected)
    for first, second in ((b"RJCT", b"ACSC"), (b"ACSC", b"RJCT")):
        both = b"<TxSts>" + first + b"</TxSts><TxSts>" + second + b"</TxSts>"
        with pytest.raises(DocumentError):
            told(sound.replace(b"<TxSts>RJCT</TxSts>", both), BANK)
    in_doubt = judge(question, statuses, (), ("twofold.xml",), BANK, now)
    assert isinstance(in_doubt, Unknown)
    assert in_doubt.cause is UnknownCause.UNREADABLE


def test_a_message_may_hold_a_reason_twice() -> None:
    """Two reasons of one refusal are two reasons."""
    raw = report(status("RJCT", "AC01", "AM05"), group_why=why("FF01"))
    (read,) = told(raw, BANK).statuses
    assert read.reasons == ("AC01", "AM05")
