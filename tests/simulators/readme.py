"""The tables of simulators/README.md as the code has them."""

from __future__ import annotations

from datetime import time, timedelta

from simulators.actions import ACTIONS, ParamValue
from simulators.magic import MAGIC


def action_rows() -> list[str]:
    """One row per action."""
    return [
        f"| `{name}` | {action.stage.value} | "
        + ", ".join(f"`{p}` {_shown(param.default)}".rstrip() for p, param in action.params.items())
        + f" | {action.meaning} |"
        for name, action in ACTIONS.items()
    ]


def magic_rows() -> list[str]:
    """One row per magic payee or amount."""
    rows = []
    for row in MAGIC:
        pay = row.payee or f"{(row.amount_fen or 0) // 100}.{(row.amount_fen or 0) % 100:02d}"
        kind = row.kinds[0] if len(row.kinds) == 1 else "all"
        params = "".join(f" {key}={value}" for key, value in row.params.items())
        rows.append(
            f"| {kind} | `{pay}` | `{row.action}{params}` | {row.meaning_zh} | {row.meaning_en} |"
        )
    return rows


def _shown(value: ParamValue) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, time):
        return value.isoformat("minutes")
    return f"`{value}`".replace("\x1f", "")
