"""Who plays in the rehearsal: ten channel accounts of eight kinds, with their contracts."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from gateway.sandbox.institutions import Account

ACCOUNTS: Mapping[str, int] = {
    "alipay": 2,
    "wechat": 2,
    "unionpay": 1,
    "bank": 1,
    "epay": 1,
    "jeepay": 1,
    "xxpay": 1,
    "stablecoin": 1,
}
"""How many accounts at which institution."""

FLOAT_FEN = 5_000_000_000
"""What lies on each account at the start, in the institution's books and in our ledger, in minor
units of the account's currency."""

RESOLD_MIN = 5_000
"""The least that resold channels take."""
_INSTANT: Mapping[str, Any] = {"days": 0, "calendar": "natural"}
_T1 = {"days": 1, "calendar": "cn_statutory", "cutoff": "17:00:00", "timezone": "Asia/Shanghai"}
_BANK_DAY = {"days": 0, "calendar": "cn_statutory", "cutoff": "17:00:00"}


class Part(Struct, frozen=True):
    """One account: the operator's name for it, and its contract on both sides."""

    channel: str
    label_zh: str
    label_en: str
    fee: Mapping[str, int | str]
    """As our configuration has it."""
    cycle: Mapping[str, Any]
    amount_max: int
    amount_min: int = 100
    currency: str = "CNY"
    books: Mapping[str, Any] = field(default_factory=dict)
    """What the institution's own configuration says about the account."""

    def terms(self) -> Mapping[str, Any]:
        """Ready for `channels[].terms`."""
        return {
            "currency": self.currency,
            "amount_min": self.amount_min,
            "amount_max": self.amount_max,
            "fee": dict(self.fee),
            "cycle": dict(self.cycle),
        }


CAST: Mapping[str, Part] = {
    # Instant and dear.
    "alipay-1": Part(
        *("alipay-main", "支付宝主账户", "Alipay main", {"rate_ppm": 1000, "min_minor": 10}),
        *(_INSTANT, 10_000_000, 10),
        books={"fee": {"rate_ppm": 1000, "min_fen": 10}},
    ),
    # The lowest sticker, yet arriving a working day later: capital is what it costs.
    "alipay-2": Part(
        *("alipay-night", "支付宝次日", "Alipay next day", {"rate_ppm": 800, "min_minor": 10}),
        *(_T1, 5_000_000, 10),
        books={"fee": {"rate_ppm": 800, "min_fen": 10}},
    ),
    "wechat-1": Part(
        *("wechat-main", "微信主账户", "WeChat main", {"rate_ppm": 1000}, _INSTANT, 2_000_000, 30),
        books={"fee": {"rate_ppm": 1000}},
    ),
    "wechat-2": Part(
        *("wechat-spare", "微信备用", "WeChat spare", {"rate_ppm": 1200}, _INSTANT, 500_000, 30),
        books={"fee": {"rate_ppm": 1200}},
    ),
    # A flat fee: cheap for large amounts on cards.
    "unionpay-1": Part(
        *("unionpay", "银联代付", "UnionPay", {"flat_minor": 100}, _INSTANT, 5_000_000),
        books={"fee": {"flat_fen": 100}},
    ),
    # Cheaper still, until 17:00 of a working day.
    "bank-1": Part(
        *("bank-direct", "银企直连", "bank direct", {"flat_minor": 50}, _BANK_DAY, 1_000_000_000),
        books={"fee": {"flat_fen": 50}},
    ),
    # Resold channels: dear, not for small change, for merchants that ask and for bad days.
    "epay-1": Part(
        *("epay-site", "易支付站点", "Epay site", {"rate_ppm": 6000}, _INSTANT, 2_000_000),
        amount_min=RESOLD_MIN,
    ),
    # Its price is not taken from the float, so nothing of it stands in its books.
    "jeepay-1": Part(
        "jeepay",
        "Jeepay 网关",
        "Jeepay",
        {"rate_ppm": 3800, "mode": "deducted"},
        *(_INSTANT, 2_000_000, RESOLD_MIN),
    ),
    "xxpay-1": Part(
        *("xxpay", "XxPay 网关", "XxPay", {"flat_minor": 300}, _INSTANT, 2_000_000, RESOLD_MIN),
        books={"fee": {"flat_fen": 300}},
    ),
    "stablecoin-1": Part(
        *("stablecoin", "稳定币", "stablecoin", {"flat_minor": 130}, _INSTANT, 100_000_000),
        currency="USD",
        books={"fee": {"flat_fen": 100}, "network_fee_fen": 30},
    ),
}
"""By institution account; amounts in minor units."""

CHANNEL_NAMES: Mapping[str, str] = {account: part.channel for account, part in CAST.items()}
"""The operator's name for each institution account."""

TERMS: Mapping[str, Mapping[str, Any]] = {name: part.terms() for name, part in CAST.items()}
LABELS: Mapping[str, Mapping[str, str]] = {
    name: {"zh": part.label_zh, "en": part.label_en} for name, part in CAST.items()
}
CURRENCIES: Mapping[str, str] = {part.channel: part.currency for part in CAST.values()}
"""Of each channel."""

WITHOUT_STATEMENT = frozenset({"epay-site", "jeepay", "xxpay", "stablecoin"})
"""Channels whose institution has no statements: what they paid stays on their word."""


def books_of(account: Account, gateway_url: str, balance_minor: int) -> Mapping[str, object]:
    """What an account's institution has to know of it: fees, money, where notices go."""
    part = CAST[account.name]
    told: dict[str, object] = {**part.books, "balance_fen": balance_minor}
    if account.kind != "epay":  # §6: an Epay site notifies nobody about transfers
        told["notify_url"] = f"{gateway_url}/notices/{part.channel}"
    return told


def opening(account: Account) -> Mapping[str, object]:
    """The booking that puts the float of an account into our ledger, once."""
    return {
        "amount_minor": FLOAT_FEN,
        "currency": CAST[account.name].currency,
        "key": "opening",
    }
