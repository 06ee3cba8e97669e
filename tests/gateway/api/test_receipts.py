"""An institution's receipt over HTTP: whose it is, when there is one, and what is written down."""

import pytest

from channels.contract import (
    ChannelError,
    Inquiry,
    Receipt,
    ReceiptNotReadyError,
    ReceiptRefusedError,
    Returned,
)
from tests import beside
from tests.builders import NOW, cny
from tests.gateway.api.desk import Answer, Desk
from tests.gateway.api.till import Till

PDF = b"%PDF-1.4\n\x00\xff a receipt"


class ReceiptTill(Till):
    """The same till, with a printer."""

    def __init__(self) -> None:
        """Nothing is in the way of printing."""
        super().__init__()
        self.trouble: Exception | None = None
        self.made = Receipt("application/pdf", PDF, "receipt-1.pdf")
        self.asked: list[Inquiry] = []

    async def receipt(self, inquiry: Inquiry) -> Receipt:
        """Print, unless told otherwise."""
        self.asked.append(inquiry)
        if self.trouble is not None:
            raise self.trouble
        return self.made


def printing(desk: Desk) -> ReceiptTill:
    """Put a till with a printer in the till's place."""
    till = ReceiptTill()
    desk.gateway.channels = {**desk.gateway.channels, "till": till}
    return till


async def paid(desk: Desk) -> str:
    """A payout that is paid."""
    made = await desk.pay()
    await desk.work(made)
    return made


async def fetch(desk: Desk, payout: str, key: str = "acme") -> Answer:
    """Ask for its receipt."""
    return await desk.get(f"/v1/payouts/{payout}/receipt", key=key)


def audited(desk: Desk) -> list[tuple[str, str, str]]:
    """Actor, subject and detail of every receipt that was handed out."""
    found: list[tuple[str, str, str]] = beside.read(
        desk.file, "SELECT actor, subject, detail FROM audit WHERE action = 'payout.receipt'"
    )
    return found


async def test_the_institutions_bytes_come_as_they_are(desk: Desk) -> None:
    """With its type and name, never kept by a cache, never run by a browser."""
    till, made = printing(desk), await paid(desk)
    answer = await fetch(desk, made)
    assert (answer.status, answer.raw) == (200, PDF)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="receipt-1.pdf"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer.headers["Cache-Control"]
    (asked,) = till.asked
    assert asked.amount == cny(12_345)
    assert asked.channel_ref == f"till-{asked.reference}"


async def test_everybody_who_is_given_one_is_on_record(desk: Desk) -> None:
    """Merchant and operator, each with the document's digest; a refusal leaves nothing."""
    till, made = printing(desk), await paid(desk)
    for key in ("acme", "operator"):
        assert (await fetch(desk, made, key)).status == 200
    till.trouble = ReceiptNotReadyError("making it")
    await fetch(desk, made)
    rows = audited(desk)
    assert [row[1] for row in rows] == [made, made]
    assert len({row[0] for row in rows}) == 2
    assert all('"sha256"' in row[2] for row in rows)


async def test_another_merchants_payout_is_not_there(desk: Desk) -> None:
    """The same answer as for none."""
    printing(desk)
    made = await paid(desk)
    for payout in (made, "po_unheard_of"):
        answer = await fetch(desk, payout, "other")
        assert (answer.status, answer.code) == (404, "payout_not_found")


async def test_only_what_is_paid_has_one(desk: Desk) -> None:
    """Neither one that waits nor one whose money came back."""
    till = printing(desk)
    waiting = await desk.pay("order-2", release_after="2026-03-20T00:00:00Z")
    till.outcomes.append(Returned("till-x", NOW, cny(12_345)))
    returned = await desk.pay("order-3")
    await desk.work(returned)
    for payout in (waiting, returned):
        answer = await fetch(desk, payout)
        assert (answer.status, answer.code) == (409, "not_paid")
    assert till.asked == []


async def test_not_every_channel_issues_them(desk: Desk) -> None:
    """One that cannot, and one that is no longer configured."""
    made = await paid(desk)
    assert (await fetch(desk, made)).code == "receipt_not_offered"
    desk.gateway.channels = {}
    answer = await fetch(desk, made)
    assert (answer.status, answer.code) == (409, "receipt_not_offered")


@pytest.mark.parametrize(
    ("trouble", "status", "code", "again"),
    [
        (ReceiptNotReadyError("PROCESS"), 503, "receipt_not_ready", "5"),
        (ChannelError("no answer: timeout"), 503, "receipt_unavailable", "5"),
        (TimeoutError(), 503, "receipt_unavailable", "5"),
        (ReceiptRefusedError("FAIL: no name"), 409, "receipt_refused", None),
    ],
)
async def test_troubles_say_whether_asking_again_helps(
    desk: Desk, trouble: Exception, status: int, code: str, again: str | None
) -> None:
    """Later, with how much later; or never."""
    till, made = printing(desk), await paid(desk)
    till.trouble = trouble
    answer = await fetch(desk, made)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers.get("Retry-After") == again
    assert answer.json["retryable"] is (again is not None)
    assert answer.json["detail_zh"]


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ('a"; x="b.pdf', "a_x_b.pdf"),
        ("../../etc/passwd", "etc_passwd"),
        ("电子回单.pdf", "pdf"),
        ("", "receipt"),
        ("a\r\nSet-Cookie: x", "a_Set-Cookie_x"),
    ],
)
async def test_what_a_channel_calls_it_becomes_a_harmless_name(
    desk: Desk, name: str, saved: str
) -> None:
    """And a type that a browser would run becomes one that it saves."""
    till, made = printing(desk), await paid(desk)
    till.made = Receipt("text/html", b"<script>", name)
    answer = await fetch(desk, made)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{saved}"'
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "Set-Cookie" not in answer.headers


async def test_the_document_says_that_it_is_a_document(desk: Desk) -> None:
    """Callers who generate clients from the description get bytes."""
    described = (await desk.get("/openapi.json", key=None)).json
    operation = described["paths"]["/v1/payouts/{payout_id}/receipt"]["get"]
    content = operation["responses"]["200"]["content"]
    assert content["application/pdf"]["schema"] == {"type": "string", "format": "binary"}
    assert {"404", "409", "503"} <= operation["responses"].keys()
