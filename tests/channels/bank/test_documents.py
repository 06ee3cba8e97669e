"""Bytes from outside: hostile XML never gets as far as its meaning."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.bank import wire
from channels.bank.documents import DOCUMENT_BYTES_MAX, DocumentError, message_name
from channels.bank.reading import told
from tests.channels.bank.house import CARD, NOW, instruction, settings
from tests.channels.bank.letters import report, statement, status

BANK = settings().bank
SPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.12"


@pytest.mark.parametrize(
    "raw",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><Document xmlns="%s">&x;</Document>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><Document xmlns="%s"/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///x">]><Document xmlns="%s">&x;</Document>',
        b'<?xml version="1.0"?><!DOCTYPE a><Document xmlns="%s"/>',
    ],
    ids=["entity", "external", "file", "bare"],
)
def test_a_dtd_is_refused(raw: bytes) -> None:
    """No entity is ever expanded and no address fetched."""
    with pytest.raises(DocumentError, match="DTD"):
        told(raw % SPACE.encode(), BANK)


def test_a_dtd_in_another_encoding_is_refused() -> None:
    """UTF-16 would hide the word we look for."""
    raw = f'<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><Document xmlns="{SPACE}"/>'
    with pytest.raises(DocumentError):
        told(raw.encode("utf-16"), BANK)


@pytest.mark.parametrize("encoding", ["GBK", "ISO-8859-1", "UTF-7"])
def test_another_encoding_is_refused(encoding: str) -> None:
    """§4.3: UTF-8."""
    raw = report(status("ACSP")).replace(b'encoding="UTF-8"', f'encoding="{encoding}"'.encode())
    with pytest.raises(DocumentError):
        told(raw, BANK)


def test_a_deep_document_is_refused() -> None:
    """The library's own limit of depth holds."""
    raw = f'<Document xmlns="{SPACE}">'.encode() + b"<a>" * 5_000 + b"</a>" * 5_000 + b"</Document>"
    with pytest.raises(DocumentError):
        told(raw, BANK)


def test_a_large_document_is_refused_unread() -> None:
    """Size comes before parsing."""
    with pytest.raises(DocumentError, match="large"):
        told(b" " * (DOCUMENT_BYTES_MAX + 1), BANK)


@pytest.mark.parametrize(
    "raw",
    [b"", b"<", b"{}", b"<a/>", b'<Document xmlns="urn:other"/>', b"<Document/>"],
    ids=["empty", "open", "json", "other", "namespace", "none"],
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    """Only a Document of ISO 20022 is read."""
    with pytest.raises(DocumentError):
        told(raw, BANK)


def test_a_message_without_its_mandatory_parts_is_refused() -> None:
    """A pain.002 that names no original message."""
    raw = report(status("ACSP"))
    cut = raw.replace(b"<OrgnlMsgId>", b"<Othr>").replace(b"</OrgnlMsgId>", b"</Othr>")
    with pytest.raises(DocumentError):
        told(cut, BANK)


def test_a_refusal_never_quotes_what_it_refused() -> None:
    """Messages of errors go into logs."""
    with pytest.raises(DocumentError) as refused:
        told(b"<Document>6222020200112233445", BANK)
    assert "6222" not in str(refused.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Nothing but DocumentError comes out of reading."""
    with suppress(DocumentError):
        told(raw, BANK)


@given(st.integers(0, 600), st.integers(0, 255))
def test_one_changed_byte_is_read_or_refused(at: int, byte: int) -> None:
    """A message spoilt on its way raises nothing else either."""
    raw = bytearray(report(status("RJCT", "AC04", amount="1.00")))
    raw[at % len(raw)] = byte
    with suppress(DocumentError):
        told(bytes(raw), BANK)


def test_what_is_not_valid_is_not_written() -> None:
    """The schema stands between us and the bank, and the refusal quotes no name."""
    order = instruction(replace(CARD, name="长" * 141))
    with pytest.raises(DocumentError, match="not a valid pain") as refused:
        wire.transfer(order, settings(), NOW)
    assert "长" not in str(refused.value)


def test_the_name_of_a_message_is_its_namespace() -> None:
    """And nothing else."""
    assert message_name(report(status("ACSP"))) == "pain.002.001.12"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("2026-11-02T10:00:00+08:00", ""),
        ("2026-11-02T10:00:00+08:00", "2026-11-02T10:00:00+99:00"),
    ],
    ids=["an empty moment", "an offset of four days"],
)
def test_a_value_that_is_not_of_its_kind_makes_a_status_unreadable(was: str, becomes: str) -> None:
    """Refused in the one way that callers know, so that all other files are still read."""
    with pytest.raises(DocumentError, match="not of its kind"):
        told(report(status("ACSC")).replace(was.encode(), becomes.encode()), BANK)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("<CdtDbtInd>CRDT</CdtDbtInd>", "<CdtDbtInd></CdtDbtInd>"),
        (">1004.50<", ">92233720368547758.08<"),
    ],
    ids=["no direction", "more than can be stored"],
)
def test_a_value_that_is_not_of_its_kind_makes_a_statement_unreadable(
    was: str, becomes: str
) -> None:
    """The same in a camt.053."""
    raw = statement(closing="1004.50").decode()
    assert was in raw
    with pytest.raises(DocumentError, match="not of its kind"):
        told(raw.replace(was, becomes).encode(), BANK)


@pytest.mark.parametrize(
    "hidden",
    [
        '<TxSts xmlns="urn:somebody:else">RJCT</TxSts>',
        '<x:TxSts xmlns:x="urn:somebody:else">RJCT</x:TxSts>',
        '<TxSts xmlns="">RJCT</TxSts>',
    ],
)
def test_what_stands_in_another_namespace_is_not_the_banks_word(hidden: str) -> None:
    """A status is one only in the message's own namespace, however it is called elsewhere."""
    raw = report(status("ACSC")).replace(b"<TxSts>ACSC</TxSts>", hidden.encode())
    assert [one.code for one in told(raw, BANK).statuses] == [""]
