"""UnionPay's settlement files, read from bytes made here, field by field."""

import base64
import io
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import LineKind, StatementBrokenError, StatementLine
from channels.money import Currency, Money
from channels.unionpay.statement import (
    ORIGINALS_MAX,
    ZM_WIDTHS,
    ZME_WIDTHS,
    Archive,
    adjusted_days,
    read,
    unpack,
)
from tests.simulators.unionpay.merchant import MER_ID

DAY = date(2026, 11, 2)
QUERY_ID = "202611021000000000001"
PAYOUT = {
    1: "S30",
    4: "000123",
    5: "1102100000",
    6: "6216261000000000018",
    7: "000000012345",
    10: QUERY_ID,
    12: "PAYOUT0001",
    16: "D000000000100",
    17: "D000000012445",
    20: "12",
    28: MER_ID,
}
RETURNED = {
    1: "E74",
    4: "000777",
    5: "1103090000",
    6: "6216261000000000018",
    7: "000000012345",
    11: "000123",
    12: "1102100000",
    15: "C000000000000",
    16: "C000000012345",
}


def fixed(
    cells: Mapping[int, str], widths: tuple[int, ...] = ZM_WIDTHS, *, letters: bool = False
) -> bytes:
    """One line; widths count bytes unless told otherwise."""
    parts = []
    for number, width in enumerate(widths, start=1):
        text = cells.get(number, "")
        raw = text.encode("gbk")
        parts.append(raw + b" " * (width - len(text if letters else raw)))
    return b" ".join(parts)


def archive(*payouts: bytes, adjustments: tuple[bytes, ...] = ()) -> Archive:
    """The files of a day."""
    return Archive(
        b"".join(line + b"\r\n" for line in payouts),
        b"".join(line + b"\r\n" for line in adjustments),
    )


def lines(of: Archive, day: date = DAY, *earlier: Archive) -> list[StatementLine]:
    """All of a day."""
    return list(read(of, day, MER_ID, earlier))


