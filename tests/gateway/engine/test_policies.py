"""The board: which policies decide in a process, as people, file, time and replicas change it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.compiler import PolicyCompiler, built_in
from gateway.domain.errors import ConflictError, ForbiddenError, InvalidError
from gateway.domain.payout import PayoutId
from gateway.domain.policy_change import ActKind, ChangeState, Plan
from gateway.domain.policy_mistake import PolicyInvalidError
from gateway.domain.policy_rules import Who
from gateway.engine import policy_acts
from gateway.engine.gateway import Gateway
from gateway.engine.load import Load
from gateway.engine.policies import Board
from gateway.engine.policy_file import PolicyFile
from gateway.store import SqlStore, Vault, open_store
from policies.document import load
from policies.health import Health
from policies.policy import Policy
from tests.contracts.store.conftest import KEK, SettableClock
from tests.gateway.engine.rig import FixedEntropy, Witness

WANG, ZHAO = Who("key:w", "Wang"), Who("key:z", "Zhao")
NIGHT = "version: 1\nname: night\nparameters: {capital_rate_ppm: 200000}\n"
DAY = "version: 1\nname: day\n"


@dataclass
class Process:
    """One gateway's board, on its own connection."""

    board: Board
    gateway: Gateway
    store: SqlStore
    witness: Witness

    @property
    def active(self) -> str:
        """The name of what decides."""
        return self.gateway.policy.name


@dataclass
class Office:
    """A database, a clock, and the processes on it."""

    url: str
    clock: SettableClock = field(default_factory=SettableClock)
    processes: list[Process] = field(default_factory=list)

    async def process(
        self, file: Path | None = None, compiler: PolicyCompiler | None = None
    ) -> Process:
        """Start one."""
        store = await open_store(self.url, Vault(KEK), self.clock, migrate=True)
        witness = Witness()
        gateway = Gateway(
            store=store,
            clock=self.clock,
            entropy=FixedEntropy(),
            channels={},
            policy=load(built_in() if file is None else read(file)),
            health=Health(),
            observer=witness,
            load=Load(),
        )
        board = Board(
            gateway,
            compiler or PolicyCompiler({}, self.clock),
            built_in(),
            None if file is None else PolicyFile(file),
        )
        made = Process(board, gateway, store, witness)
        self.processes.append(made)
        await board.begin()
        return made


@asynccontextmanager
async def office(url: str) -> AsyncIterator[Office]:
    """Closed at the end."""
    made = Office(url)
    try:
        yield made
    finally:
        for one in made.processes:
            await one.store.aclose()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    """On SQLite."""
    async with office(f"sqlite://{tmp_path}/x.db") as made:
        yield made


async def agreed(process: Process, text: str = NIGHT, plan: Plan | None = None) -> str:
    """Wang proposes and Zhao approves; the change's id."""
    change = await policy_acts.propose(process.board, text, plan or Plan(), "why", WANG)
    await policy_acts.approve(process.board, change.id, ZHAO)
    return change.id


async def test_a_fresh_installation_has_the_built_in_policy(desk: Office) -> None:
    """Stored, with a number, and no ceremony."""
    one = await desk.process()
    assert one.active == "default"
    stored = await one.board.policy("active")
    assert (stored.number, stored.text) == (1, built_in())
    assert one.board.note() is None


async def test_a_policy_goes_all_the_way(desk: Office) -> None:
    """Proposed, approved, canary, active, back; each swaps at once in the process that did it."""
    one = await desk.process()
    change = await policy_acts.propose(one.board, NIGHT, Plan(), "cheaper", WANG)
    with pytest.raises(ForbiddenError):
        await policy_acts.approve(one.board, change.id, WANG)
    assert one.active == "default"
    await policy_acts.approve(one.board, change.id, ZHAO)
    assert one.active == "default"
    await policy_acts.canary(one.board, change.id, 50_000, WANG)
    assert one.gateway.canary is not None
    assert one.gateway.canary.policy.name == "night"
    await policy_acts.activate(one.board, change.id, None, WANG)
    assert one.active == "night"
    assert one.board.in_use() == [(change.policy_hash, "night", "active")]
    standing = await policy_acts.roll_back(one.board, change.policy_hash, None, "it is worse", ZHAO)
    assert one.active == "default"
    assert standing.changes[change.id].state is ChangeState.ROLLED_BACK
    again = await policy_acts.roll_back(one.board, change.policy_hash, None, "it is worse", ZHAO)
    assert again == standing
    for event in ("policy.proposed", "policy.canaried", "policy.activated", "policy.rolled_back"):
        assert one.witness.alarmed(event) == 1


