"""The commands there are: their names are a contract."""

from collections.abc import Iterator

import click

from gateway.cli import main
from tests.gateway.cli.served import answer, hangdao

CONTRACT = """
up / serve / sim / migrate / doctor / config show
merchant add / merchant ls / merchant fund / key create / key ls / key revoke
payout create / payout show / payout ls / payout cancel / payout release / payout attempts
payout timeline / payout why / payout deliveries / payout unpark / payout receipt
batch cancel / batch check / batch create / batch ls / batch profiles / batch result / batch show
batch template
split create / split show
merchant fee set / merchant fee show
merchant dialect add / merchant dialect ls / merchant dialect show / merchant dialect rotate
merchant dialect rm / merchant dialect set / merchant dialect notices / merchant dialect renotify
payout repeats
attempt certify / attempt approve / attempt reject / attempt proposals
incident ls / incident show / incident release
policy ls / policy show / policy export / policy diff
policy validate / policy explain / policy import / policy status / policy history
policy changes / policy propose / policy review
policy approve / policy reject / policy activate / policy cancel / policy rollback
policy preview / policy suggest / history export
policy canary start / policy canary raise / policy canary finish / policy canary abort
policy shadow start / policy shadow stop / policy shadow-report
channel ls / channel show / channel compare / channel balance
channel capabilities / channel scaffold
channel pause / channel resume / channel drain / channel topup
calendar check / calendar ls / calendar set / calendar import
ledger check / statement read / break ls / event ls
plan show / plan make / plan ls
channel kill / channel revive
channel maintenance add / channel maintenance ls / channel maintenance rm
audit verify / audit checkpoint / audit proof
webhook add / webhook ls / webhook rotate / webhook rm / webhook resend
sign explain
archive run / archive ls / archive verify
backup / restore / quarantine status / quarantine begin / quarantine release
clock show / clock advance / fault add / fault ls / fault rm / fault clear / fault actions
trigger / magic
demo / version
"""


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_the_commands_are_those_of_the_contract() -> None:
    """Neither more nor fewer, under the agreed names."""
    wanted = {name.strip() for line in CONTRACT.split("\n") for name in line.split("/")} - {""}
    assert {name for name, _ in leaves(main)} == wanted


def test_every_command_answers_in_json() -> None:
    """`--json` is an option of each."""
    without = [
        name
        for name, command in leaves(main)
        if all("--json" not in option.opts for option in command.params)
    ]
    assert without == []


def test_every_option_and_command_is_explained() -> None:
    """Each command has a help text."""
    assert [name for name, command in leaves(main) if not command.help] == []


def test_an_unknown_command_is_a_usage_error() -> None:
    """Exit code 2, and nothing on standard output."""
    result = hangdao("pay")
    assert (result.exit_code, result.stdout) == (2, "")


def test_the_version_is_one_document() -> None:
    """`version --json` holds the installed version."""
    assert set(answer(hangdao("version", "--json"))) == {"version"}
