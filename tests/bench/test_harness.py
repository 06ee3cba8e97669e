"""The harness works: real processes, tiny counts. No timing passes or fails anything."""

import asyncio
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.bench import __main__ as command
from tests.bench import page, stacks
from tests.bench.bench import Bench
from tests.bench.crowd.callers import quantiles
from tests.bench.instructions import counted, counting
from tests.bench.parts.accept import tomorrow
from tests.bench.rounds import Contestant, measured
from tests.bench.size import TINY
from tests.bench.slope import slope
from tests.bench.stage import StageError


async def measure(part: str, folder: Path) -> Any:
    """One part, tiny."""
    bench = Bench(TINY, folder / part, folder / "kept")
    return await import_module(f"tests.bench.parts.{part}").run(bench)


@pytest.mark.parametrize("part", ["accept", "payouts"])
async def test_gateway_and_floor_take_turns(part: str, tmp_path: Path) -> None:
    """Both did what was asked of them, and both are in the table."""
    found = await measure(part, tmp_path)
    assert found["gateway"]["rps"] > 0
    assert found["floor"]["rps"] > 0
    assert "| gateway |" in page.summary({part: found})


async def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    """The product's promise, and that the part which counts losses counts something."""
    found = await measure("loss", tmp_path)
    assert found["acknowledged"] > 0
    assert found["stored"] >= found["acknowledged"]
    assert (found["acked_lost"], found["paid_twice"], found["not_paid"]) == (0, 0, 0)
    assert found["books_balanced"]


async def test_stored_payouts_are_the_gateways_own(tmp_path: Path) -> None:
    """It starts over what the seeding program wrote, shows it, keeps its books, pays on."""
    bench = Bench(TINY, tmp_path, tmp_path)
    async with bench.stage("seeded") as here:
        await here.gateway.stop()
        await here.seed(paid=3, pending=2, scheduled=2)
        await here.start()
        came = await here.load(count=2, callers=1)
        states = sorted(one["state"] for one in (await here.payouts()).values())
        async with here.operator() as operator:
            ledger = await operator.get("/v1/admin/ledger")
    assert states == [*["attempting"] * 2, *["paid"] * 5, *["scheduled"] * 2]
    assert (came["taken"], came["untold"]) == (2, 0)
    assert ledger["balanced"], ledger["problems"]


async def test_a_round_in_which_something_was_refused_is_no_figure(tmp_path: Path) -> None:
    """A gateway that answers fast because it refuses must not look fast."""
    async with Bench(TINY, tmp_path, tmp_path).stage("refused") as here:
        here.key = "hd_0000000000000000_" + "0" * 43
        with pytest.raises(StageError, match="not every payout went through"):
            await measured(Contestant.gateway(here), count=1, callers=1)


async def test_a_payout_that_was_not_told_says_what_became_of_it(tmp_path: Path) -> None:
    """One that is released much later: what the gateway knows of it is in the error."""
    async with Bench(TINY, tmp_path, tmp_path).stage("untold") as here:
        job = {"release_after": tomorrow(), "told_patience_s": 0.1}
        with pytest.raises(StageError, match=r"'state': 'scheduled'.*'deliveries'"):
            await measured(Contestant.gateway(here), count=1, callers=1, **job)


async def test_an_unsigned_webhook_is_not_heard(tmp_path: Path) -> None:
    """What the receiver does not believe does not end a payout."""
    async with Bench(TINY, tmp_path, tmp_path).stage("unsigned") as here:
        here.secret = "whsec_" + "A" * 44
        async with here.floor("payout") as floor:
            came = await here.crowd.load(
                floor.url, here.key, count=1, callers=1, told_patience_s=1.0
            )
    assert (came["taken"], came["untold"], came["refused_webhooks"]) == (1, 1, 1)


async def test_the_profile_finds_the_stages(tmp_path: Path) -> None:
    """py-spy may look, and what it sees is shared out over the stages of a payout."""
    found = await measure("profile", tmp_path)
    assert found["stages_us"].get("accept", 0) > 0
    text = await asyncio.to_thread((tmp_path / "kept" / "payouts.txt").read_text)
    assert "own time, by function" in text


async def test_a_soak_draws_its_picture(tmp_path: Path) -> None:
    """With one window as with thousands."""
    found = await measure("soak", tmp_path)
    assert found["last"]["rss_mb"] > 0
    assert (tmp_path / "kept" / "soak.png").stat().st_size > 0


def test_the_last_line_is_json() -> None:
    """A part alone ends with its own keys, and leaves the tree as it is."""
    before = page.README.read_bytes()
    result = CliRunner().invoke(command.main, ["--only", "decision", "--quick"])
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout.splitlines()[-1])) == {"decision_us"}
    assert page.README.read_bytes() == before


@pytest.mark.parametrize("flags", [["--soak", "30"], ["--rows", "1.5"], ["--payouts", "many"]])
def test_a_flag_that_cannot_be_read_is_a_usage_error(flags: list[str]) -> None:
    """Before anything is started."""
    assert CliRunner().invoke(command.main, flags).exit_code == 2


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ("\n5330502880,,instructions:u,1000,100.00,,\n", 5_330_502_880),
        ("<not supported>,,instructions:u,0,100.00,,\n", None),
        ("Problems finding threads of monitor\n", None),
    ],
)
def test_instructions_are_counted_or_not_told(said: str, count: int | None) -> None:
    """A machine without counters has no figure, not a nought."""
    assert counted(said) == count


async def test_a_program_that_ended_has_no_instructions() -> None:
    """And does not keep the round waiting."""
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    async with counting([process.pid]) as count:
        pass
    assert count.instructions is None


def test_quantiles_are_values_that_were_seen() -> None:
    """Nearest rank; none without values."""
    assert quantiles([float(n) for n in range(1, 101)])["p99"] == 100.0
    assert quantiles([]) == {}


def test_a_slope_is_per_unit() -> None:
    """Two megabytes an hour are two."""
    assert slope([(0.0, 10.0), (1.0, 12.0), (2.0, 14.0)]) == pytest.approx(2.0)
    assert slope([(1.0, 5.0)]) == 0.0


def test_a_profile_is_scaled_to_what_each_thread_used() -> None:
    """A thread seen often that used little CPU weighs little."""
    lines = [
        "thread (7): MainThread;f (/x/gateway/engine/route.py:1) 10",
        "thread (8): writer;_write_loop (/x/gateway/store/sqlite.py:1) 90",
    ]
    seen = stacks.weighed(stacks.read(lines), {7: 3.0, 8: 1.0})
    assert stacks.by_stage(seen) == {"decide": 0.75, "store: writer thread": 0.25}
    assert list(stacks.own(seen)) == [
        *("f (gateway/engine/route.py)", "_write_loop (gateway/store/sqlite.py)")
    ]