async def test_the_policy_it_had_decides_under_its_stored_hash(desk: Office) -> None:
    """A newer program may hash the same text otherwise; decisions name what is stored."""
    one = await desk.process()
    await agreed(one, plan=Plan(activates_at=desk.clock.now()))
    stored = await one.board.policy("active")
    assert one.gateway.policy.hash == stored.policy_hash


async def test_mistakes_are_refused_and_nothing_is_stored(desk: Office) -> None:
    """Each with its line; the policy in use stays."""
    one = await desk.process()
    with pytest.raises(PolicyInvalidError) as refused:
        await policy_acts.propose(
            one.board, "version: 1\nname: x\nparameters: {explore_ppm: lots}\n", Plan(), "n", WANG
        )
    assert [mistake.line for mistake in refused.value.mistakes] == [3]
    assert len(await one.store.stored_policies(10)) == 1
    assert one.active == "default"


async def test_a_scheduled_policy_becomes_active_by_itself(desk: Office) -> None:
    """Within a look of its time, not before, once; a clock set back does not take it away."""
    one = await desk.process()
    await agreed(one, plan=Plan(activates_at=desk.clock.now() + timedelta(hours=2)))
    desk.clock.advance(minutes=119)
    await one.board.look()
    assert one.active == "default"
    desk.clock.advance(minutes=1)
    await one.board.look()
    assert one.active == "night"
    desk.clock.advance(hours=-5)
    await one.board.look()
    await one.board.look()
    assert one.active == "night"
    assert one.witness.alarmed("policy.activated") == 1


async def test_a_time_nobody_saw_is_void_and_told(desk: Office) -> None:
    """The gateway stood still when it came: the old policy goes on, people are told."""
    one = await desk.process()
    await agreed(one, plan=Plan(activates_at=desk.clock.now() + timedelta(hours=2)))
    desk.clock.advance(hours=9)
    await one.board.look()
    assert one.active == "default"
    assert one.witness.alarmed("policy.schedule_expired") == 1
    assert one.board.standing.scheduled is None


class Forgetful(PolicyCompiler):
    """A newer program that does not take `night` any more."""

    broken = False

    def load(self, text: str, source: str) -> Policy:
        """Refuse it."""
        if self.broken and "night" in text:
            return super().load("version: 9\n", source)
        return super().load(text, source)


async def test_a_scheduled_policy_that_cannot_be_used_fails(desk: Office) -> None:
    """The one before stays; the change has failed for good."""
    first = await desk.process()
    change = await agreed(first, plan=Plan(activates_at=desk.clock.now() + timedelta(hours=2)))
    await first.store.aclose()
    compiler = Forgetful({}, desk.clock)
    compiler.broken = True
    one = await desk.process(compiler=compiler)
    desk.clock.advance(hours=2)
    await one.board.look()
    assert one.active == "default"
    assert one.board.standing.changes[change].state is ChangeState.FAILED
    assert one.witness.alarmed("policy.failed") == 1


async def test_a_start_falls_back_to_the_last_policy_that_can_be_used(desk: Office) -> None:
    """And says so until people have decided."""
    first = await desk.process()
    await agreed(first, plan=Plan(activates_at=desk.clock.now()))
    await first.store.aclose()
    compiler = Forgetful({}, desk.clock)
    compiler.broken = True
    one = await desk.process(compiler=compiler)
    await one.board.look()
    await one.board.look()
    assert one.active == "default"
    note = one.board.note()
    assert note is not None
    assert "default" in note.en
    assert one.witness.alarmed("policy.refused") == 1


