"""`hangdao merchant dialect`: let a merchant's software ask in its present platform's protocol."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Group, facts, grid, moment, tell

_PUBLIC_KEY = click.option(
    "--public-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the caller's own public key; else a pair is made for it.",
)


@click.group(cls=Group)
def dialect_command() -> None:
    """Accounts in other platforms' protocols (with an operator's key)."""


@dialect_command.command("add")
@click.argument("merchant")
@click.option("--dialect", type=click.Choice(["epay"]), required=True)
@click.option("--public-id", help="The pid that it keeps; else a new one.")
@_PUBLIC_KEY
@click.option(
    "--replay-duplicates/--refuse-duplicates",
    default=True,
    show_default=True,
    help="Answer the same order again, or refuse it as the stock software does.",
)
@click.option(
    "--soft-dedupe-minutes",
    type=click.IntRange(0, 1440),
    default=10,
    show_default=True,
    help="Same payee and amount under another number; 0: never.",
)
@click.option(
    "--soft-dedupe-as", type=click.Choice(["hold", "refuse"]), default="hold", show_default=True
)
@click.option(
    "--soft-dedupe-native",
    is_flag=True,
    help="Payouts made by the API, in files and splits count as the earlier one, too.",
)
@click.option(
    "--awaiting-review-as",
    type=click.Choice(["processing", "review"]),
    default="processing",
    show_default=True,
)
@click.option("--rsa-only", is_flag=True, help="Take no MD5 signatures.")
@click.option("--ip", "ip_allow", multiple=True, help="Address or network that may ask; repeat.")
@reaching("operator")
def add(
    api: Api,
    /,
    *,
    merchant: str,
    dialect: str,
    public_id: str | None,
    public_key: Path | None,
    ip_allow: tuple[str, ...],
    **switches: Any,
) -> None:
    """Add an account; its keys are shown this once."""
    body = {
        "dialect": dialect,
        "public_id": public_id,
        "public_key": _key(public_key),
        "switches": {**switches, "ip_allow": list(ip_allow)},
    }
    given = {name: value for name, value in body.items() if value is not None}
    made = api.post(f"/v1/admin/merchants/{path_of(merchant)}/dialects", given)
    tell(made, lambda console: _draw_new(console, api, made))


@dialect_command.command("ls")
@click.argument("merchant")
@reaching("operator")
def ls(api: Api, merchant: str) -> None:
    """List a merchant's accounts."""
    found = api.get(f"/v1/admin/merchants/{path_of(merchant)}/dialects")
    headings = ("id", "dialect", "public id", "key sets", "since", "removed")
    rows = [
        (
            one["id"],
            one["dialect"],
            one["public_id"],
            len(one["keys"]),
            moment(one["created_at"]),
            moment(one["removed_at"]),
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


@dialect_command.command("show")
@click.argument("account")
@reaching("operator")
def show(api: Api, account: str) -> None:
    """Show an account: where to ask, public keys, switches."""
    found = api.get(f"/v1/admin/dialects/{path_of(account)}")
    tell(found, lambda console: console.print(facts(_facts(api, found))))


@dialect_command.command("rotate")
@click.argument("account")
@_PUBLIC_KEY
@click.option("--only", is_flag=True, help="The keys before end now: they leaked.")
@reaching("operator")
def rotate(api: Api, account: str, public_key: Path | None, *, only: bool) -> None:
    """Make fresh keys, shown this once; the newest ones before go on working."""
    body: dict[str, Any] = {"only": only}
    if public_key is not None:
        body["public_key"] = _key(public_key)
    made = api.post(f"/v1/admin/dialects/{path_of(account)}/rotate", body)
    tell(made, lambda console: _draw_new(console, api, made))


@dialect_command.command("rm")
@click.argument("account")
@reaching("operator")
def rm(api: Api, account: str) -> None:
    """Take nothing new from it; what it asked for is still told."""
    gone = api.delete(f"/v1/admin/dialects/{path_of(account)}")
    tell(gone, lambda console: console.print(f"{gone['id']} takes no new orders"))


def _key(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8").strip()


def _facts(api: Api, found: dict[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [
        ("id", found["id"]),
        ("merchant", found["merchant_id"]),
        ("dialect", found["dialect"]),
        ("public id", found["public_id"]),
        ("base URL", f"{api.place.url.rstrip('/')}{found['path']}"),
    ]
    for number, one in enumerate(found["keys"]):
        told = "keys" if number == 0 else "keys before"
        rows.append((told, f"{one['id']}, since {moment(one['created_at'])}"))
        rows += list(one["public"].items())
    rows += [(name, value) for name, value in found["switches"].items()]
    return rows


def _draw_new(console: Console, api: Api, made: dict[str, Any]) -> None:
    console.print(facts(_facts(api, made)))
    console.print("These are shown this once:")
    console.print(facts(list(made["secrets"].items())))
