"""Bills: when they are ready, what stands in them, what faults do to them; and the account log."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from simulators.alipay.statement import COLUMNS
from simulators.kernel import Reply, Request
from tests.simulators.alipay.customer import (
    BILL,
    LEDGER,
    START,
    TRANSFER,
    Customer,
    account,
    customer,
    to_card,
    transfer,
)

ASK = {"bill_type": "signcustomer", "bill_date": "2026-03-02"}
READY = START + timedelta(hours=23)
"""09:00 in Beijing the next day."""


def fetch(merchant: Customer, url: str) -> Reply:
    """GET a download address from the pure core."""
    parts = urlsplit(url)
    request = Request("GET", f"{parts.path}?{parts.query}", {"host": parts.netloc}, b"")
    reply = merchant.simulator.handle(request, merchant.now).reply
    assert reply is not None
    return reply


def members(raw: bytes) -> dict[str, list[str]]:
    """Name and lines of both members of a bill file."""
    with zipfile.ZipFile(io.BytesIO(raw), metadata_encoding="gbk") as bundle:
        return {n: bundle.read(n).decode("gbk").split("\r\n") for n in bundle.namelist()}


def rows(raw: bytes) -> list[dict[str, str]]:
    """The detail rows by column name; every cell ends in a TAB."""
    (detail,) = [lines for name, lines in members(raw).items() if "汇总" not in name]
    body = [line for line in detail if line and not line.startswith("#")]
    assert body[0] == ",".join(COLUMNS)
    cells = [line.split(",") for line in body[1:]]
    assert all(cell.endswith("\t") for row in cells for cell in row)
    return [dict(zip(COLUMNS, [c[:-1] for c in row], strict=True)) for row in cells]


def bill(merchant: Customer, biz: dict[str, str] | None = None) -> list[dict[str, str]]:
    """Ask for the bill of the first day and read it."""
    merchant.now = max(merchant.now, READY)
    node = merchant.ask(BILL, biz or ASK)
    assert node["code"] == "10000", node
    return rows(fetch(merchant, node["bill_download_url"]).body)


def amounts(lines: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    """Number, income, expense of each row."""
    return [(r["商户订单号"], r["收入金额（+元）"], r["支出金额（-元）"]) for r in lines]


def test_a_day_is_read_back_from_the_zip() -> None:
    """Payout, fee, return and top-up, each a row; the balance runs along."""
    merchant = customer(account(fee={"flat_fen": 100}))
    merchant.ask(TRANSFER, transfer("po-1", "12.34"))
    merchant.add("return_late", params={"after": "1h"})
    merchant.ask(TRANSFER, to_card("po-2", "5.00"))
    merchant.wait(timedelta(hours=2))
    merchant.simulator.topup("alipay-1", 700, merchant.now)
    lines = bill(merchant)
    assert amounts(lines) == [
        ("po-1", "", "-12.34"),
        ("po-1", "", "-1.00"),
        ("po-2", "", "-5.00"),
        ("po-2", "", "-1.00"),
        ("po-2", "5.00", ""),
        ("", "7.00", ""),
    ]
    assert [r["业务类型"] for r in lines] == ["转账", "收费", "转账", "收费", "退票", "充值"]
    assert [r["账户余额（元）"] for r in lines][-1] == "9992.66"
    assert lines[0]["发生时间"] == "2026-03-02 10:00:00"
    assert lines[0]["对方账号"] == "li@***est"


def test_the_frame_of_the_file() -> None:
    """Two members with GBK names, the documented head lines and sums."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    merchant.now = READY
    node = merchant.ask(BILL, ASK)
    reply = fetch(merchant, node["bill_download_url"])
    files = members(reply.body)
    assert list(files) == [
        "2088000000000001_20260302_账务明细.csv",
        "2088000000000001_20260302_账务明细(汇总).csv",
    ]
    detail = files["2088000000000001_20260302_账务明细.csv"]
    assert detail[:2] == ["#支付宝账务明细查询", "#账号：[2088000000000001]"]
    assert detail[2] == (
        "#起始日期：[2026年03月02日 00:00:00]   终止日期：[2026年03月03日 00:00:00]"
    )
    assert detail[-4:] == [
        "#支出合计：1笔，共-12.34元",
        "#收入合计：0笔，共0.00元",
        "#导出时间：[2026年03月03日 09:00:00]",
        "",
    ]
    assert "sign" not in dict(reply.headers)


def test_a_bill_is_ready_at_nine_the_next_day() -> None:
    """Before: BILL_NOT_EXIST; the day itself is not yet asked about."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    assert merchant.ask(BILL, ASK)["sub_code"] == "INVAILID_ARGUMENTS"
    merchant.now = READY - timedelta(seconds=1)
    assert merchant.ask(BILL, ASK)["sub_code"] == "BILL_NOT_EXIST"
    merchant.now = READY
    assert merchant.ask(BILL, ASK)["code"] == "10000"


def test_the_address_lives_thirty_seconds() -> None:
    """Afterwards it is gone, and so is any other token."""
    merchant = customer()
    merchant.now = READY
    url = merchant.ask(BILL, ASK)["bill_download_url"]
    assert url.startswith("http://sim.test/")
    merchant.now += timedelta(seconds=29)
    assert fetch(merchant, url).status == 200
    merchant.now += timedelta(seconds=1)
    assert fetch(merchant, url).status == 403
    assert fetch(merchant, "http://sim.test/bill/download?token=guess").status == 403


def test_an_empty_day_says_so() -> None:
    """A file without rows comes with EMPTY_DATA_WITH_BILL_FILE."""
    merchant = customer()
    merchant.now = READY
    node = merchant.ask(BILL, ASK)
    assert node["bill_file_code"] == "EMPTY_DATA_WITH_BILL_FILE"
    assert rows(fetch(merchant, node["bill_download_url"]).body) == []


def test_a_month_is_ready_on_the_third() -> None:
    """yyyy-MM covers the month, from the 3rd of the next one."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    month = {**ASK, "bill_date": "2026-03"}
    merchant.now = START.replace(month=4, day=3, hour=0)
    assert merchant.ask(BILL, month)["sub_code"] == "BILL_NOT_EXIST"
    merchant.now += timedelta(hours=1)
    assert amounts(bill(merchant, month)) == [("po-1", "", "-12.34")]


