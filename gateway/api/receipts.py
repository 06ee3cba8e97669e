"""Receipts over HTTP: the institution's own document, as it made it."""

import re

from gateway.api.context import Answer, Call, File
from gateway.engine import operate, receipts

_TYPES = frozenset({"application/pdf", "application/zip", "image/png", "image/jpeg"})
_ODD = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


async def show(call: Call) -> Answer:
    """GET /v1/payouts/{payout_id}/receipt."""
    found = await operate.find(call.gateway, call.path("payout_id"), call.caller.sees)
    made = await receipts.receipt(call.gateway, found, call.caller.actor)
    kind = made.content_type.partition(";")[0].strip().lower()
    # What a channel calls it must not become a header of ours, nor a page that a browser runs.
    name = _ODD.sub("_", made.filename).strip("._")[:100] or "receipt"
    kind = kind if kind in _TYPES else "application/octet-stream"
    return 200, File(kind, made.body, name)
