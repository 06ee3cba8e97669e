"""Electronic receipts of transfers (电子回单): what is asked, and what the answers mean. Pure.

wire-protocols.md §1.6: alipay.data.bill.ereceipt.apply with type FUND_DETAIL (转入转出收支证明),
whose key is the transfer's pay_fund_order_id, gives a file_id that is good for two days;
…ereceipt.query tells when the file is made and where it is for 30 seconds. Not published, so read
carefully: which refusals are final (none is taken for final: asking again makes a new application)
and whether every file is a PDF (what is neither PDF nor ZIP is not handed on).
"""

from collections.abc import Mapping

from channels.alipay import codes
from channels.alipay.envelope import Node
from channels.alipay.wire import read_inquiry
from channels.contract import (
    ChannelError,
    Evidence,
    Inquiry,
    Paid,
    Receipt,
    ReceiptNotReadyError,
    ReceiptRefusedError,
    Returned,
)

APPLY = "alipay.data.bill.ereceipt.apply"
QUERY = "alipay.data.bill.ereceipt.query"
TYPE = "FUND_DETAIL"
BYTES_MAX = 16 << 20
KNOWN_MAX = 1000
"""So many applications are remembered; a forgotten one is made anew."""

_MAKING = frozenset({"INIT", "PROCESS"})
_KINDS = ((b"%PDF-", "application/pdf", "pdf"), (b"PK\x03\x04", "application/zip", "zip"))


class FileIds:
    """Which application was made for which reference; the oldest are forgotten."""

    def __init__(self) -> None:
        """None was made."""
        self._ids: dict[str, str] = {}

    def get(self, reference: str) -> str | None:
        """Of this reference."""
        return self._ids.get(reference)

    def keep(self, reference: str, file_id: str) -> None:
        """It was made."""
        self._ids[reference] = file_id
        while len(self._ids) > KNOWN_MAX:
            del self._ids[next(iter(self._ids))]

    def forget(self, reference: str) -> None:
        """It is of no use any more."""
        self._ids.pop(reference, None)


def fund_order(node: Node, asked: Inquiry) -> str:
    """The number of the paid transfer's movement, from a verified answer to a query by ours."""
    outcome = read_inquiry(node, asked, Evidence())
    if isinstance(outcome, Returned):
        raise ReceiptRefusedError("the money came back")
    if not isinstance(outcome, Paid):
        raise ChannelError(f"the institution does not call it paid: {type(outcome).__name__}")
    number = node.get("pay_fund_order_id")
    if number is None:
        raise ChannelError("the answer names no fund order")
    return number


def application(fund_order_id: str) -> Mapping[str, object]:
    """Ask for the receipt of one movement of ours."""
    return {"type": TYPE, "key": fund_order_id}


def read_application(node: Node) -> str:
    """The file_id."""
    file_id = node.get("file_id")
    if node.code != codes.OK or file_id is None:
        raise ChannelError(f"the application was refused: {_said(node)}")
    return file_id


def read_query(node: Node) -> str:
    """Where the file is; `ReceiptNotReadyError` while it is made."""
    status = node.get("status") or ""
    if node.code == codes.OK and status in _MAKING:
        raise ReceiptNotReadyError(f"the receipt is being made: {status}")
    url = node.get("download_url")
    if node.code != codes.OK or status != "SUCCESS":
        raise ChannelError(f"no receipt: {node.get('error_message') or status or _said(node)}")
    if url is None or not url.startswith(("https://", "http://")):
        raise ChannelError("no address to fetch the receipt from")
    return url


def document(body: bytes, reference: str) -> Receipt:
    """The file as it came; a page of text in its place is no receipt."""
    for begins, content_type, ending in _KINDS:
        if body.startswith(begins):
            return Receipt(content_type, body, f"alipay-{reference}.{ending}")
    raise ChannelError("what came in place of the receipt is no document")


def _said(node: Node) -> str:
    return node.sub_code or node.code
