"""Write a gateway's configuration for a sandbox: `hangdao.yaml` and its secrets beside it."""

import base64
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
import yaml
from msgspec import Struct

from gateway.sandbox.credentials import credentials
from gateway.sandbox.institutions import Account


class Installation(Struct, frozen=True):
    """Where a sandbox's gateway lives and which secrets it needs in its environment."""

    config: Path
    url: str
    env: Mapping[str, str]


def free_port() -> int:
    """A TCP port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def install(
    folder: Path,
    accounts: Sequence[Account],
    terms: Mapping[str, Mapping[str, object]],
    *,
    port: int,
    channel_names: Mapping[str, str],
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> Installation:
    """Write the configuration; an existing secrets file is kept, so that data stays readable.

    `terms`, `channel_names` and `labels` are keyed by account name.
    """
    url = f"http://127.0.0.1:{port}"
    config = folder / "hangdao.yaml"
    channels = [
        {
            "name": channel_names[account.name],
            "kind": account.kind,
            **({"label": dict(labels[account.name])} if labels else {}),
            "credentials": credentials(account),
            "terms": dict(terms[account.name]),
        }
        for account in accounts
    ]
    document = {
        "server": {"host": "127.0.0.1", "port": port, "public_url": url},
        "data_dir": "data",
        "secrets": {"kek": "${HANGDAO_SANDBOX_KEK}", "key_pepper": "${HANGDAO_SANDBOX_PEPPER}"},
        "clock": {"adjustable": True},
        "webhooks": {"allow": ["127.0.0.0/8"]},
        "worker": {"poll_s": 0.1},
        "channels": channels,
    }
    config.write_text(
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    return Installation(config, url, _secrets(folder / "secrets.json"))


def _secrets(file: Path) -> Mapping[str, str]:
    if file.exists():
        kept: dict[str, str] = orjson.loads(file.read_bytes())
        return kept
    fresh = {
        "HANGDAO_SANDBOX_KEK": base64.b64encode(os.urandom(32)).decode(),
        "HANGDAO_SANDBOX_PEPPER": base64.b64encode(os.urandom(32)).decode(),
    }
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as private:
        private.write(orjson.dumps(fresh))
    return fresh
