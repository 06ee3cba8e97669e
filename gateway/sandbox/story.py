"""What the rehearsal pays and what goes wrong on the way; a function of the seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MERCHANTS: Sequence[Mapping[str, Any]] = (
    {
        "id": "kamen",
        "name": "卡门点卡",
        "funding": "prefunded",
        "fee": {"rate_ppm": 1500, "min_minor": 20},
    },
    {
        "id": "haoyou",
        "name": "好游充值",
        "funding": "credit",
        "credit_limit_minor": 500_000_000,
        "fee": {"flat_minor": 30},
    },
    {"id": "lipin", "name": "礼品卡仓", "funding": "pass_through"},
)
DEPOSITS: Mapping[str, int] = {"kamen": 1_000_000_000, "haoyou": 10_000_000}
"""What merchants have paid in, in fen; the credit line and pass-through cover the rest."""

SPECIAL: Sequence[tuple[int, str, Mapping[str, Any]]] = (
    (
        61_800,
        "6222000000000002",
        {"rail": "bank_card", "number": "6222000000000002", "name": "退票人", "bank_code": "ABC"},
    ),
    (
        8_800,
        "nobody@magic.test",
        {"rail": "alipay", "identity": "nobody@magic.test", "name": "无此人"},
    ),
    (5_200, "magic-frozen", {"rail": "wechat", "openid": "magic-frozen"}),
)
"""Magic payees of the simulators: a card whose bank sends the money back a day later, an Alipay
account that does not exist, a frozen WeChat wallet. The last two must end as failed."""

_NAMES = ("王小明", "李芳", "张伟", "刘洋", "陈静", "杨帆", "赵磊", "黄敏")
_BANKS = ("ICBC", "CCB", "ABC", "CMB")


@dataclass(frozen=True, slots=True)
class Asked:
    """One payout of the story, and the payees under which institutions may book it."""

    merchant: str
    body: Mapping[str, Any]
    payees: tuple[str, ...]

    @property
    def ref(self) -> str:
        """The merchant's own number."""
        return str(self.body["merchant_ref"])


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong between two points of the story (shares of payouts asked)."""

    starts: float
    ends: float
    says_zh: str
    says_en: str
    rule: Mapping[str, Any]


TROUBLES: Sequence[Trouble] = (
    Trouble(
        0.0,
        1.0,
        "通知重复到达",
        "notices arrive twice",
        {"account": "*", "op": "notice", "action": "notice_duplicate", "probability": 0.4},
    ),
    Trouble(
        0.0,
        1.0,
        "通知乱序到达",
        "notices arrive out of order",
        {
            "account": "*",
            "op": "notice",
            "action": "notice_out_of_order",
            "probability": 0.2,
            "params": {"after": "2s"},
        },
    ),
    Trouble(
        0.15,
        0.40,
        "alipay-night 拒单：付款账户额度用尽",
        "alipay-night refuses: its quota is used up",
        {
            "account": "alipay-2",
            "op": "submit",
            "action": "reject",
            "params": {"code": "EXCEED_LIMIT_DM_MAX_AMOUNT"},
        },
    ),
    Trouble(
        0.30,
        0.55,
        "alipay-main 付款后丢失应答",
        "alipay-main loses replies after it has paid",
        {"account": "alipay-1", "op": "submit", "action": "reset_after", "probability": 0.35},
    ),
    Trouble(
        0.45,
        0.70,
        "wechat-main 拒绝连接",
        "wechat-main refuses connections",
        {"account": "wechat-1", "action": "refuse"},
    ),
    Trouble(
        0.60,
        0.85,
        "wechat-spare 变慢",
        "wechat-spare slows down",
        {
            "account": "wechat-2",
            "op": "submit",
            "action": "slow",
            "params": {"low": "200ms", "high": "900ms"},
        },
    ),
)


def payouts(count: int, seed: int, appids: Sequence[str]) -> list[Asked]:
    """The payouts to ask for, each to a beneficiary of its own."""
    random_ = random.Random(seed)  # noqa: S311 - a story, not a secret
    special = [
        Asked("kamen", _body(count - place, amount, [instrument]), (payee,))
        for place, (amount, payee, instrument) in enumerate(SPECIAL)
    ]
    story = [_payout(number, random_, appids) for number in range(1, count + 1 - len(special))]
    for place, one in enumerate(special, 1):
        story.insert(place * count // (len(special) + 1), one)
    return story


def _payout(number: int, random_: random.Random, appids: Sequence[str]) -> Asked:
    name = random_.choice(_NAMES)
    login, openid = f"payee{number}@example.test", f"oDemo{number:023d}"
    card = f"62220200{number:011d}"
    alipay: Mapping[str, Any] = {
        "rail": "alipay",
        "identity": login,
        "identity_type": "logon_id",
        "name": name,
    }
    wechat: Mapping[str, Any] = {"rail": "wechat", "openid": openid, "name": name}
    bank: Mapping[str, Any] = {
        "rail": "bank_card",
        "number": card,
        "name": name,
        "bank_code": random_.choice(_BANKS),
    }
    instruments: list[Mapping[str, Any]]
    instruments, payees = random_.choices(
        [
            ([alipay], (login,)),
            ([wechat], (openid,)),
            ([alipay, wechat], (login, openid)),
            ([bank], (card,)),
            ([bank, alipay], (card, login)),
        ],
        weights=[35, 25, 20, 10, 10],
    )[0]
    amount = min(max(int(random_.lognormvariate(10.8, 1.2)), 100), 450_000)
    if 10_001 <= amount <= 10_016:
        # These amounts are magic to the simulators.
        amount = 10_100
    merchant = random_.choices(["kamen", "haoyou", "lipin"], weights=[60, 25, 15])[0]
    return Asked(merchant, _body(number, amount, instruments), payees)


def _body(
    number: int, amount_minor: int, instruments: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    return {
        "merchant_ref": f"demo-{number:05d}",
        "amount_minor": amount_minor,
        "currency": "CNY",
        "beneficiary": {"instruments": list(instruments)},
        "purpose": "货款结算",
    }
