"""Opening merchants of an Epay site for a sandbox."""

from __future__ import annotations

from simulators.keyring import Keyring
from simulators.opening import HOST, Wishes

_PLATFORM = "epay-platform"


def platform(keys: Keyring, wishes: Wishes) -> dict[str, object]:
    """The site with its key; it charges 0.6 % on top."""
    keys.rsa(_PLATFORM)
    return {
        "name": "epay",
        "kind": "epay",
        "host": HOST,
        "platform_private_key_file": f"keys/{_PLATFORM}-private.pem",
        "transfer_rate_ppm": 6000,
    }


def account(
    name: str, number: int, port: int, keys: Keyring, wishes: Wishes
) -> tuple[dict[str, object], dict[str, str]]:
    """A merchant with a key of its own and money."""
    keys.rsa(name)
    pid = f"{1000 + number}"
    section: dict[str, object] = {
        "account": name,
        "port": port,
        "pid": pid,
        "public_key_file": f"keys/{name}-public.pem",
        "balance_fen": wishes.balance_fen,
    }
    return section, {
        "pid": pid,
        "private_key_file": keys.private(name),
        "platform_public_key_file": keys.public(_PLATFORM),
        "base_url": f"http://{HOST}:{port}/",
    }
