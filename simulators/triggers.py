"""Events that can be forced on one order: their names and what each does.

A simulator that offers others than the usual ones says so by an attribute `triggers`, the names of
those it knows, in order; the words come from the table here, so that they are said once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from simulators.kernel import Row, Simulator

MEANINGS: Mapping[str, tuple[str, str]] = {
    "payout.confirmed": ("收款人确认收款", "the payee confirms"),
    "payout.settled": ("处理中的付款成功到账", "an order under way is paid"),
    "payout.failed": ("处理中的付款失败，资金退回", "an order under way fails; money back"),
    "payout.expired": ("超时未确认，关单", "not confirmed in time, closed"),
    "payout.returned": ("已成功的付款被退回（退票）", "a paid order comes back (退票)"),
    "notice.resend": ("重发最近的通知", "the last notice is sent again"),
    "notice.probe": ("发送一次验签探测", "a signature probe is sent"),
}
"""Event: 中文, English."""

USUAL = ("payout.settled", "payout.failed", "payout.returned", "notice.resend")


def offered(simulator: Simulator) -> Sequence[str]:
    """The events a simulator knows."""
    names = getattr(simulator, "triggers", USUAL)
    return tuple(str(name) for name in names)


def rows(simulators: Iterable[Simulator]) -> list[Row]:
    """One row per kind and event; a kind that runs twice is told once."""
    found: dict[tuple[str, str], Row] = {}
    for simulator in simulators:
        for event in offered(simulator):
            zh, en = MEANINGS.get(event, ("", ""))
            found.setdefault(
                (simulator.kind, event),
                {"kind": simulator.kind, "event": event, "zh": zh, "en": en},
            )
    return list(found.values())
