"""What an operator configures for a gateway of either family, checked when it is loaded.

Secrets are shown by no repr and by no validation error.
"""

from urllib.parse import urlsplit

from pydantic import PrivateAttr, field_validator

from channels.http_settings import HttpSettings
from channels.keyed_md5.signing import Secrets


class KeyedMd5Settings(HttpSettings):
    """One merchant's account, by its address and its secrets."""

    base_url: str
    """Where the payment service is; a path before its own is kept."""

    _secrets: Secrets = PrivateAttr()

    @property
    def secrets(self) -> Secrets:
        """Present and previous secret."""
        return self._secrets

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be http(s)://host[:port][/path]")
        if parts.query or parts.fragment or parts.username or not value.isascii():
            raise ValueError("must be a plain address, without query, fragment or user")
        return value.rstrip("/")
