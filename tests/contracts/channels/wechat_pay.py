"""WeChat Pay transfers: the payee confirms first; money moves afterwards."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from channels.contract import Channel, Pending, Prepared, WechatWallet
from channels.wechat_pay.channel import build
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.platform import APIV3_KEY, APPID, KEYS, MCHID, SERIAL
from tests.contracts.channels.rig import Place, Rig, Wish, world_of
from tests.simulators.keys import pair


def _public_pem() -> str:
    public = platform.MERCHANT.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _section() -> Mapping[str, object]:
    account = {
        "account": "wechat-1",
        "mchid": MCHID,
        "appid": APPID,
        "serial_no": SERIAL,
        "public_key": _public_pem(),
        "apiv3_key": APIV3_KEY,
        "balance_fen": 1_000_000,
        "fee": {"rate_ppm": 1000},
    }
    return {
        "name": "wechat",
        "kind": "wechat_pay",
        "public_key_id": platform.PUBLIC_KEY_ID,
        "platform_private_key": (KEYS / "platform_test_only.pem").read_text(),
        "certificate": (KEYS / "platform_certificate.pem").read_text(),
        "certificate_private_key": (KEYS / "platform_certificate_test_only.pem").read_text(),
        "accounts": [account],
    }


@asynccontextmanager
async def _open(wish: Wish) -> AsyncIterator[Place]:
    async with world_of(_section(), wish.start) as world:
        here = {"base_url": world.shells["wechat"].url, "total_timeout_s": wish.total_timeout_s}

        def connect(**key: object) -> Channel:
            settings = platform.settings(**here, **key)
            return build("wechat-main", settings, platform.terms(), world.clock.now)

        def stranger() -> Channel:
            return connect(private_key_file=None, private_key=pair("stranger").private_pem)

        yield Place(world, "wechat", connect, stranger)


def _business(prepared: Prepared) -> object:
    sent = json.loads(prepared.body)
    if "user_name" in sent:
        # Encrypted with a fresh key each time; that it is there is what can be compared.
        sent["user_name"] = True
    return prepared.url, sent


RIG = Rig(
    kind="wechat_pay",
    open=_open,
    payee=WechatWallet("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", APPID, "欧阳娜娜"),
    other_payee=WechatWallet("oUpF8uMuAJO_M2pxb1Q9zNjWeS6p", APPID, "司马相如"),
    takes=Pending,
    business=_business,
    secrets=((KEYS / "merchant_test_only.pem").read_text(), APIV3_KEY),
    unsure_code="SYSTEM_ERROR",
    dates_within=timedelta(seconds=1),
    fail_reason="ACCOUNT_FROZEN",
    settles=timedelta(minutes=1),
    lacks={
        "return_late": "a transfer that succeeded is final",
        "notice_out_of_order": "a bill is told about once, at its end",
    },
)
