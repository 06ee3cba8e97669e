"""What the faults of the wire do to an answer, alike for every simulator.

Call `before` when the sender of a request is known and nothing is executed yet, and `after` with
the true reply. What needs the institution's own dialect (error codes, signatures, echoes) is the
simulator's to apply; this file knows only bytes, resets and delays.
"""

from __future__ import annotations

from simulators.faults import Hit, Hits
from simulators.kernel import Answer, Cut, Push, Reply


def delay_s(hits: Hits) -> float:
    """How long the reply, or the reset, has to wait."""
    slow = hits.get("slow")
    return slow.delay_s if slow else 0.0


def before(hits: Hits, *, op: str, account: str, reference: str = "") -> Answer | None:
    """The answer when the request must not be executed at all; None to go on."""
    reply: Reply | None = None
    cut = Cut.NONE
    if "reset_before" in hits:
        cut = Cut.BEFORE
    elif (error := hits.get("http_error")) and not error.flag("executed"):
        reply = _http_error(error)
    elif (junk := hits.get("garbage")) and not junk.flag("executed"):
        reply = _garbage(junk)
    else:
        return None
    return Answer(
        reply,
        delay_s=delay_s(hits),
        cut=cut,
        op=op,
        account=account,
        reference=reference,
        faults=hits.ids,
    )


def after(
    reply: Reply,
    hits: Hits,
    *,
    op: str,
    account: str,
    reference: str = "",
    pushes: tuple[Push, ...] = (),
) -> Answer:
    """The answer to an executed request."""
    cut = Cut.NONE
    if "reset_after" in hits:
        cut = Cut.AFTER
    elif "reset_mid" in hits:
        cut = Cut.MID
    elif error := hits.get("http_error"):
        reply = _http_error(error)
    elif junk := hits.get("garbage"):
        reply = _garbage(junk)
    return Answer(
        reply,
        delay_s=delay_s(hits),
        cut=cut,
        pushes=pushes,
        op=op,
        account=account,
        reference=reference,
        faults=hits.ids,
    )


def _http_error(hit: Hit) -> Reply:
    kind = (("content-type", "text/html; charset=utf-8"),)
    return Reply(hit.whole("status"), kind, hit.text("body").encode())


def _garbage(hit: Hit) -> Reply:
    return Reply(200, (("content-type", "application/json"),), hit.text("body").encode())