async def test_a_rollback_to_what_cannot_be_used_is_refused(desk: Office) -> None:
    """What decides goes on deciding."""
    compiler = Forgetful({}, desk.clock)
    one = await desk.process(compiler=compiler)
    await agreed(one, plan=Plan(activates_at=desk.clock.now()))
    change = await agreed(one, DAY, Plan(activates_at=desk.clock.now()))
    one.board._compiled.clear()
    compiler.broken = True
    leaving = one.board.standing.changes[change].policy_hash
    with pytest.raises(PolicyInvalidError):
        await policy_acts.roll_back(one.board, leaving, None, "bad", ZHAO)
    assert one.active == "day"


async def test_a_rollback_wants_a_reason(desk: Office) -> None:
    """It is read by whoever comes next."""
    one = await desk.process()
    with pytest.raises(InvalidError):
        await policy_acts.roll_back(one.board, "a" * 64, None, " ", ZHAO)


async def test_what_was_done_survives_a_restart(desk: Office) -> None:
    """The canary goes on with the same payouts."""
    one = await desk.process()
    change = await agreed(one, plan=Plan(share_ppm=500_000))
    names = [PayoutId(f"po_{number:026d}") for number in range(64)]
    later = desk.clock.advance(minutes=5)
    assert one.gateway.canary is not None
    before = [one.gateway.canary.change.takes(name, later) for name in names]
    await one.store.aclose()
    again = await desk.process()
    assert again.gateway.canary is not None
    assert again.gateway.canary.change.id == change
    assert [again.gateway.canary.change.takes(name, later) for name in names] == before
    assert len(set(before)) == 2


async def test_policies_are_found_by_number_beginning_and_role(desk: Office) -> None:
    """And not by less than six digits of their hash."""
    one = await desk.process()
    change = await policy_acts.propose(one.board, NIGHT, Plan(), "n", WANG)
    for named in ("v2", change.policy_hash, change.policy_hash[:6]):
        assert (await one.board.policy(named)).name == "night"
    assert (await one.board.policy("active")).name == "default"
    for named in ("v9", change.policy_hash[:5], "canary", "shadow"):
        with pytest.raises(Exception, match="no stored policies"):
            await one.board.policy(named)


# --- Replicas ---


async def test_replicas_follow_each_other(fresh_postgres_url: str) -> None:
    """What one does, the other has at its next look; together they write a due time once."""
    async with office(fresh_postgres_url) as desk:
        one, other = await desk.process(), await desk.process()
        assert len(await one.store.policy_acts(1)) == 1
        start = other.active
        text = "version: 1\nname: replicated\n"
        change = await agreed(one, text, Plan(activates_at=desk.clock.now() + timedelta(minutes=3)))
        await other.board.look()
        assert (one.active, other.active) == (start, start)
        desk.clock.advance(minutes=3)
        await asyncio.gather(one.board.look(), other.board.look())
        await asyncio.gather(one.board.look(), other.board.look())
        assert (one.active, other.active) == ("replicated", "replicated")
        acts = [act for act in await one.store.policy_acts(1) if act.change_id == change]
        assert [act.kind for act in acts].count(ActKind.ACTIVATED) == 1
        assert (
            one.witness.alarmed("policy.activated") + other.witness.alarmed("policy.activated") == 1
        )
        await policy_acts.roll_back(other.board, other.gateway.policy.hash, None, "bad", ZHAO)
        await one.board.look()
        assert one.active == other.active == start


async def test_two_people_at_two_replicas_cannot_both_win(fresh_postgres_url: str) -> None:
    """One activation is first; the other was compared with what is gone, and is told."""
    async with office(fresh_postgres_url) as desk:
        one, other = await desk.process(), await desk.process()
        first = await agreed(one, "version: 1\nname: race-a\n")
        second = await agreed(other, "version: 1\nname: race-b\n")
        results = await asyncio.gather(
            policy_acts.activate(one.board, first, None, WANG),
            policy_acts.activate(other.board, second, None, WANG),
            return_exceptions=True,
        )
        assert sum(isinstance(result, ConflictError) for result in results) == 1
        await asyncio.gather(one.board.look(), other.board.look())
        assert one.active == other.active


