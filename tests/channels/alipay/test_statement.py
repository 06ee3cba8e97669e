"""The account statement: every line or an error, checked against its own footer."""

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.alipay.statement import read_lines, read_zip
from channels.contract import LineKind, StatementBrokenError, StatementLine
from channels.money import Currency, Money
from tests.channels.alipay.platform import ORDER, REFERENCE, USER_ID, WIRE

DAY = date(2026, 11, 2)
COLUMNS = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,"
    "支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注"
)
BEGIN = (
    "#-----------------------------------------账务明细列表----------------------------------------"
)
END = (
    "#-----------------------------------------账务明细列表结束------------------------------------"
)


def row(
    serial: str = "1001",
    income: str = "",
    outgo: str = "-123.45",
    word: str = "转账",
    at: str = "2026-11-02 09:30:01",
    reference: str = REFERENCE,
) -> str:
    """One movement, each cell with the platform's trailing TAB."""
    cells = (
        *(serial, ORDER, reference, "十月佣金", at, "zha***@example.com", income, outgo),
        *("876.55", "支付宝", word, "单笔转账"),
    )
    return ",".join(f"{cell}\t" for cell in cells)


def text(
    rows: Sequence[str],
    out: str = "1笔，共123.45元",
    income: str = "0笔，共0.00元",
    *,
    account: str = USER_ID,
    day: str = "2026年11月02日",
    columns: str = COLUMNS,
) -> str:
    """A whole detail file."""
    lines = [
        "#支付宝账务明细查询",
        f"#账号：[{account}]",
        f"#起始日期：[{day} 00:00:00]   终止日期：[2026年11月03日 00:00:00]",
        BEGIN,
        columns,
        *rows,
        END,
        f"#支出合计：{out}",
        f"#收入合计：{income}",
        "#导出时间：[2026年11月03日 09:01:02]",
    ]
    return "\r\n".join(lines) + "\r\n"


def read(content: str, user_id: str | None = USER_ID) -> list[StatementLine]:
    """Read a detail file."""
    return list(read_lines(io.StringIO(content, newline=""), DAY, user_id))


class GbkName(zipfile.ZipInfo):
    """A member whose name is stored as GBK without the UTF-8 flag, as the platform does."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - the library's own hook
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def zipped(members: dict[str, bytes], name: type[zipfile.ZipInfo] = GbkName) -> io.BytesIO:
    """A ZIP of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for filename, content in members.items():
            archive.writestr(name(filename), content, zipfile.ZIP_DEFLATED)
    return io.BytesIO(out.getvalue())


DETAIL = f"{USER_ID}_20261102_账务明细.csv"
SUMMARY = f"{USER_ID}_20261102_账务明细(汇总).csv"


def test_payout_line() -> None:
    """Tabs are cut off, the minus sign becomes a direction, the time is Beijing's."""
    assert read(text([row()])) == [
        StatementLine(
            kind=LineKind.PAYOUT,
            amount=Money(12_345, Currency.CNY),
            credit=False,
            booked_at=datetime(2026, 11, 2, 1, 30, 1, tzinfo=UTC),
            reference=REFERENCE,
            channel_ref=ORDER,
            line_ref="1001",
            memo="转账",
        )
    ]


@pytest.mark.parametrize(
    ("word", "income", "outgo", "kind"),
    [
        ("转账", "", "-1.00", LineKind.PAYOUT),
        ("代发到银行卡", "0.00", "-1.00", LineKind.PAYOUT),
        ("收费", "", "-1.00", LineKind.FEE),
        ("转账服务费", "", "-1.00", LineKind.FEE),
        ("退费（手续费）", "1.00", "", LineKind.FEE),
        ("退票", "1.00", "", LineKind.RETURN),
        ("转账退款", "+1.00", "0.00", LineKind.RETURN),
        ("交易退款", "", "-1.00", LineKind.OTHER),
        ("充值", "1.00", "", LineKind.OTHER),
        ("转账", "1.00", "", LineKind.OTHER),
        ("从没听过", "", "-1.00", LineKind.OTHER),
    ],
)
def test_lines_are_sorted_by_their_word(word: str, income: str, outgo: str, kind: LineKind) -> None:
    """What fits no word stays OTHER, with its reference."""
    sums = ("1笔，共1.00元", "0笔，共0.00元")
    out, came = sums if "-" in outgo else sums[::-1]
    (line,) = read(text([row(word=word, income=income, outgo=outgo)], out, came))
    assert (line.kind, line.credit, line.reference) == (kind, "-" not in outgo, REFERENCE)


