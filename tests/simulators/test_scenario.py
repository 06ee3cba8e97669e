"""Configuration files: strict, with the line of every mistake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simulators.scenario import ScenarioError, load, read_plan, read_yaml
from simulators.world import World
from tests.simulators.keys import pair

GOOD = """\
seed: 7
clock: {mode: virtual, start: 2026-03-02T10:00:00+08:00}
control: {port: 0}
simulators:
  - name: alipay
    kind: alipay
    platform_private_key_file: keys/platform.pem
    accounts:
      - account: alipay-1
        app_id: '2021000000000001'
        user_id: '2088000000000001'
        public_key_file: keys/app.pem
        balance_fen: 1000
faults:
  - {action: reject, at: +10s, params: {code: SYSTEM_ERROR}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the two keys the configuration names."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "platform.pem").write_text(pair("platform").private_pem)
    (tmp_path / "keys" / "app.pem").write_text(pair("app").public_pem)
    return tmp_path


def build(folder: Path, text: str) -> World:
    """Read a configuration file and build its world."""
    path = folder / "sim.yaml"
    path.write_text(text)
    return World(*load(path))


async def test_a_good_file_makes_a_world(folder: Path) -> None:
    """Keys are found beside the file, the clock stands, offsets count from its start."""
    async with build(folder, GOOD) as world:
        start = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
        assert world.clock.now() == start
        (rule,) = world.shells["alipay"].faults.rules
        assert rule.from_at == start + timedelta(seconds=10)
        assert world.shells["alipay"].faults.seed == 7


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("seed: 7", "sed: 7", r"sim.yaml:1: sed: Extra inputs"),
        ("seed: 7", "seed: many", r"sim.yaml:1: seed: Input should be a valid integer"),
        ("mode: virtual", "mode: lunar", r"sim.yaml:2: clock.mode"),
        ("balance_fen: 1000", "balance: 1000", r"sim.yaml:13: simulators.0.accounts.0.balance"),
        ("balance_fen: 1000", "balance_fen: 1.5", r"sim.yaml:13: .*valid integer"),
        ("kind: alipay", "kind: paypal", r"sim.yaml:6: simulators.0.kind: unknown"),
        ("    kind: alipay\n", "", r"sim.yaml:5: simulators.0: needs a name and a kind"),
        ("keys/app.pem", "keys/none.pem", r"sim.yaml:5: simulators.0: No such file"),
        ("balance_fen: 1000", "port: big", r"sim.yaml:5: simulators.0: not a port"),
        ("balance_fen: 1000", "app_id: '1'", r"sim.yaml:13: .*app_id: stands twice"),
        ("action: reject", "action: dance", r"sim.yaml:15: faults.0: .*unknown action"),
        ("code: SYSTEM_ERROR", "kode: X", r"sim.yaml:15: faults.0: .*no parameter 'kode'"),
        ("at: +10s", "account: nobody", r"sim.yaml:15: faults.0: no simulator has"),
        ("control: {port: 0}", "control: {port: 0", r"sim.yaml:\d+: "),
        ("faults:", "extra:\nfaults:", r"sim.yaml:14: extra: Extra inputs"),
    ],
)
def test_a_mistake_is_named_with_its_line(folder: Path, old: str, new: str, complaint: str) -> None:
    """File, line, key and reason; nothing is left bound."""
    assert old in GOOD
    with pytest.raises(ScenarioError, match=complaint):
        build(folder, GOOD.replace(old, new))


def test_two_simulators_need_two_names() -> None:
    """Rules and the journal go by name."""
    text = "simulators:\n  - {name: a, kind: alipay}\n  - {name: a, kind: alipay}\n"
    with pytest.raises(ScenarioError, match=r"sim\.yaml:3: simulators\.1\.name: stands twice"):
        read_plan(read_yaml(text, "sim.yaml"))


def test_nothing_is_no_configuration() -> None:
    """An empty file is refused like any other."""
    with pytest.raises(ScenarioError, match=r"sim.yaml: file"):
        read_plan(read_yaml("", "sim.yaml"))
