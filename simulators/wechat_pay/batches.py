"""Legacy batches (商家转账到零钱) of old accounts: readable, never to be made again.

Source: 商家批次单号查询批次单, 微信批次单号查询批次单, 商家明细单号查询明细单. The batches stand in
the account's settings and moved their money before the simulation began, so they never touch the
books.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from simulators.wechat_pay.desk import Call, Desk
from simulators.wechat_pay.errors import RefusedError, refused
from simulators.wechat_pay.replies import Said, wire_time
from simulators.wechat_pay.settings import Account, SeededBatch, SeededDetail

MAX_OFFSET = 10_000


def query_by_out_batch_no(_: Desk, call: Call) -> Said:
    """GET /v3/transfer/batches/out-batch-no/{out_batch_no}?need_query_detail=…"""
    return _batch(call, _by_out_batch_no(call.account, call.number))


def query_by_batch_id(_: Desk, call: Call) -> Said:
    """GET /v3/transfer/batches/batch-id/{batch_id}?need_query_detail=…"""
    return _batch(call, _by_batch_id(call.account, call.number))


def detail_by_out_detail_no(_: Desk, call: Call) -> Said:
    """GET
    /v3/transfer/batches/out-batch-no/{out_batch_no}/details/out-detail-no/{out_detail_no}."""
    batch_no, detail_no = _two_numbers(call)
    batch = _by_out_batch_no(call.account, batch_no)
    for detail in batch.details:
        if detail.out_detail_no == detail_no:
            return _detail(call, batch, detail)
    raise refused("NOT_FOUND")


def detail_by_detail_id(_: Desk, call: Call) -> Said:
    """GET /v3/transfer/batches/batch-id/{batch_id}/details/detail-id/{detail_id}."""
    batch_id, detail_id = _two_numbers(call)
    batch = _by_batch_id(call.account, batch_id)
    for detail in batch.details:
        if _detail_id(call.account, batch, detail) == detail_id:
            return _detail(call, batch, detail)
    raise refused("NOT_FOUND")


def batch_id_of(account: Account, batch: SeededBatch) -> str:
    """The platform's number of a seeded batch: the merchant, then the batch's place in the
    settings."""
    return f"1030{account.mchid[-12:]:0>12}{account.batches.index(batch):016d}"


def _detail_id(account: Account, batch: SeededBatch, detail: SeededDetail) -> str:
    return f"1040{batch_id_of(account, batch)[4:]}{batch.details.index(detail):08d}"


def _two_numbers(call: Call) -> tuple[str, str]:
    # The route matched batch/details/kind/detail, so there are four parts.
    batch_number, _, _, detail_number = call.number.split("/")
    return batch_number, detail_number


def _by_out_batch_no(account: Account, number: str) -> SeededBatch:
    for batch in account.batches:
        if batch.out_batch_no == number:
            return batch
    raise refused("NOT_FOUND")


def _by_batch_id(account: Account, number: str) -> SeededBatch:
    for batch in account.batches:
        if batch_id_of(account, batch) == number:
            return batch
    raise refused("NOT_FOUND")


def _batch(call: Call, batch: SeededBatch) -> Said:
    asked = dict(parse_qsl(call.request.query, keep_blank_values=True))
    account = call.account
    head: Said = {
        "mchid": account.mchid,
        "out_batch_no": batch.out_batch_no,
        "batch_id": batch_id_of(account, batch),
        "appid": account.appid,
        "batch_status": batch.batch_status,
        "batch_type": "API",
        "batch_name": batch.batch_name,
        "batch_remark": batch.batch_remark,
        "total_amount": sum(detail.transfer_amount for detail in batch.details),
        "total_num": len(batch.details),
        "create_time": wire_time(batch.created_at),
        "update_time": wire_time(batch.created_at),
    }
    if batch.close_reason is not None:
        head["close_reason"] = batch.close_reason
    for name, status in (("success", "SUCCESS"), ("fail", "FAIL")):
        ended = [detail for detail in batch.details if detail.detail_status == status]
        head[f"{name}_amount"] = sum(detail.transfer_amount for detail in ended)
        head[f"{name}_num"] = len(ended)
    if asked.get("need_query_detail", "false") != "true":
        return {"transfer_batch": head}
    offset = _whole(asked, "offset", 0, 0, MAX_OFFSET)
    limit = _whole(asked, "limit", 20, 20, 100)
    wanted = asked.get("detail_status", "ALL")
    if wanted not in {"ALL", "SUCCESS", "FAIL"}:
        raise RefusedError(400, "PARAM_ERROR", "detail_status须为ALL、SUCCESS或FAIL")
    chosen = [detail for detail in batch.details if wanted in {"ALL", detail.detail_status}]
    rows = [
        {
            "detail_id": _detail_id(account, batch, detail),
            "out_detail_no": detail.out_detail_no,
            "detail_status": detail.detail_status,
        }
        for detail in chosen[offset : offset + limit]
    ]
    return {
        "transfer_batch": head,
        "transfer_detail_list": rows,
        "offset": offset,
        "limit": limit,
    }


def _detail(call: Call, batch: SeededBatch, detail: SeededDetail) -> Said:
    account = call.account
    said: Said = {
        "mchid": account.mchid,
        "appid": account.appid,
        "out_batch_no": batch.out_batch_no,
        "batch_id": batch_id_of(account, batch),
        "out_detail_no": detail.out_detail_no,
        "detail_id": _detail_id(account, batch, detail),
        "detail_status": detail.detail_status,
        "transfer_amount": detail.transfer_amount,
        "transfer_remark": detail.transfer_remark,
        "openid": detail.openid,
        "initiate_time": wire_time(batch.created_at),
        "update_time": wire_time(batch.created_at),
    }
    if detail.fail_reason is not None:
        said["fail_reason"] = detail.fail_reason
    return said


def _whole(asked: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    text = asked.get(name, str(default))
    value = int(text) if text.isascii() and text.isdigit() else -1
    if not low <= value <= high:
        raise RefusedError(400, "PARAM_ERROR", f"{name}须在{low}到{high}之间")
    return value
