"""Which dialects there are."""

from collections.abc import Mapping

from gateway.api.dialects.alipay import Alipay
from gateway.api.dialects.dialect import Dialect
from gateway.api.dialects.epay import Epay

DIALECTS: Mapping[str, Dialect] = {one.name: one for one in (Epay(), Alipay())}
