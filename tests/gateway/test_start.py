"""What a start imports: the code of its own channels and features, and nobody else's."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.sandbox.institutions import Account
from tests.gateway.install import handed_out, installed

ASSEMBLED = """
import asyncio, os, sys
from pathlib import Path
from gateway.cli.root import main
main.get_command(None, "serve")
from gateway.settings import load
from gateway.wiring import assemble

async def start():
    assembly = await assemble(load(Path(sys.argv[1]), os.environ))
    await assembly.watch.begin()
    await assembly.board.begin()
    await assembly.sticky.look()
    await assembly.worker.join()
    print(*sys.modules)
    await assembly.aclose()

asyncio.run(start())
"""
NOT_NEEDED = frozenset(
    {
        *("asyncpg", "chinese_calendar", "highspy", "holidays", "httpx", "jinja2", "lxml"),
        *("matplotlib", "numpy", "openpyxl", "pyiso20022", "redis", "segno", "scipy", "xsdata"),
        *("simulators", "gateway.sandbox", "gateway.store.postgres", "gateway.store.member"),
        *("cryptography.x509", "gateway.api.explain.explain", "gateway.api.explain.keys"),
        *(f"gateway.api.dialects.{name}" for name in ("alipay", "epay", "jeepay", "xxpay")),
    }
)
KINDS = frozenset({"bank", "epay", "jeepay", "stablecoin", "unionpay", "wechat_pay", "xxpay"})


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> list[Account]:
    """Keys take a while to make: once for all tests here."""
    return handed_out(tmp_path_factory.mktemp("institutions"))


def imported(folder: Path, accounts: list[Account], kinds: frozenset[str]) -> set[str]:
    """Every module that a gateway with these kinds of channels has imported when it is ready."""

    def edit(document: dict[str, Any]) -> None:
        document["channels"] = [one for one in document["channels"] if one["kind"] in kinds]

    loaded = installed(folder, accounts, edit)
    config = folder / "hangdao.yaml"
    assert len(yaml.safe_load(config.read_text("utf-8"))["channels"]) == len(kinds)
    secrets = loaded.settings.secrets
    told = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", ASSEMBLED, str(config)],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "HANGDAO_SANDBOX_KEK": secrets.kek.get_secret_value(),
            "HANGDAO_SANDBOX_PEPPER": secrets.key_pepper.get_secret_value(),
        },
    )
    return set(told.stdout.split())


def test_a_gateway_with_alipay_alone_imports_what_alipay_needs(
    tmp_path: Path, accounts: list[Account]
) -> None:
    """No other kind, no library for XML or workbooks, no driver of a database it does not use."""
    modules = imported(tmp_path, accounts, frozenset({"alipay"}))

    assert "channels.alipay.channel" in modules
    assert modules & NOT_NEEDED == set()
    assert modules & {f"channels.{kind}" for kind in KINDS} == set()


def test_a_second_kind_is_imported_where_it_is_configured(
    tmp_path: Path, accounts: list[Account]
) -> None:
    """And no third one."""
    modules = imported(tmp_path, accounts, frozenset({"alipay", "wechat_pay"}))

    assert {"channels.alipay.channel", "channels.wechat_pay.channel"} <= modules
    assert modules & {f"channels.{kind}" for kind in KINDS} == {"channels.wechat_pay"}


def test_asking_for_payouts_imports_nothing_of_the_gateway() -> None:
    """`hangdao payout ls` is a caller: it starts as one."""
    code = (
        "import sys\nfrom gateway.cli.root import main\n"
        "main.get_command(None, 'payout')\nprint(*sys.modules)"
    )
    told = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    modules = set(told.stdout.split())

    assert "gateway.cli.payouts" in modules
    assert modules & (NOT_NEEDED - {"httpx", "gateway.sandbox"}) == set()
    assert modules & {"aiohttp", "apsw", "cryptography", "gateway.wiring", "pydantic"} == set()
