"""Every kind's entry, in a literal table."""

from collections.abc import Mapping

from tests.contracts.channels import alipay, wechat_pay
from tests.contracts.channels.rig import Rig

RIGS: Mapping[str, Rig] = {
    "alipay": alipay.RIG,
    "wechat_pay": wechat_pay.RIG,
}
