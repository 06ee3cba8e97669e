"""Every kind of channel there is, in a literal table: how it is configured and who builds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from channels.alipay.channel import build as build_alipay
from channels.alipay.settings import AlipaySettings
from channels.bank.build import build as build_bank
from channels.bank.settings import BankSettings
from channels.contract import Channel, Terms
from channels.epay.channel import build as build_epay
from channels.epay.settings import EpaySettings
from channels.jeepay.channel import build as build_jeepay
from channels.jeepay.settings import JeepaySettings
from channels.stablecoin.channel import build as build_stablecoin
from channels.stablecoin.settings import StablecoinSettings
from channels.unionpay.channel import build as build_unionpay
from channels.unionpay.settings import UnionpaySettings
from channels.wechat_pay.channel import build as build_wechat_pay
from channels.wechat_pay.settings import WechatPaySettings
from channels.xxpay.channel import build as build_xxpay
from channels.xxpay.settings import XxPaySettings

Clock = Callable[[], datetime]
Settings = TypeVar("Settings", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Settings]):
    """One kind of channel."""

    settings: type[Settings]
    """Validates the `settings` part of a channel's configuration; unknown keys are errors."""
    build: Callable[[str, Settings, Terms, Clock], Channel]
    """Makes a channel from its name, its valid settings and the operator's terms; no I/O."""

    def open(self, name: str, given: Mapping[str, object], terms: Terms, clock: Clock) -> Channel:
        """Validate what was configured and build the channel.

        `pydantic.ValidationError` for bad settings (it never shows a secret), `ValueError` for
        terms the kind cannot keep.
        """
        return self.build(name, self.settings.model_validate(given), terms, clock)


KINDS: Mapping[str, Kind[Any]] = {
    "alipay": Kind(AlipaySettings, build_alipay),
    "wechat_pay": Kind(WechatPaySettings, build_wechat_pay),
    "unionpay": Kind(UnionpaySettings, build_unionpay),
    "bank": Kind(BankSettings, build_bank),
    "stablecoin": Kind(StablecoinSettings, build_stablecoin),
    "epay": Kind(EpaySettings, build_epay),
    "jeepay": Kind(JeepaySettings, build_jeepay),
    "xxpay": Kind(XxPaySettings, build_xxpay),
}
"""`Any`: each kind has settings of its own, and only its own `build` takes them."""
