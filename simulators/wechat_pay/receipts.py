"""Electronic receipts of paid transfers (电子回单): ask, wait, download a PDF.

Source: 申请电子回单, 查询电子回单 by either number. GENERATING turns FINISHED a few seconds after
it was asked for; the address then lives ten minutes.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from simulators.wechat_pay.bill import Bill, State
from simulators.wechat_pay.bill_api import offer
from simulators.wechat_pay.desk import Call, Desk
from simulators.wechat_pay.errors import bad_field, refused
from simulators.wechat_pay.replies import Said, wire_time
from simulators.wechat_pay.statement import yuan
from simulators.wechat_pay.submission import parse_object

MAKING = timedelta(seconds=2)
ADDRESS_LIFE = timedelta(minutes=10)


def ask_by_out_bill_no(desk: Desk, call: Call) -> Said:
    """POST /elecsign/out-bill-no with {"out_bill_no": …}."""
    number = _number(call, "out_bill_no")
    return _asked(desk.transfers.by_out_bill_no(call.account.account, number), call.now)


def ask_by_transfer_bill_no(desk: Desk, call: Call) -> Said:
    """POST /elecsign/transfer-bill-no with {"transfer_bill_no": …}."""
    number = _number(call, "transfer_bill_no")
    return _asked(desk.transfers.by_transfer_bill_no(call.account.account, number), call.now)


def query_by_out_bill_no(desk: Desk, call: Call) -> Said:
    """GET /elecsign/out-bill-no/{out_bill_no}."""
    return _queried(desk, call, desk.transfers.by_out_bill_no(call.account.account, call.number))


def query_by_transfer_bill_no(desk: Desk, call: Call) -> Said:
    """GET /elecsign/transfer-bill-no/{transfer_bill_no}."""
    bill = desk.transfers.by_transfer_bill_no(call.account.account, call.number)
    return _queried(desk, call, bill)


def _number(call: Call, name: str) -> str:
    number = parse_object(call.request.body).get(name)
    if not isinstance(number, str) or not number:
        raise bad_field(name, "必填，且须为字符串")
    return number


def _asked(bill: Bill | None, now: datetime) -> Said:
    if bill is None:
        raise refused("NOT_FOUND")
    if bill.state is not State.SUCCESS:
        raise refused("INVALID_REQUEST/receipt")
    bill.receipt_at = bill.receipt_at or now
    return {"state": "GENERATING", "create_time": wire_time(bill.receipt_at)}


def _queried(desk: Desk, call: Call, bill: Bill | None) -> Said:
    if bill is None or bill.receipt_at is None:
        raise refused("NOT_FOUND")
    ready_at = bill.receipt_at + MAKING
    said: Said = {"state": "GENERATING", "create_time": wire_time(bill.receipt_at)}
    if call.now < ready_at:
        return said | {"update_time": wire_time(bill.receipt_at)}
    content = pdf(bill)
    return said | {
        "state": "FINISHED",
        "update_time": wire_time(ready_at),
        "hash_type": "SHA256",
        "hash_value": hashlib.sha256(content).hexdigest(),
        "download_url": offer(desk, call, content, ADDRESS_LIFE),
    }


def pdf(bill: Bill) -> bytes:
    """A one-page PDF naming the transfer; the same bill gives the same bytes."""
    text = f"Transfer {bill.transfer_bill_no}  CNY {yuan(bill.submission.amount_fen)}"
    drawing = f"BT /F1 11 Tf 40 780 Td ({text}) Tj ET".encode()
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawing), drawing),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    out = bytearray(b"%PDF-1.4\n")
    offsets: list[int] = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table_at = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n" % (len(objects) + 1)
    return bytes(out + b"%d\n%%%%EOF\n" % table_at)