def packed(members: Mapping[str, bytes]) -> str:
    """fileContent."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as bundle:
        for name, content in members.items():
            bundle.writestr(zipfile.ZipInfo(name), content)
    # Not compressed: how well differs from library to library, and recordings are compared.
    return base64.b64encode(zlib.compress(file.getvalue(), 0)).decode()


def yuan(minor: int) -> Money:
    """Fen."""
    return Money(minor, Currency.CNY)


def test_widths_are_the_documented_ones() -> None:
    """42 fields in 607 positions, 22 in 339."""
    assert (len(ZM_WIDTHS), sum(ZM_WIDTHS) + 41) == (42, 607)
    assert (len(ZME_WIDTHS), sum(ZME_WIDTHS) + 21) == (22, 339)


def test_payout_and_its_fee_are_two_lines() -> None:
    """Out, under our number; the fee comes from field 16."""
    payout, fee = lines(archive(fixed(PAYOUT)))
    assert payout == StatementLine(
        LineKind.PAYOUT,
        yuan(12_345),
        False,
        datetime(2026, 11, 2, 2, 0, tzinfo=UTC),
        "PAYOUT0001",
        QUERY_ID,
        QUERY_ID,
        "ZM 12",
    )
    assert (fee.kind, fee.amount, fee.credit) == (LineKind.FEE, yuan(100), False)
    assert (fee.reference, fee.line_ref) == ("PAYOUT0001", f"{QUERY_ID}-fee")


def test_payout_leaves_us_whichever_letter_means_so() -> None:
    """C or D: the fee with the same letter leaves us too, one with the other comes in."""
    same = {**PAYOUT, 16: "C000000000100", 17: "C000000012445"}
    assert [(one.kind, one.credit) for one in lines(archive(fixed(same)))] == [
        (LineKind.PAYOUT, False),
        (LineKind.FEE, False),
    ]
    other = {**PAYOUT, 16: "C000000000100", 17: "D000000012245"}
    assert [one.credit for one in lines(archive(fixed(other)))] == [False, True]


def test_fee_charged_apart_is_a_fee_all_the_same() -> None:
    """The settled amount may be without it."""
    apart = {**PAYOUT, 17: "D000000012345"}
    assert [one.amount.minor for one in lines(archive(fixed(apart)))] == [12_345, 100]


def test_free_payout_is_one_line() -> None:
    """A fee of nothing is no movement."""
    free = {**PAYOUT, 16: "D000000000000", 17: "D000000012345"}
    assert len(lines(archive(fixed(free)))) == 1


@pytest.mark.parametrize(("letter", "credit"), [("C", True), ("D", False)])
def test_other_transaction_types_are_kept_as_other(letter: str, credit: bool) -> None:
    """A sale, say, with the direction its letter gives."""
    sale = {**PAYOUT, 20: "01", 16: f"{letter}000000000000", 17: f"{letter}000000012345"}
    (line,) = lines(archive(fixed(sale)))
    assert (line.kind, line.credit) == (LineKind.OTHER, credit)


@pytest.mark.parametrize("letters", [False, True])
def test_chinese_names_move_no_field(letters: bool) -> None:
    """Whether widths count GBK bytes or letters, the separators tell."""
    chinese = {**PAYOUT, 31: "某某商户", 35: "十月佣金"}
    payout, _ = lines(archive(fixed(chinese, letters=letters)))
    assert (payout.reference, payout.amount) == ("PAYOUT0001", yuan(12_345))


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_any_line_ending_will_do(ending: bytes) -> None:
    """Also none at the end of the file."""
    assert len(lines(Archive(fixed(PAYOUT) + ending, b""))) == 2


@pytest.mark.parametrize(
    "content",
    [
        fixed(PAYOUT)[:-1],
        fixed(PAYOUT) + b" x",
        fixed(PAYOUT).replace(b" ", b"_"),
        b"\r\n" + fixed(PAYOUT),
        fixed(PAYOUT) + b"\r\n\r\n" + fixed(PAYOUT),
        fixed(PAYOUT) + b"\r\nTOTAL 1",
        b"\xff" * 607,
        fixed({**PAYOUT, 7: "00000001234x"}),
        fixed({**PAYOUT, 7: "000000000000", 17: "D000000000100"}),
        fixed({**PAYOUT, 7: "-00000012345"}),
        fixed({**PAYOUT, 7: "000000012346"}),
        fixed({**PAYOUT, 16: "X000000000100"}),
        fixed({**PAYOUT, 17: ""}),
        fixed({**PAYOUT, 17: "D000000099999"}),
        fixed({**PAYOUT, 10: ""}),
        fixed({**PAYOUT, 28: "777290058110098"}),
        fixed({**PAYOUT, 5: "0601100000"}),
        fixed({**PAYOUT, 5: "1302100000"}),
    ],
    ids=[
        *("short", "long", "no separators", "blank first", "blank between", "footer", "not GBK"),
        *("letters in amount", "nothing", "negative", "does not add up", "no C or D", "no sum"),
        *("wrong sum", "no queryId", "another merchant", "another time", "no time"),
    ],
)
def test_line_that_does_not_fit_breaks_the_file(content: bytes) -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(StatementBrokenError):
        lines(Archive(content, b""))


def test_return_is_proven_by_the_payouts_own_line() -> None:
    """Trace, time, account and amount of an earlier file, and the other direction."""
    today = archive(adjustments=(fixed(RETURNED, ZME_WIDTHS),))
    (line,) = lines(today, date(2026, 11, 3), archive(fixed(PAYOUT)))
    assert (line.kind, line.credit, line.amount) == (LineKind.RETURN, True, yuan(12_345))
    assert (line.reference, line.channel_ref) == ("PAYOUT0001", QUERY_ID)


def test_return_on_the_day_of_the_payout_is_proven_by_the_same_file() -> None:
    """Then both stand in one archive."""
    same_day = {**RETURNED, 5: "1102180000"}
    found = lines(archive(fixed(PAYOUT), adjustments=(fixed(same_day, ZME_WIDTHS),)))
    assert [line.kind for line in found] == [LineKind.PAYOUT, LineKind.FEE, LineKind.RETURN]


@pytest.mark.parametrize(
    "changes",
    [
        {11: "000124"},
        {12: "1102100001"},
        {6: "6216261000000000026"},
        {7: "000000012344", 16: "C000000012344"},
        {16: "D000000012345"},
        {16: "C000000000001"},
    ],
    ids=["trace", "time", "account", "amount", "direction", "settled less"],
)
def test_adjustment_that_proves_nothing_stays_other(changes: dict[int, str]) -> None:
    """With its raw text, and under nobody's number."""
    today = archive(adjustments=(fixed({**RETURNED, **changes}, ZME_WIDTHS),))
    (line,) = lines(today, date(2026, 11, 3), archive(fixed(PAYOUT)))
    assert (line.kind, line.reference) == (LineKind.OTHER, None)
    assert "E74" in line.memo
    assert "6216261" not in repr(line)


def test_adjustment_of_one_of_two_equal_payouts_stays_other() -> None:
    """Which one came back is a person's to find out."""
    twin = {**PAYOUT, 10: "202611021000000000002", 12: "PAYOUT0002"}
    today = archive(adjustments=(fixed(RETURNED, ZME_WIDTHS),))
    (line,) = lines(today, date(2026, 11, 3), archive(fixed(PAYOUT), fixed(twin)))
    assert line.kind is LineKind.OTHER


