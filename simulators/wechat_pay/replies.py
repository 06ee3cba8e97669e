"""How bills, receipts and batches look on the wire. Pure; signing and lying are done elsewhere.

Source: the reply tables of 发起转账, 查询转账单, 撤销转账, 申请电子回单. Optional fields are
absent, never null.
"""

from __future__ import annotations

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import rsa

from simulators.clock import BEIJING
from simulators.wechat_pay import signing
from simulators.wechat_pay.bill import Bill, State
from simulators.wechat_pay.settings import Account

Said = dict[str, object]


def wire_time(at: datetime) -> str:
    """RFC 3339 in Beijing time with whole seconds, e.g. 2026-05-20T13:29:35+08:00."""
    return at.astimezone(BEIJING).replace(microsecond=0).isoformat()


def submitted(bill: Bill) -> Said:
    """The reply to a submission; package_info only while the payee has to confirm."""
    said: Said = {
        "out_bill_no": bill.submission.out_bill_no,
        "transfer_bill_no": bill.transfer_bill_no,
        "create_time": wire_time(bill.created_at),
        "state": bill.state.value,
    }
    if bill.fail_reason is not None:
        said["fail_reason"] = bill.fail_reason
    if bill.state is State.WAIT_USER_CONFIRM and bill.package_info is not None:
        said["package_info"] = bill.package_info
    return said


def queried(bill: Bill, account: Account, reader: rsa.RSAPublicKey) -> Said:
    """The reply to a query; the name, if one was given, is sealed for the merchant (`reader`)."""
    said: Said = {
        "mch_id": account.mchid,
        "out_bill_no": bill.submission.out_bill_no,
        "transfer_bill_no": bill.transfer_bill_no,
        "appid": bill.submission.appid,
        "state": bill.state.value,
        "transfer_amount": bill.submission.amount_fen,
        "transfer_remark": bill.submission.transfer_remark,
        "openid": bill.submission.openid,
        "create_time": wire_time(bill.created_at),
        "update_time": wire_time(bill.updated_at or bill.created_at),
    }
    if bill.fail_reason is not None:
        said["fail_reason"] = bill.fail_reason
    if bill.submission.user_name is not None:
        said["user_name"] = signing.seal_for(reader, bill.submission.user_name)
    return said


def cancelled(bill: Bill) -> Said:
    """The reply to a cancellation: CANCELING, or CANCELLED once the money is released."""
    return {
        "out_bill_no": bill.submission.out_bill_no,
        "transfer_bill_no": bill.transfer_bill_no,
        "state": bill.state.value,
        "update_time": wire_time(bill.updated_at or bill.created_at),
    }
