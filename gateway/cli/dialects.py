"""`hangdao merchant dialect`: let a merchant's software ask in its present platform's protocol."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Group, facts, grid, moment, tell

F = TypeVar("F", bound=Callable[..., Any])

_PUBLIC_KEY = click.option(
    "--public-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the caller's own public key; else a pair is made for it.",
)

_CALLED = {"alipay": "app_id"}
"""What callers configure a public id as."""


@click.group(cls=Group)
def dialect_command() -> None:
    """Accounts in other platforms' protocols (with an operator's key)."""


_SWITCHES = (
    click.option(
        "--replay-duplicates/--refuse-duplicates",
        default=None,
        help="Answer the same order again (default), or refuse it as the stock software does.",
    ),
    click.option(
        "--soft-dedupe-minutes",
        type=click.IntRange(0, 1440),
        help="Same payee and amount under another number; 0: never; default 10.",
    ),
    click.option("--soft-dedupe-as", type=click.Choice(["hold", "refuse"]), help="Default: hold."),
    click.option(
        "--soft-dedupe-native/--soft-dedupe-orders",
        default=None,
        help="Payouts made by the API, in files and splits count as the earlier one, too; default: "
        "orders only.",
    ),
    click.option(
        "--awaiting-review-as",
        type=click.Choice(["processing", "review"]),
        help="Default: processing.",
    ),
    click.option(
        "--returned-as",
        type=click.Choice(["returned", "failed"]),
        help="XxPay: status 6 (default) or 3 for what came back.",
    ),
    click.option(
        "--rsa-only/--any-signature", default=None, help="Take no MD5 signatures; default: any."
    ),
    click.option(
        "--ip", "ip_allow", multiple=True, help="Address or network that may ask; repeat."
    ),
)


def _switches(command: F) -> F:
    """The options of an account's switches; what is not given is None."""
    for option in reversed(_SWITCHES):
        command = option(command)
    return command


@dialect_command.command("add")
@click.argument("merchant")
@click.option("--dialect", type=click.Choice(["epay", "jeepay", "xxpay", "alipay"]), required=True)
@click.option(
    "--public-id",
    help="The pid that it keeps (jeepay: mchNo:appId, alipay: app_id); else a new one.",
)
@_PUBLIC_KEY
@_switches
@reaching("operator")
def add(
    api: Api,
    /,
    *,
    merchant: str,
    dialect: str,
    public_id: str | None,
    public_key: Path | None,
    **switches: Any,
) -> None:
    """Add an account; its keys are shown this once."""
    body = {
        "dialect": dialect,
        "public_id": public_id,
        "public_key": _key(public_key),
        "switches": _given(switches),
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


@dialect_command.command("set")
@click.argument("account")
@_switches
@click.option("--any-ip", is_flag=True, help="Let every address ask again.")
@click.option(
    "--version",
    type=click.IntRange(min=1),
    help="The account's as `show` told it: refused if somebody has changed it since.",
)
@reaching("operator")
def set_(api: Api, /, *, account: str, any_ip: bool, version: int | None, **switches: Any) -> None:
    """Change how an account is treated; what is not given stays. `--ip` replaces the whole list."""
    given = _given(switches)
    if any_ip and "ip_allow" in given:
        raise click.UsageError("--ip and --any-ip exclude each other")
    if any_ip:
        given["ip_allow"] = []
    if not given:
        raise click.UsageError("give at least one switch to change (see --help)")
    body: dict[str, Any] = {"switches": given}
    if version is not None:
        body["version"] = version
    changed = api.post(f"/v1/admin/dialects/{path_of(account)}/switches", body)
    tell(changed, lambda console: console.print(facts(_facts(api, changed))))


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


@dialect_command.command("notices")
@click.argument("account")
@click.argument("number", required=False)
@reaching("operator")
def notices(api: Api, account: str, number: str | None) -> None:
    """List orders whose callers are told how they end; NUMBER: theirs or ours."""
    found = api.get(f"/v1/admin/dialects/{path_of(account)}/notices", number=number)
    tell(found, lambda console: _draw_notices(console, found))


@dialect_command.command("renotify")
@click.argument("account")
@click.argument("number")
@reaching("operator")
def renotify(api: Api, account: str, number: str) -> None:
    """Tell the caller of order NUMBER again how it ended."""
    path = f"/v1/admin/dialects/{path_of(account)}/notices/resend"
    told = api.post(path, {"number": number})
    tell(told, lambda console: console.print(f"{told['number']} is told again: {told['standing']}"))


def _draw_notices(console: Console, found: dict[str, Any]) -> None:
    headings = ("number", "ours", "standing", "told", "state", "tries", "error", "next try", "to")
    rows: list[tuple[Any, ...]] = []
    for one in found["data"]:
        order = (one["number"], one["own_number"], one["standing"])
        rows += [
            (
                *order,
                each["standing"],
                each["state"],
                each["tries"],
                each["last_error"],
                moment(each["due_at"]) if each["state"] == "due" else None,
                one["url"],
            )
            for each in one["notices"]
        ] or [(*order, None, "not yet", 0, one["problem"], None, one["url"])]
    console.print(grid(headings, rows))


def _given(switches: dict[str, Any]) -> dict[str, Any]:
    """Those that were given."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in switches.items()
        if value is not None and value != ()
    }


def _key(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8").strip()


def _facts(api: Api, found: dict[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [
        ("id", found["id"]),
        ("merchant", found["merchant_id"]),
        ("dialect", found["dialect"]),
        (_CALLED.get(found["dialect"], "public id"), found["public_id"]),
        ("version", found["version"]),
        ("base URL", f"{api.place.url.rstrip('/')}{found['path']}"),
    ]
    for number, one in enumerate(found["keys"]):
        told = "keys" if number == 0 else "keys before"
        rows.append((told, f"{one['id']}, since {moment(one['created_at'])}"))
        rows += list(one["public"].items())
    rows += [(name, value) for name, value in found["switches"].items()]
    refused = found["refused_notify"]
    if refused is not None:
        rows.append(("cannot be told", f"{refused['number']}: {refused['problem']}"))
    return rows


def _draw_new(console: Console, api: Api, made: dict[str, Any]) -> None:
    console.print(facts(_facts(api, made)))
    console.print("These are shown this once:")
    console.print(facts(list(made["secrets"].items())))
