"""WeChat Pay API v3 messages, as bytes and as models; what they mean is decided elsewhere.

Fields and paths follow wire-protocols.md §2.2 (商家转账), §2.3 (the closed 商家转账到零钱), §2.4
(notices) and §2.6 (balance, fund-flow bill). Reading is strict about types and lenient about
fields we do not know: the platform may add some.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, TypeVar
from urllib.parse import quote, urlsplit

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from channels.contract import Instruction, WechatWallet
from channels.money import INT64_MAX
from channels.wechat_pay.settings import WechatPaySettings

SUBMIT = "/v3/fund-app/mch-transfer/transfer-bills"
DOWNLOAD = "/v3/billdownload/file"
NAME_FORBIDDEN_BELOW_FEN = 30
"""§2.2 user_name: not allowed below 0.30 yuan."""
NAME_REQUIRED_FROM_FEN = 200_000
"""§2.2 user_name: mandatory from 2000.00 yuan."""
AMOUNT_MIN_FEN = 10
REMARK_CHARS_MAX = 32
CONFIRM_WITHIN = timedelta(hours=24)
"""§2.2 WAIT_USER_CONFIRM: how long the payee may take."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Fen = Annotated[int, Field(ge=0, le=INT64_MAX)]
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))
]
"""RFC 3339 with offset; bounded, so that no later arithmetic can overflow."""


class Message(BaseModel):
    """Anything the platform says."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Refusal(Message):
    """Body of every answer that is not 200."""

    code: Word
    message: str = ""


class Taken(Message):
    """Answer to a submission: the payout's present state, without amount and payee."""

    out_bill_no: Word
    transfer_bill_no: Word
    create_time: Moment
    state: Word
    fail_reason: str | None = None
    package_info: str | None = None
    """Only while WAIT_USER_CONFIRM: what the confirmation page is opened with."""


class Bill(Message):
    """Answer to a query by our number."""

    mch_id: Word
    out_bill_no: Word
    transfer_bill_no: Word
    appid: Word
    state: Word
    transfer_amount: Fen
    fail_reason: str | None = None
    openid: str | None = Field(default=None, repr=False)
    create_time: Moment
    update_time: Moment
    package_info: str | None = None


class Detail(Message):
    """Answer to a query for one line of a legacy batch."""

    mchid: Word
    out_batch_no: Word
    out_detail_no: Word
    detail_id: Word
    appid: Word
    detail_status: Word
    transfer_amount: Fen
    fail_reason: str | None = None
    openid: str | None = Field(default=None, repr=False)
    update_time: Moment


class FundBalance(Message):
    """Answer to a balance query, in fen."""

    available_amount: Fen


class BillFile(Message):
    """Where a fund-flow bill can be fetched, and the digest of its uncompressed bytes."""

    hash_type: Literal["SHA1"]
    hash_value: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{40}$", to_lower=True)]
    download_url: Annotated[str, StringConstraints(min_length=1, max_length=4096)] = Field(
        repr=False
    )


class Resource(Message):
    """The encrypted part of a notice."""

    algorithm: Literal["AEAD_AES_256_GCM"]
    ciphertext: str
    nonce: str
    associated_data: str = ""


class Envelope(Message):
    """A notice as it arrives."""

    id: Word
    event_type: Word
    resource: Resource


class NoticeContent(Message):
    """What a notice is about. Only names are read: a notice never decides a payout's state."""

    mch_id: str | None = None
    mchid: str | None = None
    out_bill_no: str | None = None
    transfer_bill_no: str | None = None
    out_batch_no: str | None = None
    batch_id: str | None = None


M = TypeVar("M", bound=Message)


def read(model: type[M], body: bytes) -> M | None:
    """The message in these bytes, or None if they are not such a message."""
    try:
        return model.model_validate_json(body)
    except ValidationError:
        return None


def sends_name(amount_fen: int, name: str | None) -> bool:
    """Whether the request carries the payee's name: whenever there is one and it is allowed."""
    return name is not None and amount_fen >= NAME_FORBIDDEN_BELOW_FEN


def submission(
    settings: WechatPaySettings, instruction: Instruction, wallet: WechatWallet, name: str | None
) -> bytes:
    """The body of a submission; `name` is already encrypted."""
    fields: dict[str, object] = {
        "appid": settings.appid,
        "out_bill_no": instruction.reference,
        "transfer_scene_id": settings.transfer_scene_id,
        "openid": wallet.openid,
        "transfer_amount": instruction.amount.minor,
        "transfer_remark": instruction.purpose,
        "transfer_scene_report_infos": [
            {"info_type": info.info_type, "info_content": info.info_content}
            for info in settings.transfer_scene_report_infos
        ],
    }
    if name is not None:
        fields["user_name"] = name
    if settings.user_recv_perception is not None:
        fields["user_recv_perception"] = settings.user_recv_perception
    if instruction.notify_url is not None:
        fields["notify_url"] = instruction.notify_url
    return orjson.dumps(fields)


def query_target(reference: str) -> str:
    """Where to ask about our number; `batch/detail` asks about a line of a legacy batch."""
    batch, slash, detail = reference.partition("/")
    if slash:
        return (
            f"/v3/transfer/batches/out-batch-no/{quote(batch, safe='')}"
            f"/details/out-detail-no/{quote(detail, safe='')}"
        )
    return f"{SUBMIT}/out-bill-no/{quote(reference, safe='')}"


def cancel_target(reference: str) -> str:
    """Where to ask for a cancellation."""
    return f"{SUBMIT}/out-bill-no/{quote(reference, safe='')}/cancel"


def balance_target(account: str) -> str:
    """Where the balance of one fund account is read."""
    return f"/v3/merchant/fund/balance/{account}"


def statement_target(day: date, account: str, *, gzip: bool) -> str:
    """Where the fund-flow bill of one day is applied for."""
    packed = "&tar_type=GZIP" if gzip else ""
    return f"/v3/bill/fundflowbill?bill_date={day.isoformat()}&account_type={account}{packed}"


def download_target(download_url: str) -> str | None:
    """Path and query of a download address; None if it is not one of the bill download.

    Only these are taken over: the request goes to the configured origin, so that our Authorization
    never leaves for a host somebody else named.
    """
    parts = urlsplit(download_url)
    if parts.path != DOWNLOAD or not parts.query.isprintable() or " " in parts.query:
        return None
    return f"{parts.path}?{parts.query}"


def confirm_until(created_at: datetime) -> datetime:
    """When an unconfirmed payout is closed, at the earliest."""
    return created_at + CONFIRM_WITHIN
