"""`hangdao payout`: make payouts, look at them, stop them or let them go."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO
from uuid import uuid4

import click
import httpx
from rich.console import Console

from gateway.cli.connection import CONNECTION_FLAGS, Api, Connect, connecting, path_of, reaching
from gateway.cli.instruments import InstrumentCommand, instruments
from gateway.cli.output import Group, Refusal, amount, facts, grid, moment, tell
from gateway.cli.parameters import CURRENCY
from gateway.cli.receipts import receipt_command
from policies.wording import money, percent

_UNSURE = frozenset({"no_answer", "commit_unknown", "store_unavailable", "defect"})
"""Refusals after which the same payout should be asked for again, under the same key."""


@click.group(cls=Group)
def payout_command() -> None:
    """Payouts. PAYOUT is an id (po_…) or the merchant's own number."""


payout_command.add_command(receipt_command)


@payout_command.command("create", cls=InstrumentCommand)
@click.option("--amount", metavar="12.30", help="In major units.")
@click.option("--currency", type=CURRENCY, default="CNY", show_default=True)
@click.option("--alipay", multiple=True, metavar="LOGON_ID", help="Pay to an Alipay account.")
@click.option("--card", multiple=True, metavar="NUMBER", help="Pay to a personal bank card.")
@click.option("--wechat", multiple=True, metavar="OPENID", help="Pay to a WeChat user.")
@click.option("--account", multiple=True, metavar="NUMBER", help="Pay to a corporate account.")
@click.option("--wire", multiple=True, metavar="ACCOUNT_ID", help="Pay to a registered account.")
@click.option("--chain", multiple=True, metavar="CHAIN:ADDRESS", help="Pay to an address.")
@click.option("--name", multiple=True, help="Of the beneficiary; belongs to what stands before it.")
@click.option(
    "--bank",
    multiple=True,
    metavar="CODE",
    help="Of the card (ICBC) or account (line number) before it.",
)
@click.option("--bank-name", multiple=True, help="Of the card or account before it, in full.")
@click.option("--purpose", help="What the beneficiary sees.")
@click.option("--ref", help="The merchant's own number; unique for ever.")
@click.option("--speed", type=click.Choice(["standard", "fast", "instant"]))
@click.option("--deadline", metavar="RFC3339", help="When the money must have arrived.")
@click.option("--release-after", metavar="RFC3339", help="Not before; can be cancelled until then.")
@click.option("--only", multiple=True, metavar="CHANNEL", help="No other channel; repeatable.")
@click.option("--deny", multiple=True, metavar="CHANNEL", help="Not this channel; repeatable.")
@click.option("--prefer", multiple=True, metavar="CHANNEL", help="Best first; repeatable.")
@click.option("--max-attempts", type=click.IntRange(1, 100), help="Tries at most.")
@click.option("--idempotency-key", help="Of an earlier try, to repeat it safely; else a new one.")
@click.option(
    "--file",
    "file",
    type=click.File("rb"),
    help="The whole request as JSON (`-` reads standard input), instead of the flags above.",
)
@connecting("merchant")
@click.pass_context
def create(
    context: click.Context,
    connect: Connect,
    /,
    *,
    file: BinaryIO | None,
    idempotency_key: str | None,
    **flags: Any,
) -> None:
    """Make a payout; several beneficiary flags are ways to the same person, first preferred."""
    content = _from_flags(context, flags) if file is None else _from_file(context, file)
    key = idempotency_key or f"cli-{uuid4().hex}"
    with connect() as api:
        response = ask(api, "/v1/payouts", content, key)
    replayed = response.headers.get("Idempotency-Replayed") == "true"
    made = {**response.json(), "idempotency_key": key, "replayed": replayed}
    tell(made, lambda console: _draw_payout(console, made))


def ask(api: Api, path: str, content: Mapping[str, Any], key: str) -> httpx.Response:
    """Ask for it; where the answer is lost, the refusal says how to ask again."""
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    try:
        return api.call("POST", path, headers=headers, **content)
    except Refusal as refusal:
        refusal.facts["idempotency_key"] = key
        if refusal.code in _UNSURE:
            refusal.advise(
                f"repeat with --idempotency-key {key}: it cannot pay twice",
                f"请用 --idempotency-key {key} 重试，不会重复付款",
            )
        raise


