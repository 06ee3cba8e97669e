"""What the rehearsal pays and what goes wrong on the way; a function of the seed."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.sandbox.cast import RESOLD_MIN

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

RETURNED = 1
"""So many payouts come back after they were paid."""


class Abroad(Struct, frozen=True):
    """What the stablecoin institution has registered: a bank account and an address."""

    wire_id: str
    chain: str
    address: str
    recipient_id: str


class Special(Struct, frozen=True):
    """A payout with a fate of its own."""

    amount_minor: int
    payee: str
    """Under which the institution books it."""
    instrument: Mapping[str, Any]
    only: tuple[str, ...] = ()
    """The merchant insists on these channels."""
    currency: str = "CNY"
    merchant: str = "kamen"


def _specials(abroad: Abroad) -> Sequence[Special]:
    """Magic payees of the simulators: a card whose bank sends the money back a day later, an Alipay
    account that does not exist, a frozen WeChat wallet (both must end as failed); and one payout by
    wire and one on a chain, in dollars."""
    return (
        Special(
            *(61_800, "6222000000000002", _card("6222000000000002", "退票人", "ABC")),
            only=("alipay-main",),
        ),
        Special(125_000, abroad.wire_id, _wire(abroad), **_DOLLARS),
        Special(48_000, abroad.recipient_id, _chain(abroad), **_DOLLARS),
        Special(
            *(5_200, "magic-frozen", {"rail": "wechat", "openid": "magic-frozen"}),
            only=("wechat-main", "wechat-spare"),
        ),
        # Late, when Alipay loses no replies: a refusal that is lost and given once more proves
        # nothing, and would wait for two people.
        Special(
            *(8_800, "nobody@magic.test", _alipay("nobody@magic.test", "无此人")),
            only=("alipay-main", "alipay-night"),
        ),
    )


def _wire(abroad: Abroad) -> Mapping[str, Any]:
    return {"rail": "wire", "account_id": abroad.wire_id, "name": "Sandbox Trading Ltd"}


def _chain(abroad: Abroad) -> Mapping[str, Any]:
    return {
        "rail": "chain",
        "address": abroad.address,
        "chain": abroad.chain,
        "recipient_id": abroad.recipient_id,
    }


_DOLLARS: Mapping[str, Any] = {"currency": "USD", "merchant": "lipin"}
_NAMES = ("王小明", "李芳", "张伟", "刘洋", "陈静", "杨帆", "赵磊", "黄敏")
_BANKS = ("ICBC", "CCB", "ABC", "CMB")


class Asked(Struct, frozen=True):
    """One payout of the story, and the payees under which institutions may book it."""

    merchant: str
    body: Mapping[str, Any]
    payees: tuple[str, ...]

    @property
    def ref(self) -> str:
        """The merchant's own number."""
        return str(self.body["merchant_ref"])


class Trouble(Struct, frozen=True):
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


def payouts(count: int, seed: int, abroad: Abroad) -> list[Asked]:
    """The payouts to ask for, each to a beneficiary of its own."""
    random_ = random.Random(seed)  # noqa: S311 - a story, not a secret
    special = [
        Asked(
            one.merchant,
            _body(count - place, one.amount_minor, [one.instrument], one.only, one.currency),
            (one.payee,),
        )
        for place, one in enumerate(_specials(abroad))
    ]
    story = [_payout(number, random_) for number in range(1, count + 1 - len(special))]
    for place, one in enumerate(special, 1):
        story.insert(place * count // (len(special) + 1), one)
    return story


def _payout(number: int, random_: random.Random) -> Asked:
    name, bank = random_.choice(_NAMES), random_.choice(_BANKS)
    login, openid = f"payee{number}@example.test", f"oDemo{number:023d}"
    card, account = f"62220200{number:011d}", f"02000045{number:011d}"
    to_alipay, to_wechat = _alipay(login, name), _wechat(openid, name)
    to_card, to_company = _card(card, name, bank), _company(account, f"{name}贸易有限公司")
    instruments, payees, only = random_.choices(
        [
            ([to_alipay], (login,), ()),
            ([to_wechat], (openid,), ()),
            ([to_alipay, to_wechat], (login, openid), ()),
            ([to_card], (card,), ()),
            ([to_card, to_alipay], (card, login), ()),
            ([to_company], (account,), ()),
            ([to_alipay], (login,), ("epay-site",)),
            ([to_alipay], (login,), ("jeepay",)),
            ([to_card], (card,), ("xxpay",)),
        ],
        weights=[30, 22, 18, 10, 8, 5, 3, 2, 2],
    )[0]
    least = RESOLD_MIN if only else 100
    amount = min(max(int(random_.lognormvariate(10.8, 1.2)), least), 450_000)
    if 10_001 <= amount <= 10_016:
        # These amounts are magic to the simulators.
        amount = 10_100
    merchant = random_.choices(["kamen", "haoyou", "lipin"], weights=[60, 25, 15])[0]
    return Asked(merchant, _body(number, amount, instruments, only), payees)


def _alipay(login: str, name: str) -> Mapping[str, Any]:
    return {"rail": "alipay", "identity": login, "identity_type": "logon_id", "name": name}


def _wechat(openid: str, name: str) -> Mapping[str, Any]:
    return {"rail": "wechat", "openid": openid, "name": name}


def _card(number: str, name: str, bank: str) -> Mapping[str, Any]:
    return {"rail": "bank_card", "number": number, "name": name, "bank_code": bank}


def _company(number: str, name: str) -> Mapping[str, Any]:
    return {
        "rail": "bank_account",
        "number": number,
        "name": name,
        "bank_code": "102100000450",
        "bank_name": "中国工商银行",
    }


def _body(
    number: int,
    amount_minor: int,
    instruments: Sequence[Mapping[str, Any]],
    only: Sequence[str] = (),
    currency: str = "CNY",
) -> Mapping[str, Any]:
    return {
        "merchant_ref": f"demo-{number:05d}",
        "amount_minor": amount_minor,
        "currency": currency,
        "beneficiary": {"instruments": list(instruments)},
        "purpose": "货款结算",
        **({"channels": {"only": list(only)}} if only else {}),
    }
