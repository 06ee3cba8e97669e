"""Which kinds of simulator there are, in a literal table: who builds each, and what it adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from simulators.alipay import core as alipay
from simulators.alipay import magic as alipay_magic
from simulators.alipay import opening as alipay_opening
from simulators.bank import core as bank
from simulators.bank import magic as bank_magic
from simulators.bank import opening as bank_opening
from simulators.epay import core as epay
from simulators.epay import magic as epay_magic
from simulators.epay import opening as epay_opening
from simulators.faults import Faults
from simulators.jeepay import core as jeepay
from simulators.jeepay import magic as jeepay_magic
from simulators.jeepay import opening as jeepay_opening
from simulators.kernel import Simulator
from simulators.magic import Magic
from simulators.opening import Opening
from simulators.stablecoin import core as stablecoin
from simulators.stablecoin import magic as stablecoin_magic
from simulators.stablecoin import opening as stablecoin_opening
from simulators.unionpay import core as unionpay
from simulators.unionpay import magic as unionpay_magic
from simulators.unionpay import opening as unionpay_opening
from simulators.wechat_pay import core as wechat_pay
from simulators.wechat_pay import magic as wechat_pay_magic
from simulators.wechat_pay import opening as wechat_pay_opening
from simulators.xxpay import core as xxpay
from simulators.xxpay import magic as xxpay_magic
from simulators.xxpay import opening as xxpay_opening


class Build(Protocol):
    """Makes a simulator of its section of the configuration. Raises ValueError."""

    def __call__(self, config: Mapping[str, object], *, seed: int, faults: Faults) -> Simulator: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of simulator."""

    build: Build
    opening: Opening
    magic: Sequence[Magic]
    short: str
    """What its accounts are called in a sandbox: SHORT-1, SHORT-2, …; and `init --SHORT N`."""


KINDS: Mapping[str, Kind] = {
    "alipay": Kind(alipay.build, alipay_opening, alipay_magic.MAGIC, "alipay"),
    "wechat_pay": Kind(wechat_pay.build, wechat_pay_opening, wechat_pay_magic.MAGIC, "wechat"),
    "unionpay": Kind(unionpay.build, unionpay_opening, unionpay_magic.MAGIC, "unionpay"),
    "bank": Kind(bank.build, bank_opening, bank_magic.MAGIC, "bank"),
    "stablecoin": Kind(stablecoin.build, stablecoin_opening, stablecoin_magic.MAGIC, "stablecoin"),
    "epay": Kind(epay.build, epay_opening, epay_magic.MAGIC, "epay"),
    "jeepay": Kind(jeepay.build, jeepay_opening, jeepay_magic.MAGIC, "jeepay"),
    "xxpay": Kind(xxpay.build, xxpay_opening, xxpay_magic.MAGIC, "xxpay"),
}
