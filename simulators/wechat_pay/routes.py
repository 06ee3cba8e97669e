"""The calls of the platform that this simulator answers, and how a request finds its own.

Source of the paths: 商家转账 (新版), 账单, 平台证书 and the legacy 商家转账到零钱 of API v3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from simulators.kernel import Request
from simulators.wechat_pay import batches, bill_api, certificates, receipts, transfer_api
from simulators.wechat_pay.desk import Endpoint

_TRANSFERS = "/v3/fund-app/mch-transfer/transfer-bills"
_RECEIPTS = "/v3/fund-app/mch-transfer/elecsign"
_BATCHES = "/v3/transfer/batches"
_NO = "([^/]+)"


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the platform: `op` is its name for fault rules and journal."""

    method: str
    path: re.Pattern[str]
    op: str
    endpoint: Endpoint


def _route(method: str, path: str, op: str, endpoint: Endpoint) -> Route:
    return Route(method, re.compile(path), op, endpoint)


# Order matters only where a pattern with slashes could swallow a longer path.
ROUTES: tuple[Route, ...] = (
    _route("POST", _TRANSFERS, "submit", transfer_api.submit),
    _route(
        "GET",
        f"{_TRANSFERS}/out-bill-no/{_NO}",
        "inquire",
        transfer_api.query_by_out_bill_no,
    ),
    _route(
        "GET",
        f"{_TRANSFERS}/transfer-bill-no/{_NO}",
        "inquire",
        transfer_api.query_by_transfer_bill_no,
    ),
    _route("POST", f"{_TRANSFERS}/out-bill-no/{_NO}/cancel", "cancel", transfer_api.cancel),
    _route("POST", f"{_RECEIPTS}/out-bill-no", "receipt", receipts.ask_by_out_bill_no),
    _route("POST", f"{_RECEIPTS}/transfer-bill-no", "receipt", receipts.ask_by_transfer_bill_no),
    _route("GET", f"{_RECEIPTS}/out-bill-no/{_NO}", "receipt", receipts.query_by_out_bill_no),
    _route(
        "GET",
        f"{_RECEIPTS}/transfer-bill-no/{_NO}",
        "receipt",
        receipts.query_by_transfer_bill_no,
    ),
    _route("GET", f"/v3/merchant/fund/balance/{_NO}", "balance", bill_api.balance),
    _route("GET", "/v3/bill/fundflowbill", "statement", bill_api.fund_flow),
    _route("GET", "/v3/billdownload/file", "download", bill_api.download),
    _route("GET", "/v3/certificates", "certificates", certificates.listed),
    _route(
        "GET",
        f"{_BATCHES}/out-batch-no/([^/]+/details/out-detail-no/[^/]+)",
        "batch",
        batches.detail_by_out_detail_no,
    ),
    _route(
        "GET",
        f"{_BATCHES}/batch-id/([^/]+/details/detail-id/[^/]+)",
        "batch",
        batches.detail_by_detail_id,
    ),
    _route("GET", f"{_BATCHES}/out-batch-no/{_NO}", "batch", batches.query_by_out_batch_no),
    _route("GET", f"{_BATCHES}/batch-id/{_NO}", "batch", batches.query_by_batch_id),
)


def find(request: Request) -> tuple[Route | None, str]:
    """The route of a request and the variable part of its path; None for an unknown call."""
    for route in ROUTES:
        match = route.path.fullmatch(request.path)
        if match is not None and route.method == request.method:
            return route, match[1] if match.re.groups else ""
    return None, ""
