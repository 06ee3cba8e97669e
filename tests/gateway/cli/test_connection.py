"""Which gateway is asked, with which key, and what is said when it does not answer."""

import stat
from pathlib import Path

import orjson
import pytest

from gateway.cli.connection import locate
from gateway.cli.output import Refusal
from gateway.sandbox import card
from gateway.sandbox.card import Card
from tests.gateway.cli.conftest import Canned
from tests.gateway.cli.served import Served, hangdao

URL = "http://127.0.0.1:9"


def make_sandbox(folder: Path, url: str = URL) -> Path:
    """A card in `folder/.hangdao`."""
    place = folder / card.FOLDER
    place.mkdir(parents=True)
    made = Card(
        *(url, "http://127.0.0.1:8", "hd_operator", "demo", "hd_merchant", {}),
        second_key="hd_second",
    )
    card.write(place, made)
    return place


def test_the_nearest_sandbox_is_found_from_below(elsewhere: Path) -> None:
    """As git finds its repository."""
    place = make_sandbox(elsewhere)
    deep = elsewhere / "a" / "b"
    deep.mkdir(parents=True)
    assert card.nearest(deep) == place


@pytest.mark.parametrize(
    ("role", "key"),
    [("merchant", "hd_merchant"), ("operator", "hd_operator"), ("second", "hd_second")],
)
def test_a_sandbox_gives_address_and_the_key_of_the_role(
    role: str, key: str, elsewhere: Path
) -> None:
    """Merchants' commands use the merchant's key, administration the operator's."""
    make_sandbox(elsewhere)
    place = locate(role, None, None, None, None)  # type: ignore[arg-type]  # parametrised text
    assert (place.url, place.key, place.control_url) == (URL, key, "http://127.0.0.1:8")


def test_flags_go_before_the_sandbox(elsewhere: Path) -> None:
    """What was given explicitly is never replaced."""
    make_sandbox(elsewhere)
    place = locate("merchant", f"{URL}/", "hd_other", None, "http://127.0.0.1:7")
    assert (place.url, place.key, place.control_url) == (URL, "hd_other", "http://127.0.0.1:7")


def test_the_sandboxs_key_is_not_shown_to_another_address(elsewhere: Path, canned: Canned) -> None:
    """An address given by flag gets the key given by flag, or none at all."""
    make_sandbox(elsewhere)
    result = hangdao("payout", "ls", "--url", canned.url)
    assert (result.exit_code, canned.keys) == (1, [])
    assert "--key" in result.stderr


def test_the_environment_names_gateway_and_key(elsewhere: Path, canned: Canned) -> None:
    """HANGDAO_URL and HANGDAO_KEY are enough."""
    canned.body = b'{"data": [], "has_more": false}'
    env = {"HANGDAO_URL": canned.url, "HANGDAO_KEY": "hd_env"}
    assert hangdao("payout", "ls", env=env).exit_code == 0
    assert canned.keys == ["Bearer hd_env"]


def test_without_any_gateway_it_is_said_what_to_do(elsewhere: Path) -> None:
    """One sentence in each language, exit code 1."""
    result = hangdao("payout", "ls")
    assert result.exit_code == 1
    assert "HANGDAO_URL" in result.stderr
    assert "未指定网关" in result.stderr


def test_a_folder_without_a_sandbox_is_refused(elsewhere: Path) -> None:
    """`--dir` must name one."""
    with pytest.raises(Refusal, match="no sandbox"):
        locate("merchant", None, None, elsewhere, None)


@pytest.mark.parametrize("url", ["gateway", "ftp://x", "http://"])
def test_what_is_no_address_is_a_usage_error(url: str, elsewhere: Path) -> None:
    """Exit code 2 before anything is sent."""
    assert hangdao("payout", "ls", "--url", url, "--key", "k").exit_code == 2


def test_a_gateway_that_does_not_run_is_one_sentence(elsewhere: Path) -> None:
    """No traceback, exit code 1, and the document under --json."""
    result = hangdao("payout", "ls", "--url", URL, "--key", "k", "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["error"]["code"] == "unreachable"
    assert result.stderr.count("\n") == 2


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": 1}'])
def test_something_else_at_the_address_is_told_apart(
    body: bytes, canned: Canned, elsewhere: Path
) -> None:
    """A proxy's error page is not a problem document."""
    canned.status, canned.body = 502, body
    result = hangdao("payout", "ls", "--url", canned.url, "--key", "k", "--json")
    assert orjson.loads(result.stdout)["error"]["code"] == "not_a_gateway"


def test_a_lost_answer_says_how_to_ask_again(canned: Canned, elsewhere: Path) -> None:
    """The idempotency key is the way not to pay twice, so it is in the sentence."""
    canned.hangs_up = True
    flags = ("--amount", "1.00", "--alipay", "a@example.test", "--name", "n", "--purpose", "p")
    result = hangdao("payout", "create", *flags, "--url", canned.url, "--key", "k", "--json")
    error = orjson.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"]) == (1, "no_answer")
    assert f"repeat with --idempotency-key {error['idempotency_key']}" in result.stderr


def test_a_refused_key_is_told_in_both_languages(served: Served) -> None:
    """What the problem document says, nothing more."""
    wrong = "hd_" + "0" * 16 + "_" + "x" * 43
    result = hangdao("payout", "ls", "--url", served.url, "--key", wrong)
    assert result.exit_code == 1
    assert result.stderr == "this key does not exist or was revoked\n密钥无效或已吊销\n"


def test_a_card_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It holds keys, so nobody else may read it, also after it was replaced."""
    place = make_sandbox(tmp_path)
    card.moved(place, 86400)
    assert stat.S_IMODE((place / card.FILE).stat().st_mode) == 0o600
    moved = card.read(place)
    assert moved is not None
    assert moved.ahead_s == 86400
    assert "hd_" not in repr(moved)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"url": 1}'])
def test_a_card_that_cannot_be_read_is_none(text: str, tmp_path: Path) -> None:
    """Half-written or of another version: as if there were none."""
    (tmp_path / card.FILE).write_text(text)
    assert card.read(tmp_path) is None
