"""Whole gateways in virtual time: no seed breaks a promise, one seed is one history, and wrong
rules are found. `python -m tests.proof.simulation` runs as many seeds as one has time for.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from gateway.engine import at_once
from tests.proof.simulation.campaign import Result, run
from tests.proof.simulation.plan import FAULTS, plan_of
from tests.proof.simulation.run import run_plan
from tests.proof.simulation.shrink import shrunk
from tests.proof.simulation.wrong import WRONG, found_by, in_force, plan_for

pytestmark = pytest.mark.timeout(900)
"""A run is CPU time only; on a busy machine it takes its time."""

ROOT = Path(__file__).parents[2]
SEEDS = 60
BUSY_SEED = 12
"""Three replicas and many kinds of fault."""
FINDERS = {
    "a timeout is taken for a refusal": 2,
    "not found is taken for dead": 4,
    "a refused resend is taken for the fate of the first send": 6,
    "sent before the commit": 1,
    "sent before the acceptance that arms it": 1,
    "the POST is retried": 2,
    "a resend gets a new reference": 3,
    "no version guard": 1,
    "a frozen channel's word still counts": 4,
    "a webhook without an answer counts as delivered": 1,
    "silence counts at once": 7,
    "a restored database goes on as if nothing were": 2,
    "one person may be two": 2,
}
"""Which seed finds a wrong rule first."""


@pytest.fixture(scope="module")
def campaign() -> Result:
    """The first seeds, on this core."""
    return run(seeds=SEEDS, cores=1)


def test_no_promise_is_broken(campaign: Result) -> None:
    """Nothing is paid twice, lost or silently stuck, and the books agree with the bank's."""
    assert campaign.seeds == SEEDS
    assert (campaign.failing, campaign.broken) == ([], Counter())


def test_payouts_are_accepted_and_armed_in_one_commit() -> None:
    """Where a hand is free; and under the same disturbances some of them in two."""
    opened, armed = Counter[str](), at_once._Opening._commit

    async def commit(opening: at_once._Opening) -> Any:
        done = await armed(opening)
        opened["no" if done is None else "yes"] += 1
        return done

    with mock.patch.object(at_once._Opening, "_commit", commit):
        payouts = sum(run_plan(plan_of(seed)).payouts for seed in range(1, 7))
    assert payouts / 4 < opened["yes"] < payouts
    assert opened["no"] > 0


def test_the_world_was_disturbed(campaign: Result) -> None:
    """The seeds really pay, and most kinds of fault strike even in so few of them."""
    assert campaign.payouts > 5 * SEEDS
    missing = FAULTS.keys() - campaign.faults.keys()
    assert len(missing) < len(FAULTS) / 5, sorted(missing)


def test_a_seed_is_one_history() -> None:
    """The same seed gives the same hash of everything that happened, twice in one process."""
    first, second = run_plan(plan_of(BUSY_SEED)), run_plan(plan_of(BUSY_SEED))
    assert (first.hash, first.steps) == (second.hash, second.steps)
    assert first.hash != run_plan(plan_of(BUSY_SEED + 1)).hash


def test_another_process_lives_the_same_history() -> None:
    """Neither what ran before nor the order of sets plays a part: a seed replays anywhere."""
    code = (
        "from tests.proof.simulation.plan import plan_of\n"
        "from tests.proof.simulation.run import run_plan\n"
        "import sys\n"
        f"sys.stdout.write(str(run_plan(plan_of({BUSY_SEED})).hash))"
    )
    there = subprocess.run(  # noqa: S603 - this interpreter, a constant program
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert there.stdout == str(run_plan(plan_of(BUSY_SEED)).hash)


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_rule_is_found(name: str) -> None:
    """The simulation has teeth: the seed that found the rule first finds it again."""
    assert found_by(name, [FINDERS[name]]) is not None
    assert run_plan(plan_for(name, FINDERS[name])).first is None


def test_a_failing_run_is_shrunk_and_told() -> None:
    """What is left of a failing run is small, fails alike, and tells who sent and what moved."""
    with in_force("not found is taken for dead"):
        failing = run_plan(plan_of(4))
        small = shrunk(failing)
    assert failing.first is not None
    assert small.first is not None
    assert len(small.plan.wishes) < len(failing.plan.wishes)
    assert len(small.plan.faults) <= len(failing.plan.faults)
    told = small.story.of(small.violations[0].number)
    for word in ("armed", "submit", "BANK", "VIOLATION"):
        assert word in told
