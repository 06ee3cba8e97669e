"""A real gateway and real simulators as processes, for tests that give commands to them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson
from click.testing import CliRunner, Result
from msgspec.structs import replace

from gateway.cli import main
from gateway.sandbox import card, cast
from gateway.sandbox.card import Card
from gateway.sandbox.installation import Installation, free_port, install
from gateway.sandbox.institutions import Account

CHANNEL = "alipay-main"


def hangdao(*arguments: str, env: Mapping[str, str] | None = None, given: str = "") -> Result:
    """Run a command in this process; what it raises beyond exits shows in the test."""
    return CliRunner(env=dict(env or {})).invoke(
        main, list(arguments), input=given, catch_exceptions=False, prog_name="hangdao"
    )


def answer(result: Result) -> Any:
    """The one JSON document that a successful command printed."""
    assert result.exit_code == 0, result.output
    return orjson.loads(result.stdout)


@dataclass(slots=True)
class Process:
    """`python -m gateway …`, ready once it has printed a JSON line."""

    arguments: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Mapping[str, Any] = field(default_factory=dict)
    child: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Wait for its first line."""
        self.child = subprocess.Popen(  # noqa: S603 - our own program, no text from outside
            [sys.executable, "-m", "gateway", *self.arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.env},
        )
        assert self.child.stdout is not None
        self.ready = orjson.loads(self.child.stdout.readline())
        return self

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        assert self.child is not None
        assert self.child.stdout is not None
        self.child.send_signal(by)
        try:
            return self.child.wait(30)
        finally:
            self.child.kill()
            self.child.wait()
            self.child.stdout.close()


@dataclass(slots=True)
class Served:
    """One Alipay account, one gateway, one merchant with money, and the card that leads there."""

    folder: Path
    installation: Installation
    operator_key: str
    person_key: str
    """Another operator's, which says whose it is."""
    children: list[Process]
    url: str = ""

    def run(self, *arguments: str, given: str = "") -> Result:
        """A command, told where this sandbox is."""
        return hangdao(*arguments, "--dir", str(self.folder), given=given)

    def ask(self, *arguments: str) -> Any:
        """A command that must succeed, and its document."""
        return answer(self.run(*arguments, "--json"))


def configure(folder: Path, account: Account | None = None) -> Installation:
    """A configuration as `hangdao up` writes it; without an account, one without channels."""
    accounts = [] if account is None else [account]
    return install(
        folder,
        accounts,
        {"alipay-1": {**cast.TERMS["alipay-1"]}},
        port=free_port(),
        channel_names={"alipay-1": CHANNEL},
    )


def serve(folder: Path) -> Served:
    """Start everything, by commands alone."""
    init = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "gateway", "sim", "init", str(folder), "--alipay", "1", "--json"],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert orjson.loads(init.stdout)["accounts"] == [{"kind": "alipay", "account": "alipay-1"}]
    given = orjson.loads((folder / "credentials.json").read_bytes())[0]
    installation = configure(folder, Account("alipay", "alipay-1", given))
    config = str(installation.config)
    create = ("key", "create", "--operator", "--config", config, "--json", "--label")
    made = hangdao(*create, "tests", env=installation.env)
    named = hangdao(*create, "wang", "--person", "王五", env=installation.env)
    keys = (answer(made)["key"], answer(named)["key"])
    served = Served(folder, installation, *keys, [])
    try:
        _start(served, config)
    except BaseException:
        stop(served)
        raise
    return served


def _start(served: Served, config: str) -> None:
    sim = Process(("sim", "--config", str(served.folder / "sim.yaml")))
    served.children.append(sim.start())
    gateway = Process(("serve", "--config", config), served.installation.env)
    served.children.append(gateway.start())
    served.url = gateway.ready["url"]
    made = Card(
        url=served.url,
        control_url=sim.ready["control"],
        operator_key=served.operator_key,
        merchant="acme",
        merchant_key="",
        accounts={CHANNEL: "alipay-1"},
    )
    # Booked while no institution is known: what was opened there lies there already.
    card.write(served.folder, replace(made, accounts={}))
    served.ask("merchant", "add", "acme", "--name", "Acme")
    served.ask("merchant", "fund", "acme", "--amount", "1000000.00")
    served.ask("channel", "topup", CHANNEL, "--amount", "1000000.00", "--booking", "opening")
    key = served.ask("key", "create", "acme", "--label", "tests")["key"]
    card.write(served.folder, replace(made, merchant_key=key))


def stop(served: Served) -> None:
    """End what was started, the gateway first."""
    for child in reversed(served.children):
        child.stop()
