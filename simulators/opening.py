"""What the kinds share when they open accounts for a sandbox: the wishes, and the two steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from simulators.keyring import Keyring

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the sandbox should hold."""

    accounts: Mapping[str, int] = field(default_factory=dict)
    """How many of each kind; kinds that are not named get none."""
    seed: int = 1
    port_base: int = 0
    """First of consecutive ports; 0 picks free ones."""
    balance_fen: int = 100_000_000
    """On each account, in minor units of its currency."""
    clock_mode: str = "real"
    clock_start: str | None = None
    notify_url: str | None = None
    """Where notices go; `{account}` and `{kind}` are filled in."""

    def notices_of(self, account: str, kind: str) -> dict[str, object]:
        """The `notify_url` key of an account's section, or nothing."""
        if self.notify_url is None:
            return {}
        return {"notify_url": self.notify_url.format(account=account, kind=kind)}


class Opening(Protocol):
    """How a kind opens accounts: a module with these two functions."""

    def platform(self, keys: Keyring, wishes: Wishes) -> dict[str, object]:
        """The kind's section of `sim.yaml` without its accounts."""
        ...

    def account(
        self, name: str, number: int, port: int, keys: Keyring, wishes: Wishes
    ) -> tuple[dict[str, object], dict[str, str]]:
        """The account's own section, and what its customer is handed out."""
        ...
