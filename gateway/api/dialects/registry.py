"""Which dialects there are; each is imported when it is first looked up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from channels.on_demand import OnDemand
from gateway.api.dialects.dialect import Dialect, Notifying

if TYPE_CHECKING:
    from gateway.api.dialects.alipay import Alipay
    from gateway.api.dialects.epay import Epay
    from gateway.api.dialects.jeepay import Jeepay
    from gateway.api.dialects.xxpay import XxPay


def _epay() -> "Epay":
    from gateway.api.dialects.epay import Epay  # noqa: PLC0415 - when somebody speaks it

    return Epay()


def _jeepay() -> "Jeepay":
    from gateway.api.dialects.jeepay import Jeepay  # noqa: PLC0415 - as above

    return Jeepay()


def _xxpay() -> "XxPay":
    from gateway.api.dialects.xxpay import XxPay  # noqa: PLC0415 - as above

    return XxPay()


def _alipay() -> "Alipay":
    from gateway.api.dialects.alipay import Alipay  # noqa: PLC0415 - as above

    return Alipay()


DIALECTS: Mapping[str, Dialect] = OnDemand(
    {"epay": _epay, "jeepay": _jeepay, "xxpay": _xxpay, "alipay": _alipay}
)

NOTIFYING: Mapping[str, Notifying] = OnDemand(
    {"jeepay": _jeepay, "xxpay": _xxpay, "alipay": _alipay}
)
"""Those of them that tell their callers how orders ended."""
