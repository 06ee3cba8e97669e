"""A stand-in for RSA that is right or wrong in a microsecond, so that content is what is tried.

It takes the place of both halves of a key pair: same calls, same exceptions. RSA itself is tried in
every twentieth input with the platforms' real test keys.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidSignature


class Stamp:
    """Signs and verifies as an RSA key would be asked to."""

    key_size = 2048

    def __init__(self, secret: bytes) -> None:
        """Two stamps with different secrets are two keys."""
        self._secret = secret

    def sign(self, content: bytes, *_: object) -> bytes:
        """A signature over exactly these bytes."""
        return hmac.digest(self._secret, content, hashlib.sha256)

    def verify(self, signature: bytes, content: bytes, *_: object) -> None:
        """Raise `InvalidSignature` unless it fits."""
        if not hmac.compare_digest(self.sign(content), signature):
            raise InvalidSignature