@pytest.mark.parametrize(
    ("biz", "sub_code"),
    [
        ({"bill_type": "trade", "bill_date": "2026-03-01"}, "TYPE_NOT_SUPPORTED"),
        ({"bill_type": "signcustomer", "bill_date": "2026-02-30"}, "INVAILID_ARGUMENTS"),
        ({"bill_type": "signcustomer", "bill_date": "20260301"}, "INVAILID_ARGUMENTS"),
        ({"bill_type": "signcustomer"}, "INVAILID_ARGUMENTS"),
        ({"bill_type": "signcustomer", "bill_date": "2019-01-01"}, "BILL_DATE_BEFORE_REGISTRATION"),
    ],
)
def test_what_cannot_be_asked_for(biz: dict[str, str], sub_code: str) -> None:
    """Each wrong question has its own refusal."""
    merchant = customer(registered_on="2020-01-01")
    assert merchant.ask(BILL, biz)["sub_code"] == sub_code


def test_a_day_begins_at_midnight_in_beijing() -> None:
    """16:00 UTC is the next day's first second."""
    merchant = customer()
    for offset, reference in ((-1, "today"), (0, "tomorrow")):
        merchant.now = START.replace(hour=16) + timedelta(seconds=offset)
        merchant.ask(TRANSFER, transfer(reference))
    assert [r["商户订单号"] for r in bill(merchant)] == ["today"]


def test_accounts_see_only_their_own_rows() -> None:
    """Two accounts on one simulator have separate bills."""
    other = account(account="b", app_id="2021000000000002", user_id="2088000000000002")
    merchant = customer(account(), other)
    merchant.ask(TRANSFER, transfer("one"))
    merchant.app_id = "2021000000000002"
    merchant.ask(TRANSFER, transfer("two"))
    assert [r["商户订单号"] for r in bill(merchant)] == ["two"]


@pytest.mark.parametrize(
    ("action", "params", "expected"),
    [
        ("statement_missing_line", {}, [("po-2", "", "-2.00")]),
        (
            "statement_wrong_amount",
            {"delta_fen": 1},
            [("po-1", "", "-1.01"), ("po-2", "", "-2.00")],
        ),
        (
            "statement_duplicate_line",
            {},
            [("po-1", "", "-1.00"), ("po-1", "", "-1.00"), ("po-2", "", "-2.00")],
        ),
    ],
)
def test_a_line_goes_wrong(action: str, params: dict[str, Any], expected: list[object]) -> None:
    """The file is wrong, the books are right, and asking again gives the same file."""
    merchant = customer()
    merchant.add(action, reference="po-1", times=1, params=params)
    merchant.ask(TRANSFER, transfer("po-1", "1"))
    merchant.ask(TRANSFER, transfer("po-2", "2"))
    assert amounts(bill(merchant)) == expected
    assert amounts(bill(merchant)) == expected
    assert merchant.moved() == [("payout", "po-1", 100), ("payout", "po-2", 200)]


def test_an_extra_line_stands_for_no_money() -> None:
    """statement_extra_line adds a row that no movement made."""
    merchant = customer()
    merchant.add("statement_extra_line", params={"reference": "GHOST", "amount_fen": 777})
    assert amounts(bill(merchant)) == [("GHOST", "", "-7.77")]
    assert merchant.moved() == []


def test_a_bill_is_late() -> None:
    """statement_late postpones the whole file."""
    merchant = customer()
    merchant.add("statement_late", params={"after": "6h"})
    merchant.now = READY + timedelta(hours=5)
    assert merchant.ask(BILL, ASK)["sub_code"] == "BILL_NOT_EXIST"
    merchant.now = READY + timedelta(hours=6)
    assert merchant.ask(BILL, ASK)["code"] == "10000"


def test_the_account_log_is_there_at_once() -> None:
    """The intraday source: direction, type and running balance of each movement."""
    merchant = customer()
    merchant.ask(TRANSFER, transfer())
    window = {"start_time": "2026-03-02 00:00:00", "end_time": "2026-03-02 23:59:59"}
    node = merchant.ask(LEDGER, window)
    assert node["total_size"] == "1"
    (line,) = node["detail_list"]
    assert (line["merchant_order_no"], line["trans_amount"]) == ("po-1", "12.34")
    assert (line["direction"], line["balance"], line["type"]) == ("支出", "9987.66", "转账")
    second = merchant.ask(LEDGER, {**window, "page_no": "2", "page_size": "2000"})
    assert second["detail_list"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"end_time": "2026-04-30 00:00:00"},
        {"end_time": "2026-03-01 00:00:00"},
        {"start_time": "yesterday"},
        {"page_size": "10"},
        {"page_no": "0"},
    ],
)
def test_the_account_log_has_bounds(changes: dict[str, str]) -> None:
    """At most 31 days, 1000 to 2000 rows a page."""
    window = {"start_time": "2026-03-02 00:00:00", "end_time": "2026-03-03 00:00:00"}
    assert customer().ask(LEDGER, {**window, **changes})["sub_code"] == "INVALID_PARAMETER"
