"""The merchants' own check, run as the very text that is handed out: real and forged proofs."""

import base64
import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import audit
from gateway.domain.checkpoint import Verifier
from tests.gateway.api.desk import Desk

SCRIPT = Path(audit.__file__).with_name("check.py")
Forge = Callable[[dict[str, Any]], object]


def check(folder: Path, proof: Any, key: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script alone: nothing of the gateway is importable there."""
    (folder / "check.py").write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "proof.json").write_text(json.dumps(proof), encoding="utf-8")
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-I", "check.py", "proof.json", key],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


async def proven(desk: Desk) -> tuple[dict[str, Any], str]:
    """A paid payout's proof among others, and the key."""
    for number in range(3):
        await desk.work(await desk.pay(f"other-{number}"))
    payout_id = await desk.pay()
    await desk.work(payout_id)
    await desk.work(await desk.pay("later"))
    made = await desk.post("/v1/admin/audit/checkpoints", key="operator")
    assert made.status == 201, made.raw
    proof = await desk.get(f"/v1/payouts/{payout_id}/proof")
    key = await desk.get("/v1/audit/key")
    assert (proof.status, key.status) == (200, 200)
    assert isinstance(proof.json, dict)
    return proof.json, key.json["public_key"]


def _leaf(proof: dict[str, Any], place: int, **changes: object) -> None:
    leaf = json.loads(proof["leaves"][place]["leaf"]) | changes
    proof["leaves"][place]["leaf"] = json.dumps(leaf, separators=(",", ":"), ensure_ascii=False)


FORGERIES: dict[str, Forge] = {
    "another state": lambda proof: _leaf(proof, 2, state="failed"),
    "another time": lambda proof: _leaf(proof, 0, at="2020-01-01T00:00:00.000000Z"),
    "an event left out": lambda proof: proof["leaves"].pop(1),
    "the first event left out": lambda proof: proof["leaves"].pop(0),
    "another order": lambda proof: proof["leaves"].reverse(),
    "another payout": lambda proof: proof.update(payout_id="po_other"),
    "another place": lambda proof: proof["leaves"][0].update(position=10_000),
    "a shorter path": lambda proof: proof["leaves"][1]["path"].pop(),
    "another path": lambda proof: proof["leaves"][1]["path"].reverse(),
    "a longer path": lambda proof: proof["leaves"][1]["path"].append(
        base64.b64encode(bytes(32)).decode()
    ),
    "another root": lambda proof: proof.update(
        checkpoint=proof["checkpoint"].replace("hangdao\n", "hangdao\n1", 1)
    ),
}


async def test_the_script_accepts_real_proofs_and_no_forged_one(desk: Desk, tmp_path: Path) -> None:
    """Every event of a real one is printed; each way to lie ends in a failure."""
    proof, key = await proven(desk)
    good = check(tmp_path, proof, key)
    assert good.returncode == 0, good.stderr
    assert [line.split()[2] for line in good.stdout.splitlines()] == [
        "payout.accepted",
        "payout.armed",
        "payout.paid",
    ]
    for name, forge in FORGERIES.items():
        forged = copy.deepcopy(proof)
        forge(forged)
        assert check(tmp_path, forged, key).returncode == 1, name
    assert check(tmp_path, proof, base64.b64encode(bytes(32)).decode()).returncode == 1


def test_the_script_is_short() -> None:
    """Whoever must trust it can read it: thirty lines, imports and blank ones aside."""
    lines = SCRIPT.read_text(encoding="utf-8").split('"""', 2)[2].splitlines()
    code = [line for line in lines if line.strip() and not line.startswith(("import", "from"))]
    assert len(code) <= 30


@pytest.mark.parametrize("key", ["acme", "operator"])
async def test_a_proof_is_its_owners_and_the_operators(desk: Desk, key: str) -> None:
    """Before the first checkpoint there is none; another merchant's payout does not exist."""
    payout_id = await desk.pay()
    path = f"/v1/payouts/{payout_id}/proof"
    early = await desk.get(path, key=key)
    assert (early.status, early.code) == (409, "no_checkpoint_yet")
    await desk.post("/v1/admin/audit/checkpoints", key="operator")
    assert (await desk.get(path, key=key)).status == 200
    assert (await desk.get(path, key="other")).code == "payout_not_found"


async def test_what_is_too_young_is_counted(desk: Desk) -> None:
    """Events after the checkpoint are not proven by it, and are not silently left out."""
    payout_id = await desk.pay()
    await desk.post("/v1/admin/audit/checkpoints", key="operator")
    await desk.work(payout_id)
    proof = (await desk.get(f"/v1/payouts/{payout_id}/proof")).json
    assert (len(proof["leaves"]), proof["pending"]) == (1, 2)


async def test_checkpoints_are_listed_newest_first(desk: Desk) -> None:
    """In pages, for operators only."""
    for number in range(3):
        await desk.pay(f"order-{number}")
        desk.clock.advance(seconds=60)
        await desk.post("/v1/admin/audit/checkpoints", key="operator")
    path = "/v1/admin/audit/checkpoints"
    first = (await desk.get(path, key="operator", query={"limit": "2"})).json["data"]
    rest = await desk.get(path, key="operator", query={"before": first[-1]["at"]})
    assert len(first) == 2
    sizes = [one["size"] for one in (*first, *rest.json["data"])]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 3
    assert (await desk.get(path)).status == 403


async def test_a_log_with_another_past_is_not_signed(desk: Desk) -> None:
    """The operator is told to look, with 409."""
    await desk.pay()
    made = await desk.post("/v1/admin/audit/checkpoints", key="operator")
    signer = desk.api.auditor.signer
    last = desk.file.with_name("audit.last")
    checkpoint = Verifier(signer.origin, (signer.public_key,)).opened(made.json["note"])
    last.write_text(signer.sign(replace(checkpoint, root=bytes(32))), encoding="utf-8")
    refused = await desk.post("/v1/admin/audit/checkpoints", key="operator")
    assert (refused.status, refused.code) == (409, "audit_inconsistent")
