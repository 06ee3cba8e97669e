"""What people do with policies on the command line: propose, agree, try out, activate, go back."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console

from channels.money import Currency, Money
from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Command, Group, Refusal, facts, grid, moment, tell
from gateway.cli.policy_texts import checked_text, draw_differences
from gateway.clock import SystemClock

_POLICY = "/v1/admin/policy"
_ZONE = ZoneInfo("Asia/Shanghai")
_PPM = 1_000_000


class Share(click.ParamType[int]):
    """`5%`, `0.25 %`: exact, to a ten-thousandth of a percent."""

    name = "SHARE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """In parts per million."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        try:
            ppm = Decimal(text.removesuffix("%").strip()) * 10_000
        except InvalidOperation:
            ppm = Decimal(-1)
        if not text.endswith("%") or not 0 < ppm < _PPM or ppm != int(ppm):
            self.fail(f"{text!r} is not a share such as 5%, above 0% and below 100%", param, ctx)
        return int(ppm)


class Time(click.ParamType[str]):
    """RFC 3339, or local time in Asia/Shanghai; `now`."""

    name = "TIME"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """As the API takes it."""
        text = str(value).strip()
        if text == "now":
            return SystemClock().now().isoformat()
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is not a time such as 2026-12-01T02:00", param, ctx)
        return (at if at.tzinfo is not None else at.replace(tzinfo=_ZONE)).isoformat()


SHARE, TIME = Share(), Time()


@click.command("status", cls=Command)
@reaching("operator")
def status(api: Api) -> None:
    """Show which policies decide now, who may change that, and what waits."""
    found = api.get(_POLICY)

    def draw(console: Console) -> None:
        rows: list[tuple[str, object]] = [
            ("mode", found["mode"] if found["file"] is None else f"file ({found['file']})")
        ]
        rows += [
            (role, _in_use(found[role])) for role in ("active", "canary", "shadow") if found[role]
        ]
        scheduled = found["scheduled"]
        if scheduled is not None:
            at = moment(scheduled["activates_at"])
            rows.append(("scheduled", f"{scheduled['policy_hash'][:12]} at {at}"))
        rows.append(("open proposals", found["open"]))
        rows.append(("refused", found["refused_zh"]))
        rows.append(("", found["refused"]))
        console.print(facts(rows))

    tell(found, draw)


