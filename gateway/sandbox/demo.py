"""The rehearsal: gateway and institutions as real processes, hundreds of payouts, trouble, proof.

`run` returns 0 only when the institutions' own books agree with every answer of the gateway. All
traffic stays on loopback; everything started is ended.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from rich.console import Console
from rich.live import Live

from gateway.sandbox import cast, report, story
from gateway.sandbox.installation import Installation, free_port, install
from gateway.sandbox.institutions import Account, Institutions, adjust, found
from gateway.sandbox.merchant import Client, RefusedError
from gateway.sandbox.processes import Child
from gateway.sandbox.receiver import Receiver
from gateway.sandbox.witness import Verdict, judge
from gateway.settings import load
from gateway.wiring import create_operator_key
from policies.calendars.workdays import is_workday
from policies.explain import from_json

ASK_S = 9.0
"""The payouts are asked for over so many seconds, so that troubles find some under way."""
SETTLE_S = 150.0
"""How long open payouts may take after the last was asked for."""
ANSWERS_S = 12.0
"""How long the answers of a new day may take."""
DAYS_MAX = 6
STATEMENTS_ASKED = 6
UNHURRIED = frozenset({"bank-direct", "stablecoin"})
"""Channels that are not waited for: late files of the bank are carried out the next working day,
and a chain wants its confirmations."""
BEIJING = ZoneInfo("Asia/Shanghai")


@dataclass(slots=True)
class Stage:
    """Everything that runs during a rehearsal."""

    institutions: Institutions
    operator: Client
    merchants: Mapping[str, Client]
    receiver: Receiver
    watch: report.Watch = field(default_factory=report.Watch)
    troubles: list[str] = field(default_factory=list)


async def run(folder: Path, *, payouts: int, seed: int, show_live: bool, console: Console) -> int:
    """Play the story in an empty `folder`; 0 only if the independent books agree."""
    started = time.monotonic()
    console.print("航道 演练：启动机构模拟器和网关 · starting institutions and gateway")
    async with _stage(folder, seed) as stage:
        accounts = await found(folder, cast.ACCOUNTS, seed=seed)
        asked = story.payouts(payouts, seed, _abroad(accounts))
        await _to_a_cut_off(stage)
        async with _showing(stage, len(asked), console, show_live):
            await _ask_all(stage, asked)
            await _until(lambda: stage.watch.open(besides=UNHURRIED) == 0, SETTLE_S)
            console.print("时钟拨到起息日之后，读取对账单 · clocks moved, statements read")
            await _days_pass(stage)
        answers = {one["merchant_ref"]: one async for one in stage.operator.pages("/v1/payouts")}
        verdict = await _judge(stage, asked, answers)
        line = await _tell(stage, answers, verdict, console)
    line["seconds"] = round(time.monotonic() - started, 1)
    console.print(orjson.dumps(line).decode(), soft_wrap=True, highlight=False, markup=False)
    return 0 if line["truth_matches"] else 1


def _abroad(accounts: Sequence[Account]) -> story.Abroad:
    """The beneficiaries that the stablecoin institution has registered."""
    given = next(one.given for one in accounts if one.kind == "stablecoin")
    return story.Abroad(given["wire_id"], given["chain"], given["address"], given["recipient_id"])


@asynccontextmanager
async def _stage(folder: Path, seed: int) -> AsyncIterator[Stage]:
    """Start institutions, gateway, receiver; end them in reverse, whatever happens."""
    async with AsyncExitStack() as stack:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        accounts = await found(folder, cast.ACCOUNTS, seed=seed)
        books = {one.name: cast.books_of(one, url, cast.FLOAT_FEN) for one in accounts}
        adjust(folder, books)
        institutions = Institutions(folder)
        stack.push_async_callback(institutions.stop)
        await institutions.start()
        installation = install(
            folder,
            accounts,
            cast.TERMS,
            port=port,
            channel_names=cast.CHANNEL_NAMES,
            labels=cast.LABELS,
        )
        loaded = load(installation.config, installation.env)
        operator_key = await create_operator_key(loaded, "rehearsal")
        gateway = Child(
            *("gateway", "serve", "--config", str(installation.config)),
            log=folder / "gateway.log",
            env=installation.env,
        )
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        receiver = Receiver()
        stack.push_async_callback(receiver.stop)
        await receiver.start(free_port())
        operator = await stack.enter_async_context(Client(installation.url, operator_key))
        merchants = await _open_merchants(stack, installation, operator, receiver, accounts)
        yield Stage(institutions, operator, merchants, receiver)


async def _open_merchants(
    stack: AsyncExitStack,
    installation: Installation,
    operator: Client,
    receiver: Receiver,
    accounts: Sequence[Account],
) -> dict[str, Client]:
    for account in accounts:
        channel = cast.CHANNEL_NAMES[account.name]
        await operator.post(f"/v1/admin/channels/{channel}/topup", cast.opening(account))
    clients: dict[str, Client] = {}
    for merchant in story.MERCHANTS:
        await operator.post("/v1/admin/merchants", merchant)
        path = f"/v1/admin/merchants/{merchant['id']}"
        deposit = story.DEPOSITS.get(merchant["id"])
        if deposit is not None:
            booking = {"amount_minor": deposit, "currency": "CNY", "key": "opening"}
            await operator.post(f"{path}/fund", booking)
        scopes = ["payouts:write", "payouts:read", "webhooks"]
        made = await operator.post(f"{path}/keys", {"label": "rehearsal", "scopes": scopes})
        client = await stack.enter_async_context(Client(installation.url, made["key"]))
        endpoint = await client.post("/v1/webhook-endpoints", {"url": receiver.url})
        receiver.trust(endpoint["secret"])
        clients[merchant["id"]] = client
    return clients


async def _ask_all(stage: Stage, asked: Sequence[story.Asked]) -> None:
    """Ask for every payout, some twice, while troubles come and go."""
    pending = dict(enumerate(story.TROUBLES))
    active: dict[int, str] = {}
    slots = asyncio.Semaphore(32)
    started = time.monotonic()

    async def ask(one: story.Asked) -> None:
        async with slots:
            await stage.merchants[one.merchant].post("/v1/payouts", one.body)

    async with asyncio.TaskGroup() as group:
        for number, one in enumerate(asked):
            share = number / len(asked)
            await _troubles(stage, share, pending, active)
            group.create_task(ask(one))
            if number % 10 == 9:
                # A caller who heard nothing asks again; it must change nothing.
                group.create_task(ask(asked[number - 5]))
            await asyncio.sleep(max(0.0, started + ASK_S * share - time.monotonic()))
    await _troubles(stage, 1.0, pending, active)


async def _troubles(
    stage: Stage, share: float, pending: dict[int, story.Trouble], active: dict[int, str]
) -> None:
    for index, trouble in list(pending.items()):
        if index not in active and share >= trouble.starts and share < trouble.ends:
            active[index] = await stage.institutions.fault(**trouble.rule)
        elif index in active and share >= trouble.ends:
            await stage.institutions.mend(active.pop(index))
            del pending[index]
    stage.troubles[:] = [
        f"{pending[index].says_zh} {pending[index].says_en}" for index in sorted(active)
    ]


@asynccontextmanager
async def _showing(
    stage: Stage, total: int, console: Console, show_live: bool
) -> AsyncIterator[None]:
    """Follow the event feed, and draw it where there is a terminal."""
    view = Live(console=console, refresh_per_second=8) if show_live else None

    async def follow() -> None:
        told = 0
        while True:
            await _follow(stage)
            if view is not None:
                view.update(report.live(stage.watch, total, stage.troubles))
            elif len(stage.watch.state) >= told + 100:
                told = len(stage.watch.state)
                console.print(f"已受理 accepted {told}/{total}", highlight=False)
            await asyncio.sleep(0.2)

    task = asyncio.create_task(follow())
    try:
        if view is None:
            yield
        else:
            with view:
                yield
        await _follow(stage)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _follow(stage: Stage) -> None:
    while True:
        page = await stage.operator.get("/v1/events", after=stage.watch.after, limit=1000)
        for event in page["data"]:
            if event["feed"] > stage.watch.after:
                stage.watch.take(event)
        if not page["has_more"]:
            return


async def _until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if done():
            return True
        await asyncio.sleep(0.2)
    return False


async def _to_a_cut_off(stage: Stage) -> None:
    """Begin seconds before a bank's cut-off, on a working day that another one follows."""
    now = datetime.fromisoformat((await stage.operator.get("/v1/admin/clock"))["now"])
    start = now.astimezone(BEIJING).replace(hour=16, minute=59, second=54, microsecond=0)
    while start < now or not all(
        is_workday(start.date() + timedelta(days=ahead), "cn_no_makeup").works for ahead in (0, 1)
    ):
        start += timedelta(days=1)
    await _to(stage, start)


