"""`hangdao archive`: against a running gateway, and against one that has something to archive."""

from pathlib import Path
from typing import Any

import orjson

from gateway.domain.archive import Bulk, described, packed
from gateway.domain.payout import MerchantId, PayoutId
from tests.builders import NOW
from tests.gateway.cli.conftest import Canned
from tests.gateway.cli.served import Served, hangdao


def test_a_fresh_sandbox_has_nothing_to_archive(served: Served) -> None:
    """Counted by default, done with --yes; both say so."""
    nothing = {"payouts": 0, "decisions": 0, "deliveries": 0, "files": [], "older_than_days": 180}
    assert served.ask("archive", "run") == {"done": False, **nothing}
    assert served.ask("archive", "run", "--yes") == {"done": True, **nothing}
    assert served.ask("archive", "ls") == {"data": []}


def test_without_yes_it_says_that_nothing_was_done(served: Served) -> None:
    """In both languages."""
    said = served.run("archive", "run").output
    assert "--yes" in said
    assert "未写入" in said


def test_what_is_young_is_refused(served: Served) -> None:
    """With the least number of days."""
    result = served.run("archive", "run", "--older-than", "89", "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["error"]["code"] == "archive_too_young"


def test_files_are_compared_with_what_was_kept(canned: Canned, tmp_path: Path) -> None:
    """A good one, one that was changed, and one that nobody knows."""
    bulk = Bulk(MerchantId("m"), PayoutId("po_1"), ({"row": 1},), ())
    content = packed([bulk])
    archive = described(content, [bulk], NOW, "key:k")
    kept = {"file": archive.file, "sha256": archive.sha256}
    canned.body = orjson.dumps({"data": [kept]})
    file, strange = tmp_path / archive.file, tmp_path / "po_2-x.jsonl.gz"

    def ask(path: Path, content: bytes) -> tuple[int, Any]:
        path.write_bytes(content)
        asked = ("archive", "verify", str(path), "--url", canned.url, "--key", "hd_x", "--json")
        result = hangdao(*asked)
        return result.exit_code, orjson.loads(result.stdout)

    code, told = ask(file, content)
    assert (code, told["data"]) == (0, [{**kept, "payouts": 1, "decisions": 1, "deliveries": 0}])
    changed = [ask(file, content[:-1]), ask(file, packed([])), ask(strange, content)]
    codes = [(code, told["error"]["code"]) for code, told in changed]
    assert codes == [
        (1, "archive_damaged"),
        (1, "archive_damaged"),
        (1, "archive_unknown"),
    ]
