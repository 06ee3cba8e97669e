"""`hangdao key`: merchants' keys over the API; operators' keys straight in the store.

The first operator's key cannot come over an API that asks for one. Whoever can read the
configuration's secrets and write the database is an operator already.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gateway.api.views import key_view
from gateway.cli.configuration import CONFIG, read_config, refusing
from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Group, Refusal, facts, grid, moment, tell
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
@click.option("--scope", "scopes", multiple=True, type=click.Choice(_SCOPES), help="Default: all.")
@click.option("--signed", is_flag=True, help="Demand an HMAC signature on every request.")
@CONFIG
@click.pass_context
def create(
    context: click.Context,
    merchant: str | None,
    operator: bool,
    label: str,
    scopes: Sequence[str],
    signed: bool,
    config: Path,
    **connection: Any,
) -> None:
    """Make a key for MERCHANT, or with --operator one for yourself."""
    _one_of(merchant, operator)
    if merchant is not None:
        context.invoke(
            _create_for_merchant,
            merchant=merchant,
            body={"label": label, "scopes": list(scopes or _SCOPES), "signed": signed},
            **connection,
        )
        return
    if scopes or signed:
        raise click.UsageError("--scope and --signed are for merchants' keys")
    loaded = read_config(config)
    with refusing():
        text = asyncio.run(create_operator_key(loaded, label))
    made = {"id": text.split("_")[1], "label": label, "key": text}
    tell(made, lambda console: _draw_new(console, made))


@reaching("operator")
def _create_for_merchant(api: Api, merchant: str, body: dict[str, Any]) -> None:
    made = api.post(f"/v1/admin/merchants/{path_of(merchant)}/keys", body)
    tell(made, lambda console: _draw_new(console, made))
