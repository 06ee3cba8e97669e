"""Which dialects there are."""

from collections.abc import Mapping

from gateway.api.dialects.dialect import Dialect
from gateway.api.dialects.epay import Epay
from gateway.api.dialects.xxpay import XxPay

DIALECTS: Mapping[str, Dialect] = {one.name: one for one in (Epay(), XxPay())}