def test_line_that_stands_twice_is_still_one_payout() -> None:
    """A duplicated line names the same one."""
    today = archive(adjustments=(fixed(RETURNED, ZME_WIDTHS),))
    (line,) = lines(today, date(2026, 11, 3), archive(fixed(PAYOUT), fixed(PAYOUT)))
    assert line.kind is LineKind.RETURN


def test_days_to_look_at_are_those_adjustments_name() -> None:
    """The day itself and the next, before today; never more than a handful."""
    today = archive(adjustments=(fixed(RETURNED, ZME_WIDTHS),))
    assert adjusted_days(today, date(2026, 11, 3)) == [DAY]
    assert adjusted_days(today, date(2026, 11, 5)) == [date(2026, 11, 3), DAY]
    many = [fixed({**RETURNED, 12: f"10{n:02d}100000"}, ZME_WIDTHS) for n in range(10, 30)]
    busy = archive(adjustments=tuple(many))
    assert len(adjusted_days(busy, date(2026, 11, 3))) == ORIGINALS_MAX
    assert adjusted_days(archive(fixed(PAYOUT)), DAY) == []


def test_archive_has_both_files() -> None:
    """Told apart by their names, whatever stands between."""
    content = packed(
        {
            f"INN26110288ZM_{MER_ID}": fixed(PAYOUT),
            f"INN26110288ZME_{MER_ID}": fixed(RETURNED, ZME_WIDTHS),
            f"ERR26110288_{MER_ID}": b"",
        }
    )
    assert unpack(content, MER_ID) == Archive(fixed(PAYOUT), fixed(RETURNED, ZME_WIDTHS))


def test_day_without_movements_is_empty() -> None:
    """Empty files, or none."""
    assert lines(unpack(packed({}), MER_ID)) == []
    assert lines(unpack(packed({f"INN26110288ZM_{MER_ID}": b""}), MER_ID)) == []


@pytest.mark.parametrize(
    "content",
    [
        "not base64",
        base64.b64encode(b"not zlib").decode(),
        base64.b64encode(zlib.compress(b"not zip")).decode(),
        base64.b64encode(zlib.compress(b"cut")[:-2]).decode(),
        base64.b64encode(zlib.compress(b"more") + b"x").decode(),
        packed({f"INN26110288ZM_{MER_ID}": b"x"})[:-8],
        packed({"INN26110288ZM_777290058110098": b"x"}),
        packed({f"ERR26110288_{MER_ID}": b"something"}),
        packed({f"INN26110288ZM_{MER_ID}": b"x", f"INN26110388ZM_{MER_ID}": b"x"}),
    ],
    ids=[
        *("base64", "zlib", "zip", "cut", "more", "short", "merchant", "member", "two files"),
    ],
)
def test_archive_that_is_none_is_broken(content: str) -> None:
    """Also one with something in it that nobody knows."""
    with pytest.raises(StatementBrokenError):
        unpack(content, MER_ID)


def test_spoilt_member_packed_in_another_way_is_broken() -> None:
    """LZMA's own error belongs to no family of errors."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as bundle:
        name = zipfile.ZipInfo(f"INN26110288ZM_{MER_ID}")
        bundle.writestr(name, fixed(PAYOUT), zipfile.ZIP_LZMA)
    raw = bytearray(file.getvalue())
    start = raw.index(MER_ID.encode()) + len(MER_ID) + 9
    raw[start : start + 40] = b"\xff" * 40
    with pytest.raises(StatementBrokenError, match="not a readable ZIP"):
        unpack(base64.b64encode(zlib.compress(bytes(raw))).decode(), MER_ID)


@given(st.binary(max_size=300))
def test_no_bytes_make_a_line_by_accident(content: bytes) -> None:
    """Broken, or empty."""
    try:
        assert lines(Archive(content, content)) == []
    except StatementBrokenError:
        return


@given(
    st.integers(1, 10**11),
    st.integers(0, 10**6),
    st.text(st.sampled_from("甲乙丙丁AB12 "), max_size=14),
    st.booleans(),
)
def test_what_is_written_is_read_again(amount: int, fee: int, name: str, letters: bool) -> None:
    """Any amount, fee and name."""
    cells = {
        **PAYOUT,
        7: f"{amount:012d}",
        16: f"D{fee:012d}",
        17: f"D{amount + fee:012d}",
        31: name,
    }
    found = lines(archive(fixed(cells, letters=letters)))
    assert [one.amount.minor for one in found] == [amount, fee][: 1 + (fee > 0)]
