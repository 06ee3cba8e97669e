"""The gateway's side of a test: answers signed as Jeepay signs them, by these few lines alone."""

from collections.abc import Mapping

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    Inquiry,
    Instruction,
    Instrument,
    WechatWallet,
)
from channels.jeepay.channel import JeepayChannel, build
from channels.jeepay.settings import JeepaySettings
from tests.channels import resellers
from tests.channels.resellers import AMOUNT, CARD, NOW, REFERENCE, TERMS, compact, reply

__all__ = ["AMOUNT", "CARD", "NOW", "REFERENCE", "TERMS", "compact", "reply"]

MCH_NO = "M1621873433953"
APP_ID = "60cc09bce4b0f1c0b83761c9"
SECRET = "a-secret-for-tests-alone-0001"
TRANSFER = "T20261102093000000001"
LOGON = AlipayAccount("zhang@example.test", AlipayIdentity.LOGON_ID, "张三丰")
WALLET = WechatWallet("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", None, "欧阳娜娜")
SCENE = {
    "transfer_scene_id": "1000",
    "transfer_scene_report_infos": [
        {"info_type": "活动名称", "info_content": "新会员有礼"},
        {"info_type": "奖励说明", "info_content": "注册会员抽奖一等奖"},
    ],
}
RAILS = {
    "alipay": {"if_code": "alipay", "entry_type": "ALIPAY_CASH"},
    "wechat": {"if_code": "wxpay", "entry_type": "WX_CASH"},
    "bank_card": {"if_code": "bank", "entry_type": "BANK_CARD"},
}


def settings(**changes: object) -> JeepaySettings:
    """Every rail, unless told otherwise."""
    given: dict[str, object] = {
        "base_url": "http://127.0.0.1:1",
        "mch_no": MCH_NO,
        "app_id": APP_ID,
        "app_secret": SECRET,
        "rails": RAILS,
        "wechat_scene": SCENE,
    }
    return JeepaySettings.model_validate(given | changes)


def channel(**changes: object) -> JeepayChannel:
    """A channel whose clock stands still."""
    return build("jeepay-test", settings(**changes), TERMS, lambda: NOW)


def instruction(instrument: Instrument = LOGON, **changes: object) -> Instruction:
    """One try to pay 123.45 yuan."""
    return resellers.instruction(instrument, **changes)


def inquiry(instrument: Instrument = LOGON, channel_ref: str | None = None) -> Inquiry:
    """The question about that try."""
    return resellers.inquiry(instrument, channel_ref)


def signature(fields: Mapping[str, object], secret: str = SECRET) -> str:
    """What the gateway signs with its merchant's secret."""
    return resellers.signature(fields, secret)


def order(**changes: object) -> dict[str, object]:
    """A paid order as a query shows it; None drops a field."""
    said: dict[str, object] = {
        "transferId": TRANSFER,
        "mchNo": MCH_NO,
        "appId": APP_ID,
        "mchOrderNo": REFERENCE,
        "ifCode": "alipay",
        "entryType": "ALIPAY_CASH",
        "amount": 12345,
        "currency": "cny",
        "accountNo": "zhang@example.test",
        "accountName": "张三丰",
        "transferDesc": "十月佣金",
        "state": 2,
        "channelOrderNo": "20261102110070000006990000000001",
        "successTime": 1793583001000,
        "createdAt": 1793583000123,
    }
    return {name: value for name, value in (said | changes).items() if value is not None}


def taken(**changes: object) -> dict[str, object]:
    """The same as a submission's answer shows it."""
    shown = ("transferId", "mchOrderNo", "amount", "accountNo", "accountName", "state")
    said = {name: value for name, value in order().items() if name in shown}
    return {name: value for name, value in (said | changes).items() if value is not None}


def envelope(data: Mapping[str, object], /, **changes: object) -> bytes:
    """Code 0 with signed data."""
    said: dict[str, object] = {"code": 0, "msg": "SUCCESS", "data": data, "sign": signature(data)}
    return compact({n: v for n, v in (said | changes).items() if v is not None})


def refusal(code: object, message: str) -> bytes:
    """Any other code: no data, no signature."""
    return compact({"code": code, "msg": message})
