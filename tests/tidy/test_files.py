"""The style sheet on files: what may lie where, and what no file may contain."""

import re

import pytest

from tests.tidy.tree import ROOT, files, is_ours, text

TOP = {
    *("gateway", "channels", "policies", "simulators", "tests", "pyproject.toml", "README.md"),
    *("Makefile", ".ci", ".gitignore", "LICENSE", "requirements.txt", "requirements-test.txt"),
    *("Dockerfile", "compose.yaml"),
}

# Written in two halves, so that this file does not offend itself.
UNFINISHED = re.compile("|".join((r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bX" + r"XX\b")))
MACHINE = re.compile("|".join(f"/{top}/[a-z]" for top in ("work", "root", "home", "Users")))
REGISTRY = re.compile("|".join(("py" + r"pi\.org", r"files\.python" + "hosted")))


def test_the_top_level_holds_nothing_unexpected() -> None:
    """Five folders, a project file, a README, and what tools insist on."""
    assert {path.name for path in ROOT.iterdir() if is_ours(path.name)} - TOP == set()


@pytest.mark.parametrize(
    "pattern", [UNFINISHED, MACHINE, REGISTRY], ids=["unfinished", "machine", "registry"]
)
def test_no_file_contains(pattern: re.Pattern[str]) -> None:
    """No reminder to self, no path of somebody's machine, no address of a package registry."""
    offenders = [
        f"{path}:{number} {line.strip()[:80]}"
        for path in files()
        for number, line in enumerate(text(path).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not offenders, "\n".join(offenders)


def test_links_between_documents_lead_somewhere() -> None:
    """A relative link in Markdown names a file that exists."""
    link = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
    offenders = [
        f"{path} → {target}"
        for path in files()
        if path.suffix == ".md"
        for target in link.findall(text(path))
        if not (ROOT / path.parent / target).exists()
    ]
    assert not offenders, "\n".join(offenders)
