"""What a new kind is called, and what follows from its name. Pure."""

import keyword
import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from channels.contract import Rail
from channels.money import Currency

NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
NAME_LENGTH: Final = (2, 16)


class NameRefusedError(ValueError):
    """No kind can be called that; the message says why, `zh` in Chinese."""

    def __init__(self, message: str, zh: str) -> None:
        """Both say the same."""
        super().__init__(message)
        self.zh = zh


class Instrument(Struct, frozen=True):
    """How tests of a rail name a payee, as source text."""

    name: str
    example: str
    other: str

    @property
    def imports(self) -> list[str]:
        """What its text uses of the contract."""
        return [self.name, *(["AlipayIdentity"] if "AlipayIdentity" in self.example else [])]


_INSTRUMENTS: Final[Mapping[Rail, Instrument]] = {
    Rail.ALIPAY: Instrument(
        "AlipayAccount",
        'AlipayAccount("2088123456789012", AlipayIdentity.USER_ID, "张三丰")',
        'AlipayAccount("2088123456789013", AlipayIdentity.USER_ID, "李四光")',
    ),
    Rail.WECHAT: Instrument(
        "WechatWallet",
        'WechatWallet("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", name="欧阳娜娜")',
        'WechatWallet("oUpF8uMuAJO_M2pxb1Q9zNjWeS6p", name="司马相如")',
    ),
    Rail.BANK_CARD: Instrument(
        "BankCard",
        'BankCard("6222020200112233445", "张三丰", "ICBC")',
        'BankCard("6222020200112233446", "李四光", "ICBC")',
    ),
    Rail.BANK_ACCOUNT: Instrument(
        "BankAccount",
        'BankAccount("0200004509022100123", "杭州某某科技公司", "102100000450", "工商银行")',
        'BankAccount("0200004509022100124", "上海某某科技公司", "102100000450", "工商银行")',
    ),
    Rail.WIRE: Instrument(
        "WireAccount",
        'WireAccount("acct-0001", "Acme Ltd")',
        'WireAccount("acct-0002", "Apex Ltd")',
    ),
    Rail.CHAIN: Instrument(
        "ChainAddress",
        'ChainAddress("0x52908400098527886E0F7030069857D2E4169EE7", "ETH")',
        'ChainAddress("0x8617E340B3D1FAA5F11F306F4090FD50E238070D", "ETH")',
    ),
}


class NewKind(Struct, frozen=True):
    """A kind that is to be made. Raises `NameRefusedError` for a name it cannot have."""

    name: str
    """In the registries and as a folder: `hui_fu`."""
    rail: Rail
    currency: Currency

    def __post_init__(self) -> None:
        """Refuse a name that is no module's, or too long for the lines it stands in."""
        shortest, longest = NAME_LENGTH
        if not NAME.fullmatch(self.name) or not shortest <= len(self.name) <= longest:
            raise NameRefusedError(
                f"{self.name!r} is no name for a kind: {shortest} to {longest} lower-case letters, "
                "digits and single underscores, beginning with a letter",
                f"渠道类型名 {self.name!r} 不合规则：须为 {shortest}–{longest} 位小写字母、数字或"
                "单个下划线，以字母开头",
            )
        if keyword.iskeyword(self.name) or keyword.issoftkeyword(self.name):
            raise NameRefusedError(
                f"{self.name!r} is a word of Python", f"{self.name!r} 是 Python 关键字"
            )

    @property
    def camel(self) -> str:
        """In the names of classes: `HuiFu`."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def short(self) -> str:
        """In the names of accounts: `hui-fu`."""
        return self.name.replace("_", "-")

    @property
    def instrument(self) -> Instrument:
        """Whom its tests pay."""
        return _INSTRUMENTS[self.rail]