async def _days_pass(stage: Stage) -> None:
    """Let mornings come and read statements, until all that is paid has been seen on one."""
    for _ in range(DAYS_MAX):
        now = datetime.fromisoformat((await stage.operator.get("/v1/admin/clock"))["now"])
        morning = (now.astimezone(BEIJING) + timedelta(days=1)).replace(hour=10, minute=30)
        await _to(stage, morning)
        # The morning's questions come first: what they find is on the next statement.
        await _until(lambda: stage.watch.open() == 0, ANSWERS_S)
        for _ in range(STATEMENTS_ASKED):
            await stage.operator.post("/v1/admin/statements/read")
            await asyncio.sleep(0.5)
            await _follow(stage)
            if _all_seen(stage.watch):
                return


def _all_seen(watch: report.Watch) -> bool:
    unseen = {watch.channel[one] for one, state in watch.state.items() if state == "paid"}
    returned = watch.counts["returned"] >= story.RETURNED
    return watch.open() == 0 and returned and unseen <= cast.WITHOUT_STATEMENT


async def _to(stage: Stage, moment: datetime) -> None:
    """Move both clocks."""
    now = datetime.fromisoformat((await stage.operator.get("/v1/admin/clock"))["now"])
    await stage.institutions.advance_to(moment.isoformat())
    seconds = int((moment - now).total_seconds())
    await stage.operator.post("/v1/admin/clock/advance", {"seconds": seconds})


