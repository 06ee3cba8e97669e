"""`hangdao split` against a running gateway."""

from pathlib import Path
from uuid import uuid4

import orjson

from tests.gateway.cli.served import Served


def request(folder: Path, ref: str) -> Path:
    """A file that asks for 1.00, shared 70 to 30."""
    legs = [
        {
            "beneficiary": {
                "instruments": [
                    {"rail": "bank_card", "number": card, "name": "王小五", "bank_code": "ICBC"}
                ]
            },
            "purpose": "分润",
            "share_ppm": share,
        }
        for card, share in (("6222021234567890123", 700_000), ("6222021234567890131", 300_000))
    ]
    file = folder / "split.json"
    body = {"merchant_ref": ref, "amount_minor": 100, "currency": "CNY", "legs": legs}
    file.write_bytes(orjson.dumps(body))
    return file


def test_a_split_is_made_once_and_shown(served: Served, tmp_path: Path) -> None:
    """A repetition under the printed key makes nothing; people see each leg."""
    file = request(tmp_path, f"s-{uuid4().hex[:8]}")
    made = served.ask("split", "create", "--file", str(file))
    assert [leg["amount_minor"] for leg in made["legs"]] == [70, 30]
    key = ("--idempotency-key", made["idempotency_key"])
    again = served.ask("split", "create", "--file", str(file), *key)
    assert (again["id"], again["replayed"]) == (made["id"], True)
    shown = served.run("split", "show", made["id"]).stdout
    assert made["legs"][1]["id"] in shown
    leg = served.run("payout", "show", made["legs"][0]["id"]).stdout
    assert f"{made['id']}, leg 1 of 2" in leg


def test_a_split_that_is_not_there_is_refused(served: Served) -> None:
    """In both languages."""
    refused = served.run("split", "show", "sp_none")
    assert refused.exit_code == 1
    assert "分账单不存在" in refused.stderr
