"""`hangdao policy`: check a policy file; explain a payout's routing."""

from pathlib import Path

import click
from rich.console import Console

from gateway.cli.configuration import Misconfigured
from gateway.cli.connection import Api, reaching
from gateway.cli.output import Group, facts, tell
from gateway.cli.payouts import explain as explain_payout
from gateway.cli.previews import preview, suggest
from gateway.settings import Problem
from policies.document import PolicyError, load


@click.group(cls=Group)
def policy_command() -> None:
    """Routing policies."""


@policy_command.command("validate")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def validate(file: Path) -> None:
    """Check a policy FILE; every mistake is listed with its line."""
    try:
        policy = load(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        problems = [Problem(str(file), f"cannot be read: {error.strerror}")]
        raise Misconfigured("policy_invalid", problems) from None
    except UnicodeDecodeError:
        problems = [Problem(str(file), "is not UTF-8 text")]
        raise Misconfigured("policy_invalid", problems) from None
    except PolicyError as error:
        problems = [Problem(f"{file}:{line}", text) for line, text in error.problems]
        raise Misconfigured("policy_invalid", problems) from None
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


policy_command.add_command(preview)
policy_command.add_command(suggest)
