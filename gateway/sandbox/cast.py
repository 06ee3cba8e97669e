"""Who plays in the rehearsal: four channel accounts with different fees, cycles and limits."""

from collections.abc import Mapping
from typing import Any

ACCOUNTS: Mapping[str, int] = {"alipay": 2, "wechat": 2}
"""How many accounts at which institution."""

CHANNEL_NAMES: Mapping[str, str] = {
    "alipay-1": "alipay-main",
    "alipay-2": "alipay-night",
    "wechat-1": "wechat-main",
    "wechat-2": "wechat-spare",
}
"""The operator's name for each institution account."""

_T1 = {"days": 1, "calendar": "cn_statutory", "cutoff": "17:00:00", "timezone": "Asia/Shanghai"}

TERMS: Mapping[str, Mapping[str, Any]] = {
    # Instant and dear.
    "alipay-1": {
        "currency": "CNY",
        "amount_min": 10,
        "amount_max": 10_000_000,
        "fee": {"rate_ppm": 1000, "min_minor": 10},
        "cycle": {"days": 0, "calendar": "natural"},
    },
    # The lowest sticker, yet arriving a working day later: capital is what it costs.
    "alipay-2": {
        "currency": "CNY",
        "amount_min": 10,
        "amount_max": 5_000_000,
        "fee": {"rate_ppm": 800, "min_minor": 10},
        "cycle": _T1,
    },
    "wechat-1": {
        "currency": "CNY",
        "amount_min": 30,
        "amount_max": 2_000_000,
        "fee": {"rate_ppm": 1000},
        "cycle": {"days": 0, "calendar": "natural"},
    },
    "wechat-2": {
        "currency": "CNY",
        "amount_min": 30,
        "amount_max": 500_000,
        "fee": {"rate_ppm": 1200},
        "cycle": {"days": 0, "calendar": "natural"},
    },
}
"""The contracts, by institution account; amounts in fen."""

INSTITUTION_FEES: Mapping[str, Mapping[str, Any]] = {
    "alipay-1": {"fee": {"rate_ppm": 1000, "min_fen": 10}},
    "alipay-2": {"fee": {"rate_ppm": 800, "min_fen": 10}},
    "wechat-1": {"fee": {"rate_ppm": 1000}},
    "wechat-2": {"fee": {"rate_ppm": 1200}},
}
"""What the institutions' own books charge: the same contracts, in their own configuration."""

FLOAT_FEN = 5_000_000_000
"""What lies on each account at the start, in the institution's books and in our ledger."""
