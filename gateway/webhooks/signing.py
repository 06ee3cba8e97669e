"""Standard Webhooks signatures: `v1,` HMAC-SHA256 over `id.timestamp.body`, one per live secret.

Source: Standard Webhooks specification, sections "Webhook metadata", "Signature scheme" and
"Secret rotation". The `standardwebhooks` library computes each signature; what it leaves to its
caller is the joining of several, and the making of secrets.
"""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from standardwebhooks import Webhook

SECRET_PREFIX = "whsec_"  # noqa: S105 - announces a secret, is none
SECRET_BYTES = 32


def new_secret(entropy: bytes) -> str:
    """Make a secret `whsec_<base64>` from 24 to 64 unpredictable bytes ("Signature scheme")."""
    if not 24 <= len(entropy) <= 64:
        raise ValueError("a webhook secret takes 24 to 64 bytes of entropy")
    return SECRET_PREFIX + base64.b64encode(entropy).decode()


@lru_cache(maxsize=1024)
def _signer(secret: str) -> Webhook:
    """It only reads the secret."""
    return Webhook(secret)


def signed_headers(
    delivery_id: str, payload: bytes, secrets: Sequence[str], at: datetime
) -> dict[str, str]:
    """Headers of one try: the id stays over all tries, time and signatures are of this one.

    Every secret signs, separated by blanks, so that a receiver may hold either during a rotation.
    Raises `ValueError` for an endpoint without secrets or a payload that is not UTF-8.
    """
    if not secrets:
        raise ValueError("an unsigned webhook proves nothing")
    moment = at.astimezone(UTC)
    body = payload.decode()
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(
            _signer(secret).sign(delivery_id, moment, body) for secret in secrets
        ),
    }
