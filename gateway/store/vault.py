"""Envelope encryption of what must not be readable in a stolen database.

A key-encryption key (KEK) from the settings wraps data keys; data keys are stored wrapped and seal
columns with AES-256-GCM. Rotating the KEK re-wraps data keys and touches no sealed column. The
additional data binds each ciphertext to merchant, field and row, so that it cannot be moved.

A process makes its own data key at its first write and a fresh one daily or after 2^30 seals, far
below the 2^32 random nonces a GCM key may see (NIST SP 800-38D, section 8.3). One more wrapped key
never changes: from it the key of the blind index is derived, or look-ups would break on rotation.
"""

import base64
import binascii
import hmac
import os
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)
from msgspec import Struct

from gateway.store.errors import SealError

_SEALS_MAX = 2**30
_KEY_AGE_MAX = timedelta(days=1)
_VERSION = b"\x01"
_ID_BYTES = 8
_NONCE_BYTES = 12
_NONCES = 256
"""Drawn at once: each draw gives the interpreter's lock away."""


class WrappedKey(Struct, frozen=True):
    """A data key as it is stored."""

    id: str
    kek_id: str
    wrapped: bytes


class Vault:
    """Seals and opens columns. Nonces and keys come from the system's generator, never a seed."""

    def __init__(self, kek: str, previous: str | None = None) -> None:
        """`kek` and `previous` are 32 bytes in Base64; `previous` only opens, during a rotation."""
        self._keks = {}
        for name, text in (("kek", kek), ("previous", previous)):
            if text is not None:
                secret = _secret(name, text)
                # Names the KEK without giving anything of it away: a truncated keyed hash.
                self._keks[hmac.digest(secret, b"hangdao kek id", sha256).hex()[:16]] = secret
        self._current = next(iter(self._keks))
        self._ciphers: dict[bytes, AESGCM] = {}
        self._sealing: tuple[bytes, AESGCM] | None = None
        self._sealed = 0
        self._since: datetime | None = None
        self._index_key: hmac.HMAC | None = None
        self._state_key: hmac.HMAC | None = None
        self._nonces: list[bytes] = []

    def __repr__(self) -> str:
        """Name the KEK, show nothing of it."""
        return f"Vault(kek_id={self._current!r})"

    # --- Data keys ---

    def fresh_key(self) -> WrappedKey:
        """Make a data key. It must be stored before anything is sealed with it."""
        return self._wrap(os.urandom(_ID_BYTES).hex(), os.urandom(32))

    def adopt(self, key: WrappedKey, *, sealing_since: datetime | None = None) -> None:
        """Use a stored data key for opening, and from now on for sealing when a time is given."""
        cipher = AESGCM(self._unwrap(key))
        raw_id = bytes.fromhex(key.id)
        self._ciphers[raw_id] = cipher
        if sealing_since is not None:
            self._sealing = (raw_id, cipher)
            self._since, self._sealed = sealing_since, 0

    def adopt_index(self, key: WrappedKey) -> None:
        """Derive the keys of the blind index and of the audit log's state hashes."""
        secret = self._unwrap(key)
        derive = HKDF(SHA256(), 32, salt=None, info=b"hangdao blind index v1")
        self._index_key = hmac.new(derive.derive(secret), digestmod=sha256)
        derive = HKDF(SHA256(), 32, salt=None, info=b"hangdao audit state v1")
        self._state_key = hmac.new(derive.derive(secret), digestmod=sha256)

    def needs_fresh_key(self, now: datetime) -> bool:
        """Whether to make a data key before sealing anything more."""
        return (
            self._since is None or self._sealed >= _SEALS_MAX or now - self._since >= _KEY_AGE_MAX
        )

    def rewrapped(self, key: WrappedKey) -> WrappedKey | None:
        """The same data key under the current KEK; None when it is wrapped by that already."""
        if key.kek_id == self._current:
            return None
        return self._wrap(key.id, self._unwrap(key))

    def knows(self, sealed: bytes) -> bool:
        """Whether the data key of a sealed value has been adopted."""
        return sealed[1 : 1 + _ID_BYTES] in self._ciphers

    @staticmethod
    def key_id(sealed: bytes) -> str:
        """Which data key sealed it."""
        return sealed[1 : 1 + _ID_BYTES].hex()

    # --- Columns ---

    def seal(self, plain: bytes, owner: str, field: str, row: str) -> bytes:
        """Encrypt for one field of one row of one owner (a merchant, or a channel)."""
        if self._sealing is None:
            raise SealError("no data key has been stored yet")
        raw_id, cipher = self._sealing
        nonce = self._nonce()
        self._sealed += 1
        head = _VERSION + raw_id + nonce
        return head + cipher.encrypt(nonce, plain, _bound(owner, field, row))

    def open(self, sealed: bytes, owner: str, field: str, row: str) -> bytes:
        """Decrypt; `SealError` when the row was tampered with or its data key is not at hand."""
        cipher = self._ciphers.get(sealed[1 : 1 + _ID_BYTES])
        if cipher is None or sealed[:1] != _VERSION:
            raise SealError(f"{field} of {row} was sealed with an unknown data key")
        start = 1 + _ID_BYTES + _NONCE_BYTES
        nonce = sealed[1 + _ID_BYTES : start]
        try:
            return cipher.decrypt(nonce, sealed[start:], _bound(owner, field, row))
        except InvalidTag:
            raise SealError(f"{field} of {row} does not open: the row was changed") from None

    def blind_index(self, payee: bytes) -> bytes:
        """The same 16 bytes for the same payee, meaningless without the key."""
        if self._index_key is None:
            raise SealError("no index key has been stored yet")
        return _keyed(self._index_key, payee)[:16]

    def keyed(self, private: bytes) -> bytes:
        """A hash that commits to something private and lets nobody without the key confirm it."""
        if self._state_key is None:
            raise SealError("no index key has been stored yet")
        return _keyed(self._state_key, private)

    def _nonce(self) -> bytes:
        """Taken out of what was drawn in one step, so that no two seals can have the same."""
        while True:
            try:
                return self._nonces.pop()
            except IndexError:
                drawn = os.urandom(_NONCES * _NONCE_BYTES)
                self._nonces += [
                    drawn[at : at + _NONCE_BYTES] for at in range(0, len(drawn), _NONCE_BYTES)
                ]

    def _wrap(self, key_id: str, key: bytes) -> WrappedKey:
        return WrappedKey(key_id, self._current, aes_key_wrap(self._keks[self._current], key))

    def _unwrap(self, key: WrappedKey) -> bytes:
        secret = self._keks.get(key.kek_id)
        if secret is None:
            raise SealError(
                f"data key {key.id} is wrapped by another key-encryption key ({key.kek_id}); "
                "set secrets.kek, or secrets.previous_kek during a rotation, to that key"
            )
        try:
            return aes_key_unwrap(secret, key.wrapped)
        except InvalidUnwrap:
            raise SealError(f"data key {key.id} does not unwrap: the row was changed") from None


def _keyed(key: hmac.HMAC, private: bytes) -> bytes:
    """From a copy of what the key alone has made of it, which is half of the work."""
    turn = key.copy()
    turn.update(private)
    return turn.digest()


def _bound(owner: str, field: str, row: str) -> bytes:
    return f"{owner}\x1f{field}\x1f{row}".encode()


def _secret(name: str, text: str) -> bytes:
    try:
        secret = base64.b64decode(text, validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != 32:
        raise SealError(f"{name} must be 32 bytes in Base64")
    return secret
