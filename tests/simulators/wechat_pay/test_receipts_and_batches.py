"""Electronic receipts of paid transfers, and reading the legacy batches of an old account."""

import hashlib
from datetime import timedelta

import pytest

from tests.simulators.wechat_pay.merchant import World, account, make_world, seal

RECEIPTS = "/v3/fund-app/mch-transfer/elecsign"
BATCHES = "/v3/transfer/batches"
BATCH = {
    "out_batch_no": "plfk2020042013",
    "batch_name": "2019年1月深圳分部报销单",
    "details": [
        {"out_detail_no": f"d{n}", "openid": f"o{n}", "transfer_amount": 100 + n}
        | ({"detail_status": "FAIL", "fail_reason": "ACCOUNT_FROZEN"} if n == 1 else {})
        for n in range(25)
    ],
}
CLOSED = {
    "out_batch_no": "closed1",
    "batch_status": "CLOSED",
    "close_reason": "OVERDUE_CLOSE",
    "details": [{"out_detail_no": "x", "openid": "o", "transfer_amount": 10}],
}


@pytest.fixture
def world() -> World:
    return make_world(account(batches=[BATCH, CLOSED]), account(2))


@pytest.mark.parametrize("kind", ["out-bill-no", "transfer-bill-no"])
def test_receipt_is_made_and_downloaded(world: World, kind: str) -> None:
    """GENERATING becomes FINISHED; the address yields the PDF that the hash names."""
    number = world.submit(user_name=seal("张三")).text("transfer_bill_no")
    world.pass_time(seconds=1)
    asked = "payout1" if kind == "out-bill-no" else number
    heard = world.post(f"{RECEIPTS}/{kind}", {kind.replace("-", "_"): asked})
    assert heard.said == {"state": "GENERATING", "create_time": "2026-05-20T10:00:01+08:00"}
    assert world.get(f"{RECEIPTS}/{kind}/{asked}").said["state"] == "GENERATING"
    world.pass_time(seconds=2)
    said = world.get(f"{RECEIPTS}/{kind}/{asked}").said
    assert said["state"] == "FINISHED"
    world.pass_time(minutes=10)
    target = str(said["download_url"]).removeprefix("http://127.0.0.1:8002")
    content = world.get(target, is_signed=False).reply.body
    assert content.startswith(b"%PDF-1.4")
    assert hashlib.sha256(content).hexdigest() == said["hash_value"]


def test_receipt_of_an_unpaid_transfer_is_refused(world: World) -> None:
    """Only a paid transfer has a receipt, and only when somebody asked for it."""
    world.submit(openid="magic-never-confirms")
    assert world.post(f"{RECEIPTS}/out-bill-no", {"out_bill_no": "payout1"}).said["code"] == (
        "INVALID_REQUEST"
    )
    assert world.post(f"{RECEIPTS}/out-bill-no", {"out_bill_no": "no"}).status == 404
    assert world.post(f"{RECEIPTS}/out-bill-no", {}).said["code"] == "PARAM_ERROR"
    assert world.get(f"{RECEIPTS}/out-bill-no/payout1").status == 404


def test_only_a_transfer_that_named_the_payee_has_a_receipt(world: World) -> None:
    """Paid or not, without a name it is refused for good."""
    world.submit()
    world.pass_time(seconds=1)
    assert world.post(f"{RECEIPTS}/out-bill-no", {"out_bill_no": "payout1"}).said["code"] == (
        "INVALID_REQUEST"
    )


def test_receipts_are_kept_for_a_while_and_made_for_half_a_year(world: World) -> None:
    """After ninety days it must be applied for again; after six months in vain."""
    world.submit(user_name=seal("张三"))
    world.pass_time(seconds=1)
    apply = {"out_bill_no": "payout1"}
    assert world.post(f"{RECEIPTS}/out-bill-no", apply).status == 200
    world.pass_time(days=90)
    assert world.get(f"{RECEIPTS}/out-bill-no/payout1").status == 404
    assert world.post(f"{RECEIPTS}/out-bill-no", apply).status == 200
    assert world.get(f"{RECEIPTS}/out-bill-no/payout1").said["state"] == "GENERATING"
    world.pass_time(days=100)
    assert world.post(f"{RECEIPTS}/out-bill-no", apply).status == 400


