"""Batches over HTTP: a file in, progress, rows, and the file that is written back."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gateway.domain.batch import Batch, BatchRow
from gateway.engine.batches import Batches
from gateway.ports import StoreError
from tests.gateway.api.desk import CARD, Answer, Desk

HEAD = "商户单号,金额,付款方式,收款账号,收款人,用途"
GOOD = f"b-1,12.30,银行卡,{CARD},王小五,货款"
BAD = "b-2,1.00,银行卡,6.22E+15,王小五,货款"
KEY = "batch-key-0123456789"


async def upload(
    desk: Desk,
    *lines: str,
    count: int | None = None,
    total: str = "12.30",
    key: str = "acme",
    idempotency: str | None = KEY,
    **query: str,
) -> Answer:
    """Send a file; the count is that of the lines unless said otherwise."""
    content = "\n".join((HEAD, *lines)).encode()
    asked = {"count": str(count or len(lines)), "total": total, **query}
    headers = {"Content-Type": "text/csv"}
    if idempotency is not None:
        headers["Idempotency-Key"] = idempotency
    return await desk.post("/v1/batches", content, key=key, query=asked, headers=headers)


async def settle(desk: Desk, batch: str) -> Mapping[str, Any]:
    """Let the gateway go on with it."""
    work = Batches(desk.gateway)
    while await work.tick():
        pass
    shown: Mapping[str, Any] = (await desk.get(f"/v1/batches/{batch}")).json
    return shown


async def test_a_file_becomes_payouts(desk: Desk) -> None:
    """Taken at once, accepted soon, found under its own number."""
    made = await upload(desk, GOOD)
    assert made.status == 202
    assert made.headers["Location"] == f"/v1/batches/{made.json['id']}"
    shown = await settle(desk, made.json["id"])
    assert (shown["state"], shown["progress_ppm"]) == ("done", 1_000_000)
    assert shown["counts"] == [
        {"state": "accepted", "payout_state": "routing", "rows": 1, "minor": 1230}
    ]
    found = await desk.get("/v1/payouts", query={"merchant_ref": "b-1"})
    assert len(found.json["data"]) == 1


async def test_every_fault_is_in_the_answer_and_nothing_is_stored(desk: Desk) -> None:
    """Line, column, what to do, in both languages; no table has a row more."""
    before = desk.rows()
    refused = await upload(desk, GOOD, BAD, total="13.30")
    assert (refused.status, refused.code) == (422, "batch_invalid")
    (fault,) = refused.json["errors"]
    assert (fault["line"], fault["column"], fault["code"]) == (3, "收款账号", "number_mangled")
    assert fault["detail_zh"]
    assert desk.rows() == before


async def test_per_row_pays_the_others(desk: Desk) -> None:
    """The bad row is stored as refused, with its reason."""
    made = await upload(desk, GOOD, BAD, total="13.30", mode="per_row")
    await settle(desk, made.json["id"])
    path = f"/v1/batches/{made.json['id']}/rows"
    page = (await desk.get(path, query={"state": "refused"})).json
    assert [row["refused"]["code"] for row in page["data"]] == ["number_mangled"]


@pytest.mark.parametrize(("count", "total"), [(2, "12.30"), (1, "12.31")])
async def test_what_was_declared_must_hold(desk: Desk, count: int, total: str) -> None:
    """A file cut off in the middle is refused whole."""
    refused = await upload(desk, GOOD, count=count, total=total)
    assert (refused.status, refused.code) == (422, "batch_invalid")


async def test_the_same_upload_again_is_answered_from_the_first(desk: Desk) -> None:
    """With its key, and without one by its content."""
    for idempotency in (KEY, None):
        row = GOOD if idempotency else GOOD.replace("b-1", "b-9")
        first = await upload(desk, row, idempotency=idempotency)
        again = await upload(desk, row, idempotency=idempotency)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.json["id"] == first.json["id"]


async def test_the_same_rows_under_another_key_are_refused(desk: Desk) -> None:
    """Uploaded twice by mistake; the answer names the batch there is."""
    first = await upload(desk, GOOD)
    twin = await upload(desk, GOOD, idempotency="another-key-0123456789")
    assert (twin.status, twin.code) == (409, "batch_repeated")
    assert first.json["id"] in twin.json["detail"]


async def test_another_merchants_batch_is_not_there(desk: Desk) -> None:
    """The same answer as for none at all."""
    made = await upload(desk, GOOD)
    for path in ("", "/rows", "/result.csv"):
        found = await desk.get(f"/v1/batches/{made.json['id']}{path}", key="other")
        assert (found.status, found.code) == (404, "batch_not_found")


async def test_rows_are_read_page_by_page(desk: Desk) -> None:
    """By number, none twice and none left out."""
    lines = [f"p-{n},1.00,银行卡,{CARD},王小五,货款" for n in range(5)]
    made = await upload(desk, *lines, total="5.00")
    seen: list[str] = []
    after, more = 0, True
    while more:
        query = {"after": str(after), "limit": "2"}
        page = (await desk.get(f"/v1/batches/{made.json['id']}/rows", query=query)).json
        seen += [row["merchant_ref"] for row in page["data"]]
        after, more = page["data"][-1]["number"], page["has_more"]
    assert seen == [f"p-{n}" for n in range(5)]


async def test_the_result_says_paid_only_when_it_is(desk: Desk) -> None:
    """Under way it is processing; once the channel has said so, paid."""
    made = await upload(desk, GOOD)
    await settle(desk, made.json["id"])
    path = f"/v1/batches/{made.json['id']}/result.csv"
    for status in ("processing", "paid"):
        got = await desk.get(path, query={"lang": "en"})
        (row,) = csv.DictReader(io.StringIO(got.raw.decode("utf-8-sig")))
        assert (row["merchant_ref"], row["status"]) == ("b-1", status)
        await desk.work(row["payout_id"])
    workbook = await desk.get(path.replace(".csv", ".xlsx"))
    assert workbook.raw.startswith(b"PK")


async def test_a_template_is_fetched(desk: Desk) -> None:
    """With the mark that Excel needs to read Chinese."""
    got = await desk.get("/v1/batches/template", query={"format": "csv"})
    assert got.raw.startswith(b"\xef\xbb\xbf")
    assert "商户单号*" in got.raw.decode("utf-8-sig")


async def test_an_unknown_profile_is_named(desk: Desk) -> None:
    """With those there are."""
    refused = await upload(desk, GOOD, profile="nonsense")
    assert (refused.status, refused.code) == (422, "profile_unknown")
    assert "dujiao-next" in refused.json["detail"]


async def half(desk: Desk, monkeypatch: pytest.MonkeyPatch, row: str) -> str:
    """An upload whose rows never all came; its id."""

    async def broken(batch: Batch, rows: Sequence[BatchRow]) -> None:
        raise StoreError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(desk.gateway.store, "put_rows", broken)
        assert (await upload(desk, row)).status == 503
    (one,) = (await desk.get("/v1/batches", query={"state": "storing"})).json["data"]
    return str(one["id"])


async def test_an_upload_that_was_cut_off_is_found_and_cancelled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its state; cancelled it says who did it, and that nothing is paid."""
    batch = await half(desk, monkeypatch, GOOD)
    gone = await desk.post(f"/v1/batches/{batch}/cancel", None)
    assert (gone.status, gone.json["state"]) == (200, "refused")
    assert gone.json["refused"]["code"] == "batch_cancelled"
    assert "取消" in gone.json["refused"]["detail_zh"]
    assert (await desk.get("/v1/batches", query={"state": "storing"})).json["data"] == []
    again = await desk.post(f"/v1/batches/{batch}/cancel", None)
    assert again.json == gone.json
    assert (await upload(desk, GOOD, idempotency=f"{KEY}-2")).status == 202


async def test_what_is_accepted_is_not_cancelled_with_its_batch(desk: Desk) -> None:
    """The answer says which batches can be, and what to do with single payouts."""
    made = await upload(desk, GOOD)
    await settle(desk, made.json["id"])
    refused = await desk.post(f"/v1/batches/{made.json['id']}/cancel", None)
    assert (refused.status, refused.code) == (409, "state_forbids")
    assert "payout cancel" in refused.json["detail"]


async def test_another_merchants_batch_cannot_be_cancelled(desk: Desk) -> None:
    """It is not there for them."""
    made = await upload(desk, GOOD)
    found = await desk.post(f"/v1/batches/{made.json['id']}/cancel", None, key="other")
    assert (found.status, found.code) == (404, "batch_not_found")
