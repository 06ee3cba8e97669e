"""How notices go wrong on their way out, alike for every simulator.

A simulator makes the true push (and, if asked, a forgery) in its own dialect; `post` puts them into
its queue as the notice faults demand. What counts as accepted is the simulator's own affair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from simulators.faults import Hits
from simulators.kernel import Push, PushQueue

OUT_OF_ORDER = "notice:out-of-order"
"""The `op` of a push held back until its successor has gone out."""


def post(queue: PushQueue, push: Push, hits: Hits, forge: Callable[[str], Push]) -> None:
    """Queue one notice. `forge` makes a forgery claiming the given status."""
    _release_held(queue, push)
    if hit := hits.get("notice_forged"):
        queue.add(replace(forge(hit.text("status")), due_at=push.due_at))
    if "notice_lost" in hits:
        return
    if hit := hits.get("notice_delay"):
        push = replace(push, due_at=push.due_at + hit.duration("after"))
    if hit := hits.get("notice_out_of_order"):
        held = replace(push, due_at=push.due_at + hit.duration("after"), op=OUT_OF_ORDER)
        queue.add(held)
        return
    queue.add(push)
    if hit := hits.get("notice_duplicate"):
        for _ in range(hit.whole("copies")):
            queue.add(push)


def _release_held(queue: PushQueue, successor: Push) -> None:
    """Let a held notice of the same order follow right after its successor."""
    follow_at = successor.due_at + timedelta(milliseconds=50)
    queue.waiting = [
        replace(p, due_at=min(p.due_at, follow_at), op="notice")
        if p.op == OUT_OF_ORDER
        and (p.account, p.reference) == (successor.account, successor.reference)
        else p
        for p in queue.waiting
    ]
