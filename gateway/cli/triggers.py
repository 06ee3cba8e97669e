"""`hangdao trigger`, `magic`: make something happen at a simulated institution, by hand."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from gateway.cli.connection import Api, path_of, reaching
from gateway.cli.output import Command, Refusal, grid, tell

NOTICED_S = 3.0
"""For so long the command watches whether the gateway has heard of it."""
LOOK_S = 0.1
_ALL = "all"


@click.command("trigger", cls=Command)
@click.argument("event")
@click.argument("payout", required=False)
@reaching("operator")
def trigger_command(api: Api, event: str, payout: str | None) -> None:
    """Force EVENT (payout.returned, notice.resend, …) on PAYOUT's order at its institution.

    `hangdao trigger ls` lists the events of each kind of institution. PAYOUT is an id, the
    merchant's own number, or an attempt's reference; of several attempts the live one is meant,
    else the last.
    """
    if event == "ls" and payout is None:
        _list(api)
        return
    if payout is None:
        raise click.UsageError("name the payout, or list the events with `hangdao trigger ls`")
    found = _payout(api, payout)
    attempt = None if found is None else _attempt(api, found)
    reference = payout if attempt is None else str(attempt["reference"])
    asked = {"event": event, "reference": reference}
    if attempt is not None:
        asked |= _institution(api, str(attempt["channel"]))
    done = api.control("POST", "trigger", asked)
    after = None if found is None else _until_noticed(api, found)
    said = {**done, "payout": None if after is None else {k: after[k] for k in ("id", "state")}}

    def draw(console: Console) -> None:
        where = "" if attempt is None else f" at {attempt['channel']}"
        console.print(f"{event} happened to {reference}{where}")
        if after is not None and found is not None:
            console.print(_told(found, after))

    tell(said, draw)


def _told(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    state = after["state"]
    if state != before["state"]:
        return f"{after['id']} is now {state} / 状态变为 {state}"
    return (
        f"{after['id']} is {state} still: the gateway learns of it by a notice, an inquiry or the "
        f"statement / 状态仍为 {state}，网关将通过通知、查询或对账单得知"
    )


def _payout(api: Api, named: str) -> Mapping[str, Any] | None:
    """The payout that is meant; None when it can only be a reference."""
    if named.startswith("po_"):
        one: Mapping[str, Any] = api.get(f"/v1/payouts/{path_of(named)}")
        return one
    found: Sequence[Mapping[str, Any]] = api.get("/v1/payouts", merchant_ref=named, limit=2)["data"]
    if len(found) > 1:
        raise Refusal(
            "payout_ambiguous",
            f"several merchants have a payout {named!r}; give its id",
            zh="多个商户有此单号，请使用代付单 id",
        )
    return found[0] if found else None


def _attempt(api: Api, payout: Mapping[str, Any]) -> Mapping[str, Any]:
    """Its live attempt, else the last one."""
    attempts = api.get(f"/v1/payouts/{path_of(payout['id'])}/attempts")["data"]
    if not attempts:
        raise Refusal(
            "no_attempt",
            f"{payout['id']} is {payout['state']} and was not tried at any channel yet",
            zh=f"该代付（{payout['state']}）尚未提交到任何渠道",
        )
    live = [one for one in attempts if one["state"] != "dead"]
    chosen: Mapping[str, Any] = (live or attempts)[-1]
    return chosen


def _institution(api: Api, channel: str) -> dict[str, str]:
    """Which simulator serves the channel, where that is known: others need not say no."""
    account = api.place.accounts.get(channel)
    running: Mapping[str, Any] = api.control("GET", "health")["simulators"]
    names = [name for name, one in running.items() if account in one["accounts"]]
    return {"simulator": names[0]} if names else {}


def _until_noticed(api: Api, before: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payout once it has moved on, or as it stands after a while."""
    deadline = time.monotonic() + NOTICED_S
    path = f"/v1/payouts/{path_of(before['id'])}"
    while True:
        now: Mapping[str, Any] = api.get(path)
        if now["state"] != before["state"] or time.monotonic() >= deadline:
            return now
        time.sleep(LOOK_S)


def _list(api: Api) -> None:
    found = api.control("GET", "triggers")
    rows = [(one["kind"], one["event"], one["zh"], one["en"]) for one in found]
    headings = ("kind", "event", "中文", "English")
    tell({"data": found}, lambda console: console.print(grid(headings, rows)))


@click.command("magic", cls=Command)
@click.argument("kind", required=False)
@reaching("operator")
def magic_command(api: Api, kind: str | None) -> None:
    """Show the payees and amounts that make something happen, of KIND or of all institutions.

    Paying one of them is enough; no fault has to be added.
    """
    found = api.control("GET", "magic")
    kinds = list(dict.fromkeys(str(one["kind"]) for one in found))
    if kind is not None and kind not in kinds:
        raise Refusal(
            "no_such_kind",
            f"no simulated institution of the kind {kind!r} runs here; there are: "
            + (", ".join(kinds) or "none"),
            zh="此处没有这种机构的模拟器",
        )
    chosen = [one for one in found if kind in (None, one["kind"])]
    rows = [
        (
            who,
            one["payee"] or f"{one['amount_fen'] // 100}.{one['amount_fen'] % 100:02d}",
            _does(one),
            one["meaning_zh"],
            one["meaning_en"],
        )
        for who, one in _merged(chosen, kinds if kind is None else [kind])
    ]
    headings = ("kind", "pay", "action", "中文", "English")
    tell({"data": chosen}, lambda console: console.print(grid(headings, rows)))


def _merged(
    found: Sequence[Mapping[str, Any]], kinds: Sequence[str]
) -> list[tuple[str, Mapping[str, Any]]]:
    """Payees of each kind, then each amount once with the kinds that know it."""
    payees = [(str(one["kind"]), one) for one in found if one["payee"] is not None]
    known: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for one in found:
        if one["amount_fen"] is not None:
            known.setdefault((one["amount_fen"], one["action"]), []).append(one)
    amounts = []
    for _, rows in sorted(known.items(), key=lambda item: item[0]):
        names = [str(one["kind"]) for one in rows]
        who = _ALL if len(names) == len(kinds) > 1 else ", ".join(names)
        amounts.append((who, rows[0]))
    return [*payees, *amounts]


def _does(one: Mapping[str, Any]) -> str:
    params = {k: v for k, v in one["params"].items() if one["payee"] or k != "code"}
    return " ".join([str(one["action"]), *(f"{name}={value}" for name, value in params.items())])
