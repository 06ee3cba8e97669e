"""Opening WeChat Pay accounts for a sandbox."""

from __future__ import annotations

import secrets

from simulators.keyring import Keyring
from simulators.opening import HOST, Wishes

_PLATFORM = "wechat-platform"


def platform(keys: Keyring, wishes: Wishes) -> dict[str, object]:
    """The platform with its key, in public-key mode."""
    keys.rsa(_PLATFORM)
    return {
        "name": "wechat",
        "kind": "wechat_pay",
        "host": HOST,
        "platform_private_key_file": f"keys/{_PLATFORM}-private.pem",
        "public_key_id": _key_id(wishes.seed),
    }


def account(
    name: str, number: int, port: int, keys: Keyring, wishes: Wishes
) -> tuple[dict[str, object], dict[str, str]]:
    """A merchant with one application, a key of its own and money."""
    keys.rsa(name)
    mchid, appid = f"19{number:08d}", f"wx{wishes.seed % 10**6:06d}{number:010d}"
    serial_no, apiv3_key = secrets.token_hex(20).upper(), secrets.token_hex(16)
    section: dict[str, object] = {
        "account": name,
        "port": port,
        "mchid": mchid,
        "appid": appid,
        "serial_no": serial_no,
        "public_key_file": f"keys/{name}-public.pem",
        "apiv3_key": apiv3_key,
        "balance_fen": wishes.balance_fen,
        "fee": {"rate_ppm": 1000},
    }
    return section, {
        "mchid": mchid,
        "appid": appid,
        "serial_no": serial_no,
        "private_key_file": keys.private(name),
        "platform_public_key_file": keys.public(_PLATFORM),
        "public_key_id": _key_id(wishes.seed),
        "apiv3_key": apiv3_key,
        "base_url": f"http://{HOST}:{port}",
    }


def _key_id(seed: int) -> str:
    return f"PUB_KEY_ID_{seed % 10**6:010d}{0:010d}"
