"""`hangdao merchant fee`: what a merchant pays, and what it will pay from now on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Group, amount, facts, grid, tell
from policies.wording import percent

_MINOR = click.IntRange(min=0)
_PPM = click.IntRange(0, 1_000_000)


class Tier(click.ParamType[dict[str, int]]):
    """`FLOOR:RATE_PPM`, or `FLOOR:RATE_PPM:FLAT_MINOR`, in whole numbers."""

    name = "tier"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, int]:
        """The tier as the API wants it; what it says about ranges stays its affair."""
        parts = str(value).split(":")
        if len(parts) not in {2, 3} or not all(one.isascii() and one.isdigit() for one in parts):
            self.fail(
                f"{value!r} is not FLOOR:RATE_PPM or FLOOR:RATE_PPM:FLAT_MINOR in whole numbers, "
                "e.g. 10000000:1000 (from 100,000.00 on: 0.1 %)",
                param,
                ctx,
            )
        return dict(zip(("floor", "rate_ppm", "flat_minor"), map(int, parts), strict=False))


@click.group("fee", cls=Group)
def fee_command() -> None:
    """What a merchant pays for payouts."""


@fee_command.command("show")
@click.argument("merchant")
@reaching("operator")
def show(api: Api, merchant: str) -> None:
    """Show a merchant's fee and what its month has carried."""
    found = api.get(f"/v1/admin/merchants/{path_of(merchant)}/fee")
    tell(found, lambda console: _draw(console, found))


@fee_command.command("set")
@click.argument("merchant")
@click.option("--flat-minor", type=_MINOR, help="Each payout, in minor units (fen).")
@click.option("--rate-ppm", type=_PPM, help="Of the amount; 3000 is 0.3 %.")
@click.option("--min-minor", type=_MINOR, help="At least this.")
@click.option("--max-minor", type=_MINOR, help="At most this.")
@click.option("--surcharge-ppm", type=_PPM, help="Of the amount, beside minimum and maximum.")
@click.option(
    "--mode",
    type=click.Choice(["on_top", "deducted"]),
    help="Beside the amount (外扣, the default), or out of it (内扣).",
)
@click.option(
    "--tier",
    "tiers",
    type=Tier(),
    multiple=True,
    metavar="FLOOR:RATE_PPM[:FLAT_MINOR]",
    help="From a month's use of FLOOR on; repeatable, the first with floor 0.",
)
@click.option(
    "--basis",
    type=click.Choice(["amount", "payouts"]),
    help="What floors count: minor units (the default), or payouts.",
)
@click.option(
    "--scheme",
    type=click.Choice(["incremental", "all_units"]),
    help="Each part of a payout at its own tier (the default), or all of it at the one reached.",
)
@click.option(
    "--on-return",
    type=click.Choice(["kept", "refunded"]),
    help="What becomes of the fee of money that comes back (退票); default: kept.",
)
@reaching("operator")
def set_fee(api: Api, /, *, merchant: str, **given: Any) -> None:
    """Replace a merchant's whole fee, for payouts accepted from now on; no option: free."""
    body = {name: value for name, value in given.items() if value is not None and value != ()}
    found = api.post(f"/v1/admin/merchants/{path_of(merchant)}/fee", body)
    tell(found, lambda console: _draw(console, found))


def _draw(console: Console, found: Mapping[str, Any]) -> None:
    fee = found["fee"]
    rows = [
        ("merchant", found["merchant_id"]),
        ("mode", {"on_top": "on top 外扣", "deducted": "deducted 内扣"}[fee["mode"]]),
        ("flat minor", f"{fee['flat_minor']:,}" if fee["flat_minor"] else None),
        ("rate", percent(fee["rate_ppm"]) if fee["rate_ppm"] or not fee["tiers"] else None),
        ("at least minor", f"{fee['min_minor']:,}" if fee["min_minor"] else None),
        ("at most minor", None if fee["max_minor"] is None else f"{fee['max_minor']:,}"),
        ("surcharge", percent(fee["surcharge_ppm"]) if fee["surcharge_ppm"] else None),
        ("when returned", f"the fee is {fee['on_return']}"),
    ]
    if fee["tiers"]:
        rows += [("tiers count", fee["basis"]), ("scheme", fee["scheme"])]
    console.print(facts(rows))
    if fee["tiers"]:
        console.print(grid(("tier", "from", "rate", "flat minor"), _tiers(fee["tiers"])))
    month = [
        (one["currency"], one["payouts"], amount(one["minor"], one["currency"]), one["tier"])
        for one in found["use"]
    ]
    console.print(f"{found['month']} so far:", style="bold")
    console.print(grid(("currency", "payouts", "asked for", "tier"), month))


def _tiers(tiers: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    for number, tier in enumerate(tiers, start=1):
        yield number, tier["floor"], percent(tier["rate_ppm"]), tier["flat_minor"]
