"""The tables of this folder's README.md: what `make bench-routing` kept in results.json."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
README: Final = HERE / "README.md"
RESULTS: Final = HERE / "results.json"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

BARS: Final[Mapping[str, int]] = {
    "PAY": 42,
    "CALM": 26,
    "SHORT": 59,
    "LOW": 65,
    "SLOW": 72,
    "K8": 59,
}
"""Regret per 10,000 payouts that must not be exceeded; the aim is a fifth less."""
WINS: Final[Mapping[str, float]] = {name: 0.8 if name == "LOW" else 0.9 for name in BARS}
WAYS: Final[Mapping[str, str]] = {
    "plan": "plan followed, made anew every six hours",
    "daily": "plan followed, made anew every day",
    "no_replan": "plan followed, never made anew",
    "daily_without_solver": "plan followed, made without a solver",
    "planned_tier": "true cost at the planned tier",
    "current_tier": "true cost at the current tier",
    "uniform": "at random",
    "surcharge": "sticker fee and surcharge, without time",
    "sticker": "sticker fee alone",
}


def kept() -> dict[str, Any]:
    """What the last run with `--keep` found."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def page(text: str, results: Mapping[str, Any]) -> str:
    """README.md with the tables of these results between its markers."""
    head, rest = text.split(BEGIN)
    tables = "\n\n".join(_tables(results["parts"]))
    return f"{head}{BEGIN}\n\n{tables}\n\n{END}{rest.split(END)[1]}"


def _tables(parts: Mapping[str, Any]) -> Iterable[str]:
    yield "### Success: regret per 10,000 payouts, ± standard error\n\n" + _success(parts["sr"])
    yield "### Cost: gap to the offline optimum\n\n" + _cost(parts["cost"])
    yield "### Time\n\n" + _time(parts)


def _success(sr: Mapping[str, Any]) -> str:
    worlds: Mapping[str, Mapping[str, Mapping[str, float]]] = sr["all_rules"]
    rules = dict.fromkeys(rule for of in worlds.values() for rule in of)
    rows = [["rule", *worlds], ["---", *("--:" for _ in worlds)]]
    for rule in rules:
        row = [f"**{rule}**" if rule == "ours" else rule]
        for of in worlds.values():
            row.append(f"{of[rule]['mean']} ± {of[rule]['se']}" if rule in of else "")
        rows.append(row)
    rows.append(["bar · aim", *(_bar(name) for name in worlds)])
    won = {name: sr["wins_vs_window"][name] for name in worlds}
    rows.append(["seeds on which ours beats the window rule", *(f"{w:.1%}" for w in won.values())])
    rows.append(["asked", *(f"{WINS[name]:.0%}" if name in WINS else "" for name in worlds)])
    return _table(rows)


def _bar(name: str) -> str:
    return f"{BARS[name]} · {BARS[name] * 0.8:.0f}" if name in BARS else ""


def _cost(cost: Mapping[str, Any]) -> str:
    detail: Mapping[str, Mapping[str, float]] = cost["detail"]
    sizes = {"on": "as forecast", "below": "30 % below", "above": "30 % above"}
    rows = [["way to route", *(f"volume {one}" for one in sizes.values())]]
    rows.append(["---", *("--:" for _ in sizes)])
    for way, words in WAYS.items():
        row = [f"**{words}**" if way == "plan" else words]
        for size in sizes:
            found = detail.get(f"{size}.{way}")
            row.append("" if found is None else f"{found['mean']:.2f} % (≤ {found['worst']:.2f} %)")
        rows.append(row)
    gap = cost["cost_gap_pct"]
    return _table(rows) + (
        f"\n\nOurs over {cost['seeds']} seeds: on {gap['on']:.2f} % (bar 1.0), "
        f"off {gap['off']:.2f} % (bar 3), worst single month {gap['worst']:.2f} % (bar 6). "
        "In brackets the worst seed. "
        f"Making a plan took at most {cost['plan_s']:.2f} s."
    )


def _time(parts: Mapping[str, Any]) -> str:
    speed, replayed = parts["speed"], parts["replay"]["replay_s"]
    return _table(
        [
            ["what", "took", "bar"],
            ["---", "--:", "--:"],
            [
                "a decision with its trace: 8 channels, 20 rules",
                f"{speed['decision_us']:.1f} µs",
                "100 µs",
            ],
            ["the same without rules", f"{speed['plain_us']:.1f} µs", ""],
            ["a function that does nothing", f"{speed['baseline_us']:.2f} µs", ""],
            ["replay of a month of 300,000 payouts, one core", f"{replayed:.1f} s", "60 s"],
        ]
    )


def _table(rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
