"""Keys that parse and are wrong all the same."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from channels.contract import Credential
from gateway.cli.findings import State
from gateway.cli.keyfiles import compare, inspect
from tests.simulators.keys import pair

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OURS = Credential("private_key_file", "ours", "a" * 64)
THEIRS = Credential("public_key_file", "theirs", "b" * 64)


class Settings(BaseModel):
    """As adapters have them: files under whatever name."""

    private_key_file: Path | None = None
    live_keys: tuple[Path, ...] = ()


def found(credentials: Sequence[Credential], settings: BaseModel | None = None) -> list[State]:
    """State of each finding."""
    return [one.state for one in inspect("one", settings or Settings(), credentials, NOW)]


def ending(name: str, like: Credential, days: int, mark: str = "c") -> Credential:
    """A certificate that ends so many days from now, held by the same."""
    return Credential(name, like.holder, mark * 64, NOW + timedelta(days=days))


def test_keys_without_an_end_are_well() -> None:
    """They are told by name and fingerprint."""
    [finding] = inspect("one", Settings(), (OURS, THEIRS), NOW)
    assert finding.state is State.OK
    assert "private_key_file aaaaaaaaaaaa, public_key_file bbbbbbbbbbbb" in finding.en


def test_our_own_key_is_not_the_platforms() -> None:
    """The commonest mistake: every answer would look forged."""
    swapped = Credential("public_key_file", "theirs", OURS.fingerprint)
    assert found((OURS, swapped)) == [State.FAIL]


@pytest.mark.parametrize(
    ("days", "states"), [(31, [State.OK]), (29, [State.WARN]), (1, [State.WARN]), (0, [State.FAIL])]
)
def test_a_certificate_of_ours_is_found_in_time(days: int, states: list[State]) -> None:
    """A month before, so that there is time to change it; ended, it keeps the channel out."""
    assert found((OURS, THEIRS, ending("app_cert_file", OURS, days))) == states


def test_an_old_certificate_of_theirs_beside_a_new_one_is_well() -> None:
    """Both are live while the institution changes its own."""
    old, new = ending("certificates", THEIRS, -1, "d"), ending("certificates", THEIRS, 400, "e")
    assert found((OURS, old, new)) == [State.OK]
    assert found((OURS, old)) == [State.FAIL]


def test_an_ended_certificate_of_theirs_beside_a_bare_key_is_a_warning() -> None:
    """The bare key still proves their messages, so the channel goes on."""
    assert found((OURS, THEIRS, ending("certificates", THEIRS, -1))) == [State.WARN]


@pytest.mark.parametrize("field", ["private_key_file", "live_keys"])
def test_a_private_key_that_others_can_read_is_a_warning(field: str, tmp_path: Path) -> None:
    """Whatever its field is called; with the command that mends it."""
    file = tmp_path / "key.pem"
    file.write_text(pair("app").private_pem, encoding="ascii")
    file.chmod(0o644)
    settings = Settings.model_validate({field: (file,) if field == "live_keys" else file})
    [finding] = inspect("one", settings, (OURS, THEIRS), NOW)
    assert (finding.state, "chmod 600" in finding.en) == (State.WARN, True)
    file.chmod(0o600)
    assert found((OURS, THEIRS), settings) == [State.OK]


def test_a_public_key_may_be_read_by_all(tmp_path: Path) -> None:
    """It is no secret."""
    file = tmp_path / "key.pem"
    file.write_text(pair("app").public_pem, encoding="ascii")
    file.chmod(0o644)
    assert found((OURS, THEIRS), Settings(live_keys=(file,))) == [State.OK]


def test_a_key_of_ours_in_two_channels_is_a_warning() -> None:
    """An institution's certificate in two channels is none: all its merchants have it."""
    other = Credential("private_key_file", "ours", "d" * 64)
    assert list(compare({"a": (OURS, THEIRS), "b": (other, THEIRS)})) == []
    [finding] = compare({"a": (OURS, THEIRS), "b": (OURS, THEIRS), "c": (other,)})
    assert finding.state is State.WARN
    assert "a, b use the same private_key_file" in finding.en
    assert "渠道 a, b 使用同一" in finding.zh
