"""What an institution hands out to a customer it opens an account for: key pairs, written once."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key


class Keyring:
    """A folder of keys; private files are readable by their owner alone."""

    def __init__(self, folder: Path) -> None:
        """In `folder`, which is made with the first key."""
        self.folder = folder

    def rsa(self, name: str) -> RSAPrivateKey:
        """Make NAME-private.pem (PKCS#1) and NAME-public.pem (SPKI), 2048 bits."""
        key = generate_private_key(65537, 2048)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.write_private(f"{name}-private.pem", private.decode())
        self.write(f"{name}-public.pem", public.decode())
        return key

    def private(self, name: str) -> str:
        """Where `rsa` has put a private key."""
        return str(self.folder / f"{name}-private.pem")

    def public(self, name: str) -> str:
        """Where `rsa` has put a public key."""
        return str(self.folder / f"{name}-public.pem")

    def write(self, file: str, text: str) -> None:
        """A file for everybody, such as a certificate."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / file).write_text(text, encoding="utf-8")

    def write_private(self, file: str, text: str) -> None:
        """A file for its owner alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / file
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(text, encoding="utf-8")
