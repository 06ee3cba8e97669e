"""Check the proof of a payout: python check.py proof.json PUBLIC_KEY. Needs cryptography only."""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(proof: dict[str, Any], public_key: str) -> list[dict[str, Any]]:
    """The payout's proven events; raises when anything does not fit."""
    text, _, signed = proof["checkpoint"].partition("\n\n")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
    key.verify(base64.b64decode(signed.split()[-1])[4:], f"{text}\n".encode())
    size, root = int(text.split("\n")[1]), base64.b64decode(text.split("\n")[2])
    events, after = [], None
    for seq, one in enumerate(proof["leaves"], 1):
        top = hashlib.sha256(b"\0" + one["leaf"].encode()).digest()
        number, last = one["position"], size - 1
        for other in map(base64.b64decode, one["path"]):  # RFC 9162, 2.1.3.2
            left = number & 1 or number == last
            top = hashlib.sha256(b"\1" + (other + top if left else top + other)).digest()
            while left and number and not number & 1:
                number, last = number >> 1, last >> 1
            number, last = number >> 1, last >> 1
        event = json.loads(one["leaf"])
        ours = event["subject"].split("/")[1:] == [proof["payout_id"], str(seq)]
        fits = one["position"] < size and last == 0 and top == root
        if not (fits and ours and event["before"] == after):
            raise ValueError(f"event {seq} is not proven")
        after = event["after"]
        events.append(event)
    return events


if __name__ == "__main__":
    for event in check(json.loads(Path(sys.argv[1]).read_text("utf-8")), sys.argv[2]):
        sys.stdout.write(f"proven: {event['at']} {event['action']} {event['state']}\n")
