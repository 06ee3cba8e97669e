"""Which kinds of simulator there are, and the one function that makes each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from simulators.alipay import core as alipay
from simulators.faults import Faults
from simulators.kernel import Simulator
from simulators.wechat_pay import core as wechat_pay


class Build(Protocol):
    """Makes a simulator of its section of the configuration. Raises ValueError."""

    def __call__(self, config: Mapping[str, object], *, seed: int, faults: Faults) -> Simulator: ...


KINDS: Mapping[str, Build] = {
    "alipay": alipay.build,
    "wechat_pay": wechat_pay.build,
}
