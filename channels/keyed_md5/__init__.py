"""What gateways of the Jeepay and XxPay families have in common, on the merchant's side.

Here is the signature and the JSON it is taken over; beside it the rules of their fields.
"""

from channels.keyed_md5.signing import (
    SECRET_CHARS_MIN,
    SIGN,
    Secrets,
    UnsignableError,
    credentials_of,
    is_private,
    read_object,
    secrets_of,
    signature,
)

__all__ = [
    "SECRET_CHARS_MIN",
    "SIGN",
    "Secrets",
    "UnsignableError",
    "credentials_of",
    "is_private",
    "read_object",
    "secrets_of",
    "signature",
]
