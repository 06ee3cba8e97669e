"""Which dialects there are."""

from collections.abc import Mapping

from gateway.api.dialects.alipay import Alipay
from gateway.api.dialects.dialect import Dialect, Notifying
from gateway.api.dialects.epay import Epay
from gateway.api.dialects.jeepay import Jeepay
from gateway.api.dialects.xxpay import XxPay

DIALECTS: Mapping[str, Dialect] = {one.name: one for one in (Epay(), Jeepay(), XxPay(), Alipay())}

NOTIFYING: Mapping[str, Notifying] = {one.name: one for one in (Jeepay(), XxPay(), Alipay())}
"""Those of them that tell their callers how orders ended."""