def test_batch_is_read_by_either_number(world: World) -> None:
    """Head and totals of a seeded batch, without details unless asked."""
    said = world.get(f"{BATCHES}/out-batch-no/plfk2020042013").said
    head = said["transfer_batch"]
    assert isinstance(head, dict)
    assert set(said) == {"transfer_batch"}
    assert (head["total_num"], head["total_amount"]) == (25, 2800)
    assert (head["success_num"], head["fail_num"], head["fail_amount"]) == (24, 1, 101)
    assert head["batch_status"] == "FINISHED"
    assert world.get(f"{BATCHES}/batch-id/{head['batch_id']}").said == said


def test_batch_details_are_paged(world: World) -> None:
    """Offset and limit cut the list, detail_status filters it."""
    base = f"{BATCHES}/out-batch-no/plfk2020042013?need_query_detail=true"
    first = world.get(f"{base}&offset=0&limit=20&detail_status=ALL").said
    rest = world.get(f"{base}&offset=20&limit=20&detail_status=ALL").said
    failed = world.get(f"{base}&detail_status=FAIL").said
    lists = [said["transfer_detail_list"] for said in (first, rest, failed)]
    assert [len(rows) for rows in lists if isinstance(rows, list)] == [20, 5, 1]


@pytest.mark.parametrize(
    "query", ["limit=5", "limit=101", "offset=-1", "offset=x", "detail_status=OPEN"]
)
def test_bad_batch_query_is_a_param_error(world: World, query: str) -> None:
    """Paging outside its bounds is refused."""
    target = f"{BATCHES}/out-batch-no/plfk2020042013?need_query_detail=true&{query}"
    assert world.get(target).said["code"] == "PARAM_ERROR"


def test_batch_detail_is_read_by_either_number(world: World) -> None:
    """One detail with its status and reason."""
    base = f"{BATCHES}/out-batch-no/plfk2020042013/details/out-detail-no"
    said = world.get(f"{base}/d1").said
    assert (said["detail_status"], said["fail_reason"]) == ("FAIL", "ACCOUNT_FROZEN")
    assert (said["transfer_amount"], said["openid"]) == (101, "o1")
    by_id = f"{BATCHES}/batch-id/{said['batch_id']}/details/detail-id/{said['detail_id']}"
    assert world.get(by_id).said == said


def test_closed_batch_names_its_reason(world: World) -> None:
    """CLOSED comes with close_reason."""
    head = world.get(f"{BATCHES}/out-batch-no/closed1").said["transfer_batch"]
    assert isinstance(head, dict)
    assert head["close_reason"] == "OVERDUE_CLOSE"


@pytest.mark.parametrize(
    "path",
    [
        "batch-id/10300019000001010000000000000000/details/detail-id/1",
        "out-batch-no/nothing",
        "batch-id/1",
        "out-batch-no/plfk2020042013/details/out-detail-no/d99",
        "out-batch-no/nothing/details/out-detail-no/d1",
        "batch-id/1/details/detail-id/2",
    ],
)
def test_unknown_batch_or_detail_is_not_found(world: World, path: str) -> None:
    """What was never made is not found."""
    assert world.get(f"{BATCHES}/{path}").said["code"] == "NOT_FOUND"


def test_batches_belong_to_their_merchant(world: World) -> None:
    """Another merchant does not see them."""
    assert world.get(f"{BATCHES}/out-batch-no/plfk2020042013", number=2).status == 404


def test_batches_cannot_be_made(world: World) -> None:
    """The product is closed: submitting a batch is an unknown call, and nothing moves."""
    assert world.post(BATCHES, {"out_batch_no": "new"}).status == 404
    world.now += timedelta(days=1)
    assert world.moved() == []
