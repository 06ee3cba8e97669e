"""A sandbox that stays: institutions and gateway as child processes, one merchant with money.

The folder keeps keys, secrets, ledger and payouts from one run to the next. The institutions' books
live in their process only, so they begin anew with every run.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

import httpx

from gateway.sandbox import card, cast
from gateway.sandbox.card import Card
from gateway.sandbox.installation import Installation, install
from gateway.sandbox.institutions import Account, Institutions, adjust, found
from gateway.sandbox.merchant import Client
from gateway.sandbox.processes import Child, ProcessError
from gateway.settings import load
from gateway.wiring import create_operator_key

MERCHANT = "demo"
DEPOSIT_MINOR = 100_000_000
"""1,000,000.00 CNY, and as much in USD."""
_SCOPES = ["payouts:write", "payouts:read", "webhooks"]
_LOGS = ("sim.log", "gateway.log")


async def up(folder: Path, port: int, announce: Callable[[Card], None]) -> None:
    """Start everything, announce it, stay until a signal ends it, end the children.

    `folder` is absolute: children and configuration name files by it, wherever they run.
    Raises `ProcessError` with a sentence when it cannot start, or when a child ends by itself.
    """
    running = asyncio.create_task(_run(folder, port, announce))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        # Once: a second Ctrl-C must not keep the children from being ended.
        if not running.cancelling():
            running.cancel()

    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(name, stop)
    try:
        await running
    except asyncio.CancelledError:
        if not running.cancelled():
            raise


async def _run(folder: Path, port: int, announce: Callable[[Card], None]) -> NoReturn:
    before = card.read(folder)
    await _check_free(folder, before, port)
    _clear(folder)
    accounts = await found(folder, cast.ACCOUNTS, seed=1)
    async with AsyncExitStack() as stack:
        institutions = Institutions(folder)
        stack.push_async_callback(institutions.stop)
        installation = install(
            folder,
            accounts,
            cast.TERMS,
            port=port,
            channel_names=cast.CHANNEL_NAMES,
            labels=cast.LABELS,
        )
        has_ledger = (folder / "data" / "hangdao.db").exists()
        keys = before if has_ledger else None
        if keys is not None and keys.second_key:
            operator_key, second_key = keys.operator_key, keys.second_key
        else:
            operator_key = await _operator_key(installation, "first operator")
            second_key = await _operator_key(installation, "second operator")
        gateway = Child(
            *("gateway", "serve", "--config", str(installation.config)),
            log=folder / "gateway.log",
            env=installation.env,
        )
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        async with Client(installation.url, operator_key) as operator:
            merchant_key = await _open(operator, accounts, keys)
            # Their books begin anew with every run: with what our ledger says is there.
            adjust(folder, await _books(operator, accounts, installation.url))
            await institutions.start()
            ahead_s = keys.ahead_s if keys else 0
            await _go_ahead(operator, institutions, ahead_s)
        made = Card(
            url=installation.url,
            control_url=institutions.control_url,
            operator_key=operator_key,
            second_key=second_key,
            merchant=MERCHANT,
            merchant_key=merchant_key,
            accounts={channel: account for account, channel in cast.CHANNEL_NAMES.items()},
            ahead_s=ahead_s,
        )
        card.write(folder, made)
        announce(made)
        await _watch({"the gateway": gateway, "the institutions": institutions})


def _clear(folder: Path) -> None:
    """Have a folder that only its owner can look into, without the logs of earlier runs."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in _LOGS:
        (folder / name).unlink(missing_ok=True)


async def _check_free(folder: Path, before: Card | None, port: int) -> None:
    """Refuse while something is in the way. Raises `ProcessError`."""
    if before is not None and await _answers(before.url):
        raise ProcessError(f"a sandbox is running in {folder} already, at {before.url}")
    with socket.socket() as probe:
        # As the gateway itself listens: connections of an earlier run that linger do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ProcessError(
                f"port {port} is in use ({error.strerror}); choose another one with --port"
            ) from None


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
        try:
            return (await http.get(f"{url}/healthz")).is_success
        except httpx.HTTPError:
            return False


async def _books(
    operator: Client, accounts: Sequence[Account], url: str
) -> Mapping[str, Mapping[str, object]]:
    """What each account's institution has to know about it."""
    ledger = await operator.get("/v1/admin/ledger")
    floats = {
        row["owner"]: row["balance_minor"] for row in ledger["data"] if row["book"] == "float"
    }
    return {
        account.name: cast.books_of(account, url, floats[cast.CHANNEL_NAMES[account.name]])
        for account in accounts
    }


async def _operator_key(installation: Installation, person: str) -> str:
    loaded = load(installation.config, {**os.environ, **installation.env})
    return await create_operator_key(loaded, "sandbox", person)


async def _open(operator: Client, accounts: Sequence[Account], keys: Card | None) -> str:
    """Book the opening balances once, and see that the merchant exists; returns its key."""
    for account in accounts:
        channel = cast.CHANNEL_NAMES[account.name]
        await operator.post(f"/v1/admin/channels/{channel}/topup", cast.opening(account))
    path = f"/v1/admin/merchants/{MERCHANT}"
    known = await operator.get("/v1/admin/merchants")
    if all(one["id"] != MERCHANT for one in known["data"]):
        await operator.post("/v1/admin/merchants", {"id": MERCHANT, "name": "演示商户 Demo"})
    for currency, key in (("CNY", "opening"), ("USD", "opening-usd")):
        booking = {"amount_minor": DEPOSIT_MINOR, "currency": currency, "key": key}
        await operator.post(f"{path}/fund", booking)
    if keys is not None:
        return keys.merchant_key
    made = await operator.post(f"{path}/keys", {"label": "sandbox", "scopes": _SCOPES})
    return str(made["key"])


async def _go_ahead(operator: Client, institutions: Institutions, seconds: int) -> None:
    """Take both clocks to where earlier runs had moved them: what is stored must stay past."""
    if seconds:
        now = datetime.fromisoformat((await operator.get("/v1/admin/clock"))["now"])
        await institutions.advance_to((now + timedelta(seconds=seconds)).isoformat())
        await operator.post("/v1/admin/clock/advance", {"seconds": seconds})


async def _watch(children: Mapping[str, Child | Institutions]) -> NoReturn:
    """Wait for ever; a child that ends by itself is an error."""
    waits = {asyncio.create_task(child.wait()): name for name, child in children.items()}
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
    ended = done.pop()
    raise ProcessError(f"{waits[ended]} ended by itself with exit code {ended.result()}")
