"""`hangdao channel scaffold`: a new kind that passes the checks and pays nobody."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.contract import Rail
from channels.money import Currency
from channels.registry import KINDS
from gateway.scaffold.kind import NAME_LENGTH, NameRefusedError, NewKind
from gateway.scaffold.making import entries, rendered
from tests.gateway.cli.served import answer, hangdao
from tests.tidy.tree import PACKAGES, ROOT

NEW = NewKind("hui_fu", Rail.BANK_ACCOUNT, Currency.CNY)
MADE = (
    *("channels/hui_fu", "simulators/hui_fu", "tests/channels/hui_fu", "tests/simulators/hui_fu"),
    "tests/contracts/channels/hui_fu.py",
)
REGISTRIES = (
    *("channels/registry.py", "simulators/registry.py", "tests/contracts/channels/rigs.py"),
)
STRICT = """[mypy]
strict = True
plugins = pydantic.mypy
follow_imports = silent
warn_unreachable = True
enable_error_code = ignore-without-code, redundant-expr, truthy-bool
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A tool of ours in another folder, which then is the project."""
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.run(  # noqa: S603 - our own tools
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def register(root: Path) -> None:
    """Add by hand what the command tells to add."""
    for one in entries(NEW):
        path = root / one.file
        text = path.read_text(encoding="utf-8")
        added = "\n".join(one.lines) + "\n"
        if one.file == "pyproject.toml":
            continue
        match one.after:
            case "among the imports":
                at = first_import(text)
            case "above _MAKERS":
                at, added = text.index("_MAKERS: "), added + "\n\n"
            case _:
                at = text.index("\n}\n") + 1
        path.write_text(text[:at] + added + text[at:], encoding="utf-8")
    rigs = root / "tests/contracts/channels/rigs.py"
    text = rigs.read_text(encoding="utf-8")
    at, added = first_import(text), "from tests.contracts.channels import hui_fu\n"
    rigs.write_text(text[:at] + added + text[at:], encoding="utf-8")


def first_import(text: str) -> int:
    """Where the imports of the project's own modules begin."""
    found = re.search(r"^from (?:channels|simulators|tests)\.", text, re.MULTILINE)
    assert found
    return found.start()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project with the new kind in it, registered."""
    root = tmp_path_factory.mktemp("project")
    unwanted = shutil.ignore_patterns("__pycache__", ".*")
    for top in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / top, root / top, ignore=unwanted)
    shutil.copy(ROOT / "pyproject.toml", root)
    flags = ("--dir", str(root), "--rail", "bank_account", "--json")
    told = answer(hangdao("channel", "scaffold", NEW.name, *flags))
    assert [path for path in told["written"] if not (root / path).is_file()] == []
    register(root)
    yield root
    shutil.rmtree(root)


def test_the_new_files_pass_the_style_checks(project: Path) -> None:
    """Ruff finds nothing in them, neither mistakes nor a line to format."""
    checked = run(project, "ruff", "check", "--no-cache", *MADE)
    assert checked.returncode == 0, checked.stdout
    formatted = run(project, "ruff", "format", "--check", "--no-cache", *MADE)
    assert formatted.returncode == 0, formatted.stdout


def test_the_new_files_pass_the_type_checks(project: Path) -> None:
    """Strictly, and so do the registries with their lines."""
    (project / "strict.ini").write_text(STRICT, encoding="utf-8")
    flags = ("--config-file", "strict.ini", "--cache-dir", str(project / "types"))
    checked = run(project, "mypy", *flags, *MADE, *REGISTRIES)
    assert checked.returncode == 0, checked.stdout


def test_the_new_tests_pass(project: Path) -> None:
    """They say that nothing leaves, and that its entry in the suite is complete."""
    tests = ("tests/channels/hui_fu", "tests/simulators/hui_fu")
    ran = run(project, "pytest", "-q", *tests, "tests/contracts/channels/test_rigs.py")
    assert ran.returncode == 0, ran.stdout


def test_the_new_kind_fails_the_suite_until_it_pays(project: Path) -> None:
    """At the first instruction, which it does not take."""
    suite = "tests/contracts/channels/test_channels.py"
    ran = run(project, "pytest", "-vv", suite, "-k", "hui_fu-pays")
    assert ran.returncode == 1
    assert "assert self.channel.check(made) == ()" in ran.stdout


def test_the_new_kind_can_be_described(project: Path) -> None:
    """Its column stands beside the others."""
    told = run(project, "gateway", "channel", "capabilities", "hui_fu")
    assert told.returncode == 0, told.stderr
    assert re.search(r"rails\s+bank_account", told.stdout)


def test_nothing_is_overwritten(project: Path) -> None:
    """Asked again for what is there, it names it and writes nothing."""
    place = project / "channels/hui_fu/wire.py"
    before = place.read_text(encoding="utf-8")
    shutil.rmtree(project / "tests/wire/hui_fu")
    again = hangdao("channel", "scaffold", NEW.name, "--dir", str(project))
    assert again.exit_code == 1
    assert "there already, and left as it is: channels/hui_fu" in again.stderr
    assert "已存在，未作任何改动" in again.stderr
    assert place.read_text(encoding="utf-8") == before
    assert not (project / "tests/wire/hui_fu").exists()


def test_only_the_project_gets_new_files(tmp_path: Path) -> None:
    """In any other folder nothing is written."""
    result = hangdao("channel", "scaffold", NEW.name, "--dir", str(tmp_path))
    assert result.exit_code == 1
    assert "is not the project's folder" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_there_is_cannot_be_new(kind: str) -> None:
    """Told before anything is looked for on disk."""
    assert f"there is a kind {kind} already" in hangdao("channel", "scaffold", kind).stderr


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        "Huifu",
        "hui-fu",
        "hui__fu",
        "_hui",
        "hui_",
        "1pay",
        "汇付",
        "../evil",
        "class",
        "match",
        "h" * (NAME_LENGTH[1] + 1),
    ],
)
def test_a_name_that_is_no_modules_is_refused(name: str) -> None:
    """Lower-case words with single underscores, and no word of Python."""
    with pytest.raises(NameRefusedError):
        NewKind(name, Rail.BANK_CARD, Currency.CNY)


@pytest.mark.parametrize("name", ["ab", "h" * NAME_LENGTH[1], "a_b_c_d_e_f_g_h"])
@pytest.mark.parametrize("rail", Rail)
def test_no_name_makes_a_line_too_long(name: str, rail: Rail) -> None:
    """The longest name there may be still fits everywhere."""
    texts = rendered(NewKind(name, rail, Currency.USDC))
    lines = [
        line for path, text in texts.items() if path.suffix == ".py" for line in text.split("\n")
    ]
    assert max(len(line) + len(re.findall(r"[⺀-鿿]", line)) for line in lines) <= 100
