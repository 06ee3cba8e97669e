"""A Jeepay merchant at a running gateway: real processes, a real institution's wire, one notice."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl
from uuid import uuid4

import httpx

from tests.gateway.cli.served import Served
from tests.gateway.dialects.jeepay_callers import SdkMerchant


@dataclass(slots=True)
class Ears:
    """The merchant's own server."""

    url: str = ""
    heard: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Ears]:
    """On a loopback port, answering the word."""
    ears = Ears()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            ears.heard.append(dict(parse_qsl(body)))
            self.send_response(200)
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"success")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ears.url = f"http://127.0.0.1:{server.server_port}/jeepay/notify"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ears
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds, or fail."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_merchant_of_jeepay_changes_a_base_url_and_keys(served: Served) -> None:
    """It pays, asks, is told, and is told again when an operator wants that."""
    mine = f"M{uuid4().hex[:8]}:app1"
    made = served.ask(
        "merchant", "dialect", "add", "acme", "--dialect", "jeepay", "--public-id", mine
    )
    mch_no, app_id = mine.split(":")
    base = f"{served.url.rstrip('/')}{made['path']}"
    key = made["secrets"]["app_secret"]
    sdk = SdkMerchant(cast("Any", None), base, mch_no, app_id, key, time.time)

    def ask(path: str, fields: dict[str, Any]) -> Any:
        said = httpx.post(base + path, json=sdk.signed(fields), timeout=10).json()
        assert said["code"] == 0, said
        assert said["sign"] == sdk.get_sign(said["data"])
        return said["data"]

    with listening() as ears:
        order = {
            "mchOrderNo": "E-1",
            "ifCode": "alipay",
            "entryType": "ALIPAY_CASH",
            "amount": 1234,
            "currency": "cny",
            "accountNo": "shop@example.test",
            "accountName": "王小明",
            "transferDesc": "佣金",
            "notifyUrl": ears.url,
        }
        transfer_id = ask("api/transferOrder", order)["transferId"]
        wait_for(lambda: bool(ears.heard))
        (told,) = ears.heard
        assert told.pop("sign") == sdk.get_sign(told)
        assert (told["mchOrderNo"], told["state"]) == ("E-1", "2")
        assert ask("api/transfer/query", {"transferId": transfer_id})["state"] == 2

        (listed,) = served.ask("merchant", "dialect", "notices", made["id"])["data"]
        assert (listed["number"], listed["standing"]) == ("E-1", "paid")
        again = served.run("merchant", "dialect", "renotify", made["id"], transfer_id)
        assert "E-1 is told again: paid" in again.stdout
        wait_for(lambda: len(ears.heard) == 2)
    text = served.run("merchant", "dialect", "notices", made["id"], "E-1").stdout
    assert "paid" in text
    assert served.run("merchant", "dialect", "renotify", made["id"], "E-9").exit_code == 1
    assert key not in served.run("merchant", "dialect", "show", made["id"]).stdout
