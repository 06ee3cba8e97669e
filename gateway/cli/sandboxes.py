"""`hangdao up`: a gateway to try, with simulated institutions behind it; and what to try first."""

import asyncio
import shlex
from pathlib import Path

import click
import orjson
from msgspec.structs import asdict

from gateway.cli.output import Command, Refusal, wants_json
from gateway.sandbox import card, up
from gateway.sandbox.card import Card
from gateway.sandbox.installation import free_port
from gateway.sandbox.merchant import RefusedError
from gateway.sandbox.processes import ProcessError

_FIRST_PAYOUT = {
    "merchant_ref": "first-1",
    "amount": "12.30",
    "currency": "CNY",
    "beneficiary": {
        "instruments": [{"rail": "alipay", "identity": "payee@example.test", "name": "王小明"}]
    },
    "purpose": "佣金",
}


@click.command("up", cls=Command)
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(card.FOLDER),
    show_default=True,
    help="Where keys, ledger and logs are kept.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Of the gateway; 0 takes a free one.",
)
def up_command(folder: Path, port: int) -> None:
    """Start a sandbox: simulated institutions, a gateway, a merchant with money."""
    as_json = wants_json()

    def announce(made: Card) -> None:
        if as_json:
            click.echo(orjson.dumps({"ready": True, "dir": str(folder), **_shown(made)}))
        else:
            _greet(made, folder)

    try:
        asyncio.run(up.up(folder.absolute(), port or free_port(), announce))
    except (ProcessError, RefusedError) as error:
        raise Refusal("sandbox_failed", str(error)) from None
    except OSError as error:
        raise Refusal("sandbox_failed", f"{error.filename or folder}: {error.strerror}") from None


def _shown(made: Card) -> dict[str, object]:
    return {**asdict(made), "curl": _curl(made)}


def _curl(made: Card) -> str:
    body = orjson.dumps(_FIRST_PAYOUT).decode()
    words = ["curl", "-sS", f"{made.url}/v1/payouts"]
    words += ["-H", f"Authorization: Bearer {made.merchant_key}"]
    words += ["-H", "Content-Type: application/json", "-d", body]
    return shlex.join(words)


def _greet(made: Card, folder: Path) -> None:
    """Say where everything is and what to try; plain lines, ready to paste."""
    default = folder == Path(card.FOLDER)
    where = "" if default else f" --dir {shlex.quote(str(folder))}"
    lines = [
        "航道沙箱已就绪 · the Hangdao sandbox is ready",
        "",
        f"  网关 gateway           {made.url}",
        f"  机构模拟 institutions  {made.control_url}/_sim/health",
        f"  商户密钥 merchant key  {made.merchant_key}",
        f"  运营密钥 operator key  {made.operator_key}",
        f"  第二人   second person {made.second_key}   (--as second)",
        "",
        "发起一笔代付 · make a payout",
        f"  {_curl(made)}",
        "",
        "查看结果；两天后对账 · watch it; two days later its statement settles it",
        f"  hangdao payout show first-1{where}",
        f"  hangdao clock advance 2d{where}",
        f"  hangdao statement read{where}",
        "",
        "作为易支付、Jeepay、XxPay、支付宝接口使用：换网址和密钥即可 · be asked in their protocols",
        f"  hangdao merchant dialect add {made.merchant} --dialect epay{where}",
        "",
        "按 Ctrl-C 结束 · Ctrl-C ends it",
    ]
    for line in lines:
        click.echo(line)
