"""Balances, fund-flow bills and downloads."""

import gzip
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from simulators.wechat_pay.statement import yuan
from tests.simulators.wechat_pay.merchant import Heard, World, account, make_world

DAY = "2026-05-20"


@pytest.fixture
def world() -> World:
    """Two paid transfers, one with its fee, one that failed, on 20 May; now 09:00 the next day."""
    world = make_world(account(fee={"flat_fen": 10}), account(2))
    world.submit("a", transfer_amount=10_000)
    world.submit("b", transfer_amount=250)
    world.submit("c", openid="magic-frozen")
    world.submit("d", number=2)
    world.pass_time(seconds=1)
    world.now = datetime(2026, 5, 21, 1, 0, tzinfo=UTC)
    return world


def ask_bill(world: World, query: str = f"bill_date={DAY}", *, number: int = 1) -> Heard:
    """Asks for a fund-flow bill."""
    return world.get(f"/v3/bill/fundflowbill?{query}", number=number)


def target_of(heard: Heard) -> str:
    """The download address in origin form."""
    base = "http://127.0.0.1:8002"
    url = heard.text("download_url")
    assert url.startswith(base)
    return url.removeprefix(base)


def fetch(world: World, query: str = f"bill_date={DAY}") -> list[list[str]]:
    """The lines of a bill, cells without their backtick."""
    heard = world.get(target_of(ask_bill(world, query)), is_signed=False)
    lines = heard.reply.body.decode().split("\r\n")
    assert lines.pop() == ""
    return [[cell.removeprefix("`") for cell in line.split(",")] for line in lines]


def test_statement_tells_every_movement(world: World) -> None:
    """Payouts and fees of the Beijing day stand there in yuan, in booking order, with a summary."""
    number = world.query("a").text("transfer_bill_no")
    header, *rows, summary_header, summary = fetch(world)
    assert header[1] == "微信支付业务单号"
    assert rows[0] == [
        *("2026-05-20 10:00:01", number, "20260520000000000001", "商家转账", "商家转账", "支出"),
        *("100.00", "9900.00", "1900000101API", "", "a"),
    ]
    told = [(row[4], row[6], row[7], row[10]) for row in rows]
    assert told == [
        ("商家转账", "100.00", "9900.00", "a"),
        ("扣除交易手续费", "0.10", "9899.90", "a"),
        ("商家转账", "2.50", "9897.40", "b"),
        ("扣除交易手续费", "0.10", "9897.30", "b"),
    ]
    assert summary_header[0] == "资金流水总笔数"
    assert summary == ["4", "0", "0.00", "4", "102.70"]


def test_every_value_has_a_backtick(world: World) -> None:
    """Values begin with a backtick, headers do not."""
    heard = world.get(target_of(ask_bill(world)), is_signed=False)
    header, *rows, summary_header, summary, _ = heard.reply.body.decode().split("\r\n")
    assert "`" not in header + summary_header
    assert all(cell.startswith("`") for row in (*rows, summary) for cell in row.split(","))


def test_hash_is_of_the_plain_file(world: World) -> None:
    """SHA1 names the uncompressed bytes, with and without GZIP; asking again gives the same
    file."""
    plain = ask_bill(world)
    packed = ask_bill(world, f"bill_date={DAY}&account_type=BASIC&tar_type=GZIP")
    assert plain.said["hash_type"] == "SHA1"
    assert plain.said["hash_value"] == packed.said["hash_value"]
    content = world.get(target_of(plain), is_signed=False).reply.body
    zipped = world.get(target_of(packed), is_signed=False).reply.body
    assert gzip.decompress(zipped) == content
    assert hashlib.sha1(content, usedforsecurity=False).hexdigest() == plain.said["hash_value"]


def test_download_is_unsigned_and_short_lived(world: World) -> None:
    """The file comes without signature headers, and only for some seconds."""
    target = target_of(ask_bill(world))
    world.now += timedelta(seconds=30)
    heard = world.get(target, is_signed=False)
    assert not any(name.startswith("Wechatpay-") for name in heard.headers)
    world.now += timedelta(seconds=1)
    assert world.get(target).status == 400


def test_download_is_for_the_merchant_that_asked(world: World) -> None:
    """Somebody else's token opens nothing, and a token alone, unauthorised, neither."""
    target = target_of(ask_bill(world))
    assert world.get(target, number=2).said["code"] == "NO_AUTH"
    assert world.ask(world.request("GET", target, without=["authorization"])).status == 401
    assert world.get("/v3/billdownload/file?token=abc").status == 400
    assert world.get("/v3/billdownload/file").status == 400


def test_statement_is_ready_at_nine(world: World) -> None:
    """Before 09:00 Beijing time of the next day the bill is being made."""
    world.now -= timedelta(seconds=1)
    assert ask_bill(world).said["code"] == "STATEMENT_CREATING"
    world.now += timedelta(seconds=1)
    assert ask_bill(world).status == 200


