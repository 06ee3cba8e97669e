"""`hangdao attempt`: declare a doubtful attempt dead, by two people (certificate C7)."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, BinaryIO

import click
from rich.console import Console

from channels.contract import Reason
from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Group, facts, grid, moment, tell


@click.group(cls=Group)
def attempt_command() -> None:
    """Attempts in doubt: one person proposes to declare one dead, another one decides.

    Works with operators' keys that say whose they are (`hangdao key create --operator --person`).
    """


@attempt_command.command("certify")
@click.argument("payout")
@click.option(
    "--reason",
    required=True,
    type=click.Choice([reason.value for reason in Reason]),
    help="Why no money moved; decides whether it may be tried elsewhere.",
)
@click.option("--evidence", required=True, metavar="TEXT", help="What proves it, and where it is.")
@click.option("--file", "file", type=click.File("rb"), help="The document; its SHA-256 is kept.")
@reaching("operator")
def certify(api: Api, payout: str, reason: str, evidence: str, file: BinaryIO | None) -> None:
    """Propose that PAYOUT's open attempt is dead. Nothing moves before somebody else approves."""
    body = {"reason": reason, "evidence": evidence}
    if file is not None:
        body["evidence_sha256"] = sha256(file.read()).hexdigest()
    made = api.post(f"{_path(api, payout)}/certificate", body)
    tell(made, lambda console: _draw(console, made))


@attempt_command.command("approve")
@click.argument("payout")
@reaching("operator")
def approve(api: Api, payout: str) -> None:
    """Agree, as another person: the attempt is dead, and the payout goes on."""
    moved = api.post(f"{_path(api, payout)}/certificate/approve")
    tell(moved, lambda console: console.print(f"{moved['id']} is {moved['state']}"))


@attempt_command.command("reject")
@click.argument("payout")
@click.option("--note", default="", help="Why.")
@reaching("operator")
def reject(api: Api, payout: str, note: str) -> None:
    """Refuse the proposal, or withdraw your own; the attempt stays in doubt."""
    body = {"note": note} if note else {}
    closed = api.post(f"{_path(api, payout)}/certificate/reject", body)
    tell(closed, lambda console: _draw(console, closed))


@attempt_command.command("proposals")
@click.option("--all", "everything", is_flag=True, help="Decided ones as well.")
@reaching("operator")
def proposals(api: Api, *, everything: bool) -> None:
    """List what waits for a second person, newest first."""
    found = api.get("/v1/admin/proposals", state="all" if everything else "open")
    headings = ("payout", "no.", "reason", "evidence", "proposed by", "at", "state", "decided by")
    rows = [
        (
            one["payout_id"],
            one["attempt"],
            one["reason"],
            one["evidence"],
            one["maker_person"],
            moment(one["proposed_at"]),
            one["state"],
            one["checker_person"],
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


def _path(api: Api, payout: str) -> str:
    return f"/v1/admin/payouts/{path_of(api.payout_id(payout))}"


def _draw(console: Console, one: Mapping[str, Any]) -> None:
    names = ("id", "payout_id", "attempt", "reason", "evidence", "evidence_sha256", "state")
    rows = [(name, one[name]) for name in names]
    rows += [("proposed by", one["maker_person"]), ("at", moment(one["proposed_at"]))]
    rows += [("decided by", one["checker_person"]), ("note", one["note"])]
    console.print(facts(rows))
