"""UnionPay payouts: taken in, then paid; a number and its time name an order for ever."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

from channels.contract import BankCard, Channel, Paid, Pending, Prepared, Unknown, UnknownCause
from channels.unionpay.channel import build
from channels.unionpay.settings import UnionpaySettings
from tests.channels.unionpay import platform
from tests.contracts.channels.rig import Expect, Place, Rig, Wish, world_of
from tests.simulators.keys import pair
from tests.simulators.unionpay.merchant import account, config, merchant_pem

_ALIKE = ("txnTime", "signature")
_DUPLICATE = Expect(
    Unknown,
    UnknownCause.CHANNEL_UNSURE,
    why="a repeated number is 12, which says only that an order exists",
)


@asynccontextmanager
async def _open(wish: Wish) -> AsyncIterator[Place]:
    async with world_of(config(account()), wish.start) as world:
        url = world.shells["unionpay"].url

        def connect(key: str = "unionpay-merchant") -> Channel:
            files = platform.files(wish.folder, key, merchant_pem(key))
            given = platform.given(files) | {
                "gateway_url": url,
                "file_url": url,
                "total_timeout_s": wish.total_timeout_s,
            }
            settings = UnionpaySettings.model_validate(given)
            return build("unionpay-sim", settings, platform.TERMS, world.clock.now)

        yield Place(world, "unionpay", connect, lambda: connect("stranger"))


def _business(prepared: Prepared) -> Mapping[str, list[str]]:
    sent = parse_qs(prepared.body.decode())
    return {name: value for name, value in sent.items() if name not in _ALIKE}


RIG = Rig(
    kind="unionpay",
    open=_open,
    payee=BankCard("6216261000000000018", "张三丰", "ICBC", "中国工商银行"),
    other_payee=BankCard("6216261000000000026", "李四光", "ICBC", "中国工商银行"),
    takes=Pending,
    business=_business,
    secrets=(pair("unionpay-merchant").private_pem,),
    unsure_code="04",
    fail_reason="62",
    statement_ops=("statement",),
    reference=lambda number: f"PAYOUT{number:04d}A1",
    lacks={
        "balance": "whether payout accounts have a balance query is not published",
        "receipt": "the adapter offers no receipts",
        "recall": "no interface cancels a payout that was taken in",
        "echo_payee": "no reply to a payout names the payee",
        "notice_out_of_order": "only the one success is told about",
    },
    answers={
        "resend.again": _DUPLICATE,
        "resend_when_paid.again": _DUPLICATE,
        "same_bytes.again": _DUPLICATE,
        "unknown_status.send": Expect(
            Unknown,
            UnknownCause.UNKNOWN_CODE,
            why="a reply to a payout has no state beside its respCode",
        ),
        "throttle.send": Expect(
            Unknown,
            UnknownCause.CHANNEL_UNSURE,
            why="busy (06) stands both among doubts and among throttles, so it is a doubt",
        ),
        "returned.look": Expect(
            Paid,
            why="a query goes on saying 00: only the settlement file shows what came back",
        ),
    },
)