# --- The file ---


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A policy file."""
    made = tmp_path / "policy.yaml"
    made.write_text(DAY)
    return made


def read(file: Path) -> str:
    """What it says."""
    return file.read_text()


def write(file: Path, text: str | None) -> None:
    """Put another text into it, or take it away."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text)


async def settled(process: Process) -> None:
    """Two looks: one sees the change, the next that it stands still."""
    await process.board.look()
    await process.board.look()


async def test_the_file_is_followed(desk: Office, file: Path) -> None:
    """And every version of it is in the history."""
    one = await desk.process(file)
    assert one.active == "day"
    write(file, NIGHT)
    await one.board.look()
    assert one.active == "day"
    await one.board.look()
    assert one.active == "night"
    acts = await one.store.policy_acts(1)
    assert [act.kind for act in acts] == [ActKind.LOADED, ActKind.LOADED]
    assert (await one.board.policy("active")).text == NIGHT
    assert one.witness.alarmed("policy.loaded") == 2


async def test_a_layout_that_means_the_same_is_no_other_policy(desk: Office, file: Path) -> None:
    """A remark added: nothing is written."""
    one = await desk.process(file)
    write(file, f"# remark\n{DAY}")
    await settled(one)
    assert len(await one.store.policy_acts(1)) == 1


@pytest.mark.parametrize("text", ["version: 1\nname: UPPER\n", "", "- a\n", None])
async def test_a_broken_file_leaves_the_last_good_policy(
    desk: Office, file: Path, text: str | None
) -> None:
    """One alarm, a note while it lasts; a good file ends it."""
    one = await desk.process(file)
    write(file, text)
    await settled(one)
    await settled(one)
    assert one.active == "day"
    assert one.witness.alarmed("policy.refused") == 1
    note = one.board.note()
    assert note is not None
    assert str(file) in note.en
    assert "day" in note.zh
    write(file, NIGHT)
    await settled(one)
    assert (one.active, one.board.note()) == ("night", None)


async def test_a_broken_file_put_right_again_is_well(desk: Office, file: Path) -> None:
    """Back to exactly what it was: the note goes although nothing is new."""
    one = await desk.process(file)
    write(file, "- a\n")
    await settled(one)
    assert one.board.note() is not None
    write(file, DAY)
    await settled(one)
    assert one.board.note() is None


async def test_in_file_mode_people_cannot_write(desk: Office, file: Path) -> None:
    """Each act says which file to edit."""
    one = await desk.process(file)
    board = one.board
    for act in (
        policy_acts.propose(board, NIGHT, Plan(), "n", WANG),
        policy_acts.approve(board, "pc_1", ZHAO),
        policy_acts.reject(board, "pc_1", "", ZHAO),
        policy_acts.cancel(board, "pc_1", "", ZHAO),
        policy_acts.roll_back(board, "a" * 64, None, "bad", ZHAO),
    ):
        with pytest.raises(ConflictError, match="it is watched") as refused:
            await act
        assert refused.value.code == "policy_file_mode"
        assert str(file) in refused.value.message


async def test_from_file_to_database_the_policy_goes_on(desk: Office, file: Path) -> None:
    """What the file said last is active; from now on people change it."""
    one = await desk.process(file)
    await one.store.aclose()
    again = await desk.process()
    assert again.active == "day"
    await agreed(again, plan=Plan(activates_at=desk.clock.now()))
    assert again.active == "night"


async def test_from_database_to_file_the_file_wins(desk: Office, file: Path) -> None:
    """A canary of database mode does not go on."""
    one = await desk.process()
    await agreed(one, plan=Plan(share_ppm=500_000))
    await one.store.aclose()
    again = await desk.process(file)
    assert (again.active, again.gateway.canary) == ("day", None)
    assert again.board.standing.canary is None