@pytest.mark.parametrize(
    "query",
    [
        "bill_date=2026-05-21",
        "bill_date=2026-05-22",
        "bill_date=2026-05-19",
        "bill_date=2026-01-19",
        f"bill_date={DAY}&account_type=OPERATION",
        f"bill_date={DAY}&account_type=FEES",
    ],
)
def test_no_statement_exists(world: World, query: str) -> None:
    """Today, tomorrow, a day without movement, too long ago, or another account: none."""
    heard = ask_bill(world, query)
    assert (heard.status, heard.said["code"]) == (400, "NO_STATEMENT_EXIST")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "bill_date=20260520",
        "bill_date=2026-5-20",
        "bill_date=2026-02-30",
        f"bill_date={DAY}&account_type=OTHER",
        f"bill_date={DAY}&tar_type=ZIP",
        f"bill_date={DAY}&bill_date={DAY}",
        f"bill_date={DAY}&page=1",
    ],
)
def test_bad_bill_query_is_a_param_error(world: World, query: str) -> None:
    """Malformed, unknown or repeated query parameters are refused."""
    assert ask_bill(world, query).said["code"] == "PARAM_ERROR"


def test_bill_belongs_to_the_beijing_day(world: World) -> None:
    """A payment just after midnight in Beijing stands on the next day's bill."""
    world.now = datetime(2026, 5, 21, 16, 0, tzinfo=UTC)
    world.submit("late")
    world.pass_time(seconds=1)
    world.now = datetime(2026, 5, 23, 1, 0, tzinfo=UTC)
    assert ask_bill(world, "bill_date=2026-05-21").said["code"] == "NO_STATEMENT_EXIST"
    assert [row[10] for row in fetch(world, "bill_date=2026-05-22")[1:3]] == ["late", "late"]


def test_bill_calls_are_limited() -> None:
    """Three requests a second per merchant."""
    world = make_world()
    codes = [ask_bill(world).said["code"] for _ in range(4)]
    assert codes == [*["NO_STATEMENT_EXIST"] * 3, "FREQUENCY_LIMITED"]


def test_top_up_is_income(world: World) -> None:
    """Money put in stands on the income side of the summary."""
    world.simulator.topup("wechat-1", 5000, world.now)
    world.pass_time(days=1)
    *_, row, _, summary = fetch(world, "bill_date=2026-05-21")
    assert (row[3], row[5], row[6]) == ("充值", "收入", "50.00")
    assert summary == ["1", "1", "50.00", "0", "0.00"]


def test_statement_may_be_late(world: World) -> None:
    """`statement_late` postpones the promised hour."""
    world.fault(action="statement_late", params={"after": "3h"})
    assert ask_bill(world).said["code"] == "STATEMENT_CREATING"
    world.now += timedelta(hours=3)
    assert ask_bill(world).status == 200


@pytest.mark.parametrize(
    ("rule", "amounts"),
    [
        ({"action": "statement_missing_line", "reference": "b"}, ["100.00", "0.10"]),
        (
            {"action": "statement_duplicate_line", "reference": "b", "max_amount_fen": 10},
            ["100.00", "0.10", "2.50", "0.10", "0.10"],
        ),
        (
            {
                "action": "statement_wrong_amount",
                "min_amount_fen": 10_000,
                "params": {"delta_fen": -1},
            },
            ["99.99", "0.10", "2.50", "0.10"],
        ),
        (
            {
                "action": "statement_extra_line",
                "params": {"reference": "ghost", "amount_fen": 777},
            },
            ["100.00", "0.10", "2.50", "0.10", "7.77"],
        ),
    ],
    ids=["missing", "duplicate", "wrong", "extra"],
)
def test_statement_may_be_wrong(world: World, rule: dict[str, object], amounts: list[str]) -> None:
    """Line faults change the file, its summary follows, and the truth stays."""
    truth = world.moved()
    world.fault(**rule)
    _, *rows, _, summary = fetch(world)
    assert [row[6] for row in rows] == amounts
    assert summary[0] == str(len(amounts))
    world.faults.clear()
    assert [row[6] for row in fetch(world)[1:-2]] == amounts
    assert world.moved() == truth


def test_balance_shows_locked_money_as_pending(world: World) -> None:
    """Available and pending amounts follow the books."""
    world.submit("d", openid="magic-never-confirms", transfer_amount=990)
    heard = world.get("/v3/merchant/fund/balance/BASIC")
    assert heard.said == {"available_amount": 988_730, "pending_amount": 1000}


def test_other_fund_accounts_are_empty(world: World) -> None:
    """Only the account that pays holds money; an unknown type is refused."""
    empty = {"available_amount": 0, "pending_amount": 0}
    assert world.get("/v3/merchant/fund/balance/FEES").said == empty
    assert world.get("/v3/merchant/fund/balance/OTHER").said["code"] == "PARAM_ERROR"


def test_balance_may_be_forbidden() -> None:
    """A merchant without the permission gets 403."""
    world = make_world(account(balance_forbidden=True))
    heard = world.get("/v3/merchant/fund/balance/BASIC")
    assert (heard.status, heard.said["code"]) == (403, "NO_AUTH")


@pytest.mark.parametrize(
    ("amount_fen", "text"), [(0, "0.00"), (5, "0.05"), (1234, "12.34"), (-120, "-1.20")]
)
def test_yuan(amount_fen: int, text: str) -> None:
    """Fen are written as yuan with two decimals."""
    assert yuan(amount_fen) == text
