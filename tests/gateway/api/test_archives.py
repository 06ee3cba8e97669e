"""Archives over HTTP: counted first, written, compared, removed; and what callers notice of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.archive import Bulk, unpacked
from gateway.domain.checkpoint import Verifier
from gateway.domain.payout import PayoutId
from gateway.engine import archive
from gateway.engine.verify import verify
from gateway.store import SqlStore
from gateway.store.archive_files import FOLDER, ArchiveFiles
from tests import builders as build
from tests.gateway.api.desk import ACME, Answer, Desk, payout_body

PATH = "/v1/admin/archives"
OLD = {"older_than_days": 90, "dry_run": False}


@pytest.fixture
def folder(desk: Desk, tmp_path: Path) -> Path:
    """Where this desk's archives are kept."""
    desk.api.archive_files = ArchiveFiles(tmp_path)
    return tmp_path / FOLDER


def files(folder: Path) -> list[Path]:
    """What lies there."""
    return sorted(folder.iterdir()) if folder.exists() else []


async def settled(desk: Desk, count: int, *, days: int = 100) -> list[str]:
    """Payouts that were paid and seen on a statement, so many days ago."""
    await desk.store.put_endpoint(build.endpoint(merchant_id=ACME), "test")
    ids = []
    for number in range(count):
        made = await desk.pay(f"old-{number}")
        await desk.work(made)
        payout = await desk.store.payout(PayoutId(made))
        assert payout is not None
        await desk.store.record(build.change(payout, build.settled()))
        for owed in await desk.store.deliveries(ACME, payout.id, 100):
            await desk.store.delivered(owed.id, 200, desk.clock.now())
        ids.append(made)
    desk.clock.advance(days=days)
    return ids


async def step(desk: Desk, **changes: Any) -> Answer:
    """One request of an operator's."""
    return await desk.post(PATH, {**OLD, **changes}, key="operator")


async def test_a_dry_run_counts_and_changes_nothing(desk: Desk, folder: Path) -> None:
    """It is what one gets who says nothing."""
    await settled(desk, 3)
    before = desk.rows()

    counted = await desk.post(PATH, {"older_than_days": 90}, key="operator")

    assert (counted.status, counted.json["payouts"], counted.json["decisions"]) == (200, 3, 3)
    assert (counted.json["archive"], counted.json["next_after"]) == (None, None)
    assert desk.rows() == before
    assert files(folder) == []


async def test_decisions_and_webhooks_go_into_a_file_and_nothing_else(
    desk: Desk, folder: Path
) -> None:
    """Every other table keeps its rows; an audit row tells who did it."""
    ids = await settled(desk, 3)
    before = desk.rows()

    done = await step(desk)

    made = done.json["archive"]
    bulks = unpacked((folder / made["file"]).read_bytes())
    assert [one.payout_id for one in bulks] == sorted(ids)
    after = desk.rows()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"decisions", "deliveries", "archives", "archived_payouts", "audit"}
    assert (after["decisions"], after["deliveries"]) == (0, 0)
    assert before["deliveries"] == made["deliveries"] == sum(len(one.deliveries) for one in bulks)
    listed = await desk.get(PATH, key="operator")
    assert listed.json["data"] == [{**made, "cleared_at": listed.json["data"][0]["cleared_at"]}]
    assert listed.json["data"][0]["cleared_at"] is not None
    again = await step(desk)
    assert (again.json["payouts"], again.json["archive"]) == (0, None)


async def test_callers_read_the_same_of_an_archived_payout(desk: Desk, folder: Path) -> None:
    """The same request has the same answer, the payout, its tries, its timeline and its proof."""
    (made,) = await settled(desk, 1)
    paths = [f"/v1/payouts/{made}{rest}" for rest in ("", "/attempts", "/timeline")]
    await desk.post("/v1/admin/audit/checkpoints", key="operator")
    seen = [(await desk.get(path)).json for path in paths]
    await step(desk)

    assert [(await desk.get(path)).json for path in paths] == seen
    again = await desk.post("/v1/payouts", payout_body(merchant_ref="old-0"))
    assert (again.status, again.json) == (201, seen[0])
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await desk.post("/v1/payouts", payout_body(merchant_ref="old-0", amount_minor=1))
    assert other.code == "merchant_ref_reused"
    await desk.post("/v1/admin/audit/checkpoints", key="operator")
    assert (await desk.get(f"/v1/payouts/{made}/proof")).status == 200
    signer = desk.api.auditor.signer
    report = await verify(desk.store, Verifier(signer.origin, (signer.public_key,)))
    assert report.findings == []