def test_empty_day_has_no_lines() -> None:
    """Heading and footer alone."""
    assert read(text([], "0笔，共0.00元")) == []


def test_newer_columns_are_ignored() -> None:
    """The platform appends columns; order does not matter, names do."""
    columns = COLUMNS + ",业务描述,业务订单号"
    (line,) = read(text([row() + ",说明\t,1\t"], columns=columns))
    assert line.line_ref == "1001"


def test_line_without_reference_has_none() -> None:
    """Top-ups have no number of ours."""
    (line,) = read(text([row(reference="")]))
    assert line.reference is None


def test_account_is_not_compared_when_not_configured() -> None:
    """Without user_id any account's statement is taken."""
    assert len(read(text([row()], account="2088999999999999"), None)) == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "not an account statement"),
        ("<html>", "not an account statement"),
        (text([row()], account="2088999999999999"), "another account"),
        (text([row()], day="2026年11月01日"), "another day"),
        (
            text([row()], columns=COLUMNS.replace("商户订单号", "订单")),
            "columns missing: 商户订单号",
        ),
        (text([row()], columns=COLUMNS + ",备注"), "no list of movements"),
        (text([row()], out="2笔，共123.45元"), "does not add up"),
        (text([row()], out="1笔，共123.46元"), "does not add up"),
        (text([row()], income="1笔，共0.00元"), "does not add up"),
        (text([]), "does not add up"),
        (text([row(), row("1002")]), "does not add up"),
        (text([row()], out="some"), "footer is incomplete"),
        (text([row()]).split(END)[0], "ends before its footer"),
        (text([row()]).split("#支出")[0], "footer is incomplete"),
        (text([row()]) + row(), "after the end"),
        (text([row(), "#unexpected"]), "heading in the middle"),
        (text([row() + ",more"]), "13 cells under 12 columns"),
        (text([row(outgo="")]), "no single amount"),
        (text([row(income="1.00")]), "no single amount"),
        (text([row(outgo="12.00")]), "no single amount"),
        (text([row(at="02.11.2026")]), "no single amount, time or serial"),
        (text([row(serial="")]), "no single amount, time or serial"),
        (text([row(outgo="-1,2")]), "cells under"),
        (text([row(outgo="-12.345")]), "not an amount"),
        (text([row(outgo="lots")]), "not an amount"),
    ],
)
def test_broken_statement_is_an_error(content: str, why: str) -> None:
    """Never a silent stop: what does not add up is not a statement."""
    with pytest.raises(StatementBrokenError, match=why):
        read(content)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 10**9), st.text("转账退票收费", max_size=4)),
        max_size=20,
    )
)
def test_lines_come_back_whole(movements: list[tuple[bool, int, str]]) -> None:
    """What was written is what is read, in order."""
    rows = []
    for number, (credit, fen, word) in enumerate(movements):
        amount = str(Money(fen, Currency.CNY))
        cells = (amount, "") if credit else ("", f"-{amount}")
        rows.append(row(str(number + 1), *cells, word=word))
    totals = {
        side: (
            sum(1 for credit, _, _ in movements if credit is side),
            Money(sum(fen for credit, fen, _ in movements if credit is side), Currency.CNY),
        )
        for side in (True, False)
    }
    content = text(
        rows,
        out=f"{totals[False][0]}笔，共{totals[False][1]}元",
        income=f"{totals[True][0]}笔，共{totals[True][1]}元",
    )
    assert [(line.credit, line.amount.minor) for line in read(content)] == [
        (credit, fen) for credit, fen, _ in movements
    ]


# --- the ZIP ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [GbkName, zipfile.ZipInfo], ids=["GBK names", "UTF-8 names"])
def test_detail_file_is_found_beside_the_summary(name: type[zipfile.ZipInfo]) -> None:
    """The directory's names are GBK without saying so; newer tools write UTF-8."""
    members = {DETAIL: text([row()]).encode("gbk"), SUMMARY: b"#\xd6\xa7"}
    assert len(list(read_zip(zipped(members, name), DAY, USER_ID))) == 1


