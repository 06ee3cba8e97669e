"""The settlement files of the UnionPay simulator, cut by the published widths."""

from __future__ import annotations

import base64
import io
import zipfile
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from tests.simulators.unionpay.merchant import FILES, MER_ID, Merchant, account, merchant

ZM = [
    *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21),
    *(15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98),
]
ZME = [3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135]
NINE = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
Rows = list[list[str]]


def cut(line: bytes, widths: list[int]) -> list[str]:
    """The fields of a line of GBK bytes."""
    fields, at = [], 0
    for width in widths:
        fields.append(line[at : at + width].decode("gbk").rstrip())
        assert line[at + width : at + width + 1] in (b" ", b"")
        at += width + 1
    assert at == len(line) + 1
    return fields


def members(content: str) -> dict[str, bytes]:
    """What is in a fileContent."""
    with zipfile.ZipFile(io.BytesIO(zlib.decompress(base64.b64decode(content)))) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def fetched(one: Merchant, day: str = "1102") -> tuple[Rows, Rows]:
    """The ZM and ZME lines of a day."""
    said = one.ask(FILES, one.files(day))
    assert said["respCode"] == "00", said["respMsg"]
    found = members(said["fileContent"])
    assert sorted(found) == [f"INN26{day}88ZME_{MER_ID}", f"INN26{day}88ZM_{MER_ID}"]
    zme, zm = (found[name].splitlines() for name in sorted(found))
    return [cut(line, ZM) for line in zm], [cut(line, ZME) for line in zme]


def paid(one: Merchant, **changes: str) -> None:
    """One payout, and the morning after."""
    one.pay(**changes)
    one.wait(timedelta(hours=1))


def test_file_comes_at_nine_the_next_morning() -> None:
    """98 until then, also for today."""
    one = merchant()
    paid(one)
    assert one.ask(FILES, one.files("1102"))["respCode"] == "98"
    one.now = NINE - timedelta(seconds=1)
    assert one.ask(FILES, one.files("1102"))["respCode"] == "98"
    one.now = NINE
    assert one.ask(FILES, one.files("1102"))["respCode"] == "00"


@pytest.mark.parametrize("day", ["1302", "0230", "11-2", "1"])
def test_day_that_is_none_is_a_format_error(day: str) -> None:
    """10."""
    one = merchant()
    assert one.ask(FILES, one.files(day))["respCode"] == "10"


def test_payout_stands_in_zm_with_its_fee() -> None:
    """Field by field, as the published names have it."""
    one = merchant(account(fee={"flat_fen": 10}))
    one.pay()
    query_id = one.simulator._payouts.book.of_reference("ORDER0001")[0].query_id
    one.now = NINE
    one.simulator.tick(one.now)
    (line,), none = fetched(one)
    assert none == []
    assert (line[4], line[5], line[6]) == ("1102100002", "6216261000000000018", "000000001234")
    assert (line[9], line[11]) == (query_id, "ORDER0001")
    assert (line[15], line[16]) == ("D000000000010", "D000000001244")
    assert (line[19], line[22], line[27]) == ("12", "01", MER_ID)


def test_return_stands_in_the_later_zme() -> None:
    """With the trace number and time of the payout it is about."""
    one = merchant()
    paid(one, accNo="6221000000000007")
    one.wait(timedelta(days=3))
    (first,), _ = fetched(one)
    none, (back,) = fetched(one, "1103")
    assert none == []
    assert (back[10], back[11]) == (first[3], first[4])
    assert (back[5], back[6], back[15]) == ("6221000000000007", first[6], "C000000001234")
    assert back[3] != first[3]


def test_failed_payout_is_in_no_file() -> None:
    """No money moved."""
    one = merchant()
    paid(one, accNo="6221000000000004")
    one.now = NINE
    assert fetched(one) == ([], [])


@pytest.mark.parametrize(("counted", "length"), [("bytes", 607), ("letters", 611)])
def test_chinese_names_fill_bytes_or_letters(counted: str, length: int) -> None:
    """Four letters of two bytes each."""
    one = merchant(account(short_name="某某商户"), widths_count=counted)
    paid(one)
    one.now = NINE
    content = members(one.ask(FILES, one.files("1102"))["fileContent"])
    (line,) = content[f"INN26110288ZM_{MER_ID}"].splitlines()
    assert len(line) == length
    assert "某某商户".encode("gbk") in line


def test_cut_off_moves_late_payouts_to_the_next_day() -> None:
    """From the hour on."""
    one = merchant(settle_cutoff_hour=10)
    paid(one)
    one.now = NINE + timedelta(days=1)
    assert fetched(one) == ([], [])
    assert len(fetched(one, "1103")[0]) == 1


@pytest.mark.parametrize(
    ("action", "params", "amounts"),
    [
        ("statement_missing_line", {}, []),
        ("statement_duplicate_line", {}, [1234, 1234]),
        ("statement_wrong_amount", {"delta_fen": 5}, [1239]),
        ("statement_extra_line", {"amount_fen": 77}, [1234, 77]),
    ],
)
def test_files_can_be_wrong(action: str, params: dict[str, object], amounts: list[int]) -> None:
    """As the rules have it; the sums within a line still agree."""
    one = merchant(account(fee={"flat_fen": 10}))
    one.add(action, params=params)
    paid(one)
    one.now = NINE
    lines, _ = fetched(one)
    assert [int(line[6]) for line in lines] == amounts
    for line in lines:
        assert int(line[16][1:]) == int(line[6]) + int(line[15][1:])


def test_file_can_be_late() -> None:
    """98 for so much longer."""
    one = merchant()
    one.add("statement_late", params={"after": "2h"})
    paid(one)
    one.now = NINE + timedelta(hours=2) - timedelta(seconds=1)
    assert one.ask(FILES, one.files("1102"))["respCode"] == "98"
    one.now += timedelta(seconds=1)
    assert len(fetched(one)[0]) == 1


def test_file_once_made_stays_as_it_is() -> None:
    """Whatever rules come later."""
    one = merchant()
    paid(one)
    one.now = NINE
    before = fetched(one)
    one.add("statement_missing_line")
    assert fetched(one) == before


def test_last_years_day_is_meant_until_this_years_comes() -> None:
    """MMDD has no year."""
    one = merchant(txn_time_tolerance_s=None)
    one.pay()
    one.wait(timedelta(days=100))
    assert len(fetched(one)[0]) == 1
