"""`hangdao batch`: a file is checked at home, uploaded to a running gateway, and written back."""

import csv
import io
from pathlib import Path

import orjson

from tests.gateway.cli.served import Served, answer, hangdao

HEAD = "商户单号,金额,付款方式,收款账号,收款人,用途"
GOOD = "c-1,12.30,支付宝,zhang@example.test,张三丰,货款"


def file_with(folder: Path, *lines: str, encoding: str = "gbk") -> str:
    """A file as Excel saves it in China."""
    file = folder / "batch.csv"
    file.write_bytes("\r\n".join((HEAD, *lines)).encode(encoding))
    return str(file)


def test_a_good_file_is_told_without_sending_it(tmp_path: Path) -> None:
    """Its encoding, rows and total."""
    told = answer(hangdao("batch", "check", file_with(tmp_path, GOOD), "--json"))
    assert (told["encoding"], told["count"], told["total_minor"]) == ("gb18030", 1, 1230)


def test_a_bad_file_is_refused_with_each_place(tmp_path: Path) -> None:
    """Exit code 1; line, column and what to do, in both languages."""
    file = file_with(tmp_path, GOOD, "c-2,1,银行卡,6.22E+15,王五,货款")
    refused = hangdao("batch", "check", file)
    assert refused.exit_code == 1
    assert "line 3, column 收款账号" in refused.stderr
    assert "文本" in refused.stderr
    document = orjson.loads(hangdao("batch", "check", file, "--json").stdout)
    assert [one["code"] for one in document["error"]["errors"]] == ["number_mangled"]


def test_a_template_never_overwrites(tmp_path: Path) -> None:
    """The second time it is refused, and the file stays."""
    out = str(tmp_path / "t.csv")
    arguments = ("batch", "template", "--format", "csv", "--lang", "en", "-o", out)
    assert hangdao(*arguments).exit_code == 0
    before = Path(out).read_bytes()
    assert hangdao(*arguments).exit_code == 1
    assert Path(out).read_bytes() == before


def test_a_profile_of_ones_own_is_tried_from_a_file(tmp_path: Path) -> None:
    """A mistake in it is told with its place."""
    own = tmp_path / "own.yaml"
    own.write_text("name: own\ncolums: {}\n", encoding="utf-8")
    refused = hangdao("batch", "check", file_with(tmp_path, GOOD), "--profile", str(own))
    assert refused.exit_code == 1
    assert "colums" in refused.stderr


def test_a_profile_tells_where_its_file_comes_from() -> None:
    """The query that makes it, and how rows are marked, for whoever runs the platform."""
    told = answer(hangdao("batch", "profiles", "acg-faka", "--json"))
    assert told["query"].startswith("SELECT ")
    assert "逐笔" in told["回写"]
    assert hangdao("batch", "profiles", "nonsense").exit_code == 2


def test_an_upload_is_followed_to_its_end(served: Served, tmp_path: Path) -> None:
    """Uploaded, accepted by the running gateway, listed, shown, written back."""
    file = file_with(tmp_path, GOOD)
    declared = ("--count", "1", "--total", "12.30", "--wait")
    made = served.ask("batch", "create", file, *declared)
    assert made["state"] == "done"
    assert served.ask("batch", "ls")["data"][0]["id"] == made["id"]
    assert served.ask("batch", "ls", "--state", "storing")["data"] == []
    refused = served.run("batch", "cancel", made["id"])
    assert refused.exit_code == 1
    assert "storing" in refused.stderr
    shown = served.ask("batch", "show", made["id"], "--rows")
    assert [row["merchant_ref"] for row in shown["rows"]["data"]] == ["c-1"]
    out = tmp_path / "result.csv"
    served.ask("batch", "result", made["id"], "--format", "csv", "--lang", "en", "-o", str(out))
    (row,) = csv.DictReader(io.StringIO(out.read_text("utf-8-sig")))
    assert row["merchant_ref"] == "c-1"
    assert row["status"] in {"processing", "paid"}
