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
from simulators.faults import Faults
from simulators.kernel import Simulator
from simulators.magic import Magic
from simulators.opening import Opening
from simulators.wechat_pay import core as wechat_pay
from simulators.wechat_pay import magic as wechat_pay_magic
from simulators.wechat_pay import opening as wechat_pay_opening


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
    "bank": Kind(bank.build, bank_opening, bank_magic.MAGIC, "bank"),
    "wechat_pay": Kind(wechat_pay.build, wechat_pay_opening, wechat_pay_magic.MAGIC, "wechat"),
}
