"""The pinned requirements: names, versions and hashes, and all that pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.tidy.tree import text

RUNTIME, TEST = Path("requirements.txt"), Path("requirements-test.txt")
PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[0-9][a-z0-9.+]*)(?: ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def pins(path: Path) -> dict[str, Version]:
    """Every pinned package of a lock."""
    found = (PIN.fullmatch(line) for line in text(path).splitlines())
    return {pin["name"]: Version(pin["version"]) for pin in found if pin}


@pytest.mark.parametrize("path", [RUNTIME, TEST], ids=str)
def test_a_lock_holds_names_versions_and_hashes_only(path: Path) -> None:
    """No address, no path and no option can hide in a line."""
    offenders = [
        line
        for line in text(path).splitlines()
        if not PIN.fullmatch(line) and not HASH.fullmatch(line)
    ]
    assert not offenders, "\n".join(offenders)


@pytest.mark.parametrize("path", [RUNTIME, TEST], ids=str)
def test_a_lock_has_what_the_project_asks_for(path: Path) -> None:
    """Each dependency is pinned, at a version that the project accepts."""
    project = tomllib.loads(text(Path("pyproject.toml")))
    wanted = project["project"]["dependencies"] + project["build-system"]["requires"]
    if path == TEST:
        wanted += project["project"]["optional-dependencies"]["test"]
    pinned = pins(path)
    offenders = [
        line
        for requirement, line in ((Requirement(line), line) for line in wanted)
        if (version := pinned.get(canonicalize_name(requirement.name))) is None
        or version not in requirement.specifier
    ]
    assert not offenders, "\n".join(offenders)


def test_tests_run_on_what_is_shipped() -> None:
    """The test lock contains the runtime lock, version by version."""
    assert pins(RUNTIME).items() <= pins(TEST).items()
