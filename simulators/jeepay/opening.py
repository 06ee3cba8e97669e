"""Opening Jeepay applications for a sandbox."""

from __future__ import annotations

import secrets

from simulators.keyring import Keyring
from simulators.opening import HOST, Wishes


def platform(keys: Keyring, wishes: Wishes) -> dict[str, object]:
    """The payment service; it has no key of its own."""
    return {"name": "jeepay", "kind": "jeepay", "host": HOST}


def account(
    name: str, number: int, port: int, keys: Keyring, wishes: Wishes
) -> tuple[dict[str, object], dict[str, str]]:
    """A merchant with one application, a secret and money behind it."""
    mch_no, app_id = f"M{wishes.seed % 10**6:06d}{number:04d}", secrets.token_hex(12)
    secret = secrets.token_hex(32)
    section: dict[str, object] = {
        "account": name,
        "port": port,
        "mch_no": mch_no,
        "app_id": app_id,
        "app_secret": secret,
        "balance_fen": wishes.balance_fen,
    }
    return section, {
        "mch_no": mch_no,
        "app_id": app_id,
        "app_secret": secret,
        "base_url": f"http://{HOST}:{port}",
    }
