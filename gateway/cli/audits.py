"""`hangdao audit`: check the tamper-evident log, sign a checkpoint, fetch a payout's proof."""

import asyncio
from base64 import b64decode
from pathlib import Path

import click
import orjson
from rich.console import Console

from gateway.audit import keys
from gateway.audit.export import notes_in
from gateway.cli.configuration import configured
from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Group, Refusal, facts, grid, moment, tell
from gateway.clock import SystemClock
from gateway.domain.checkpoint import Signer, Verifier
from gateway.engine.verify import Report, verify
from gateway.settings import Loaded
from gateway.store import open_reader
from gateway.wiring import vault_of


@click.group("audit", cls=Group)
def audit_command() -> None:
    """The tamper-evident log of everything that happened."""


@audit_command.command("verify")
@click.option(
    "--checkpoint",
    "places",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="A checkpoint kept elsewhere, or a folder of them; may be given again.",
)
@click.option(
    "--key", "public_key", help="The log's public key in base64, instead of this installation's."
)
@configured
def verify_command(loaded: Loaded, places: tuple[Path, ...], public_key: str | None) -> None:
    """Recompute the whole log and compare it with every checkpoint; exit 1 when something is off.

    Works beside a running gateway. Only checkpoints kept off this machine can show a history that
    was rewritten as a whole.
    """
    try:
        notes = {name: note for place in places for name, note in notes_in(place).items()}
        verifier = _verifier(loaded, public_key)
    except OSError as error:
        raise Refusal("unreadable", str(error)) from None
    report = asyncio.run(_verify(loaded, verifier, notes))
    document = {
        "leaves": report.leaves,
        "payouts": report.payouts,
        "checkpoints": report.checkpoints,
        "findings": [
            {
                "flaw": one.flaw,
                "position": one.position,
                "subject": one.subject,
                "message": one.message,
            }
            for one in report.findings
        ],
    }
    if report.findings:
        raise _Broken(report, document)

    def draw(console: Console) -> None:
        counted = ("leaves", "payouts", "checkpoints")
        console.print(facts((name, str(document[name])) for name in counted))
        console.print("nothing was changed, removed, reordered or cut off")

    tell(document, draw)


class _Broken(Refusal):
    """The log does not hold; every finding is a line."""

    def __init__(self, report: Report, document: dict[str, object]) -> None:
        found = len(report.findings)
        super().__init__("audit_broken", f"{found} findings", zh=f"发现 {found} 处异常", **document)
        self._findings = report.findings

    def sentences(self) -> list[str]:
        """The findings, then how many there are."""
        lines = []
        for one in self._findings:
            place = [] if one.position is None else [f"leaf {one.position}"]
            where = ", ".join([*place, *([one.subject] if one.subject else [])])
            lines.append(f"{one.flaw}: {where}: {one.message}" if where else str(one.message))
        return [*lines, *super().sentences()]


async def _verify(loaded: Loaded, verifier: Verifier, notes: dict[str, str]) -> Report:
    url = loaded.settings.database.url.get_secret_value()
    store = await open_reader(url, vault_of(loaded), SystemClock())
    try:
        return await verify(store, verifier, notes)
    finally:
        await store.aclose()


def _verifier(loaded: Loaded, public_key: str | None) -> Verifier:
    settings = loaded.settings
    former = tuple(b64decode(key) for key in settings.audit.former_keys)
    if public_key is not None:
        try:
            return Verifier(settings.audit.origin, (b64decode(public_key, validate=True), *former))
        except ValueError:
            raise click.BadParameter("must be base64", param_hint="--key") from None
    seed = settings.secrets.audit_seed or keys.read(settings.data_dir)
    return Verifier(
        settings.audit.origin, (Signer(settings.audit.origin, seed).public_key, *former)
    )


@audit_command.command("checkpoint")
@reaching("operator")
def checkpoint(api: Api) -> None:
    """Sign and export a checkpoint now (with an operator's key)."""
    made = api.post("/v1/admin/audit/checkpoints")

    def draw(console: Console) -> None:
        console.print(facts((("leaves", made["size"]), ("at", moment(made["at"])))))
        console.print(made["note"], markup=False)

    tell(made, draw)


@audit_command.command("proof")
@click.argument("payout")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
@reaching("merchant")
def proof(api: Api, payout: str, out: Path | None) -> None:
    """Fetch the proof of a payout's history, to be checked with gateway/audit/check.py."""
    payout_id = api.payout_id(payout)
    found = api.get(f"/v1/payouts/{path_of(payout_id)}/proof")
    if out is not None:
        try:
            out.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise Refusal("unwritable", f"{out} cannot be written: {error.strerror}") from None

    def draw(console: Console) -> None:
        leaves = [(one["position"], orjson.loads(one["leaf"])) for one in found["leaves"]]
        rows = [
            (position, moment(leaf["at"]), leaf["action"], leaf["state"])
            for position, leaf in leaves
        ]
        console.print(grid(("leaf", "at", "event", "state"), rows))
        if found["pending"]:
            console.print(f"not signed yet: {found['pending']}")

    tell(found, draw)
