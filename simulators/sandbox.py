"""`init`: a sandbox as institutions hand them out: keys, credentials, and a `sim.yaml` to go with.

Writes DIR/sim.yaml, DIR/credentials.json and DIR/keys/*.pem (private files readable by their owner
alone) and refuses to overwrite. Every account gets a port of its own, so that one can be made to
refuse while the others work. What a section and an account consist of each kind knows itself, in
its `opening.py`.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import yaml

from simulators.keyring import Keyring
from simulators.opening import HOST, Wishes
from simulators.registry import KINDS

_FREE = range(20_000, 32_000)


def make_sandbox(folder: Path, wishes: Wishes) -> list[dict[str, str]]:
    """Write everything and return the credentials. Raises FileExistsError, OSError."""
    config, credentials_file = folder / "sim.yaml", folder / "credentials.json"
    for existing in (config, credentials_file):
        if existing.exists():
            raise FileExistsError(f"{existing} exists already")
    keys = Keyring(folder / "keys")
    keys.folder.mkdir(parents=True, exist_ok=True)
    wanted = {kind: wishes.accounts.get(kind, 0) for kind in KINDS}
    ports = _ports(1 + sum(wanted.values()), wishes.port_base)
    control_port = next(ports)
    simulators: list[dict[str, object]] = []
    credentials: list[dict[str, str]] = []
    for kind, count in wanted.items():
        if count:
            opening = KINDS[kind].opening
            section = opening.platform(keys, wishes)
            accounts = []
            for number in range(1, count + 1):
                name = f"{KINDS[kind].short}-{number}"
                account, handed_out = opening.account(name, number, next(ports), keys, wishes)
                accounts.append({**account, **wishes.notices_of(name, kind)})
                credentials.append({"kind": kind, "account": name, **handed_out})
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
    Keyring(folder).write_private(credentials_file.name, json.dumps(credentials, indent=2) + "\n")
    return credentials


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
