"""`hangdao sign`: why a signature fits or does not.

With --account the gateway looks, with the keys that it has. Without, this machine does, with a key
from a file, the environment or a hidden prompt; nothing is sent anywhere, and no key is shown.
"""

import os
import sys
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.text import Text

from gateway.api.explain.explain import Question, explain
from gateway.api.explain.keys import Key, KeyMaterialError, given
from gateway.api.explain.native import NATIVES, explain_native
from gateway.api.explain.recipe import DIALECTS
from gateway.api.explain.sent import SENT_BYTES_MAX, UnreadableError, read_fields, read_message
from gateway.cli.connection import Connect, connecting
from gateway.cli.output import Group, Refusal, facts, grid, tell

KEY_VARIABLE = "HANGDAO_SIGNING_KEY"


@click.group("sign", cls=Group)
def sign_command() -> None:
    """Signatures of other platforms' protocols, of webhooks and of signed requests."""


@sign_command.command("explain")
@click.argument("dialect", type=click.Choice([*DIALECTS, *NATIVES]))
@click.option(
    "--request",
    "request_file",
    type=click.File("rb"),
    default="-",
    help="The request as it was sent; else standard input.",
)
@click.option("--account", help="Ask the gateway: an account's or webhook endpoint's id.")
@click.option(
    "--signing-key",
    "key_files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help=f"File with the key, without --account; else {KEY_VARIABLE}, else a prompt. "
    "Repeat for older keys.",
)
@click.option("--string", "string_file", type=click.File("rb"), help="File with what you signed.")
@click.option("--notice", is_flag=True, help="It is a message from the platform.")
@connecting("merchant")
def explain_command(
    connect: Connect,
    /,
    *,
    dialect: str,
    request_file: BinaryIO,
    account: str | None,
    key_files: Sequence[Path],
    string_file: BinaryIO | None,
    notice: bool,
) -> None:
    """Show the string to sign, what was left out, and the mistake that was made.

    Reads a form, JSON, a query, an address or a whole HTTP message. For `webhook` and `native` (a
    signed request to this gateway) give the whole message with its headers. Exit code 0 when the
    signature verifies, else 1.
    """
    if account is not None and (key_files or dialect == "native"):
        raise click.UsageError("--account asks the gateway, which has the keys: leave one out")
    asked = request_file.read(SENT_BYTES_MAX + 1)
    string = None if string_file is None else string_file.read(SENT_BYTES_MAX)
    if account is None:
        found = _here(dialect, asked, _keys(key_files, request_file), string, notice=notice)
    else:
        found = _there(connect, dialect, asked, account, string)
    tell(found, lambda console: _draw(console, found))
    if not found["verifies"]:
        click.get_current_context().exit(1)


def _here(
    dialect: str, asked: bytes, keys: tuple[Key, ...], string: bytes | None, *, notice: bool
) -> Any:
    try:
        if dialect in NATIVES:
            return explain_native(dialect, read_message(asked), keys, show_ours=True)
        sent = read_fields(asked, both=dialect != "epay")
        is_notice = True if notice else None
        return explain(
            Question(dialect, sent, keys, show_ours=True, their_string=string, notice=is_notice)
        )
    except UnreadableError as wrong:
        raise Refusal("request_unreadable", wrong.message, zh=wrong.zh) from None


def _there(connect: Connect, dialect: str, asked: bytes, account: str, string: bytes | None) -> Any:
    body: dict[str, Any] = {"dialect": dialect, "account": account}
    try:
        body["request"] = asked.decode()
    except UnicodeDecodeError:
        body |= {"request": b64encode(asked).decode(), "encoding": "base64"}
    if string is not None:
        body["string"] = string.decode("utf-8", "replace")
    with connect() as api:
        return api.post("/v1/sign/explain", body)


def _keys(files: Sequence[Path], request_file: BinaryIO) -> tuple[Key, ...]:
    try:
        if files:
            return tuple(
                given(file.name, file.read_text(encoding="utf-8"), newest=place == 0)
                for place, file in enumerate(files)
            )
        named = os.environ.get(KEY_VARIABLE)
        if named is not None:
            return (given(KEY_VARIABLE, named),)
        if sys.stdin.isatty() and request_file.fileno() != sys.stdin.fileno():
            return (given("prompt", click.prompt("Key 密钥", hide_input=True)),)
    except KeyMaterialError as wrong:
        raise Refusal("key_unusable", wrong.message, zh=wrong.zh) from None
    except UnicodeDecodeError:
        raise Refusal("key_unusable", "the key file is no text", zh="密钥文件不是文本") from None
    raise click.UsageError(
        f"no key is given: use --signing-key FILE or {KEY_VARIABLE}, or --account to ask the "
        "gateway; a key on the command line would stay in the shell's history"
    )


def _draw(console: Console, found: dict[str, Any]) -> None:
    fits = found["verifies"]
    verdict = "the signature fits 验签通过" if fits else "the signature does not fit 验签不通过"
    console.print(Text(verdict, style="bold green" if fits else "bold red"))
    rows = [
        ("algorithm 算法", found["algorithm"]),
        ("key 密钥", found["key"]),
        ("signed 参与签名", " ".join(found["signed"])),
        ("string 签名串", found["string"]),
        ("ours 我方", found["ours"]),
        ("theirs 对方", found["theirs"]),
        ("their string 对方签名串", found["their_string"]),
    ]
    console.print(facts(rows))
    parted = found["difference"]
    if parted is not None:
        console.print(f"first difference after {parted['same']} characters 首个不同：")
        for side in ("ours", "theirs"):
            line = Text(f"  {side:<6} …{parted['before']}▸")
            line.append(parted[side] or "(end 结束)", style="bold reverse")
            console.print(line)
    if found["dropped"]:
        dropped = [(one["name"], one["en"], one["zh"]) for one in found["dropped"]]
        console.print(grid(("left out 未签名", "because", "原因"), dropped))
    if found["bytes"]:
        wide = [(one["name"], one["text"], one["hex"]) for one in found["bytes"]]
        console.print(grid(("not ASCII 非 ASCII", "text", "bytes"), wide))
    _draw_said(console, "mistake 错误", found["mistakes"])
    _draw_said(console, "note 提示", found["notes"])


def _draw_said(console: Console, title: str, said: Sequence[dict[str, str]]) -> None:
    for one in said:
        where = f" [{one['field']}]" if one["field"] else ""
        console.print(Text(f"{title}{where}: {one['en']}"))
        console.print(Text(f"  {one['zh']}"))
