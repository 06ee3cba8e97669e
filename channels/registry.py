"""Every kind of channel there is, in a literal table: how it is configured and who builds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from channels.alipay import channel as alipay
from channels.alipay.settings import PRODUCTS, AlipaySettings
from channels.bank import build as bank
from channels.bank.settings import BankSettings
from channels.capabilities import Capabilities, capabilities_of
from channels.contract import Channel, Rail, Terms, Traits
from channels.epay import channel as epay
from channels.epay import settings as epay_settings
from channels.epay.settings import EpaySettings
from channels.jeepay import channel as jeepay
from channels.jeepay import checks as jeepay_checks
from channels.jeepay.settings import JeepaySettings
from channels.money import INT64_MAX, Currency
from channels.stablecoin import channel as stablecoin
from channels.stablecoin.settings import StablecoinSettings
from channels.unionpay import channel as unionpay
from channels.unionpay.settings import UnionpaySettings
from channels.wechat_pay import channel as wechat_pay
from channels.wechat_pay import checks as wechat_pay_checks
from channels.wechat_pay.settings import WechatPaySettings
from channels.xxpay import channel as xxpay
from channels.xxpay import checks as xxpay_checks
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
    channel: Callable[[], type[Channel]]
    """What `build` makes; which optional powers a kind has is read from its class."""
    traits: Callable[[Settings, Terms], Traits]
    """The constants of a configured account."""
    currencies: frozenset[Currency]
    """What its accounts can be held in; a channel in another currency is not built."""
    broadest: Callable[[], Mapping[str, Any]] = dict
    """Settings on which its constants depend and that have no default, or a narrower one: as an
    account would have them that is signed for everything."""

    def capabilities(self) -> Capabilities:
        """What the kind can do, before an account is configured: its settings as they come."""
        terms = Terms(min(self.currencies), amount_min=1, amount_max=INT64_MAX)
        settings = self.settings.model_construct(None, **self.broadest())
        traits = self.traits(settings, terms)
        return capabilities_of(self.channel(), traits, self.currencies, configured=False)

    def open(self, name: str, given: Mapping[str, object], terms: Terms, clock: Clock) -> Channel:
        """Validate what was configured and build the channel.

        `pydantic.ValidationError` for bad settings (it never shows a secret), `ValueError` for
        terms the kind cannot keep.
        """
        return self.make(name, self.settings.model_validate(given), terms, clock)

    def make(self, name: str, settings: Settings, terms: Terms, clock: Clock) -> Channel:
        """Build the channel of valid settings; `ValueError` for terms the kind cannot keep."""
        if terms.currency not in self.currencies:
            able = ", ".join(sorted(self.currencies))
            raise ValueError(f"channel {name}: its kind pays {able}, not {terms.currency}")
        return self.build(name, settings, terms, clock)


_YUAN = frozenset({Currency.CNY})
_COINS = frozenset({Currency.USDC, Currency.EURC})

KINDS: Mapping[str, Kind[Any]] = {
    "alipay": Kind(
        settings=AlipaySettings,
        build=alipay.build,
        channel=lambda: alipay.AlipayChannel,
        traits=alipay.traits_of,
        currencies=_YUAN,
        broadest=lambda: {"products": PRODUCTS},
    ),
    "wechat_pay": Kind(
        settings=WechatPaySettings,
        build=wechat_pay.build,
        channel=lambda: wechat_pay.WechatPayChannel,
        traits=wechat_pay_checks.traits,
        currencies=_YUAN,
    ),
    "unionpay": Kind(
        settings=UnionpaySettings,
        build=unionpay.build,
        channel=lambda: unionpay.UnionpayChannel,
        traits=unionpay.traits_of,
        currencies=_YUAN,
    ),
    "bank": Kind(
        settings=BankSettings,
        build=bank.build,
        channel=bank.funded,
        traits=bank.traits_of,
        currencies=frozenset(Currency) - _COINS,
        broadest=bank.broadest,
    ),
    "stablecoin": Kind(
        settings=StablecoinSettings,
        build=stablecoin.build,
        channel=lambda: stablecoin.StablecoinChannel,
        traits=stablecoin.traits_of,
        currencies=frozenset({Currency.USD, Currency.EUR}),
        broadest=lambda: {"rails": (Rail.WIRE, Rail.CHAIN), "sns_topic_arns": ("",)},
    ),
    "epay": Kind(
        settings=EpaySettings,
        build=epay.build,
        channel=lambda: epay.EpayChannel,
        traits=epay.traits_of,
        currencies=_YUAN,
        broadest=lambda: {"rails": epay_settings.RAILS},
    ),
    "jeepay": Kind(
        settings=JeepaySettings,
        build=jeepay.build,
        channel=lambda: jeepay.JeepayChannel,
        traits=jeepay_checks.traits,
        currencies=_YUAN,
        broadest=lambda: {"wechat_scene": True},
    ),
    "xxpay": Kind(
        settings=XxPaySettings,
        build=xxpay.build,
        channel=lambda: xxpay.XxPayChannel,
        traits=xxpay_checks.traits,
        currencies=_YUAN,
        broadest=lambda: {"rails": (Rail.BANK_CARD, Rail.BANK_ACCOUNT)},
    ),
}
"""`Any`: each kind has settings of its own, and only its own `build` takes them."""


def capabilities_of_channel(channel: Channel) -> Capabilities:
    """What a configured channel can do, with the operator's contract."""
    traits = channel.traits
    currencies = frozenset({traits.terms.currency})
    return capabilities_of(type(channel), traits, currencies, configured=True)
