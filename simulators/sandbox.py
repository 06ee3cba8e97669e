"""`init`: a sandbox as institutions hand them out: keys, credentials, and a `sim.yaml` to go with.

Writes DIR/sim.yaml, DIR/credentials.json and DIR/keys/*.pem (private files readable by their owner
alone) and refuses to overwrite. Every account gets a port of its own, so that one can be made to
refuse while the others work.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

HOST = "127.0.0.1"
_FREE = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the sandbox should hold."""

    alipay: int = 1
    wechat: int = 1
    seed: int = 1
    port_base: int = 0
    """First of consecutive ports; 0 picks free ones."""
    balance_fen: int = 100_000_000
    clock_mode: str = "real"
    clock_start: str | None = None
    notify_url: str | None = None
    """Where notices go; `{account}` and `{kind}` are filled in."""


def make_sandbox(folder: Path, wishes: Wishes) -> list[dict[str, str]]:
    """Write everything and return the credentials. Raises FileExistsError, OSError."""
    config, credentials_file = folder / "sim.yaml", folder / "credentials.json"
    for existing in (config, credentials_file):
        if existing.exists():
            raise FileExistsError(f"{existing} exists already")
    keys = folder / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    ports = _ports(1 + wishes.alipay + wishes.wechat, wishes.port_base)
    control_port = next(ports)
    simulators: list[dict[str, object]] = []
    credentials: list[dict[str, str]] = []
    for kind, count, make in (
        ("alipay", wishes.alipay, _alipay_account),
        ("wechat_pay", wishes.wechat, _wechat_account),
    ):
        if count:
            section = _platform(kind, keys, wishes)
            accounts = []
            for number in range(1, count + 1):
                account, handed_out = make(number, next(ports), keys, wishes)
                accounts.append(account)
                credentials.append(handed_out)
            simulators.append({**section, "accounts": accounts})
    clock: dict[str, object] = {"mode": wishes.clock_mode}
    if wishes.clock_start is not None:
        clock["start"] = wishes.clock_start
    plan: dict[str, object] = {
        "seed": wishes.seed,
        "clock": clock,
        "control": {"host": HOST, "port": control_port},
        "simulators": simulators,
        "faults": [],
    }
    config.write_text(yaml.safe_dump(plan, sort_keys=False, allow_unicode=True), encoding="utf-8")
    _write_private(credentials_file, json.dumps(credentials, indent=2) + "\n")
    return credentials


def _platform(kind: str, keys: Path, wishes: Wishes) -> dict[str, object]:
    short = "alipay" if kind == "alipay" else "wechat"
    _make_key(keys, f"{short}-platform")
    section: dict[str, object] = {
        "name": short,
        "kind": kind,
        "host": HOST,
        "platform_private_key_file": f"keys/{short}-platform-private.pem",
    }
    if kind == "wechat_pay":
        section["public_key_id"] = _wechat_key_id(wishes.seed)
    return section


def _alipay_account(
    number: int, port: int, keys: Path, wishes: Wishes
) -> tuple[dict[str, object], dict[str, str]]:
    name = f"alipay-{number}"
    _make_key(keys, name)
    app_id, user_id = f"2021{wishes.seed % 10**6:06d}{number:06d}", f"2088{number:012d}"
    account: dict[str, object] = {
        "account": name,
        "port": port,
        "app_id": app_id,
        "user_id": user_id,
        "public_key_file": f"keys/{name}-public.pem",
        "balance_fen": wishes.balance_fen,
        "fee": {"rate_ppm": 1000, "min_fen": 10},
        **_notify(wishes, name, "alipay"),
    }
    return account, {
        "kind": "alipay",
        "account": name,
        "app_id": app_id,
        "user_id": user_id,
        "private_key_file": str(keys / f"{name}-private.pem"),
        "platform_public_key_file": str(keys / "alipay-platform-public.pem"),
        "gateway_url": f"http://{HOST}:{port}/gateway.do",
    }


def _wechat_account(
    number: int, port: int, keys: Path, wishes: Wishes
) -> tuple[dict[str, object], dict[str, str]]:
    name = f"wechat-{number}"
    _make_key(keys, name)
    mchid, appid = f"19{number:08d}", f"wx{wishes.seed % 10**6:06d}{number:010d}"
    serial_no, apiv3_key = secrets.token_hex(20).upper(), secrets.token_hex(16)
    account: dict[str, object] = {
        "account": name,
        "port": port,
        "mchid": mchid,
        "appid": appid,
        "serial_no": serial_no,
        "public_key_file": f"keys/{name}-public.pem",
        "apiv3_key": apiv3_key,
        "balance_fen": wishes.balance_fen,
        "fee": {"rate_ppm": 1000},
        **_notify(wishes, name, "wechat_pay"),
    }
    return account, {
        "kind": "wechat_pay",
        "account": name,
        "mchid": mchid,
        "appid": appid,
        "serial_no": serial_no,
        "private_key_file": str(keys / f"{name}-private.pem"),
        "platform_public_key_file": str(keys / "wechat-platform-public.pem"),
        "public_key_id": _wechat_key_id(wishes.seed),
        "apiv3_key": apiv3_key,
        "base_url": f"http://{HOST}:{port}",
    }


def _notify(wishes: Wishes, account: str, kind: str) -> dict[str, object]:
    if wishes.notify_url is None:
        return {}
    return {"notify_url": wishes.notify_url.format(account=account, kind=kind)}


def _wechat_key_id(seed: int) -> str:
    return f"PUB_KEY_ID_{seed % 10**6:010d}{0:010d}"


def _make_key(keys: Path, name: str) -> None:
    key: RSAPrivateKey = generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write_private(keys / f"{name}-private.pem", private.decode())
    (keys / f"{name}-public.pem").write_text(public.decode(), encoding="utf-8")


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")


def _ports(count: int, base: int) -> Iterator[int]:
    """Consecutive ports from `base`, or free ones. They lie below the range the kernel takes for
    outgoing connections: one of those could sit on a port between `init` and `serve`."""
    if base:
        return iter(range(base, base + count))
    free: list[int] = []
    first = _FREE.start + secrets.randbelow(len(_FREE))
    for step in range(len(_FREE)):
        port = _FREE.start + (first + step - _FREE.start) % len(_FREE)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as raw:
            try:
                raw.bind((HOST, port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return iter(free)
    raise OSError(f"no {count} free ports between {_FREE.start} and {_FREE.stop}")
