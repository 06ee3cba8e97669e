"""What the shell tells a pure core about a caller's certificate."""

from __future__ import annotations

from simulators.tls import CERTIFICATE, with_certificate


def test_nobody_can_claim_a_certificate() -> None:
    """A header of that name is dropped; only the connection puts one there."""
    claimed = {CERTIFICATE: "0" * 64, "host": "bank"}
    assert with_certificate(claimed, None) == {"host": "bank"}
