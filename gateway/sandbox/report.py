"""What the rehearsal shows: a live view while it runs, tables and one line of JSON at the end."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median, quantiles
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

DONE = ("settled", "paid", "returned", "failed", "cancelled")


@dataclass(slots=True)
class Watch:
    """What the event feed has told so far."""

    after: int = 0
    state: dict[str, str] = field(default_factory=dict)
    channel: dict[str, str] = field(default_factory=dict)
    failovers: int = 0
    doubts: dict[tuple[str, int], str | None] = field(default_factory=dict)
    """In-doubt attempts: how each was resolved, None while it is not."""
    accepted_at: dict[str, datetime] = field(default_factory=dict)
    paid_after_s: dict[str, float] = field(default_factory=dict)
    per_channel: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def take(self, event: Mapping[str, Any]) -> None:
        """Follow one event."""
        payout, kind, told = (
            event["payout_id"],
            event["type"].removeprefix("payout."),
            event["data"],
        )
        at = datetime.fromisoformat(event["at"])
        self.after = event["feed"]
        self.state[payout] = event["state"]
        number = told.get("attempt", 0)
        match kind:
            case "accepted":
                self.accepted_at[payout] = at
            case "armed":
                self.failovers += number > 1
                self.channel[payout] = told["channel"]
                self.per_channel[told["channel"]]["attempts"] += 1
            case "in_doubt":
                self.doubts.setdefault((payout, number), None)
                self.per_channel[self.channel[payout]]["in_doubt"] += 1
            case "paid":
                self.paid_after_s[payout] = (at - self.accepted_at[payout]).total_seconds()
                self._resolved(payout, number, f"paid, found by {told['source']}")
                self.per_channel[self.channel[payout]]["paid"] += 1
            case "attempt_dead":
                how = f"dead by certificate {told['certificate']}, {told['source']}"
                self._resolved(payout, number, how)
                self.per_channel[self.channel[payout]]["dead"] += 1
            case "returned":
                self.per_channel[self.channel[payout]]["returned"] += 1

    def _resolved(self, payout: str, number: int, how: str) -> None:
        if (payout, number) in self.doubts:
            self.doubts[payout, number] = how

    @property
    def counts(self) -> Counter[str]:
        """Payouts by state."""
        return Counter(self.state.values())

    @property
    def resolved(self) -> Counter[str]:
        """How doubts ended."""
        return Counter(how for how in self.doubts.values() if how)

    def open(self, besides: frozenset[str] = frozenset()) -> int:
        """Payouts whose end is not reached, `besides` those at some channels."""
        return sum(
            state not in DONE and self.channel.get(payout) not in besides
            for payout, state in self.state.items()
        )


def live(watch: Watch, total: int, troubles: Sequence[str]) -> RenderableType:
    """The picture while it runs."""
    counts = watch.counts
    done = sum(counts[state] for state in DONE)
    table = Table(expand=True, box=None, header_style="bold")
    for name in ("渠道 channel", "已发 attempts", "已付 paid", "存疑 in doubt", "已证死 dead"):
        table.add_column(name, justify="left" if "渠道" in name else "right")
    for name in sorted(watch.per_channel):
        row = watch.per_channel[name]
        cells = (row["attempts"], row["paid"], row["in_doubt"], row["dead"])
        table.add_row(name, *(str(cell) for cell in cells))
    line = f"{done}/{total} 完成 done · 切换 failovers {watch.failovers}"
    return Group(
        Text("航道 Hangdao · 演练 rehearsal", style="bold cyan"),
        ProgressBar(total=total, completed=done),
        Text(line),
        table,
        Text("故障 troubles: " + ("；".join(troubles) or "无 none"), style="yellow"),
    )


def summary(
    watch: Watch,
    answers: Mapping[str, Mapping[str, Any]],
    fees: Mapping[str, int],
    capital_saved_micro: int,
    extra: Sequence[tuple[str, str]],
) -> RenderableType:
    """The tables at the end."""
    channels = Table(title="渠道 per channel", title_justify="left")
    for name in ("channel", "payouts", "amount", "fees", "attempts", "in doubt", "dead"):
        channels.add_column(name, justify="left" if name == "channel" else "right")
    currency = {answer["channel"]: answer["currency"] for answer in answers.values()}
    carried: dict[str, list[int]] = defaultdict(list)
    for answer in answers.values():
        if answer["state"] in {"paid", "settled", "returned"}:
            carried[answer["channel"]].append(answer["amount_minor"])
    for name in sorted(watch.per_channel):
        row = watch.per_channel[name]
        channels.add_row(
            name,
            str(len(carried[name])),
            f"{yuan(sum(carried[name]))} {currency.get(name, '')}".rstrip(),
            yuan(fees.get(name, 0)),
            *(str(row[key]) for key in ("attempts", "in_doubt", "dead")),
        )
    facts = Table(title="结果 result", title_justify="left", show_header=False)
    facts.add_column()
    facts.add_column()
    for state, count in sorted(watch.counts.items()):
        facts.add_row(f"payouts {state}", str(count))
    facts.add_row("切换 failovers", str(watch.failovers))
    for how, count in watch.resolved.most_common():
        facts.add_row(f"存疑已决 in doubt → {how}", str(count))
    waits = sorted(watch.paid_after_s.values())
    if len(waits) > 1:
        p95 = quantiles(waits, n=20)[-1]
        facts.add_row("到账用时 time to paid", f"median {median(waits):.2f} s, p95 {p95:.2f} s")
    facts.add_row(
        "比最低标价省下的资金成本 capital saved against the cheapest sticker",
        f"¥{yuan(capital_saved_micro // 1_000_000)}",
    )
    for name, value in extra:
        facts.add_row(name, value)
    return Group(channels, facts)


def yuan(fen: int) -> str:
    """Fen as yuan with thousands separators."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"
