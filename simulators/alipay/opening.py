"""Opening Alipay accounts for a sandbox."""

from __future__ import annotations

from simulators.keyring import Keyring
from simulators.opening import HOST, Wishes

_PLATFORM = "alipay-platform"


def platform(keys: Keyring, wishes: Wishes) -> dict[str, object]:
    """The platform with its key."""
    keys.rsa(_PLATFORM)
    return {
        "name": "alipay",
        "kind": "alipay",
        "host": HOST,
        "platform_private_key_file": f"keys/{_PLATFORM}-private.pem",
    }


def account(
    name: str, number: int, port: int, keys: Keyring, wishes: Wishes
) -> tuple[dict[str, object], dict[str, str]]:
    """An application with a key of its own and money."""
    keys.rsa(name)
    app_id, user_id = f"2021{wishes.seed % 10**6:06d}{number:06d}", f"2088{number:012d}"
    section: dict[str, object] = {
        "account": name,
        "port": port,
        "app_id": app_id,
        "user_id": user_id,
        "public_key_file": f"keys/{name}-public.pem",
        "balance_fen": wishes.balance_fen,
        "fee": {"rate_ppm": 1000, "min_fen": 10},
    }
    return section, {
        "app_id": app_id,
        "user_id": user_id,
        "private_key_file": keys.private(name),
        "platform_public_key_file": keys.public(_PLATFORM),
        "gateway_url": f"http://{HOST}:{port}/gateway.do",
    }