@click.command("history", cls=Command)
@reaching("operator")
def history(api: Api) -> None:
    """List everything that was done to policies, oldest first."""
    found = api.get(f"{_POLICY}/history")
    headings = ("no.", "at", "act", "policy", "change", "by", "share", "for", "note")
    rows = [
        (
            one["seq"],
            moment(one["at"]),
            one["act"],
            one["policy_hash"][:12],
            one["change_id"],
            one["person"] or one["actor"],
            _share(one["share_ppm"]),
            moment(one["activates_at"]),
            one["note"],
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


@click.command("changes", cls=Command)
@click.option("--all", "everything", is_flag=True, help="Decided ones as well.")
@reaching("operator")
def changes(api: Api, *, everything: bool) -> None:
    """List what waits for a second person, newest first."""
    found = api.get(f"{_POLICY}/changes", state="all" if everything else "open")
    headings = ("id", "policy", "state", "proposed by", "at", "decided by", "note")
    rows = [
        (
            one["id"],
            one["policy_hash"][:12],
            one["state"],
            one["proposed_person"],
            moment(one["proposed_at"]),
            one["decided_person"],
            one["note"],
        )
        for one in found["data"]
    ]
    tell(found, lambda console: console.print(grid(headings, rows)))


@click.command("propose", cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--note", required=True, help="Why; the second person reads it.")
@click.option("--shadow", is_flag=True, help="Once approved, decide in vain.")
@click.option("--canary", "share", type=SHARE, help="Once approved, decide for this share.")
@click.option("--at", "at", type=TIME, help="Once approved, become active then (`now`: at once).")
@reaching("operator")
def propose(
    api: Api, file: Path, note: str, *, shadow: bool, share: int | None, at: str | None
) -> None:
    """Propose FILE to another person. Nothing changes before somebody else approves."""
    body: dict[str, Any] = {"text": checked_text(file), "note": note, "shadow": shadow}
    if share is not None:
        body["share_ppm"] = share
    if at is not None:
        body["activates_at"] = at
    made = api.post(f"{_POLICY}/changes", body)
    tell(made, lambda console: _draw_proposed(console, made))


@click.command("review", cls=Command)
@click.argument("change")
@reaching("operator")
def review(api: Api, change: str) -> None:
    """Show a proposed CHANGE and, in words, what it changes for whom."""
    found = api.get(f"{_POLICY}/changes/{path_of(change)}")
    tell(found, lambda console: _draw_proposed(console, found))


@click.command("approve", cls=Command)
@click.argument("change")
@reaching("operator")
def approve(api: Api, change: str) -> None:
    """Agree to CHANGE, as another person; what it plans begins."""
    _do(api, change, "approve")


@click.command("reject", cls=Command)
@click.argument("change")
@click.option("--note", default="", help="Why.")
@reaching("operator")
def reject(api: Api, change: str, note: str) -> None:
    """Refuse CHANGE, or withdraw your own."""
    _do(api, change, "reject", {"note": note} if note else {})


@click.command("activate", cls=Command)
@click.argument("change")
@click.option("--at", "at", type=TIME, help="Then; without it, now.")
@reaching("operator")
def activate(api: Api, change: str, at: str | None) -> None:
    """Have an approved CHANGE decide for every payout."""
    _do(api, change, "activate", {} if at is None else {"at": at})


@click.command("cancel", cls=Command)
@click.argument("change")
@click.option("--note", default="", help="Why.")
@reaching("operator")
def cancel(api: Api, change: str, note: str) -> None:
    """Give up an approved CHANGE with its canary, its shadow or its time."""
    _do(api, change, "cancel", {"note": note} if note else {})


@click.command("rollback", cls=Command)
@click.option("--reason", required=True, help="What is wrong; kept for ever.")
@click.option("--to", "to", help="A policy that was active before; default: the last one.")
@reaching("operator")
def rollback(api: Api, reason: str, to: str | None) -> None:
    """Go back at once, alone: end the canary if one runs, else return to the policy before."""
    now = api.get(_POLICY)
    leaving = now["canary"] if now["canary"] is not None and to is None else now["active"]
    body = {"leaving": leaving["hash"], "reason": reason}
    if to is not None:
        body["to"] = api.get(f"/v1/admin/policies/{path_of(to)}")["hash"]
    found = api.post(f"{_POLICY}/rollback", body)
    named = _in_use(found["active"])
    tell(found, lambda console: console.print(f"active is {named}", markup=False))


@click.group("canary", cls=Group)
def canary() -> None:
    """A policy that decides for a share of the payouts; each payout stays with its policy."""


@canary.command("start")
@click.argument("change")
@click.argument("share", type=SHARE)
@reaching("operator")
def canary_start(api: Api, change: str, share: int) -> None:
    """Have an approved CHANGE decide for SHARE of what is accepted from now on, e.g. 5%."""
    _do(api, change, "canary", {"share_ppm": share})


@canary.command("raise")
@click.argument("share", type=SHARE)
@reaching("operator")
def canary_raise(api: Api, share: int) -> None:
    """Give the running canary another SHARE, e.g. 20%."""
    _do(api, _running(api, "canary"), "canary", {"share_ppm": share})


@canary.command("finish")
@reaching("operator")
def canary_finish(api: Api) -> None:
    """Have the running canary decide for every payout."""
    _do(api, _running(api, "canary"), "activate", {})


@canary.command("abort")
@click.option("--note", default="", help="Why.")
@reaching("operator")
def canary_abort(api: Api, note: str) -> None:
    """End the running canary; its payouts go on by the active policy."""
    _do(api, _running(api, "canary"), "cancel", {"note": note} if note else {})


@click.group("shadow", cls=Group)
def shadow() -> None:
    """A policy that decides as well, and nothing is done about it."""


@shadow.command("start")
@click.argument("change")
@reaching("operator")
def shadow_start(api: Api, change: str) -> None:
    """Have an approved CHANGE decide in vain, to see what it would do."""
    _do(api, change, "shadow")


@shadow.command("stop")
@click.option("--note", default="", help="Why.")
@reaching("operator")
def shadow_stop(api: Api, note: str) -> None:
    """Give the running shadow up; what it would have done stays on record."""
    _do(api, _running(api, "shadow"), "cancel", {"note": note} if note else {})


@click.command("shadow-report", cls=Command)
@click.argument("change", required=False)
@reaching("operator")
def shadow_report(api: Api, change: str | None) -> None:
    """Show what the shadow (or the one of CHANGE) would have done differently, and its cost."""
    found = api.get(f"{_POLICY}/shadow", change=change)

    def draw(console: Console) -> None:
        agreement = found["agreement_ppm"]
        rows = [
            ("change", found["change_id"]),
            ("policy", found["policy_hash"][:12]),
            ("state", found["state"]),
            ("decisions", found["decisions"]),
            ("agreement", None if agreement is None else f"{agreement / 10_000:.2f} %"),
        ]
        rows += [
            ("saving", f"{_money(one)} over {one['priced']} priced decisions")
            for one in found["savings"]
        ]
        console.print(facts(rows))
        cells = [
            (
                one["from_channel"],
                one["to_channel"],
                one["decisions"],
                one["priced"],
                _money(one),
            )
            for one in found["by_channel"]
        ]
        console.print(grid(("from", "to", "decisions", "priced", "saving"), cells))

    tell(found, draw)


CHANGES = (
    *(status, history, changes, propose, review, approve, reject, activate, cancel, rollback),
    *(canary, shadow, shadow_report),
)


def _do(api: Api, change: str, what: str, body: Mapping[str, Any] | None = None) -> None:
    found = api.post(f"{_POLICY}/changes/{path_of(change)}/{what}", body)
    tell(found, lambda console: _draw(console, found))


def _running(api: Api, role: str) -> str:
    found = api.get(_POLICY)[role]
    if found is None:
        zh = {"canary": "灰度", "shadow": "影子策略"}[role]
        raise Refusal(f"no_{role}", f"no {role} runs now", zh=f"当前没有{zh}")
    return str(found["change_id"])


def _draw(console: Console, one: Mapping[str, Any]) -> None:
    rows = [
        ("id", one["id"]),
        ("policy", one["policy_hash"]),
        ("state", one["state"]),
        ("share", _share(one["share_ppm"] or None)),
        ("active from", moment(one["activates_at"])),
        ("note", one["note"]),
        ("proposed by", one["proposed_person"]),
        ("at", moment(one["proposed_at"])),
        ("decided by", one["decided_person"]),
        ("at", moment(one["decided_at"])),
        ("because", one["closing_note"]),
    ]
    console.print(facts(rows))


def _draw_proposed(console: Console, made: Mapping[str, Any]) -> None:
    _draw(console, made["change"])
    plan = made["change"]["plan"]
    planned = [
        *(["shadow"] if plan["shadow"] else []),
        *([f"canary {_share(plan['share_ppm'])}"] if plan["share_ppm"] else []),
        *([f"active at {moment(plan['activates_at'])}"] if plan["activates_at"] else []),
    ]
    console.print(facts([("once approved", ", ".join(planned))]))
    draw_differences(console, made["differences"])


def _in_use(one: Mapping[str, Any]) -> str:
    number = "" if one["version"] is None else f" v{one['version']}"
    share = f", {_share(one['share_ppm'])}" if 0 < one["share_ppm"] < _PPM else ""
    since = f", since {moment(one['since'])}" if one["since"] else ""
    by = f" by {one['by']}" if one["by"] else ""
    return f"{one['name']}{number} ({one['hash'][:12]}{share}){since}{by}"


def _share(ppm: int | None) -> str | None:
    return None if ppm is None else f"{Decimal(ppm) / 10_000:f}%"


def _money(one: Mapping[str, Any]) -> str:
    """A saving in major units, cut towards zero: a part of the smallest coin is not shown."""
    micro, currency = one["saving_micro"], Currency(one["currency"])
    sign = "-" if micro <= -_PPM else ""
    return f"{sign}{Money(abs(micro) // _PPM, currency)} {currency}"
