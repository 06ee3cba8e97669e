"""Electronic receipts of transfers (电子回单): what is asked, and what the answers mean. Pure.

wire-protocols.md §2.2, /elecsign/out-bill-no: applied for once, made within seconds, then an
address for ten minutes and the file's digest. Only paid transfers that named the payee have one,
for six months. A query that finds no application says NOT_FOUND; what a second application says is
not published, so one is made only after such a query.
"""

import hashlib
from typing import Annotated, Literal
from urllib.parse import quote

import orjson
from pydantic import Field, StringConstraints

from channels.contract import (
    ChannelError,
    Receipt,
    ReceiptNotReadyError,
    ReceiptRefusedError,
    ThrottledError,
)
from channels.transport import Reply
from channels.wechat_pay import codes
from channels.wechat_pay.answers import refusal_of
from channels.wechat_pay.wire import Message, Refusal, Word, read

APPLY = "/v3/fund-app/mch-transfer/elecsign/out-bill-no"
BYTES_MAX = 16 << 20


class Application(Message):
    """How far a receipt has come; the last three once it is FINISHED."""

    state: Word
    fail_reason: str | None = None
    hash_type: Literal["SHA256"] | None = None
    hash_value: (
        Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$", to_lower=True)] | None
    ) = None
    download_url: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = Field(
        default=None, repr=False
    )


def target(reference: str) -> str:
    """Where to ask how far it has come. `ReceiptRefusedError` for the closed batch product."""
    if "/" in reference:
        raise ReceiptRefusedError("a payout of the batch product has another kind of receipt")
    return f"{APPLY}/{quote(reference, safe='')}"


def application(reference: str) -> bytes:
    """The body of an application."""
    return orjson.dumps({"out_bill_no": reference})


def is_unknown(reply: Reply) -> bool:
    """Whether nobody has applied for it yet, or so long ago that it is gone."""
    return (reply.status, refusal_of(reply)) == codes.NOT_FOUND


def check_applied(reply: Reply) -> None:
    """Raise unless a verified answer says that the application was taken."""
    if reply.status == 200 and read(Application, reply.body) is not None:
        return
    code = refusal_of(reply)
    if reply.status == codes.TOO_MANY:
        raise ThrottledError(f"the application was refused: {code}")
    if (reply.status, code) == (400, "INVALID_REQUEST"):
        # Also said of an address that is not on their list of ours: the words are kept for people.
        refusal = read(Refusal, reply.body)
        raise ReceiptRefusedError(f"{code} {'' if refusal is None else refusal.message[:100]}")
    raise ChannelError(f"the application was refused: {code}")


def finished(reply: Reply) -> tuple[str, str]:
    """Address and digest of the file; `ReceiptNotReadyError` while it is made."""
    if reply.status != 200:
        raise ChannelError(f"the receipt was refused: {refusal_of(reply)}")
    found = read(Application, reply.body)
    if found is None:
        raise ChannelError("the answer about the receipt is not readable")
    match found.state:
        case "GENERATING":
            raise ReceiptNotReadyError("the receipt is being made")
        case "FINISHED" if found.download_url and found.hash_value and found.hash_type:
            return found.download_url, found.hash_value
        case "FAILED":
            raise ReceiptRefusedError(f"it could not be made: {found.fail_reason or 'FAILED'}")
        case state:
            raise ChannelError(f"the receipt's state says nothing: {state}")


def document(body: bytes, digest: str, reference: str) -> Receipt:
    """The file as it came; its reply is unsigned, so the signed digest is what proves it."""
    if hashlib.sha256(body).hexdigest() != digest:
        raise ChannelError("the receipt does not match its digest")
    if body.startswith(b"%PDF-"):
        return Receipt("application/pdf", body, f"wechat-{reference}.pdf")
    return Receipt("application/octet-stream", body, f"wechat-{reference}.bin")