async def _judge(
    stage: Stage, asked: Sequence[story.Asked], answers: Mapping[str, Mapping[str, Any]]
) -> Verdict:
    ledger = await stage.operator.get("/v1/admin/ledger")
    floats = {
        row["owner"]: row["balance_minor"] for row in ledger["data"] if row["book"] == "float"
    }
    balances = {
        cast.CHANNEL_NAMES[row["account"]]: row["balance_fen"]
        for row in await stage.institutions.accounts()
    }
    verdict = judge(asked, answers, await stage.institutions.truth(), floats, balances)
    if not ledger["balanced"]:
        verdict.problems += ledger["problems"]
    return verdict


async def _tell(
    stage: Stage,
    answers: Mapping[str, Mapping[str, Any]],
    verdict: Verdict,
    console: Console,
) -> dict[str, Any]:
    """Print the tables; returns the facts of the JSON line."""
    ledger = await stage.operator.get("/v1/admin/ledger")
    fees = {
        row["owner"]: row["balance_minor"] for row in ledger["data"] if row["book"] == "channel_fee"
    }
    breaks = await stage.operator.get("/v1/admin/breaks")
    extra = [
        (
            "通知 webhooks verified / refused",
            f"{stage.receiver.verified} / {stage.receiver.refused}",
        ),
        ("序号缺口 webhook sequences with a gap", str(stage.receiver.gaps)),
        ("差错 open breaks", str(len(breaks["data"]))),
        ("账簿平衡 ledger balanced", str(ledger["balanced"])),
        ("与机构账一致 institutions' books agree", str(verdict.agrees)),
    ]
    saved = await _capital_saved(stage, answers)
    console.print(report.summary(stage.watch, answers, fees, saved, extra))
    for problem in verdict.problems[:20]:
        console.print(f"不一致 mismatch: {problem}", style="red", highlight=False)
    counts = stage.watch.counts
    return {
        "payouts": len(answers),
        "paid": counts["paid"] + counts["settled"],
        "failed": counts["failed"],
        "returned": counts["returned"],
        "failovers": stage.watch.failovers,
        "in_doubt_resolved": sum(stage.watch.resolved.values()),
        "double_paid": verdict.double_paid,
        "lost": verdict.lost,
        "stuck": verdict.stuck,
        "ledger_balanced": ledger["balanced"],
        "truth_matches": verdict.agrees and ledger["balanced"],
    }


async def _capital_saved(stage: Stage, answers: Mapping[str, Mapping[str, Any]]) -> int:
    """Capital cost avoided against the cheapest sticker, over the decisions that were followed."""
    slots = asyncio.Semaphore(16)

    async def one(payout_id: str) -> int:
        async with slots:
            try:
                told = await stage.operator.get(f"/v1/payouts/{payout_id}/why")
            except RefusedError:
                return 0
        followed = [from_json(row["decision"]) for row in told["data"]]
        return sum(decision.capital_saved_micro for decision in followed[-1:])

    return sum(await asyncio.gather(*(one(answer["id"]) for answer in answers.values())))
