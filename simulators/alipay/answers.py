"""How an order reads in a reply: after submitting, and when asked about.

Source: response parameters of alipay.fund.trans.uni.transfer and alipay.fund.trans.common.query.
"""

from __future__ import annotations

from simulators.alipay.messages import stamp
from simulators.alipay.orders import Order, Status
from simulators.alipay.statement import yuan


def submitted(order: Order) -> dict[str, object]:
    """The reply to a submission, first or repeated."""
    said: dict[str, object] = {
        "out_biz_no": order.reference,
        "order_id": order.order_id,
        "pay_fund_order_id": order.fund_order_id,
        "status": order.status.value,
        "trans_date": stamp(order.paid_at or order.taken_at),
        "amount": yuan(order.submission.amount_minor),
    }
    if order.status is Status.FAIL:
        said["sub_status"] = order.error_code
    return said


def described(order: Order) -> dict[str, object]:
    """The reply to a query."""
    said: dict[str, object] = {
        "out_biz_no": order.reference,
        "order_id": order.order_id,
        "pay_fund_order_id": order.fund_order_id,
        "status": order.status.value,
        "trans_amount": yuan(order.submission.amount_minor),
        "order_fee": yuan(order.fee_minor),
    }
    if order.paid_at:
        said["pay_date"] = stamp(order.paid_at)
    if order.arrival_at:
        said["arrival_time_end"] = stamp(order.arrival_at)
    if order.error_code and order.status in (Status.FAIL, Status.REFUND):
        said |= {"error_code": order.error_code, "fail_reason": order.fail_reason}
    return said
