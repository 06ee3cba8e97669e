"""The root of `hangdao`: which command lives in which module.

A module is imported when its command runs: showing a payout loads an HTTP client and not the whole
gateway, and a broken optional part never keeps `doctor` from starting.
"""

import gc
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import click

from gateway.cli.output import Group

COMMANDS: Mapping[str, str] = {
    "up": "sandboxes",
    "serve": "processes",
    "sim": "institutions",
    "migrate": "installations",
    "doctor": "doctor",
    "config": "installations",
    "merchant": "merchants",
    "key": "keys",
    "payout": "payouts",
    "batch": "batches",
    "split": "splits",
    "attempt": "attempts",
    "incident": "incidents",
    "channel": "channels",
    "plan": "plans",
    "calendar": "calendar",
    "policy": "policies",
    "history": "previews",
    "ledger": "books",
    "statement": "books",
    "break": "books",
    "event": "events",
    "audit": "audits",
    "webhook": "webhooks",
    "sign": "signatures",
    "archive": "archives",
    "backup": "backups",
    "restore": "backups",
    "quarantine": "backups",
    "clock": "clocks",
    "fault": "rehearsals",
    "trigger": "triggers",
    "magic": "triggers",
    "demo": "demo",
    "version": "processes",
}
"""Command → module; there its name is `<command>_command`."""


class _Root(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = _imported(f"gateway.cli.{COMMANDS[cmd_name]}")
        found: Any = getattr(module, f"{cmd_name}_command")
        return found if isinstance(found, click.Command) else None


def _imported(name: str) -> ModuleType:
    """Import without looking for garbage: what a module makes stays, and a search through all of it
    again and again takes a sixth of a start. Nor is it searched later."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """航道 Hangdao: pay out over many channels, never twice.

    Commands that ask a gateway find it by --url and --key (HANGDAO_URL, HANGDAO_KEY), else by the
    nearest sandbox that `hangdao up` has made. Exit codes: 0 done, 1 refused, 2 wrong usage or
    configuration.
    """