def test_recorded_file_is_read() -> None:
    """A day with a payout, its fee, a return and a top-up, as bytes."""
    content = (WIRE / "statement.csv.txt").read_text(encoding="utf-8").encode("gbk")
    lines = list(read_zip(zipped({DETAIL: content.replace(b"\n", b"\r\n")}), DAY, USER_ID))
    assert [(line.kind, str(line.amount), line.credit, line.reference) for line in lines] == [
        (LineKind.OTHER, "1000.00", True, None),
        (LineKind.PAYOUT, "123.45", False, REFERENCE),
        (LineKind.FEE, "0.12", False, REFERENCE),
        (LineKind.RETURN, "50.00", True, "P7K2M9X4Q1A2"),
    ]


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({SUMMARY: b""}, "0 detail files"),
        ({DETAIL: b"", "more.csv": b""}, "2 detail files"),
        ({DETAIL: b"#\xff\xff\xff"}, "not GBK CSV"),
        ({DETAIL: ("#" + "x" * 200_000 + "\n").encode()}, "not GBK CSV"),
    ],
)
def test_zip_without_one_readable_detail_file_is_broken(
    members: dict[str, bytes], why: str
) -> None:
    """Which of two would be the right one is not for us to guess."""
    with pytest.raises(StatementBrokenError, match=why):
        list(read_zip(zipped(members), DAY, USER_ID))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"<html>expired</html>"])
def test_what_is_no_zip_is_broken(content: bytes) -> None:
    """An expired address answers with a page."""
    with pytest.raises(StatementBrokenError, match="not a readable ZIP"):
        list(read_zip(io.BytesIO(content), DAY, USER_ID))


def test_damaged_zip_packed_in_another_way_is_broken() -> None:
    """LZMA's own error belongs to no family of errors."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(GbkName(DETAIL), text([row("1")]).encode("gbk"), zipfile.ZIP_LZMA)
    raw = bytearray(out.getvalue())
    start = 30 + int.from_bytes(raw[26:28], "little") + 9
    raw[start : start + 40] = b"\xff" * 40
    with pytest.raises(StatementBrokenError, match="not a readable ZIP"):
        list(read_zip(io.BytesIO(bytes(raw)), DAY, USER_ID))


def test_damaged_zip_is_broken() -> None:
    """The checksum inside the ZIP is believed."""
    whole = zipped({DETAIL: text([row(str(n)) for n in range(200)]).encode("gbk")}).getvalue()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    with pytest.raises(StatementBrokenError):
        list(read_zip(io.BytesIO(bytes(damaged)), DAY, USER_ID))


@pytest.mark.parametrize(
    ("at", "value", "what"),
    [
        (8, b"\x01\x00", "encrypted"),
        (10, b"\x63\x00", "packed in a way nobody knows"),
        (42, b"\xff\xff\xff\x7f", "beginning where the file has ended"),
    ],
)
def test_a_spoilt_directory_is_broken(at: int, value: bytes, what: str) -> None:
    """Whatever the directory of the ZIP claims, it is refused as unreadable."""
    packed = zipped({DETAIL: text([row("1")]).encode("gbk")}).getvalue()
    entry = packed.index(b"PK\x01\x02")
    spoilt = packed[: entry + at] + value + packed[entry + at + len(value) :]
    with pytest.raises(StatementBrokenError, match="not a readable ZIP"):
        list(read_zip(io.BytesIO(spoilt), DAY, USER_ID))


def test_implausibly_large_file_is_not_unpacked() -> None:
    """Two members of 4 GiB by the directory's own word: refused before a byte is read."""
    packed = zipped({DETAIL: b"x", SUMMARY: b"x"}).getvalue()
    head, *entries = packed.split(b"PK\x01\x02")
    swollen = [entry[:20] + b"\xfe\xff\xff\xff" + entry[24:] for entry in entries]
    with pytest.raises(StatementBrokenError, match="implausibly large"):
        list(read_zip(io.BytesIO(b"PK\x01\x02".join([head, *swollen])), DAY, USER_ID))
