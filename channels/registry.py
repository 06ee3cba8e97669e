"""Every kind of channel there is, in a literal table: how it is configured and who builds it.

A kind's code is imported when the kind is first asked for, so that a gateway starts with the code
of its own channels and not with everybody's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from channels.capabilities import Capabilities, capabilities_of
from channels.contract import Channel, Rail, Terms, Traits
from channels.money import INT64_MAX, Currency
from channels.on_demand import OnDemand

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


def _alipay() -> Kind[Any]:
    from channels.alipay import channel  # noqa: PLC0415 - when asked for
    from channels.alipay.settings import PRODUCTS, AlipaySettings  # noqa: PLC0415 - as above

    return Kind(
        settings=AlipaySettings,
        build=channel.build,
        channel=lambda: channel.AlipayChannel,
        traits=channel.traits_of,
        currencies=_YUAN,
        broadest=lambda: {"products": PRODUCTS},
    )


def _wechat_pay() -> Kind[Any]:
    from channels.wechat_pay import channel, checks  # noqa: PLC0415 - when asked for
    from channels.wechat_pay.settings import WechatPaySettings  # noqa: PLC0415 - as above

    return Kind(
        settings=WechatPaySettings,
        build=channel.build,
        channel=lambda: channel.WechatPayChannel,
        traits=checks.traits,
        currencies=_YUAN,
    )


def _unionpay() -> Kind[Any]:
    from channels.unionpay import channel  # noqa: PLC0415 - when asked for
    from channels.unionpay.settings import UnionpaySettings  # noqa: PLC0415 - as above

    return Kind(
        settings=UnionpaySettings,
        build=channel.build,
        channel=lambda: channel.UnionpayChannel,
        traits=channel.traits_of,
        currencies=_YUAN,
    )


def _bank() -> Kind[Any]:
    from channels.bank import build as bank  # noqa: PLC0415 - when asked for
    from channels.bank.settings import BankSettings  # noqa: PLC0415 - as above

    return Kind(
        settings=BankSettings,
        build=bank.build,
        channel=bank.funded,
        traits=bank.traits_of,
        currencies=frozenset(Currency) - _COINS,
        broadest=bank.broadest,
    )


def _stablecoin() -> Kind[Any]:
    from channels.stablecoin import channel  # noqa: PLC0415 - when asked for
    from channels.stablecoin.settings import StablecoinSettings  # noqa: PLC0415 - as above

    return Kind(
        settings=StablecoinSettings,
        build=channel.build,
        channel=lambda: channel.StablecoinChannel,
        traits=channel.traits_of,
        currencies=frozenset({Currency.USD, Currency.EUR}),
        broadest=lambda: {"rails": (Rail.WIRE, Rail.CHAIN), "sns_topic_arns": ("",)},
    )


def _epay() -> Kind[Any]:
    from channels.epay import channel  # noqa: PLC0415 - when asked for
    from channels.epay.settings import RAILS, EpaySettings  # noqa: PLC0415 - as above

    return Kind(
        settings=EpaySettings,
        build=channel.build,
        channel=lambda: channel.EpayChannel,
        traits=channel.traits_of,
        currencies=_YUAN,
        broadest=lambda: {"rails": RAILS},
    )


def _jeepay() -> Kind[Any]:
    from channels.jeepay import channel, checks  # noqa: PLC0415 - when asked for
    from channels.jeepay.settings import JeepaySettings  # noqa: PLC0415 - as above

    return Kind(
        settings=JeepaySettings,
        build=channel.build,
        channel=lambda: channel.JeepayChannel,
        traits=checks.traits,
        currencies=_YUAN,
        broadest=lambda: {"wechat_scene": True},
    )


def _xxpay() -> Kind[Any]:
    from channels.xxpay import channel, checks  # noqa: PLC0415 - when asked for
    from channels.xxpay.settings import XxPaySettings  # noqa: PLC0415 - as above

    return Kind(
        settings=XxPaySettings,
        build=channel.build,
        channel=lambda: channel.XxPayChannel,
        traits=checks.traits,
        currencies=_YUAN,
        broadest=lambda: {"rails": (Rail.BANK_CARD, Rail.BANK_ACCOUNT)},
    )


_MAKERS: Mapping[str, Callable[[], Kind[Any]]] = {
    "alipay": _alipay,
    "wechat_pay": _wechat_pay,
    "unionpay": _unionpay,
    "bank": _bank,
    "stablecoin": _stablecoin,
    "epay": _epay,
    "jeepay": _jeepay,
    "xxpay": _xxpay,
}

KINDS: Mapping[str, Kind[Any]] = OnDemand(_MAKERS)
"""`Any`: each kind has settings of its own, and only its own `build` takes them."""


def capabilities_of_channel(channel: Channel) -> Capabilities:
    """What a configured channel can do, with the operator's contract."""
    traits = channel.traits
    currencies = frozenset({traits.terms.currency})
    return capabilities_of(type(channel), traits, currencies, configured=True)
