"""`hangdao split`: pay several beneficiaries with one instruction (分账)."""

from collections.abc import Mapping
from typing import Any, BinaryIO
from uuid import uuid4

import click
from rich.console import Console

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Group, amount, facts, grid, moment, tell
from gateway.cli.payouts import ask


@click.group(cls=Group)
def split_command() -> None:
    """Split payouts: all legs are accepted, or none."""


@split_command.command("create")
@click.option(
    "--file",
    "file",
    type=click.File("rb"),
    required=True,
    help="The request as JSON (`-` reads standard input): merchant_ref, currency, legs.",
)
@click.option("--idempotency-key", help="Of an earlier try, to repeat it safely; else a new one.")
@reaching("merchant")
def create(api: Api, file: BinaryIO, idempotency_key: str | None) -> None:
    """Make a split; every leg becomes a payout of its own."""
    key = idempotency_key or f"cli-{uuid4().hex}"
    response = ask(api, "/v1/splits", {"content": file.read()}, key)
    replayed = response.headers.get("Idempotency-Replayed") == "true"
    made = {**response.json(), "idempotency_key": key, "replayed": replayed}
    tell(made, lambda console: _draw(console, made))


@split_command.command("show")
@click.argument("split")
@reaching("merchant")
def show(api: Api, split: str) -> None:
    """Show a split (sp_…) and how its legs stand."""
    found = api.get(f"/v1/splits/{path_of(split)}")
    tell(found, lambda console: _draw(console, found))


def _draw(console: Console, one: Mapping[str, Any]) -> None:
    currency = one["currency"]
    console.print(
        facts(
            [
                ("id", one["id"]),
                ("ref", one["merchant_ref"]),
                ("status", one["status"]),
                ("amount", amount(one["amount_minor"], currency)),
                ("fee", amount(one["fee_minor"], currency)),
                ("accepted", moment(one["accepted_at"])),
                ("idempotency key", one.get("idempotency_key")),
                ("replayed", "yes, nothing new was made" if one.get("replayed") else None),
            ]
        )
    )
    rows = [
        (
            leg["split"]["leg"],
            leg["id"],
            leg["merchant_ref"],
            leg["state"],
            amount(leg["beneficiary_amount_minor"], currency),
            leg["channel"],
            leg["reason"],
        )
        for leg in one["legs"]
    ]
    headings = ("leg", "payout", "ref", "state", "payee gets", "channel", "reason")
    console.print(grid(headings, rows))
