"""`hangdao channel`: how channels stand; pause, drain, resume; kill, revive; maintenance; money."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

import click
from rich.console import Console

from gateway.cli.balances import balance_command
from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.merchants import book
from gateway.cli.output import Group, amount, facts, grid, moment, tell
from gateway.cli.parameters import CURRENCY, LOCAL_MOMENT, minor_units
from policies.wording import money

_ELSEWHERE: Mapping[str, str] = {"capabilities": "capabilities", "scaffold": "scaffolding"}
"""Commands that load the whole gateway, in modules of their own; imported when they run."""


class _Channels(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module = import_module(f"gateway.cli.{_ELSEWHERE[cmd_name]}")
        found: Any = getattr(module, cmd_name)
        return found if isinstance(found, click.Command) else None


@click.group(cls=_Channels)
def channel_command() -> None:
    """Channels (with an operator's key)."""


channel_command.add_command(balance_command)


@channel_command.command("ls")
@reaching("operator")
def ls(api: Api) -> None:
    """Show every channel."""
    _show(api.get("/v1/admin/channels"))


@channel_command.command("show")
@click.argument("channel")
@reaching("operator")
def show(api: Api, channel: str) -> None:
    """Show one channel, with its month and how its money arrives."""
    one = api.get(f"/v1/admin/channels/{path_of(channel)}")
    tell(one, lambda console: _draw(console, one))


@channel_command.command("compare")
@click.argument("a")
@click.argument("b")
@reaching("operator")
def compare(api: Api, a: str, b: str) -> None:
    """What two channels cost today at several amounts, and from which amount on the other wins."""
    found = api.get("/v1/admin/cost-comparison", a=a, b=b)
    tell(found, lambda console: _draw_comparison(console, found))


_REASON = click.option("--reason", default="by an operator", show_default=True, help="For others.")


@channel_command.command("pause")
@click.argument("channel")
@_REASON
@reaching("operator")
def pause(api: Api, channel: str, reason: str) -> None:
    """Give it no new payouts; what is under way goes on."""
    _switch(api, channel, "paused", reason)


@channel_command.command("drain")
@click.argument("channel")
@_REASON
@reaching("operator")
def drain(api: Api, channel: str, reason: str) -> None:
    """As pause, on the way to taking the channel out of service."""
    _switch(api, channel, "draining", reason)


@channel_command.command("resume")
@click.argument("channel")
@_REASON
@reaching("operator")
def resume(api: Api, channel: str, reason: str) -> None:
    """Give it payouts again."""
    _switch(api, channel, "active", reason)


_WHY = click.option("--reason", required=True, help="Kept for ever.")


@channel_command.command("kill")
@click.argument("channel")
@_WHY
@reaching("operator")
def kill(api: Api, channel: str, reason: str) -> None:
    """Send nothing more through it, or through ALL; only `revive` ends that."""
    _show(api.post(f"/v1/admin/channels/{path_of(channel)}/kill", {"reason": reason}))


@channel_command.command("revive")
@click.argument("channel")
@_WHY
@reaching("operator")
def revive(api: Api, channel: str, reason: str) -> None:
    """End a kill of a channel, or of ALL; needs a key that names a person."""
    _show(api.post(f"/v1/admin/channels/{path_of(channel)}/revive", {"reason": reason}))


@channel_command.group("maintenance", cls=Group)
def maintenance() -> None:
    """Planned maintenance: the channel gets nothing between two moments."""


@maintenance.command("add")
@click.argument("channel")
@click.argument("begin", type=LOCAL_MOMENT, metavar="FROM")
@click.argument("end", type=LOCAL_MOMENT, metavar="TO")
@click.option("--reason", required=True, help="For others.")
@reaching("operator")
def add(api: Api, channel: str, begin: datetime, end: datetime, reason: str) -> None:
    """Plan it: `maintenance add wechat-a "2026-11-23 01:00" "2026-11-23 05:00" --reason …`."""
    body = {"from_at": begin.isoformat(), "until_at": end.isoformat(), "reason": reason}
    made = api.post(f"/v1/admin/channels/{path_of(channel)}/maintenance", body)
    _show_maintenance({"data": [made]}, made)


@maintenance.command("ls")
@reaching("operator")
def list_maintenance(api: Api) -> None:
    """List what was planned by command; `terms.maintenance` of the configuration comes on top."""
    found = api.get("/v1/admin/maintenance")
    _show_maintenance(found, found)


@maintenance.command("rm")
@click.argument("maintenance_id")
@reaching("operator")
def remove(api: Api, maintenance_id: str) -> None:
    """Plan it no more, or end it now."""
    found = api.delete(f"/v1/admin/maintenance/{path_of(maintenance_id)}")
    _show_maintenance(found, found)


@channel_command.command("topup")
@click.argument("channel")
@click.option("--amount", "text", required=True, metavar="1000.00", help="In major units.")
@click.option("--currency", type=CURRENCY, default="CNY", show_default=True)
@click.option("--booking", help="Makes a repeated booking harmless; else a new one.")
@reaching("operator")
def topup(api: Api, channel: str, text: str, currency: str, booking: str | None) -> None:
    """Book money sent to our account at the channel; in a sandbox it arrives there as well."""
    path = f"/v1/admin/channels/{path_of(channel)}/topup"
    booked = book(api, path, text, currency, booking)
    account = api.place.accounts.get(channel)
    if booked and account is not None:
        fen = {"amount_fen": minor_units(text, currency)}
        api.control("POST", f"accounts/{path_of(account)}/topup", fen)


def _switch(api: Api, channel: str, status: str, reason: str) -> None:
    body = {"status": status, "reason": reason}
    _show(api.post(f"/v1/admin/channels/{path_of(channel)}/status", body))


def _show_maintenance(found: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    headings = ("id", "channel", "from", "to", "reason", "by")
    rows = [
        (
            one["id"],
            one["channel"],
            moment(one["from_at"]),
            moment(one["until_at"]),
            one["reason"],
            one["added_by"],
        )
        for one in found["data"]
    ]
    tell(answer, lambda console: console.print(grid(headings, rows)))


def _show(found: Mapping[str, Any]) -> None:
    headings = (
        *("channel", "label", "kind", "status", "float", "lasts", "today", "month", "tier"),
        *("sending", "in doubt", "success", "keys end"),
    )
    rows = [
        (
            one["name"],
            _label(one),
            one["kind"],
            _status(one),
            amount(one["float_minor"], one["currency"]),
            _lasts(one["runway_s"]),
            amount(one["day_used_minor"], one["currency"]),
            one["month_payouts"],
            _tier(one),
            one["sending"],
            one["in_doubt"],
            f"{one['success_ppm'] / 10_000:.2f} %",
            min(_endings(one), default=None),
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


def _tier(one: Mapping[str, Any]) -> str | None:
    return None if one["tier"] is None else f"{one['tier']}/{one['tiers']}"


def _draw(console: Console, one: Mapping[str, Any]) -> None:
    currency = one["currency"]
    seen = ", ".join(f"{days} d {ppm / 10_000:.2f} %" for days, ppm in one["arrivals"])
    rows = [
        ("channel", one["name"]),
        ("label", _label(one)),
        ("kind", one["kind"]),
        ("status", _status(one)),
        ("rails", ", ".join(one["rails"])),
        ("float", amount(one["float_minor"], currency)),
        ("today", amount(one["day_used_minor"], currency)),
        ("this month", f"{one['month_payouts']:,}, {amount(one['month_minor'], currency)}"),
        ("tier reached", _tier(one)),
        ("arrivals seen", seen or "as promised"),
        ("sending", one["sending"]),
        ("in doubt", one["in_doubt"]),
        ("success", f"{one['success_ppm'] / 10_000:.2f} %"),
        *((f"{each['holder']} {each['name']}", _credential(each)) for each in one["credentials"]),
    ]
    console.print(facts(rows))


def _label(one: Mapping[str, Any]) -> str | None:
    label = one["label"]
    return None if label is None else f"{label['zh']} {label['en']}"


def _endings(one: Mapping[str, Any]) -> Iterator[str]:
    """Days on which keys and certificates end, of those that do."""
    for each in one["credentials"]:
        ends = moment(each["expires_at"])
        if ends is not None:
            yield ends[:10]


def _credential(one: Mapping[str, Any]) -> str:
    """Enough of the fingerprint to tell keys apart, and when it ends."""
    ends = moment(one["expires_at"])
    return str(one["fingerprint"])[:16] + ("" if ends is None else f", until {ends[:10]}")


def _draw_comparison(console: Console, found: Mapping[str, Any]) -> None:
    a, b, currency = found["a"], found["b"], found["currency"]
    headings = ("amount", *(f"{one['channel']}: {part}" for one in (a, b) for part in _PARTS))
    rows = [
        (
            amount(first["amount_minor"], currency),
            *(text for cost in (first, second) for text in _costs(cost, currency)),
        )
        for first, second in zip(a["costs"], b["costs"], strict=True)
    ]
    console.print(grid(headings, rows))
    for one in (a, b):
        guess = "" if one["known"] else ", a guess: the calendar is not published"
        days = f"{one['days_milli'] / 1000:g} calendar days"
        text = f"{one['channel']}: {days}, money there by {one['arrives_on']}{guess}"
        if one["free"]:
            text += "; its zero fee costs the time (capital)"
        console.print(text)
    for at in found["crossings_minor"]:
        console.print(f"the cheaper one changes at {amount(at, currency)}")
    if not found["crossings_minor"]:
        console.print("by fee and time one of them is never dearer, at any amount")


_PARTS = ("fee", "time", "total")


def _costs(cost: Mapping[str, Any], currency: str) -> Iterator[str]:
    yield money(cost["fee_micro"] + cost["surcharge_micro"], currency)
    yield money(cost["capital_micro"], currency)
    yield money(cost["total_micro"], currency)


def _lasts(seconds: int | None) -> str:
    """How long the float lasts; beyond two days nobody needs the hours."""
    if seconds is None:
        return ""
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d"


def _status(one: Mapping[str, Any]) -> str:
    said = str(one["status"])
    if one["reason"] and said != "active":
        said += f" ({one['reason']})"
    killed = one["killed"]
    if killed is not None:
        scope = " with ALL" if killed["channel"] != one["name"] else ""
        said += f" killed{scope} by {killed['killed_by']} ({killed['reason']})"
    if one["maintenance_until"]:
        said += f" maintenance until {moment(one['maintenance_until'])}"
    if one["frozen_by"]:
        said += f" failover frozen by {one['frozen_by']}"
    if one["expired"] is not None:
        said += f" {one['expired']} expired"
    if not one["priced"]:
        said += " no fee"
    return said + (" quarantined" if one["quarantined"] else "")
