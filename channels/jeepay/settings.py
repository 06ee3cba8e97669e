"""What an operator configures for one application of a Jeepay merchant, checked when it is loaded.

Secrets are shown by no repr and by no validation error.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from channels.contract import AlipayIdentity, Credential, Rail
from channels.http_settings import WholeSeconds
from channels.jeepay.profile import REFUSAL_LAG_S
from channels.keyed_md5 import credentials_of, is_private, secrets_of
from channels.keyed_md5.settings import KeyedMd5Settings

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Way(BaseModel):
    """How one rail is paid: the interface behind Jeepay, and the way of entry it is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    if_code: Word
    entry_type: Literal["ALIPAY_CASH", "WX_CASH", "BANK_CARD"]


ENTRY_TYPES: Mapping[Rail, str] = {
    Rail.ALIPAY: "ALIPAY_CASH",
    Rail.WECHAT: "WX_CASH",
    Rail.BANK_CARD: "BANK_CARD",
}
"""Which way of entry reaches which rail (dialects.md §1, entryType)."""


class ReportInfo(BaseModel):
    """One line of 转账场景报备信息."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    info_type: Annotated[str, StringConstraints(min_length=1, max_length=15)]
    info_content: Annotated[str, StringConstraints(min_length=1, max_length=32)]


class Scene(BaseModel):
    """What WeChat's product of 2025 wants to know; its payees confirm before money moves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    transfer_scene_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,36}$")]
    transfer_scene_report_infos: Annotated[tuple[ReportInfo, ...], Field(min_length=1)]


class JeepaySettings(KeyedMd5Settings):
    """One application (appId) of one merchant (mchNo)."""

    mch_no: Word
    app_id: Word
    app_secret: SecretStr
    previous_app_secret: SecretStr | None = None
    """Still believed in answers and notices while the secret is changed; signs nothing."""
    rails: Mapping[Rail, Way] = Field(
        default={
            Rail.ALIPAY: Way(if_code="alipay", entry_type="ALIPAY_CASH"),
            Rail.WECHAT: Way(if_code="wxpay", entry_type="WX_CASH"),
        }
    )
    """The rails this application is opened for. Stock servers ship alipay and wxpay alone; a bank
    interface has the `if_code` its operator says, often `bank`."""
    wechat_scene: Scene | None = None
    """Needed where the gateway's WeChat interface is of version new202501: without it an order
    stays in state 0 for good."""
    wechat_appid: Word | None = None
    """The application whose openids the gateway pays; wallets of another one are refused."""
    alipay_identities: Annotated[frozenset[AlipayIdentity], Field(min_length=1)] = frozenset(
        {AlipayIdentity.LOGON_ID}
    )
    """Stock servers hand every account to Alipay as a logon id."""
    trust_failures: Literal["listed", "all", "none"] = "listed"
    """When a verified state 3 or 4 counts as "no money moved".

    `listed`: only with a word by which Alipay or WeChat themselves refuse a payee (codes.py); all
    else waits for a person, since Jeepay writes 3 for every answer it does not understand.
    `all`: always, for a gateway whose software and channels are known. `none`: never, people only.
    """
    trust_not_found: bool = False
    """Whether the unsigned text 订单不存在 counts as "not found". It proves nothing by itself; but
    it completes a refusal of the fields (code 11), which otherwise waits for a person."""
    refusal_lag_s: WholeSeconds = REFUSAL_LAG_S
    """How far apart the two looks are that complete a refusal; seconds in a sandbox only."""

    def credentials(self) -> tuple[Credential, ...]:
        """Name each secret that is believed."""
        return credentials_of(self._secrets, "app_secret", "previous_app_secret")

    @field_validator("rails")
    @classmethod
    def _ways_fit(cls, value: Mapping[Rail, Way]) -> Mapping[Rail, Way]:
        if not value:
            raise ValueError("must name at least one rail")
        for rail, way in value.items():
            if ENTRY_TYPES.get(rail) != way.entry_type:
                raise ValueError(f"{way.entry_type} cannot carry {rail}")
        return value

    @model_validator(mode="after")
    def _load(self) -> Self:
        if self.wechat_scene is not None and Rail.WECHAT not in self.rails:
            raise ValueError("wechat_scene needs the rail wechat")
        if self.trust_not_found and not is_private(self.base_url):
            raise ValueError("trust_not_found needs an https address: the answer is not signed")
        self._secrets = secrets_of("app_secret", self.app_secret, self.previous_app_secret)
        return self
