"""A gateway's configuration for a test: real keys, institutions that need not be there."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from gateway.sandbox.installation import install
from gateway.sandbox.institutions import Account
from gateway.settings import Loaded, load
from simulators.opening import Wishes
from simulators.sandbox import make_sandbox

TERMS: Mapping[str, Mapping[str, Any]] = {
    "alipay-1": {"currency": "CNY", "amount_min": 10, "amount_max": 1_000_000, "fee": {}},
    "wechat-1": {"currency": "CNY", "amount_min": 30, "amount_max": 1_000_000, "fee": {}},
}
NAMES: Mapping[str, str] = {"alipay-1": "alipay-main", "wechat-1": "wechat-main"}

Edit = Callable[[dict[str, Any]], None]


def handed_out(folder: Path) -> list[Account]:
    """Credentials of one Alipay and one WeChat account."""
    given = make_sandbox(folder, Wishes({"alipay": 1, "wechat_pay": 1}))
    return [Account(one["kind"], one["account"], one) for one in given]


def installed(folder: Path, accounts: list[Account], edit: Edit | None = None) -> Loaded:
    """Write and load a configuration that listens on a free port, after `edit` has changed it."""
    made = install(folder, accounts, TERMS, port=0, channel_names=NAMES)
    document = yaml.safe_load(made.config.read_text(encoding="utf-8"))
    document["server"] = {"host": "127.0.0.1", "port": 0}
    # A halted process has no readers here who would want it to stay.
    document["worker"] = {**document.get("worker", {}), "halt_linger_s": 0}
    if edit is not None:
        edit(document)
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    made.config.write_text(text, encoding="utf-8")
    return load(made.config, made.env)
