"""The tables of simulators/README.md as the code has them."""

from __future__ import annotations

from datetime import time, timedelta

from simulators.actions import ACTIONS, ParamValue
from simulators.magic import Magic
from simulators.registry import KINDS


def action_rows() -> list[str]:
    """One row per action."""
    return [
        f"| `{name}` | {action.stage.value} | "
        + ", ".join(f"`{p}` {_shown(param.default)}".rstrip() for p, param in action.params.items())
        + f" | {action.meaning} |"
        for name, action in ACTIONS.items()
    ]


def magic_rows() -> list[str]:
    """One row per payee of each kind, then one per amount, with the kinds that know it."""
    rows = [
        _magic_row(kind, row)
        for kind, one in KINDS.items()
        for row in one.magic
        if row.payee is not None
    ]
    known: dict[int, list[str]] = {}
    shown: dict[int, Magic] = {}
    for kind, one in KINDS.items():
        for row in one.magic:
            if row.amount_fen is not None:
                known.setdefault(row.amount_fen, []).append(kind)
                shown.setdefault(row.amount_fen, row)
    for amount, kinds in sorted(known.items()):
        missing = [kind for kind in KINDS if kind not in kinds]
        who = f"all but {', '.join(missing)}" if missing else "all"
        rows.append(_magic_row(who, shown[amount], hidden=("code",)))
    return rows


def _magic_row(who: str, row: Magic, hidden: tuple[str, ...] = ()) -> str:
    """`code` of an amount is hidden: each kind has its own word for "cannot tell"."""
    pay = row.payee or f"{(row.amount_fen or 0) // 100}.{(row.amount_fen or 0) % 100:02d}"
    given = {key: value for key, value in row.params.items() if key not in hidden}
    params = "".join(f" {key}={value}" for key, value in given.items())
    meaning = f"{row.meaning_zh} | {row.meaning_en}"
    return f"| {who} | `{pay}` | `{row.action}{params}` | {meaning} |"


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
