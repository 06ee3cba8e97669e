"""Opening XxPay merchants for a sandbox."""

from __future__ import annotations

import secrets

from simulators.keyring import Keyring
from simulators.opening import HOST, Wishes


def platform(keys: Keyring, wishes: Wishes) -> dict[str, object]:
    """The gateway; it has no key of its own."""
    return {"name": "xxpay", "kind": "xxpay", "host": HOST}


def account(
    name: str, number: int, port: int, keys: Keyring, wishes: Wishes
) -> tuple[dict[str, object], dict[str, str]]:
    """A merchant with a secret and money."""
    mch_id = f"2{wishes.seed % 10**4:04d}{number:03d}"
    private_key = secrets.token_hex(32).upper()
    section: dict[str, object] = {
        "account": name,
        "port": port,
        "mch_id": mch_id,
        "private_key": private_key,
        "balance_fen": wishes.balance_fen,
        "fee": {"flat_fen": 100},
    }
    return section, {
        "mch_id": mch_id,
        "private_key": private_key,
        "base_url": f"http://{HOST}:{port}",
    }