def _from_flags(context: click.Context, flags: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request's body; only what was given, as the API has defaults of its own."""
    for name in ("amount", "purpose"):
        if flags[name] is None:
            raise click.UsageError(f"Missing option '--{name}' (or give the request with --file).")
    body = {
        "amount": flags["amount"],
        "currency": flags["currency"],
        "beneficiary": {"instruments": instruments(context, flags)},
        "purpose": flags["purpose"],
        "merchant_ref": flags["ref"],
        "speed": flags["speed"],
        "deadline": flags["deadline"],
        "release_after": flags["release_after"],
        "channels": _channels(flags),
    }
    return {"json": {name: value for name, value in body.items() if value is not None}}


def _channels(flags: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the flags say about channels; None when nothing."""
    said = {part: list(flags[part]) for part in ("only", "deny", "prefer") if flags[part]}
    if flags["max_attempts"] is not None:
        said["max_attempts"] = flags["max_attempts"]
    return said or None


def _from_file(context: click.Context, file: BinaryIO) -> Mapping[str, Any]:
    """The bytes as they are: what is wrong with them the API finds, and says better."""
    allowed = {"file", "idempotency_key", *CONNECTION_FLAGS}
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is click.core.ParameterSource.COMMANDLINE and name not in allowed:
            raise click.UsageError(f"--{name.replace('_', '-')} and --file exclude each other")
    return {"content": file.read()}


@payout_command.command("show")
@click.argument("payout")
@reaching("merchant")
def show(api: Api, payout: str) -> None:
    """Show one payout."""
    found = api.get(f"/v1/payouts/{path_of(api.payout_id(payout))}")
    tell(found, lambda console: _draw_payout(console, found))


@payout_command.command("ls")
@click.option("--state", help="routing, paid, settled, failed, …")
@click.option("--ref", help="The merchant's own number.")
@click.option("--channel", help="Payouts with a try at this channel.")
@click.option("--from", "accepted_from", metavar="RFC3339", help="Accepted at or after.")
@click.option("--until", "accepted_until", metavar="RFC3339", help="Accepted before.")
@click.option("--after", metavar="ID", help="The last id of the page before.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@reaching("merchant")
def ls(api: Api, /, *, ref: str | None, **filters: Any) -> None:
    """List payouts, newest first."""
    page = api.get("/v1/payouts", merchant_ref=ref, **filters)

    def draw(console: Console) -> None:
        headings = ("id", "ref", "state", "amount", "channel", "accepted", "reason")
        rows = [
            (
                one["id"],
                one["merchant_ref"],
                one["state"],
                amount(one["amount_minor"], one["currency"]),
                one["channel"],
                moment(one["accepted_at"]),
                one["reason"],
            )
            for one in page["data"]
        ]
        console.print(grid(headings, rows))
        if page["has_more"]:
            console.print(f"more: --after {page['data'][-1]['id']}")

    tell(page, draw)


@payout_command.command("cancel")
@click.argument("payout")
@reaching("merchant")
def cancel(api: Api, payout: str) -> None:
    """Stop a payout before it is sent."""
    moved = api.post(f"/v1/payouts/{path_of(api.payout_id(payout))}/cancel")
    tell(moved, lambda console: _draw_payout(console, moved))


@payout_command.command("release")
@click.argument("payout")
@reaching("operator")
def release(api: Api, payout: str) -> None:
    """Let a held or scheduled payout go now (held ones: operators only)."""
    moved = api.post(f"/v1/payouts/{path_of(api.payout_id(payout))}/release")
    tell(moved, lambda console: _draw_payout(console, moved))


@payout_command.command("repeats")
@click.argument("payout")
@click.argument("original")
@click.option("--note", required=True, help="What showed that it is the same payment.")
@reaching("operator")
def repeats(api: Api, payout: str, original: str, note: str) -> None:
    """Say that a held PAYOUT only repeats ORIGINAL, the order named in its reason.

    It is cancelled for good, and its number is answered with what becomes of ORIGINAL. Where it is
    a payment of its own, `release` it.
    """
    body = {"of": original, "note": note}
    moved = api.post(f"/v1/admin/payouts/{path_of(api.payout_id(payout))}/retry", body)
    tell(moved, lambda console: _draw_payout(console, moved))


@payout_command.command("unpark")
@click.argument("payout")
@reaching("operator")
def unpark(api: Api, payout: str) -> None:
    """Hand a parked payout back to the gateway's own inquiries, after looking at it."""
    moved = api.post(f"/v1/admin/payouts/{path_of(api.payout_id(payout))}/unpark")
    tell(moved, lambda console: _draw_payout(console, moved))


@payout_command.command("attempts")
@click.argument("payout")
@reaching("merchant")
def attempts(api: Api, payout: str) -> None:
    """Show a payout's tries at channels."""
    found = api.get(f"/v1/payouts/{path_of(api.payout_id(payout))}/attempts")
    headings = ("no.", "channel", "state", "sends", "reference", "channel ref", "paid", "why dead")
    rows = [
        (
            one["number"],
            one["channel"],
            one["state"],
            one["sends"],
            one["reference"],
            one["channel_ref"],
            moment(one["paid_at"]),
            _certificate(one["certificate"]),
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


def _certificate(found: Mapping[str, Any] | None) -> str | None:
    return None if found is None else f"{found['kind']}: {found['code']} {found['message']}"


@payout_command.command("timeline")
@click.argument("payout")
@reaching("merchant")
def timeline(api: Api, payout: str) -> None:
    """Show everything that happened to a payout."""
    found = api.get(f"/v1/payouts/{path_of(api.payout_id(payout))}/timeline")
    headings = ("seq", "at", "event", "state", "by")
    rows = [
        (one["seq"], moment(one["at"]), one["type"], one["state"], one["actor"])
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


@payout_command.command("why")
@click.argument("payout")
@reaching("merchant")
def why(api: Api, payout: str) -> None:
    """Explain why a payout went to its channel."""
    explain(api, payout)


def explain(api: Api, payout: str) -> None:
    """Every stored routing decision of a payout, in words and with its candidates."""
    found = api.get(f"/v1/payouts/{path_of(api.payout_id(payout))}/why")

    def draw(console: Console) -> None:
        for told in found["data"]:
            decision = told["decision"]
            console.print(f"{moment(decision['at'])}  {decision['outcome']}", style="bold")
            console.print(told["zh"])
            console.print(told["en"])
            console.print(grid(_CANDIDATE, _candidates(decision, told["labels"])))
            for heading, key in (("规则 rules", "rules"), ("无法计算 not computed", "faults")):
                if decision.get(key):
                    console.print(f"  {heading}: {', '.join(decision[key])}", style="dim")
            for one in told["alternatives"]:
                console.print(f"  {one['zh']}\n  {one['en']}", style="dim")
        if not found["data"]:
            console.print("no decision yet")
        if found["fee"] is not None:
            console.print(f"{found['fee']['zh']}\n{found['fee']['en']}")

    tell(found, draw)


_CANDIDATE = (
    *("", "channel", "total", "fee", "surcharge", "capital", "lateness", "fail", "unknown"),
    *("success", "arrives", "because"),
)


def _candidates(
    decision: Mapping[str, Any], labels: Mapping[str, Mapping[str, str]]
) -> Iterator[Sequence[object]]:
    """A row for each candidate, every part of its cost in money; those that were out come last."""

    def priced(parts: Sequence[int]) -> Iterator[str]:
        return (money(part, decision["currency"]) for part in (sum(parts), *parts))

    for place, one in enumerate(decision["order"], start=1):
        arrives = decision["arrivals"][one["arrival"]][0]
        name, success = _candidate(one, labels), percent(one["success_ppm"])
        yield place, name, *priced(one["cost"]), success, arrives, _place(one)
    for one in decision["excluded"]:
        costs = [None] * 7 if one.get("cost") is None else list(priced(one["cost"]))
        reasons = ", ".join(str(reason[0]) for reason in one["reasons"])
        yield "-", _candidate(one, labels), *costs, None, None, reasons


def _place(one: Mapping[str, Any]) -> str:
    """What put it there besides its cost: rules by name, lists, the request."""
    return ", ".join(f"{does} {rule}".strip() for does, rule, _ in one.get("effects", ()))


def _candidate(one: Mapping[str, Any], labels: Mapping[str, Mapping[str, str]]) -> str:
    """The channel with its label, and which of the payee's instruments if it is not the first."""
    name, label = str(one["channel"]), labels.get(one["channel"])
    shown = name if label is None else f"{name} {label['zh']}"
    return f"{shown}[{one['instrument']}]" if one["instrument"] else shown


@payout_command.command("deliveries")
@click.argument("payout")
@reaching("merchant")
def deliveries(api: Api, payout: str) -> None:
    """Show a payout's webhooks."""
    found = api.get(f"/v1/payouts/{path_of(api.payout_id(payout))}/deliveries")
    headings = ("id", "endpoint", "seq", "state", "tries", "status", "error", "next try")
    rows = [
        (
            one["id"],
            one["endpoint_id"],
            one["seq"],
            one["state"],
            one["tries"],
            one["last_status"],
            one["last_error"],
            moment(one["due_at"]) if one["state"] == "due" else None,
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


def _draw_payout(console: Console, one: Mapping[str, Any]) -> None:
    fee = amount(one["fee_minor"], one["currency"])
    ways = [_way(instrument) for instrument in one["beneficiary"]["instruments"]]
    action = one["action"] or {}
    console.print(
        facts(
            [
                ("id", one["id"]),
                ("ref", one["merchant_ref"]),
                ("state", one["state"]),
                ("reason", one["reason"]),
                ("waits for", one["owner"]),
                ("amount", f"{one['amount']} {one['currency']}"),
                ("fee", f"{fee} {_MODES[one['fee_mode']]}" if one["fee_minor"] else str(fee)),
                ("payee gets", _less(one)),
                ("to", "; ".join(ways)),
                ("purpose", one["purpose"]),
                ("split", _leg(one["split"])),
                ("channel", one["channel"]),
                ("channel ref", one["channel_ref"]),
                ("attempts", one["attempts"]),
                ("only", ", ".join(one["channels"]["only"])),
                ("deny", ", ".join(one["channels"]["deny"])),
                ("prefer", ", ".join(one["channels"]["prefer"])),
                ("tries at most", one["channels"]["max_attempts"]),
                ("payee must", action.get("kind")),
                ("payee opens", action.get("confirm_url")),
                ("accepted", moment(one["accepted_at"])),
                ("release after", moment(one["release_after"])),
                ("deadline", moment(one["deadline"])),
                ("promised", moment(one["promised_at"])),
                ("paid", moment(one["paid_at"])),
                ("settled on", one["settled_on"]),
                ("returned", moment(one["returned_at"])),
                ("idempotency key", one.get("idempotency_key")),
                ("replayed", "yes, nothing new was made" if one.get("replayed") else None),
            ]
        )
    )


_MODES = {"on_top": "on top 外扣", "deducted": "deducted 内扣"}


def _leg(split: Mapping[str, Any] | None) -> str | None:
    return None if split is None else f"{split['id']}, leg {split['leg']} of {split['legs']}"


def _less(one: Mapping[str, Any]) -> str | None:
    """What the beneficiary gets, where that is not the amount."""
    gets = one["beneficiary_amount_minor"]
    return None if gets == one["amount_minor"] else str(amount(gets, one["currency"]))


def _way(instrument: Mapping[str, Any]) -> str:
    named = ("identity", "openid", "number", "account_id", "address")
    which = next((instrument[field] for field in named if instrument.get(field)), None)
    name = instrument.get("name")
    return f"{instrument['rail']} {which}" + (f" {name}" if name else "")
