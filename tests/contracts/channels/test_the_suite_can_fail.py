"""The suite notices what it is there for: bent channels and institutions make its cases fail."""

from collections.abc import Callable
from pathlib import Path

import pytest

from channels.contract import Channel
from simulators import journal
from tests.contracts.channels.bent import BENDS, Bend, Straight
from tests.contracts.channels.rigs import RIGS
from tests.contracts.channels.scene import Scene, staged
from tests.contracts.channels.suite import SUITE

THOROUGH = "alipay"
"""Here every case that should notice a bend is tried; elsewhere the first that the entry has."""


def _noticing(kind: str, bend: Bend) -> list[str]:
    there = [one for one in bend.cases if SUITE[one].lacked_by(RIGS[kind]) is None]
    return there if kind == THOROUGH else there[:1]


NOTICED = [
    pytest.param(kind, case_id, bend.wrap, id=f"{kind}-{bend.wrap.__name__}-{case_id}")
    for kind in RIGS
    for bend in BENDS
    for case_id in _noticing(kind, bend)
]
PAYS_AGAIN = {"alipay", "alipay_card", "wechat_pay"}
"""Here `double_execute` shows on a plain repetition; elsewhere a known number may be refused before
anything is carried out."""


async def _fails(kind: str, case_id: str, folder: Path, bend: Callable[[Scene], None]) -> Scene:
    """Play a case on a bent scene; it must end in a failed assertion, and not by accident."""
    case, rig = SUITE[case_id], RIGS[kind]
    async with staged(rig, case.expected(rig), folder, case.total_timeout_s) as scene:
        bend(scene)
        with pytest.raises(AssertionError):
            await case.run(scene)
    return scene


def _wrap(scene: Scene, wrap: Callable[[Channel], Channel]) -> None:
    true = scene.place.connect
    scene.place.connect = lambda: wrap(true())
    scene.channel = wrap(scene.channel)


@pytest.mark.parametrize(("kind", "case_id", "wrap"), NOTICED)
async def test_a_bent_channel_is_noticed(
    kind: str, case_id: str, wrap: Callable[[Channel], Channel], tmp_path: Path
) -> None:
    """A channel that breaks the contract fails the case that is about it."""
    await _fails(kind, case_id, tmp_path, lambda scene: _wrap(scene, wrap))


@pytest.mark.parametrize("case_id", ["resend", "at_once"])
@pytest.mark.parametrize("kind", RIGS)
async def test_an_institution_that_pays_twice_is_noticed(
    kind: str, case_id: str, tmp_path: Path
) -> None:
    """The case fails exactly when the books show the payment twice."""
    case, rig = SUITE[case_id], RIGS[kind]
    failed = False
    async with staged(rig, case.expected(rig), tmp_path) as scene:
        await scene.fault("double_execute", "submit", None)
        try:
            await case.run(scene)
        except AssertionError:
            failed = True
        await scene.settle()
        paid = [one.reference for one in scene.movements("payout")]
    assert paid == [rig.reference(1)] * (2 if failed else 1)
    assert failed or kind not in PAYS_AGAIN


@pytest.mark.parametrize("case_id", ["pays", "lost_after"])
@pytest.mark.parametrize("kind", RIGS)
async def test_books_that_do_not_show_the_payment_are_noticed(
    kind: str, case_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel's word alone passes nothing."""

    def bend(scene: Scene) -> None:
        true = type(scene.place).truth
        monkeypatch.setattr(
            type(scene.place),
            "truth",
            lambda place: [one for one in true(place) if one.kind != "payout"],
        )

    await _fails(kind, case_id, tmp_path, bend)


@pytest.mark.parametrize("case_id", ["pays", "restarted", "scrubbed"])
@pytest.mark.parametrize("kind", RIGS)
async def test_a_wrapped_channel_that_bends_nothing_passes(
    kind: str, case_id: str, tmp_path: Path
) -> None:
    """So that it is the bend, and not the wrapping, that the cases notice."""
    case, rig = SUITE[case_id], RIGS[kind]
    async with staged(rig, case.expected(rig), tmp_path) as scene:
        _wrap(scene, Straight)
        await case.run(scene)


@pytest.mark.parametrize("kind", [kind for kind, rig in RIGS.items() if rig.journal_is_readable])
async def test_an_open_journal_is_noticed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its masks the journal names the payee, and the case sees it."""
    monkeypatch.setattr(journal, "masked", lambda text: text)
    await _fails(kind, "scrubbed", tmp_path, lambda scene: None)


@pytest.mark.parametrize(
    "kind", [kind for kind, rig in RIGS.items() if "stranger" not in rig.lacks]
)
async def test_an_institution_that_takes_any_key_is_noticed(kind: str, tmp_path: Path) -> None:
    """Were a stranger served like ourselves, the case about it would fail."""

    def bend(scene: Scene) -> None:
        scene.place.stranger = scene.place.connect

    await _fails(kind, "stranger", tmp_path, bend)
