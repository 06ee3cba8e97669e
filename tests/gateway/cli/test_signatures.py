"""`hangdao sign explain`, on one's own machine and at a running gateway."""

import os
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli.signatures import KEY_VARIABLE
from tests.gateway.api.explain import callers, test_native
from tests.gateway.api.explain.callers import (
    ALIPAY,
    EPAY,
    JEEPAY,
    SECRET,
    caseless,
    form,
    full,
    joined,
    md5,
    rsa,
)
from tests.gateway.cli.served import Served, hangdao
from tests.tidy.tree import ROOT

RIGHT = form(EPAY, md5(joined(full(EPAY)) + SECRET)).decode()
WRONG = form(EPAY, md5(f"{joined(full(EPAY))}&key={SECRET}")).decode()
ENV = {KEY_VARIABLE: SECRET}
_TYPED = "from gateway.cli import main; main()"


def test_a_signature_that_fits_leaves_with_zero() -> None:
    """In both languages, with our digest, since the key is one's own."""
    told = hangdao("sign", "explain", "epay", env=ENV, given=RIGHT)

    assert told.exit_code == 0, told.output
    for part in (
        "the signature fits",
        "验签通过",
        f"{joined(full(EPAY))}***",
        "王小明",
        "e7 8e 8b",
    ):
        assert part in told.stdout
    assert SECRET not in told.output


def test_a_mistake_is_named_and_leaves_with_one() -> None:
    """With the first difference, in English and Chinese."""
    told = hangdao("sign", "explain", "epay", env=ENV, given=WRONG)

    assert told.exit_code == 1
    for part in (
        "does not fit",
        "验签不通过",
        "&key=",
        "拼接",
        "first difference",
        "空值不参与签名",
    ):
        assert part in told.stdout
    assert SECRET not in told.output


def test_json_is_one_document() -> None:
    """Whatever the verdict, with the same exit codes."""
    for given, code in ((RIGHT, 0), (WRONG, 1)):
        told = hangdao("sign", "explain", "epay", "--json", env=ENV, given=given)
        assert told.exit_code == code
        assert orjson.loads(told.stdout)["verifies"] == (code == 0)


@pytest.mark.parametrize(
    ("dialect", "sent", "key"),
    [
        ("jeepay", form(JEEPAY, md5(f"{joined(caseless(JEEPAY))}&key={SECRET}")), SECRET),
        ("xxpay", form(JEEPAY, md5(f"{joined(caseless(JEEPAY))}&key={SECRET}")), SECRET),
        ("alipay", form(ALIPAY, rsa(joined(full(ALIPAY)))), callers.public_pem()),
        ("alipay", form(ALIPAY, rsa(joined(full(ALIPAY)))), callers.pem(pkcs1=True)),
        ("native", test_native.request(test_native.hexed(test_native.RIGHT)), test_native.TEXT),
    ],
)
def test_every_dialect_is_explained_from_files(
    tmp_path: Path, dialect: str, sent: bytes, key: str
) -> None:
    """The request and the key, neither of which is an argument."""
    request, secret = tmp_path / "request", tmp_path / "key"
    request.write_bytes(sent)
    secret.write_text(key)
    files = ("--request", str(request), "--signing-key", str(secret))

    told = hangdao("sign", "explain", dialect, *files)

    assert told.exit_code == 0, told.output
    assert key.strip() not in told.output


def test_an_older_key_may_be_given_too(tmp_path: Path) -> None:
    """Which one made it is said by the file's name."""
    (tmp_path / "new").write_text("another secret\n")
    (tmp_path / "old").write_text(SECRET)
    files = [part for name in ("new", "old") for part in ("--signing-key", str(tmp_path / name))]
    found: Any = orjson.loads(
        hangdao("sign", "explain", "epay", *files, "--json", given=RIGHT).stdout
    )
    assert found["key"] == "old"


def test_ones_own_string_is_compared_without_its_secret(tmp_path: Path) -> None:
    """Whoever pastes it with the secret does not see it again."""
    file = tmp_path / "mine"
    file.write_text(joined(full(EPAY)).replace("1.00", "2.00") + SECRET)
    bad = form(EPAY, "0" * 32).decode()
    told = hangdao("sign", "explain", "epay", "--string", str(file), env=ENV, given=bad)

    assert told.exit_code == 1
    assert "first difference" in told.stdout
    assert SECRET not in told.output


@pytest.mark.parametrize(
    ("arguments", "env", "given", "code", "says"),
    [
        (["epay"], {}, RIGHT, 2, KEY_VARIABLE),
        (["zhiyu"], ENV, RIGHT, 2, "zhiyu"),
        (["epay"], ENV, "", 1, "没有请求内容"),
        (["epay"], {KEY_VARIABLE: " "}, RIGHT, 1, "密钥为空"),
        (["webhook"], ENV, "{}", 1, "webhook-id"),
        (["native", "--account", "x"], ENV, "{}", 2, "--account"),
        (["epay", "--account", "x", "--dir", "/nowhere"], ENV, RIGHT, 1, "no sandbox"),
    ],
)
def test_what_is_missing_is_said(
    arguments: list[str], env: dict[str, str], given: str, code: int, says: str
) -> None:
    """One sentence, and what to give instead."""
    told = hangdao("sign", "explain", *arguments, env=env, given=given)
    assert told.exit_code == code, told.output
    assert says in told.output
    assert SECRET not in told.output


def test_no_key_is_an_argument() -> None:
    """It would stay in the shell's history, and every process could read it."""
    told = hangdao("sign", "explain", "epay", "--signing-key", SECRET, given=RIGHT)
    assert told.exit_code == 2
    assert "does not exist" in told.output


def test_a_prompt_takes_a_key_without_showing_it(tmp_path: Path) -> None:
    """At a terminal, where the request is a file."""
    request = tmp_path / "request"
    request.write_text(RIGHT)
    child, screen = os.forkpty()
    if child == 0:
        os.environ.pop(KEY_VARIABLE, None)
        os.chdir(ROOT)
        os.execvp(  # noqa: S606 - our own program
            sys.executable,
            [sys.executable, "-c", _TYPED, "sign", "explain", "epay", "--request", str(request)],
        )
    seen = b""
    while b": " not in seen:
        seen += os.read(screen, 4096)
    os.write(screen, SECRET.encode() + b"\n")
    try:
        while True:
            seen += os.read(screen, 4096)
    except OSError:
        pass
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, seen
    assert SECRET.encode() not in seen


def test_a_running_gateway_explains_its_accounts(served: Served) -> None:
    """A sandbox, so that our digest is shown; its key is not."""
    merchant = served.ask("merchant", "ls")["data"][0]["id"]
    made = served.ask("merchant", "dialect", "add", merchant, "--dialect", "epay")
    secret, pid = made["secrets"]["md5_key"], made["public_id"]
    fields = [("pid", pid), *(one for one in EPAY if one[0] != "pid")]
    text = joined(full(fields))
    right = form(fields, md5(text + secret)).decode()
    wrong = form(fields, md5(f"{text}&key={secret}")).decode()

    good = served.run("sign", "explain", "epay", "--account", made["id"], given=right)
    bad = served.run("sign", "explain", "epay", "--account", pid, "--json", given=wrong)

    assert good.exit_code == 0, good.output
    assert bad.exit_code == 1
    assert orjson.loads(bad.stdout)["mistakes"][0]["code"] == "tail_key"
    assert secret not in good.output + bad.output
