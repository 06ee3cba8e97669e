"""`hangdao ledger`, `statement`, `break`: whether the books are right."""

import click
from rich.console import Console

from gateway.cli.connection import Api, reaching
from gateway.cli.output import Group, Refusal, amount, facts, grid, moment, tell


@click.group("ledger", cls=Group)
def ledger_command() -> None:
    """The double-entry ledger (with an operator's key)."""


@ledger_command.command("check")
@reaching("operator")
def check(api: Api) -> None:
    """Recompute every balance from its entries; exit 1 when one disagrees."""
    found = api.get("/v1/admin/ledger")
    if not found["balanced"]:
        raise Refusal(
            "ledger_unbalanced",
            "the ledger does not add up: " + "; ".join(found["problems"]),
            zh="账簿不平",
            **found,
        )

    def draw(console: Console) -> None:
        rows = [
            (one["book"], one["owner"], amount(one["balance_minor"], one["currency"]))
            for one in found["data"]
        ]
        console.print(grid(("book", "owner", "balance"), rows))
        console.print("balanced")

    tell(found, draw)


@click.group("statement", cls=Group)
def statement_command() -> None:
    """Channels' statements (with an operator's key)."""


@statement_command.command("read")
@reaching("operator")
def read(api: Api) -> None:
    """Read every statement that is due and was not read yet."""
    found = api.post("/v1/admin/statements/read")

    def draw(console: Console) -> None:
        names = ("days", "lines", "settled", "returned", "breaks", "dead")
        console.print(facts((name, str(found[name])) for name in names))
        for one in found["waiting"]:
            console.print(f"not there yet: {one}", markup=False)

    tell(found, draw)


@click.group("break", cls=Group)
def break_command() -> None:
    """Disagreements between statements and payouts (with an operator's key)."""


@break_command.command("ls")
@reaching("operator")
def ls(api: Api) -> None:
    """List open breaks, oldest first."""
    found = api.get("/v1/admin/breaks")
    headings = ("channel", "day", "kind", "reference", "amount", "payout", "detail", "opened")
    rows = [
        (
            one["channel"],
            one["on"],
            one["kind"],
            one["reference"] or one["line_ref"],
            amount(one["amount_minor"], one["currency"]),
            one["payout_id"],
            one["detail"],
            moment(one["opened_at"]),
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))