async def test_what_has_gone_says_where_to(desk: Desk, folder: Path) -> None:
    """410, with the file's name, in both languages; for the payout's merchant alone."""
    (made,) = await settled(desk, 1)
    delivery_id = (await desk.get(f"/v1/payouts/{made}/deliveries")).json["data"][0]["id"]
    file = (await step(desk)).json["archive"]["file"]

    told = [
        await desk.get(f"/v1/payouts/{made}/why"),
        await desk.get(f"/v1/payouts/{made}/deliveries"),
        await desk.post(f"/v1/deliveries/{delivery_id}/resend"),
    ]

    assert {(one.status, one.code) for one in told} == {(410, "archived")}
    assert all(file in one.json["detail"] and file in one.json["detail_zh"] for one in told)
    stranger = await desk.post(f"/v1/deliveries/{delivery_id}/resend", key="other")
    assert stranger.code == "delivery_not_found"


async def test_what_is_young_is_never_archived(desk: Desk, folder: Path) -> None:
    """Ninety days at least, and as long as any channel answers questions about it."""
    await settled(desk, 1, days=80)
    least = archive.floor_days(desk.gateway)
    refused = await step(desk, older_than_days=least - 1)
    nothing = await step(desk, older_than_days=least)

    assert least >= 90
    assert (refused.status, refused.code) == (422, "archive_too_young")
    assert nothing.json["payouts"] == 0


async def test_files_come_page_by_page(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`next_after` leads from one to the next."""
    monkeypatch.setattr(archive, "PAGE", 2)
    await settled(desk, 5)
    counts, after = [], None
    while True:
        done = (await step(desk, after=after)).json
        counts.append(done["payouts"])
        after = done["next_after"]
        if after is None:
            break

    assert counts == [2, 2, 1]
    assert len(files(folder)) == 3
    assert desk.rows()["decisions"] == 0


@pytest.mark.parametrize("groups", [0, 1, 2])
async def test_what_was_cut_off_is_finished_by_the_next_step(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch, groups: int
) -> None:
    """From its file, after it was compared; with one file and one audit row in the end."""
    monkeypatch.setattr(archive, "CLEARED_AT_ONCE", 1)
    await settled(desk, 3)
    clear, cleared = SqlStore.clear, 0

    async def broken(self: SqlStore, archive_id: str, bulks: Sequence[Bulk]) -> None:
        nonlocal cleared
        if cleared == groups:
            raise RuntimeError("power cut")
        cleared += 1
        await clear(self, archive_id, bulks)

    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "clear", broken)
        assert (await step(desk)).status == 500
    assert desk.rows()["decisions"] == 3 - groups
    (file,) = files(folder)

    finished = await step(desk)

    assert finished.json["archive"]["file"] == file.name
    assert desk.rows()["decisions"] == 0
    assert (await desk.get(PATH, key="operator")).json["data"][0]["cleared_at"] is not None
    assert files(folder) == [file]
    assert (await step(desk, after=finished.json["next_after"])).json["payouts"] == 0


async def test_nothing_is_removed_on_account_of_a_damaged_file(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it is read back at once, nor when what was cut off is taken up."""
    await settled(desk, 2)
    with monkeypatch.context() as patch:
        patch.setattr(ArchiveFiles, "read", lambda _self, _name: b"something else")
        refused = await step(desk)
    assert (refused.status, refused.code) == (409, "archive_damaged")
    assert (desk.rows()["decisions"], desk.rows()["archives"]) == (2, 0)

    async def broken(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "clear", broken)
        await step(desk)
    (file,) = files(folder)
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"?")
    assert (await step(desk)).code == "archive_damaged"
    assert desk.rows()["decisions"] == 2
    file.write_bytes(content)
    assert (await step(desk)).status == 200
    assert desk.rows()["decisions"] == 0


async def test_a_full_disk_removes_nothing(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator reads why."""
    await settled(desk, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArchiveFiles, "write", full)
    refused = await step(desk)

    assert (refused.status, refused.code) == (503, "archive_unwritten")
    assert desk.rows()["decisions"] == 1


async def test_only_operators_archive(desk: Desk, folder: Path) -> None:
    """A merchant's key does not reach it."""
    assert (await desk.post(PATH, OLD)).status == 403
