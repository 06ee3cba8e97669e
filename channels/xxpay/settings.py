"""What an operator configures for one merchant of an XxPay gateway, checked when it is loaded.

Clones differ in paths and details; those that are known are settings. Secrets are shown by no repr
and by no validation error.
"""

from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from channels.contract import Credential, Rail
from channels.http_settings import WholeSeconds
from channels.keyed_md5 import credentials_of, is_private, secrets_of
from channels.keyed_md5.settings import KeyedMd5Settings
from channels.xxpay.profile import REFUSAL_LAG_S

UrlPath = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9_.-]+)+$")]


class XxPaySettings(KeyedMd5Settings):
    """One merchant (mchId)."""

    mch_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")]
    private_key: SecretStr
    """The merchant's secret; XxPay calls it 私钥, but it is shared."""
    previous_private_key: SecretStr | None = None
    """Still believed in answers and notices while the secret is changed; signs nothing."""
    rails: Annotated[frozenset[Literal[Rail.BANK_CARD, Rail.BANK_ACCOUNT]], Field(min_length=1)] = (
        frozenset({Rail.BANK_CARD, Rail.BANK_ACCOUNT})
    )
    sub_amount_from: Literal[1, 2] | None = None
    """Which balance pays: 1 what was collected, 2 the payout balance. Newer servers demand it,
    older ones and clones do not know it."""
    apply_path: UrlPath = "/api/agentpay/apply"
    query_path: UrlPath = "/api/agentpay/query_order"
    balance_path: UrlPath = "/api/agentpay/query_balance"
    lower_case_signature: bool = False
    """Sign in lower-case hex, for clones that compare so; answers are believed in either."""
    trust_failures: Literal["all", "none"] = "none"
    """Whether a verified status 3 counts as "no money moved".

    `none`: people only. Stock servers write 3 whenever the answer of the bank behind them cannot be
    read or verified, give no code for it, and may pay later all the same. `all`: for a gateway
    whose software is known to write 3 only for what the bank refused.
    """
    trust_refusals: bool = False
    """Whether a *signed* answer other than success to a submission counts as a refusal, to be
    completed by two looks. Stock servers sign none."""
    refusal_lag_s: WholeSeconds = REFUSAL_LAG_S
    """How far apart the two looks are that complete a refusal; seconds in a sandbox only."""

    def credentials(self) -> tuple[Credential, ...]:
        """Name each secret that is believed."""
        return credentials_of(self._secrets, "private_key", "previous_private_key")

    @model_validator(mode="after")
    def _load(self) -> Self:
        if self.trust_refusals and not is_private(self.base_url):
            raise ValueError("trust_refusals needs an https address: refusals name no order")
        self._secrets = secrets_of("private_key", self.private_key, self.previous_private_key)
        return self
