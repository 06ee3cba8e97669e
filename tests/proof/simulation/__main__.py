"""`python -m tests.proof.simulation`: run seeds, live figures, last line JSON; or replay one."""

import sys

import click

from tests.proof.simulation.campaign import Result, replayed, run


@click.command()
@click.option("--seeds", type=click.IntRange(min=1), help="How many seeds to run.")
@click.option("--from", "start", type=int, default=1, show_default=True, help="The first seed.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="How long to go on.")
@click.option("--cores", type=click.IntRange(min=1), help="Processes; all cores by default.")
@click.option("--replay", type=int, help="Run this one seed and tell the story of what it broke.")
@click.option("--whole", is_flag=True, help="With --replay: do not shrink the run first.")
def main(
    seeds: int | None,
    start: int,
    minutes: float | None,
    cores: int | None,
    replay: int | None,
    whole: bool,
) -> None:
    """Simulate whole gateways under seeded faults and judge them by what money really moved."""
    if replay is not None:
        click.echo(replayed(replay, shrink=not whole))
        return
    if seeds is None and minutes is None:
        seeds = 500
    live = sys.stderr.isatty()

    def show(result: Result) -> None:
        told = (
            f"{result.seeds} seeds, {result.payouts} payouts, {result.faults.total()} faults, "
            f"{result.broken.total()} broken, {result.seeds_per_hour} seeds/h"
        )
        if live:
            click.echo(f"\r{told}", nl=False, err=True)
        elif result.seeds % 200 < 8:
            click.echo(told, err=True)

    result = run(seeds=seeds, start=start, minutes=minutes, cores=cores, progress=show)
    if live:
        click.echo("", err=True)
    if result.failing:
        click.echo(replayed(result.failing[0]))
    click.echo(result.line())
    sys.exit(1 if result.failing else 0)


if __name__ == "__main__":
    main()
