"""`hangdao key`: merchants' keys over the API; operators' keys straight in the store.

The first operator's key cannot come over an API that asks for one. Whoever can read the
configuration's secrets and write the database is an operator already.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gateway.api.views import key_view
from gateway.cli.configuration import CONFIG, read_config, refusing
from gateway.cli.connection import Api, Connect, connecting, path_of, reaching
from gateway.cli.output import Group, facts, grid, moment, tell
from gateway.clock import SystemClock
from gateway.settings import Loaded
from gateway.wiring import create_operator_key, open_configured_store

_SCOPES = ("payouts:write", "payouts:read", "webhooks")


@click.group(cls=Group)
def key_command() -> None:
    """API keys. A key is shown once, when it is made."""


@key_command.command("create")
@click.argument("merchant", required=False)
@click.option("--operator", is_flag=True, help="An operator's key, made straight in the store.")
@click.option("--label", required=True, help="What the key is for.")
@click.option("--person", help="Whose key it is (--operator): two people need two persons' keys.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(_SCOPES), help="Default: all.")
@click.option("--signed", is_flag=True, help="Demand an HMAC signature on every request.")
@CONFIG
@connecting("operator")
def create(
    connect: Connect,
    *,
    merchant: str | None,
    operator: bool,
    label: str,
    person: str | None,
    scopes: Sequence[str],
    signed: bool,
    config: Path,
) -> None:
    """Make a key for MERCHANT, or with --operator one for yourself (the gateway stands still)."""
    _either(merchant, operator=operator)
    if operator:
        if scopes or signed:
            raise click.UsageError("--scope and --signed are for merchants' keys")
        loaded = read_config(config)
        with refusing():
            text = asyncio.run(create_operator_key(loaded, label, person))
        made: Mapping[str, Any] = {"id": text.split("_")[1], "label": label, "key": text}
    else:
        if person is not None:
            raise click.UsageError("--person is for operators' keys")
        body = {"label": label, "scopes": list(scopes or _SCOPES), "signed": signed}
        with connect() as api:
            made = api.post(f"/v1/admin/merchants/{path_of(str(merchant))}/keys", body)
    tell(made, lambda console: _draw_new(console, made))


@key_command.command("ls")
@click.argument("merchant", required=False)
@click.option("--operator", is_flag=True, help="Operators' keys, read straight from the store.")
@CONFIG
@connecting("operator")
def ls(connect: Connect, *, merchant: str | None, operator: bool, config: Path) -> None:
    """List the keys of MERCHANT, or with --operator those of operators."""
    _either(merchant, operator=operator)
    if operator:
        loaded = read_config(config)
        with refusing():
            found = asyncio.run(_operators_keys(loaded))
    else:
        with connect() as api:
            found = api.get(f"/v1/admin/merchants/{path_of(str(merchant))}/keys")
    headings = ("id", "label", "person", "scopes", "signed", "made", "revoked")
    rows = [
        (
            one["id"],
            one["label"],
            one["person"],
            ", ".join(one["scopes"]),
            one["signed"],
            moment(one["created_at"]),
            moment(one["revoked_at"]),
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


@key_command.command("revoke")
@click.argument("key_id")
@reaching("operator")
def revoke(api: Api, key_id: str) -> None:
    """Revoke a key, anybody's, by its id (the middle part: hd_<id>_…)."""
    answer = api.delete(f"/v1/admin/keys/{path_of(key_id)}")
    tell(answer, lambda console: console.print(f"{key_id} was revoked"))


async def _operators_keys(loaded: Loaded) -> Mapping[str, Any]:
    store = await open_configured_store(loaded, SystemClock(), migrate=False)
    try:
        return {"data": [key_view(one) for one in await store.keys(None)]}
    finally:
        await store.aclose()


def _either(merchant: str | None, *, operator: bool) -> None:
    if (merchant is None) != operator:
        raise click.UsageError("name a MERCHANT, or give --operator, and not both")


def _draw_new(console: Console, made: Mapping[str, Any]) -> None:
    rows = [
        ("id", made["id"]),
        ("label", made["label"]),
        ("key", made["key"]),
        ("signing secret", made.get("signing_secret")),
    ]
    console.print(facts(rows))
    console.print("Keep it now: it is not shown again. 请立即保存，不会再次显示。", style="dim")
