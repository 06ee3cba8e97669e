"""Jeepay's messages, as bytes and as models; what they mean is decided elsewhere.

Fields and paths follow dialects.md §1. Reading is strict about what is compared and counted, and
lenient about fields we do not know: resellers add some.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from channels.contract import AlipayAccount, BankCard, Instruction, Instrument, WechatWallet
from channels.jeepay.settings import JeepaySettings, Scene
from channels.jeepay.signing import signed
from channels.keyed_md5.fields import Fen, State, Word, whole

SUBMIT: Final = "/api/transferOrder"
QUERY: Final = "/api/transfer/query"
CURRENCY = "cny"
PURPOSE_CHARS_MAX = 100
WECHAT_PURPOSE_CHARS_MAX = 32
"""wire-protocols.md §2.2, transfer_remark: the rail's own bound."""
NAME_CHARS_MAX = 64

_MILLIS_MAX = 4_102_444_800_000
"""The year 2100: later is no moment of ours, and no later arithmetic can overflow."""


Millis = Annotated[int, BeforeValidator(whole), Field(gt=0, lt=_MILLIS_MAX)]


class Order(BaseModel):
    """An order as a query or a notice shows it; a submission's answer ends with `errMsg`."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    transferId: Word  # noqa: N815 - their name
    mchOrderNo: Word  # noqa: N815 - their name
    amount: Fen
    accountNo: str = Field(repr=False)  # noqa: N815 - their name
    state: State
    channelResData: str | None = Field(default=None, repr=False)  # noqa: N815 - their name
    errCode: str | None = None  # noqa: N815 - their name
    errMsg: str | None = None  # noqa: N815 - their name
    mchNo: str | None = None  # noqa: N815 - their name
    appId: str | None = None  # noqa: N815 - their name
    ifCode: str | None = None  # noqa: N815 - their name
    entryType: str | None = None  # noqa: N815 - their name
    currency: str | None = None
    successTime: Millis | None = None  # noqa: N815 - their name
    createdAt: Millis | None = None  # noqa: N815 - their name


class Confirmation(BaseModel):
    """What `channelResData` holds for the payee of a WeChat payout."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    package: str | None = None
    """What WeChat's confirmation page is opened with, by the gateway's merchant and application."""
    appId: str | None = None  # noqa: N815 - their name
    mchId: str | None = None  # noqa: N815 - their name
    userH5ConfirmUrl: str | None = None  # noqa: N815 - their name
    """The gateway's own page, which does that for whoever opens it."""


def order(fields: Mapping[str, Any]) -> Order | None:
    """The order in proven fields, or None if they do not hold one."""
    try:
        return Order.model_validate(fields)
    except ValidationError:
        return None


def confirmation(text: str | None) -> Confirmation | None:
    """What the payee has to do, or None: other channels put their own answer there."""
    try:
        return Confirmation.model_validate_json(text or "")
    except ValidationError:
        return None


def submission(settings: JeepaySettings, instruction: Instruction, now: datetime) -> bytes:
    """The body of a submission; `check` has found nothing to object to."""
    instrument = instruction.instrument
    way = settings.rails[instrument.rail]
    fields: dict[str, str | int] = {
        "mchNo": settings.mch_no,
        "appId": settings.app_id,
        "mchOrderNo": instruction.reference,
        "ifCode": way.if_code,
        "entryType": way.entry_type,
        "amount": instruction.amount.minor,
        "currency": CURRENCY,
        "accountNo": account_of(instrument),
        "transferDesc": instruction.purpose,
        **_sealed(now),
    }
    if name := name_of(instrument):
        fields["accountName"] = name
    if isinstance(instrument, BankCard) and instrument.bank_name:
        fields["bankName"] = instrument.bank_name
    if instruction.notify_url is not None:
        fields["notifyUrl"] = instruction.notify_url
    if isinstance(instrument, WechatWallet) and settings.wechat_scene is not None:
        fields["channelExtra"] = _scene(settings.wechat_scene)
    return orjson.dumps(signed(fields, settings.secrets))


def query(settings: JeepaySettings, reference: str, now: datetime) -> bytes:
    """The body of a question about our number."""
    fields: dict[str, str | int] = {
        "mchNo": settings.mch_no,
        "appId": settings.app_id,
        "mchOrderNo": reference,
        **_sealed(now),
    }
    return orjson.dumps(signed(fields, settings.secrets))


def account_of(instrument: Instrument) -> str:
    """What the payee is found by; empty for an instrument that Jeepay does not reach."""
    match instrument:
        case AlipayAccount(identity):
            return identity
        case WechatWallet(openid):
            return openid
        case BankCard(number):
            return number
        case _:
            return ""


def name_of(instrument: Instrument) -> str | None:
    """The payee's name, if it is given."""
    return instrument.name


def moment(millis: int) -> datetime:
    """Aware UTC."""
    return datetime.fromtimestamp(millis // 1000, UTC).replace(microsecond=millis % 1000 * 1000)


def _sealed(now: datetime) -> dict[str, str | int]:
    """The fields that every request ends with; `reqTime` in milliseconds."""
    millis = int(now.timestamp()) * 1000 + now.microsecond // 1000
    return {"version": "1.0", "signType": "MD5", "reqTime": str(millis)}


def _scene(scene: Scene) -> str:
    """§1, channelExtra of WeChat's product of 2025; its list names its fields as Java does."""
    return orjson.dumps(
        {
            "transferSceneId": scene.transfer_scene_id,
            "transferSceneReportInfos": [
                {"infoType": info.info_type, "infoContent": info.info_content}
                for info in scene.transfer_scene_report_infos
            ],
        }
    ).decode()
