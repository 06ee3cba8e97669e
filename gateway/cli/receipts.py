"""`hangdao payout receipt`: the institution's own proof of a payment (电子回单)."""

import hashlib
from email.message import Message
from pathlib import Path

import click
import httpx
from rich.console import Console

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Command, Refusal, tell


@click.command("receipt", cls=Command)
@click.argument("payout")
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to; else a file of the institution's naming in this folder. Never overwrites.",
)
@reaching("merchant")
def receipt_command(api: Api, payout: str, out: Path | None) -> None:
    """Fetch the receipt of a payout that is paid and write it to a file."""
    response = api.call("GET", f"/v1/payouts/{path_of(api.payout_id(payout))}/receipt")
    file = out or Path(_name(response, payout))
    try:
        with file.open("xb") as opened:
            opened.write(response.content)
    except FileExistsError:
        raise Refusal(
            "file_exists", f"{file} is there already; name another one with -o", zh="文件已存在"
        ) from None
    except OSError as error:
        raise Refusal("not_written", f"{file} cannot be written: {error.strerror}") from None
    digest = hashlib.sha256(response.content).hexdigest()
    said = {
        "file": str(file),
        "content_type": response.headers.get("Content-Type", ""),
        "size": len(response.content),
        "sha256": digest,
    }

    def draw(console: Console) -> None:
        console.print(f"{file}: {len(response.content):,} bytes, SHA-256 {digest}", markup=False)

    tell(said, draw)


def _name(response: httpx.Response, payout: str) -> str:
    """What the gateway calls it, without any folder."""
    said = Message()
    said["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    return Path(said.get_filename() or f"{payout}.pdf").name
