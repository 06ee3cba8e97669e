"""One session of the official alipay-sdk-python, in a process of its own; JSON in, JSON out.

The SDK is unmodified and verifies signatures. It always connects to port 80 of the address, which
takes rights a test must not need; so this process alone, like a packet filter in front of it, sends
connections for port 80 to the port given on standard input, whatever the host is called.
"""

from __future__ import annotations

import json
import socket
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.domain.AlipayDataDataserviceBillDownloadurlQueryModel import (
    AlipayDataDataserviceBillDownloadurlQueryModel,
)
from alipay.aop.api.domain.AlipayFundAccountQueryModel import AlipayFundAccountQueryModel
from alipay.aop.api.domain.AlipayFundTransCommonQueryModel import AlipayFundTransCommonQueryModel
from alipay.aop.api.domain.AlipayFundTransUniTransferModel import AlipayFundTransUniTransferModel
from alipay.aop.api.request.AlipayDataDataserviceBillDownloadurlQueryRequest import (
    AlipayDataDataserviceBillDownloadurlQueryRequest,
)
from alipay.aop.api.request.AlipayFundAccountQueryRequest import AlipayFundAccountQueryRequest
from alipay.aop.api.request.AlipayFundTransCommonQueryRequest import (
    AlipayFundTransCommonQueryRequest,
)
from alipay.aop.api.request.AlipayFundTransUniTransferRequest import (
    AlipayFundTransUniTransferRequest,
)
from alipay.aop.api.response.AlipayDataDataserviceBillDownloadurlQueryResponse import (
    AlipayDataDataserviceBillDownloadurlQueryResponse,
)
from alipay.aop.api.response.AlipayFundAccountQueryResponse import AlipayFundAccountQueryResponse
from alipay.aop.api.response.AlipayFundTransCommonQueryResponse import (
    AlipayFundTransCommonQueryResponse,
)
from alipay.aop.api.response.AlipayFundTransUniTransferResponse import (
    AlipayFundTransUniTransferResponse,
)

CALLS = {
    "transfer": (
        AlipayFundTransUniTransferModel,
        AlipayFundTransUniTransferRequest,
        AlipayFundTransUniTransferResponse,
    ),
    "query": (
        AlipayFundTransCommonQueryModel,
        AlipayFundTransCommonQueryRequest,
        AlipayFundTransCommonQueryResponse,
    ),
    "balance": (
        AlipayFundAccountQueryModel,
        AlipayFundAccountQueryRequest,
        AlipayFundAccountQueryResponse,
    ),
    "bill": (
        AlipayDataDataserviceBillDownloadurlQueryModel,
        AlipayDataDataserviceBillDownloadurlQueryRequest,
        AlipayDataDataserviceBillDownloadurlQueryResponse,
    ),
}


def main() -> None:
    """Carry out every call of the order on standard input."""
    order = json.load(sys.stdin)
    _redirect_port_80(order["port"])
    config = AlipayClientConfig()
    config.server_url = order.get("server_url", "http://127.0.0.1/gateway.do")
    config.app_id = order["app_id"]
    config.app_private_key = order["private_key"]
    config.alipay_public_key = order["platform_public_key"]
    client = DefaultAlipayClient(config)
    json.dump([_call(client, *call) for call in order["calls"]], sys.stdout)


def _call(client: DefaultAlipayClient, name: str, biz: Mapping[str, Any]) -> dict[str, Any]:
    """What the SDK's own response object says; a bill is fetched as well."""
    model_class, request_class, response_class = CALLS[name]
    model = model_class.from_alipay_dict(dict(biz))
    try:
        content = client.execute(request_class(biz_model=model))
    except Exception as problem:  # noqa: BLE001 - the SDK raises bare classes of its own
        return {"raised": f"{type(problem).__name__}: {problem}"}
    response = response_class()
    response.parse_response_content(content)
    said = {
        key.lstrip("_"): value for key, value in vars(response).items() if isinstance(value, str)
    }
    said["is_success"] = response.is_success()
    if name == "bill" and response.bill_download_url:
        with urllib.request.urlopen(response.bill_download_url, timeout=5) as reply:  # noqa: S310 - loopback
            said["file"] = b64encode(reply.read()).decode()
    return said


def _redirect_port_80(port: int) -> None:
    connect = socket.create_connection

    def redirected(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        host, wanted = address
        there = ("127.0.0.1", port) if wanted == 80 else (host, wanted)
        return connect(there, *args, **kwargs)

    socket.create_connection = redirected  # type: ignore[assignment]  # same call, narrower types


if __name__ == "__main__":
    main()
