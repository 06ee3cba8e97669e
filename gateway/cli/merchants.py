"""`hangdao merchant`: add merchants, list them, book their deposits."""

from typing import Any
from uuid import uuid4

import click
from rich.console import Console

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.dialects import dialect_command
from gateway.cli.merchant_fees import fee_command
from gateway.cli.output import Group, facts, grid, moment, tell
from gateway.cli.parameters import CURRENCY, Duration, minor_units

_MINOR = click.IntRange(min=0)


@click.group(cls=Group)
def merchant_command() -> None:
    """Merchants (with an operator's key)."""


merchant_command.add_command(fee_command)
merchant_command.add_command(dialect_command, "dialect")


@merchant_command.command("add")
@click.argument("merchant")
@click.option("--name", required=True, help="For people.")
@click.option(
    "--funding",
    type=click.Choice(["prefunded", "credit", "pass_through"]),
    default="prefunded",
    show_default=True,
)
@click.option("--credit-limit-minor", type=_MINOR, default=0, help="With --funding credit.")
@click.option("--fee-flat-minor", type=_MINOR, default=0)
@click.option("--fee-rate-ppm", type=click.IntRange(0, 1_000_000), default=0)
@click.option("--fee-min-minor", type=_MINOR, default=0)
@click.option("--fee-max-minor", type=_MINOR)
@click.option("--release-delay", type=Duration(), default=0, help="Time to cancel, e.g. 10m.")
@click.option("--review-above-minor", type=click.IntRange(min=1), help="Larger ones are held.")
@reaching("operator")
def add(
    api: Api,
    /,
    *,
    merchant: str,
    release_delay: int,
    fee_flat_minor: int,
    fee_rate_ppm: int,
    fee_min_minor: int,
    fee_max_minor: int | None,
    **given: Any,
) -> None:
    """Add a merchant; amounts in minor units (fen)."""
    fee = {
        "flat_minor": fee_flat_minor,
        "rate_ppm": fee_rate_ppm,
        "min_minor": fee_min_minor,
        "max_minor": fee_max_minor,
    }
    body = {"id": merchant, "fee": fee, "release_delay_s": release_delay, **given}
    made = api.post("/v1/admin/merchants", body)
    tell(made, lambda console: console.print(f"{made['id']} was added"))


@merchant_command.command("ls")
@reaching("operator")
def ls(api: Api) -> None:
    """List merchants."""
    found = api.get("/v1/admin/merchants")
    headings = ("id", "name", "funding", "credit limit", "release delay s", "active", "since")
    rows = [
        (
            one["id"],
            one["name"],
            one["funding"],
            one["credit_limit_minor"],
            one["release_delay_s"],
            one["active"],
            moment(one["created_at"]),
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


@merchant_command.command("fund")
@click.argument("merchant")
@click.option("--amount", required=True, metavar="1000.00", help="In major units.")
@click.option("--currency", type=CURRENCY, default="CNY", show_default=True)
@click.option("--booking", help="Makes a repeated booking harmless; else a new one.")
@reaching("operator")
def fund(api: Api, merchant: str, amount: str, currency: str, booking: str | None) -> None:
    """Book money that a merchant has paid in."""
    path = f"/v1/admin/merchants/{path_of(merchant)}/fund"
    book(api, path, amount, currency, booking)


def book(api: Api, path: str, amount: str, currency: str, booking: str | None) -> bool:
    """Book an amount once per `booking`, and say so; False when it had been booked before."""
    key = booking or f"cli-{uuid4().hex}"
    minor = minor_units(amount, currency)
    answer = api.post(path, {"amount_minor": minor, "currency": currency, "key": key})

    def draw(console: Console) -> None:
        said = "booked" if answer["booked"] else "had been booked before; nothing changed"
        rows = [("amount", f"{amount} {currency}"), ("booking", key), ("result", said)]
        console.print(facts(rows))

    tell({**answer, "amount_minor": minor, "currency": currency, "booking": key}, draw)
    return bool(answer["booked"])
