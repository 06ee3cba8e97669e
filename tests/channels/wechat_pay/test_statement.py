"""The fund-flow bill: every line or an error, never a silent stop."""

import gzip
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import LineKind, StatementBrokenError, StatementLine
from channels.money import Currency, Money
from channels.wechat_pay import statement
from channels.wechat_pay.statement import lines, unpack
from tests.channels.wechat_pay.platform import HEADER, MCHID, SUMMARY, payout_row, row


def file(*rows: str, summary: str | None = None, newline: str = "\r\n") -> bytes:
    """A bill; the summary counts payouts of 12.34 unless given."""
    if summary is None:
        minor = 1234 * len(rows)
        total = f"{minor // 100}.{minor % 100:02d}"
        summary = row(str(len(rows)), "0", "0.00", str(len(rows)), total)
    return newline.join([HEADER, *rows, SUMMARY, summary, ""]).encode()


def sha1(plain: bytes) -> str:
    """The digest that the platform announces."""
    return hashlib.sha1(plain, usedforsecurity=False).hexdigest()


def broken(plain: bytes) -> str:
    """Read to the end, expecting an error; gives its text."""
    with pytest.raises(StatementBrokenError) as error:
        list(lines(plain))
    return str(error.value)


def test_a_payout_line() -> None:
    """Yuan become fen, Beijing time becomes UTC, and both numbers are kept."""
    assert list(lines(file(payout_row(1)))) == [
        StatementLine(
            kind=LineKind.PAYOUT,
            amount=Money(1234, Currency.CNY),
            credit=False,
            booked_at=datetime(2026, 3, 2, 2, 5, tzinfo=UTC),
            reference="PO1",
            channel_ref="T1",
            line_ref="F1",
            memo="商家转账",
        )
    ]


@pytest.mark.parametrize(
    ("name", "kind", "direction", "expected"),
    [
        ("商家转账", "商家转账", "支出", LineKind.PAYOUT),
        ("商家转账到零钱", "交易", "支出", LineKind.PAYOUT),
        ("企业付款", "付款", "支出", LineKind.PAYOUT),
        ("商家转账", "商家转账退回", "收入", LineKind.RETURN),
        ("商家转账", "扣除交易手续费", "支出", LineKind.FEE),
        ("商家转账", "退还手续费", "收入", LineKind.FEE),
        ("技术服务费", "扣费", "支出", LineKind.FEE),
        ("充值", "充值", "收入", LineKind.OTHER),
        ("基本账户提现", "提现", "支出", LineKind.OTHER),
    ],
)
def test_kinds(name: str, kind: str, direction: str, expected: LineKind) -> None:
    """Kind by the words of 业务名称 and 业务类型, direction by 收支类型."""
    line = row("2026-03-02 10:05:00", "T1", "F1", name, kind, direction, "1.00", "1.00", "", "", "")
    credit = direction == "收入"
    counts = ("1", "1.00", "0", "0.00") if credit else ("0", "0.00", "1", "1.00")
    (read,) = lines(file(line, summary=row("1", *counts)))
    assert (read.kind, read.credit, read.reference) == (expected, credit, None)


def test_a_remark_with_separators_and_backticks_survives() -> None:
    """Only the remark is free text: commas and backticks in it shift no column."""
    for memo in ("a,b", "a,`b", "`", ",`,`,`", "三月`配送费,`已付", "a\u2028b\x0bc"):
        (read,) = lines(file(payout_row(1, memo=memo)))
        assert (read.memo, read.reference, read.amount.minor) == (memo, "PO1", 1234)


def test_a_voucher_that_is_no_reference_is_left_out() -> None:
    """业务凭证号 counts as our number only if it could be one."""
    line = payout_row(1).replace("`PO1", "`凭证-1")
    (read,) = lines(file(line))
    assert (read.reference, read.channel_ref) == (None, "T1")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_and_byte_order_mark(newline: str) -> None:
    """Both line ends are read, and a byte order mark is let by."""
    plain = file(payout_row(1), payout_row(2), newline=newline)
    assert len(list(lines(plain))) == 2
    assert len(list(lines(b"\xef\xbb\xbf" + plain))) == 2


def test_full_width_brackets_in_the_header() -> None:
    """收支金额（元） is the same column."""
    plain = file(payout_row(1)).decode().replace("(元)", "（元）").encode()
    assert len(list(lines(plain))) == 1


def test_an_empty_day() -> None:
    """A bill without lines whose summary says so is complete."""
    assert list(lines(file())) == []


def test_missing_and_extra_lines_break_it() -> None:
    """The summary counts three lines: two or four are not the bill."""
    rows = [payout_row(n) for n in range(1, 4)]
    true = row("3", "0", "0.00", "3", "37.02")
    assert len(list(lines(file(*rows, summary=true)))) == 3
    assert "disagrees" in broken(file(*rows[:2], summary=true))
    assert "disagrees" in broken(file(*rows, payout_row(4), summary=true))


