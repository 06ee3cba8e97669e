"""Signed checkpoints of the audit log, in the form of C2SP tlog-checkpoint and signed-note. Pure.

A note is text that people and programs read: origin, size and Base64 root, a line each; then two
extension lines of ours, `at` and `chain`; an empty line; a signature line. Whoever keeps one off
the box can prove later that what it covers was changed.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from channels.unprinted import Unprinted
from gateway.domain.merkle import HASH_BYTES

SEED_BYTES = 32
_ED25519 = b"\x01"
"""The algorithm's byte in key ids and verifier keys (C2SP signed-note, "Signatures")."""
_DASH = "\N{EM DASH}"


class NoteError(ValueError):
    """A checkpoint that is not one, or not signed by a key that is trusted here."""


class Checkpoint(Struct, frozen=True):
    """What the log said it was at a moment."""

    origin: str
    size: int
    root: bytes
    chain: bytes
    """The hash chain's value after the last leaf."""
    at: datetime

    @property
    def text(self) -> str:
        """What is signed."""
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        lines = (self.origin, self.size, _b64(self.root), f"at {at}", f"chain {_b64(self.chain)}")
        return "".join(f"{line}\n" for line in lines)


class Verifier(Struct, frozen=True):
    """Knows a log by its name and public keys; several while a key is being replaced."""

    origin: str
    keys: tuple[bytes, ...]
    """Raw Ed25519 keys, the current one first."""

    def opened(self, note: str) -> Checkpoint:
        """Read a note. Raises `NoteError` unless a trusted key signed it for this log."""
        text, signatures = _parts(note)
        checkpoint = _read(text)
        if checkpoint.origin != self.origin:
            raise NoteError(f"it is of the log {checkpoint.origin!r}, not {self.origin!r}")
        for key in self.keys:
            signature = signatures.get((self.origin, key_id(self.origin, key)))
            if signature is None:
                continue
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(signature, text.encode())
            except InvalidSignature:
                raise NoteError("its signature does not fit its text") from None
            return checkpoint
        raise NoteError("no trusted key signed it")


class Signer(Unprinted, frozen=True):
    """Signs for one log with one key."""

    hidden = frozenset({"seed"})

    origin: str
    seed: bytes

    @property
    def public_key(self) -> bytes:
        """The raw Ed25519 public key."""
        return self._key.public_key().public_bytes_raw()

    @property
    def verifier_key(self) -> str:
        """Name, key id and key in the form that other tools take (C2SP signed-note)."""
        public = self.public_key
        return f"{self.origin}+{key_id(self.origin, public).hex()}+{_b64(_ED25519 + public)}"

    def sign(self, checkpoint: Checkpoint) -> str:
        """The note. Raises `ValueError` for another log's checkpoint."""
        if checkpoint.origin != self.origin:
            raise ValueError(f"this key signs for {self.origin!r} only")
        text = checkpoint.text
        signature = key_id(self.origin, self.public_key) + self._key.sign(text.encode())
        return f"{text}\n{_DASH} {self.origin} {_b64(signature)}\n"

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def key_id(origin: str, public_key: bytes) -> bytes:
    """Four bytes that say which key signed (C2SP signed-note, "Signatures")."""
    return sha256(origin.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def _parts(note: str) -> tuple[str, Mapping[tuple[str, bytes], bytes]]:
    text, blank, tail = note.partition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise NoteError("it is not a signed note")
    signatures = {}
    for line in tail.splitlines():
        words = line.split(" ")
        if len(words) != 3 or words[0] != _DASH:
            raise NoteError("it is not a signed note")
        raw = _unb64(words[2])
        signatures[words[1], raw[:4]] = raw[4:]
    return f"{text}\n", signatures


def _read(text: str) -> Checkpoint:
    lines = text.splitlines()
    given = dict(line.split(" ", 1) for line in lines[3:] if " " in line)
    try:
        checkpoint = Checkpoint(
            lines[0],
            int(lines[1]),
            _unb64(lines[2]),
            _unb64(given["chain"]),
            datetime.fromisoformat(given["at"]),
        )
    except (IndexError, KeyError, ValueError):
        raise NoteError("it is not a checkpoint") from None
    if {len(checkpoint.root), len(checkpoint.chain)} != {HASH_BYTES} or checkpoint.text != text:
        raise NoteError("it is not a checkpoint as this program writes them")
    return checkpoint


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise NoteError("it holds bad Base64") from None
