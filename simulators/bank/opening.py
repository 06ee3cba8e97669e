"""Opening bank accounts for a sandbox."""

from __future__ import annotations

import secrets

from simulators.keyring import Keyring
from simulators.opening import HOST, Wishes


def platform(keys: Keyring, wishes: Wishes) -> dict[str, object]:
    """The bank; it signs nothing with a key of its own."""
    del keys, wishes
    return {"name": "bank", "kind": "bank", "host": HOST}


def account(
    name: str, number: int, port: int, keys: Keyring, wishes: Wishes
) -> tuple[dict[str, object], dict[str, str]]:
    """A corporate account with money, and the secret of what is pushed to its owner."""
    account_number = f"0200{wishes.seed % 10**6:06d}{number:09d}"
    secret = secrets.token_hex(32)
    keys.write_private(f"{name}-notice-secret.txt", secret + "\n")
    section: dict[str, object] = {
        "account": name,
        "port": port,
        "customer_id": f"CUST{number:06d}",
        "number": account_number,
        "owner": f"沙箱企业{number}",
        "balance_fen": wishes.balance_fen,
        "fee": {"flat_fen": 50},
        "notice_secret": secret,
    }
    return section, {
        "base_url": f"http://{HOST}:{port}",
        "customer_id": f"CUST{number:06d}",
        "account_number": account_number,
        "account_name": f"沙箱企业{number}",
        "notice_secret": secret,
    }
