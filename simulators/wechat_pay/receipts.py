"""Electronic receipts of paid transfers (电子回单): ask, wait, download a PDF.

Source: 商户单号申请电子回单, 微信单号申请电子回单 and the two queries. GENERATING turns
FINISHED a few seconds after it was asked for; the address then lives ten minutes.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from simulators import pdf
from simulators.wechat_pay.bill import Bill, State
from simulators.wechat_pay.bill_api import offer
from simulators.wechat_pay.desk import Call, Desk
from simulators.wechat_pay.errors import bad_field, refused
from simulators.wechat_pay.replies import Said, wire_time
from simulators.wechat_pay.statement import yuan
from simulators.wechat_pay.submission import parse_object

MAKING = timedelta(seconds=2)
ADDRESS_LIFE = timedelta(minutes=10)
KEPT = timedelta(days=90)
"""Then it must be applied for again."""
ISSUED_FOR = timedelta(days=183)
"""Only transfers of the last six months have one, and only those that named the payee."""


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
    too_old = now > bill.created_at + ISSUED_FOR
    if bill.state is not State.SUCCESS or bill.submission.user_name is None or too_old:
        raise refused("INVALID_REQUEST/receipt")
    if not _is_kept(bill, now):
        bill.receipt_at = now
    return {"state": "GENERATING", "create_time": wire_time(bill.receipt_at or now)}


def _is_kept(bill: Bill, now: datetime) -> bool:
    return bill.receipt_at is not None and now < bill.receipt_at + KEPT


def _queried(desk: Desk, call: Call, bill: Bill | None) -> Said:
    if bill is None or bill.receipt_at is None or not _is_kept(bill, call.now):
        raise refused("NOT_FOUND")
    ready_at = bill.receipt_at + MAKING
    said: Said = {"state": "GENERATING", "create_time": wire_time(bill.receipt_at)}
    if call.now < ready_at:
        return said | {"update_time": wire_time(bill.receipt_at)}
    content = document(bill)
    return said | {
        "state": "FINISHED",
        "update_time": wire_time(ready_at),
        "hash_type": "SHA256",
        "hash_value": hashlib.sha256(content).hexdigest(),
        "download_url": offer(desk, call, content, ADDRESS_LIFE),
    }


def document(bill: Bill) -> bytes:
    """A page naming the transfer; the same bill gives the same bytes."""
    amount = yuan(bill.submission.amount_fen)
    return pdf.page(f"Transfer {bill.transfer_bill_no}  CNY {amount}")