@pytest.mark.parametrize(
    "summary",
    [
        row("2", "0", "0.00", "1", "12.34"),
        row("1", "1", "0.00", "1", "12.34"),
        row("1", "0", "0.01", "1", "12.34"),
        row("1", "0", "0.00", "0", "12.34"),
        row("1", "0", "0.00", "1", "12.35"),
        row("1", "12.34", "0", "0.00", "1"),
        row("x", "0", "0.00", "1", "12.34"),
        row("1", "0", "-0.00", "1", "12.34"),
        row("1", "0", "0.00", "1"),
        "",
    ],
)
def test_a_wrong_summary_breaks_it(summary: str) -> None:
    """Each of the five figures is compared, and a fen off is off."""
    assert broken(file(payout_row(1), summary=summary)).startswith("line ")


def test_a_file_cut_anywhere_is_broken() -> None:
    """No prefix of a bill passes for the bill."""
    plain = file(payout_row(1), payout_row(2)).rstrip()
    # The last digits of the last amount are enough to tell: 24.68 cut to 24.6 no longer agrees.
    for length in range(len(plain)):
        assert broken(plain[:length])


def test_something_after_the_summary_breaks_it() -> None:
    """Two bills in one file are not one."""
    assert "follows" in broken(file(payout_row(1)) + payout_row(2).encode())


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("`支出", "`转出", "收支类型"),
        ("`F1", "`", "资金流水单号"),
        ("`12.34,", "`-12.34,", "amount"),
        ("`12.34,", "`1,234.00,", "amount"),
        ("`12.34,", "`12.345,", "amount"),
        ("`12.34,", "`1e3,", "amount"),
        ("`12.34,", "`99999999999999999999,", "amount"),
        ("`2026-03-02 10:05:00", "`2026/03/02", "记账时间"),
        ("`2026-03-02 10:05:00", "`0001-01-01 00:00:00", "记账时间"),
        (",`PO1", "", "columns"),
        ("`2026", "2026", "columns"),
    ],
)
def test_a_spoiled_line_breaks_it(old: str, new: str, complaint: str) -> None:
    """A value that cannot be what its column says is named with its line."""
    plain = file(payout_row(1))
    assert old.encode() in plain
    told = broken(plain.replace(old.encode(), new.encode(), 1))
    assert told.startswith("line 2: ")
    assert complaint in told


@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace("备注,", ""),
        HEADER.replace("收支金额(元),账户结余(元)", "账户结余(元),收支金额(元)"),
        HEADER + ",新列",
        "",
    ],
)
def test_another_layout_is_not_guessed_at(header: str) -> None:
    """A moved, missing or added column stops the reading at once."""
    plain = file(payout_row(1)).decode().replace(HEADER, header).encode()
    assert "header" in broken(plain)


def test_bytes_that_are_not_utf8_break_it() -> None:
    """A bill in another encoding is named as such."""
    assert "UTF-8" in broken(file(payout_row(1)).replace("商家转账".encode(), b"\xc9\xcc", 1))


def test_unpack_proves_the_file() -> None:
    """The announced SHA-1 is that of the uncompressed bytes, packed or not."""
    plain = file(payout_row(1))
    assert unpack(plain, sha1(plain)) == plain
    assert unpack(gzip.compress(plain), sha1(plain)) == plain
    with pytest.raises(StatementBrokenError, match="SHA-1"):
        unpack(plain + b" ", sha1(plain))


def test_damaged_gzip_is_broken() -> None:
    """Cut or altered packing is an error, not a shorter bill."""
    packed = gzip.compress(file(payout_row(1)))
    with pytest.raises(StatementBrokenError, match="cut short"):
        unpack(packed[:-9], "0" * 40)
    with pytest.raises(StatementBrokenError, match="GZIP"):
        unpack(packed[:10] + b"\xff" * 40, "0" * 40)


def test_a_bomb_is_not_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound nothing is held in memory."""
    monkeypatch.setattr(statement, "BYTES_MAX", 1000)
    with pytest.raises(StatementBrokenError, match="too large"):
        unpack(gzip.compress(b"0" * 100_000), "0" * 40)


FREE_TEXT = st.text(
    alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20
)


@given(
    entries=st.lists(
        st.tuples(st.integers(0, 10**12), st.booleans(), FREE_TEXT),
        max_size=8,
    )
)
def test_round_trip(entries: list[tuple[int, bool, str]]) -> None:
    """Whatever amounts, directions and remarks a day has, they come back as they were written."""
    rows, sums = [], {True: [0, 0], False: [0, 0]}
    for number, (minor, credit, memo) in enumerate(entries):
        sums[credit][0] += 1
        sums[credit][1] += minor
        direction = "收入" if credit else "支出"
        yuan = str(Money(minor, Currency.CNY))
        rows.append(
            row(
                *("2026-03-02 23:59:59", f"T{number}", f"F{number}", "商家转账", "x", direction),
                *(yuan, "0.00", f"{MCHID}API", memo, f"PO{number}"),
            )
        )
    income, expense = sums[True], sums[False]
    summary = row(
        *(str(len(rows)), str(income[0]), str(Money(income[1], Currency.CNY))),
        *(str(expense[0]), str(Money(expense[1], Currency.CNY))),
    )
    read = list(lines(file(*rows, summary=summary)))
    assert [(x.amount.minor, x.credit, x.memo) for x in read] == [
        (minor, credit, memo or "商家转账") for minor, credit, memo in entries
    ]


@given(plain=st.binary(max_size=300))
def test_random_bytes_are_broken(plain: bytes) -> None:
    """No random file reads as a complete bill, and none raises anything else."""
    assert broken(plain)
