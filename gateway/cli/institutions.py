"""`hangdao sim`: the simulated institutions, as a process of their own.

Nothing of them is imported here: what shared code got wrong, both sides would agree on.
"""

import os
import sys
from collections.abc import Sequence

import click

from gateway.cli.output import Command


@click.command(
    "sim",
    cls=Command,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sim_command(arguments: Sequence[str]) -> None:
    """Run the simulated institutions: `sim --config sim.yaml`, `sim init DIR`, `sim serve …`.

    Everything is passed on to `python -m simulators`, which answers in JSON anyway.
    """
    given = [one for one in arguments if one != "--json"]
    if given and given[0].startswith("-") and given[0] not in {"--help", "-h"}:
        given.insert(0, "serve")
    sys.stdout.flush()
    # In place of this process, so that signals and exit codes are the simulators' own.
    os.execv(sys.executable, [sys.executable, "-m", "simulators", *given])  # noqa: S606 - no shell
