"""`hangdao policy`: check a policy file; explain a payout's routing.

What people do with policies is in `policy_changes`, their texts in `policy_texts`.
"""

from pathlib import Path

import click
from rich.console import Console

from gateway.cli.connection import Api, reaching
from gateway.cli.output import Group, facts, tell
from gateway.cli.payouts import explain as explain_payout
from gateway.cli.policy_changes import CHANGES
from gateway.cli.policy_texts import TEXTS, misread
from gateway.cli.previews import preview, suggest
from gateway.compiler import compile_policy
from gateway.domain.policy_mistake import PolicyInvalidError
from gateway.engine.policy_file import PolicyFile


@click.group(cls=Group)
def policy_command() -> None:
    """Routing policies: who decides which channel carries a payout, and how that is changed.

    Changing one takes two people, with keys that say whose they are
    (`hangdao key create --operator --person`); going back takes one.
    """


for _command in (*TEXTS, *CHANGES, preview, suggest):
    policy_command.add_command(_command)


@policy_command.command("validate")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def validate(file: Path) -> None:
    """Check a policy FILE; every mistake is listed with its line."""
    try:
        policy = compile_policy(PolicyFile(file).begin(), str(file))
    except PolicyInvalidError as error:
        raise misread(error) from None
    found = {
        "valid": True,
        "name": policy.name,
        "hash": policy.hash,
        "merchants": sorted(policy.lists),
    }

    def draw(console: Console) -> None:
        merchants = ", ".join(sorted(policy.lists))
        rows = [("policy", policy.name), ("hash", policy.hash), ("lists for", merchants)]
        console.print(facts(rows))
        console.print("valid")

    tell(found, draw)


@policy_command.command("explain")
@click.argument("payout")
@reaching("merchant")
def explain(api: Api, payout: str) -> None:
    """Explain why PAYOUT went to its channel (as `payout why`)."""
    explain_payout(api, payout)
