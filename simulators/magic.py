"""Magic payees and amounts: what a row is, and the amounts that every kind of simulator knows.

Whoever tries the gateway by hand needs no fault rules: paying one of these payees or amounts makes
one thing go wrong. A row is nothing but a fault rule that is always there and asked last. Each
kind's own table lies in its `magic.py`; the README shows all of them, a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from simulators.faults import FaultRule
from simulators.kernel import Row


@dataclass(frozen=True, slots=True)
class Magic:
    """One row. Exactly one of `payee` and `amount_fen` is given."""

    action: str
    meaning_zh: str
    meaning_en: str
    payee: str | None = None
    amount_fen: int | None = None
    """In minor units of the account's currency."""
    op: str = "submit"
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    once: bool = False
    """Only the first time for each reference, so that trying again gets through."""


def payee(name: str, action: str, zh: str, en: str, /, **params: JsonValue) -> Magic:
    """A row for a payee."""
    return Magic(action, zh, en, payee=name, params=params)


def _amount(
    fen: int,
    action: str,
    zh: str,
    en: str,
    /,
    *,
    once: bool = False,
    op: str = "submit",
    **params: JsonValue,
) -> Magic:
    return Magic(action, zh, en, amount_fen=fen, op=op, params=params, once=once)


_AMOUNTS: tuple[Magic, ...] = (
    _amount(
        10001,
        "reset_before",
        "未执行，连接重置（仅首次）",
        "reset, not executed (first time)",
        once=True,
    ),
    _amount(
        10002,
        "reset_after",
        "已付款，应答丢失（仅首次）",
        "paid, reply lost (first time)",
        once=True,
    ),
    _amount(
        10003,
        "reset_mid",
        "已付款，应答中断（仅首次）",
        "paid, reply cut short (first time)",
        once=True,
    ),
    _amount(10004, "slow", "应答慢 3 秒", "reply 3 s late", fixed="3s"),
    _amount(
        10005,
        "reject",
        "已付款，却答系统错误（仅首次）",
        "paid, yet answers that it cannot tell (first time)",
        once=True,
        executed=True,
    ),
    _amount(
        10006,
        "reject",
        "未执行，答系统错误（仅首次）",
        "not executed, answers that it cannot tell (first time)",
        once=True,
    ),
    _amount(10007, "short_balance", "付款账户余额不足", "paying account is short of money"),
    _amount(
        10008,
        "bad_signature",
        "已付款，应答验签失败（仅首次）",
        "paid, reply with a bad signature (first time)",
        once=True,
    ),
    _amount(
        10009,
        "garbage",
        "已付款，应答乱码（仅首次）",
        "paid, reply is garbage (first time)",
        once=True,
    ),
    _amount(
        10010,
        "http_error",
        "已付款，却答 502（仅首次）",
        "paid, yet answers 502 (first time)",
        once=True,
        status=502,
        executed=True,
    ),
    _amount(
        10011,
        "notice_duplicate",
        "通知重复两次",
        "notice comes twice more",
        op="notice",
        copies=2,
    ),
    _amount(10012, "notice_lost", "通知丢失", "notice is lost", op="notice"),
    _amount(
        10013, "not_found_window", "受理后 30 秒内查无此单", "not found for 30 s", seconds="30s"
    ),
    _amount(
        10014,
        "unknown_status",
        "已付款，状态未知（仅首次）",
        "paid, answers an unknown status (first time)",
        once=True,
    ),
    _amount(
        10015,
        "wrong_echo",
        "已付款，应答金额不符（仅首次）",
        "paid, reply echoes another amount (first time)",
        once=True,
        field="amount",
    ),
    _amount(10016, "notice_forged", "另有伪造通知", "a forged notice comes as well", op="notice"),
)


def amounts(*, unsure: str, without: tuple[str, ...] = ()) -> tuple[Magic, ...]:
    """The rows for amounts, of a kind whose own word for "cannot tell" is the code `unsure`.

    `without` names actions that the kind's protocol does not have.
    """
    return tuple(
        replace(row, params={**row.params, "code": unsure}) if row.action == "reject" else row
        for row in _AMOUNTS
        if row.action not in without
    )


def rules(table: Sequence[Magic]) -> tuple[FaultRule, ...]:
    """The rows of a table as rules; their ids start with `magic:`."""
    return tuple(_rule(row) for row in table)


def rows(table: Sequence[Magic], kind: str) -> Sequence[Row]:
    """A kind's table for listing, in its own order."""
    return [
        {
            "payee": row.payee,
            "amount_fen": row.amount_fen,
            "kind": kind,
            "action": row.action,
            "params": dict(row.params),
            "first_time_only": row.once,
            "meaning_zh": row.meaning_zh,
            "meaning_en": row.meaning_en,
        }
        for row in table
    ]


def _rule(row: Magic) -> FaultRule:
    return FaultRule(
        id=f"magic:{row.payee or row.amount_fen}",
        op=row.op,
        payee=row.payee,
        min_amount_fen=row.amount_fen,
        max_amount_fen=row.amount_fen,
        action=row.action,
        params=dict(row.params),
        times_each=1 if row.once else None,
    )
