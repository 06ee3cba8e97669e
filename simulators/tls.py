"""Encrypted ports whose callers must show a certificate, for the kinds that know them by it.

The connection ends in the shell; the pure core gets the certificate's fingerprint in a header, as
from a box in front of an institution. A header of that name that a caller sends is dropped.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

CERTIFICATE = "x-client-certificate-sha256"


class Tls(BaseModel):
    """The `tls` section of a simulator."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cert_file: Path
    key_file: Path
    client_ca_file: Path
    """Callers need a certificate of this authority."""

    def context(self) -> ssl.SSLContext:
        """Ready to listen with. Raises OSError, ssl.SSLError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert_file, self.key_file)
        context.load_verify_locations(self.client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def with_certificate(
    headers: Mapping[str, str], transport: asyncio.BaseTransport | None
) -> dict[str, str]:
    """The headers, with the fingerprint of the caller's certificate if it has shown one."""
    told = {name: value for name, value in headers.items() if name != CERTIFICATE}
    secured = None if transport is None else transport.get_extra_info("ssl_object")
    shown = None if secured is None else secured.getpeercert(binary_form=True)
    return told if shown is None else told | {CERTIFICATE: hashlib.sha256(shown).hexdigest()}
