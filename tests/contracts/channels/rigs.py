"""Every kind's entries, in a literal table.

A kind has one entry under its own name, and may have more where its rails differ.
"""

from collections.abc import Mapping

from tests.contracts.channels import (
    alipay,
    bank,
    epay,
    jeepay,
    stablecoin,
    unionpay,
    wechat_pay,
    xxpay,
)
from tests.contracts.channels.rig import Rig

RIGS: Mapping[str, Rig] = {
    "alipay": alipay.RIG,
    "alipay_card": alipay.CARD,
    "wechat_pay": wechat_pay.RIG,
    "unionpay": unionpay.RIG,
    "bank": bank.RIG,
    "stablecoin": stablecoin.RIG,
    "epay": epay.RIG,
    "jeepay": jeepay.RIG,
    "xxpay": xxpay.RIG,
}
