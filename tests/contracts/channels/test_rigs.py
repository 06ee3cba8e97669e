"""The entries themselves: complete, in words the suite knows, and with a reason for every gap."""

import pytest

from channels.registry import KINDS
from simulators.actions import ACTIONS
from tests.contracts.channels.rigs import RIGS
from tests.contracts.channels.suite import SUITE

LACKED = [
    pytest.param(kind, case.id, id=f"{kind}-{case.id}")
    for kind, rig in RIGS.items()
    for case in SUITE.values()
    if case.lacked_by(rig) is not None
]
GROUPS = {case.group for case in SUITE.values()}
STEPS = {f"{case.id}.{step}" for case in SUITE.values() for step in case.steps}
NEVER_LACKED = {"pays", "never_sent", "scrubbed", "traits", "check", "closed"}
"""A kind without these is no channel."""
REASON_WORDS = 4


def test_every_kind_of_channel_has_an_entry() -> None:
    """Whoever registers a kind holds it to the contract."""
    assert set(RIGS) == set(KINDS)
    assert all(rig.kind == kind for kind, rig in RIGS.items())


@pytest.mark.parametrize("kind", RIGS)
def test_entries_use_words_the_suite_knows(kind: str) -> None:
    """A misspelt case would be passed over in silence."""
    rig = RIGS[kind]
    known = set(SUITE) | GROUPS | {one for case in SUITE.values() for one in case.actions}
    assert set(rig.lacks) <= known
    assert set(rig.answers) <= STEPS
    assert all(len(one.why.split()) >= REASON_WORDS for one in rig.answers.values())


@pytest.mark.parametrize(("kind", "case_id"), LACKED)
def test_what_a_protocol_lacks_has_a_reason(kind: str, case_id: str) -> None:
    """Each gap is named, with words a reader can judge."""
    why = SUITE[case_id].lacked_by(RIGS[kind])
    assert why is not None
    assert len(why.split()) >= REASON_WORDS
    assert case_id not in NEVER_LACKED


def test_cases_ask_for_faults_there_are() -> None:
    """Every action named by a case is one the simulators know."""
    assert {one for case in SUITE.values() for one in case.actions} <= set(ACTIONS)
