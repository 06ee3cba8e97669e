"""Write the recordings under tests/wire/unionpay: run `python -m tests.channels.unionpay.record`.

Each file shows one exchange as it stands on the wire, made from the documented shapes of request
and reply (wire-protocols.md §3) and signed with keys that exist for tests alone, and what the
adapter makes of it. A change of any byte or meaning is a change of a file, to be read as a diff.
The certificate that comes with every reply is shown once, in `keys`, and as <signPubKeyCert> here.
"""

import base64
import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from channels.contract import Evidence, Instrument, Request
from channels.unionpay import statement, wire
from channels.unionpay.envelope import Message, WireError, open_reply, request
from channels.unionpay.notice import read_notice
from channels.unionpay.settings import UnionpaySettings
from tests.channels.unionpay.platform import (
    BACK_URL,
    CARD,
    CORPORATE,
    NOW,
    QUERY_ID,
    found,
    inquiry,
    instruction,
    refused,
    row,
    taken,
)
from tests.channels.unionpay.test_statement import PAYOUT, RETURNED, fixed, packed
from tests.simulators.unionpay.merchant import MER_ID

WIRE = Path(__file__).parents[2] / "wire" / "unionpay"
KEYS = WIRE / "keys"
DAY = date(2026, 11, 2)
SETTINGS = UnionpaySettings.model_validate(
    {
        "gateway_url": "http://127.0.0.1:1",
        "file_url": "http://127.0.0.1:1",
        "mer_id": MER_ID,
        "private_key_file": KEYS / "merchant_test_only.pem",
        "certificate_file": KEYS / "merchant_certificate.pem",
        "middle_cert_files": [KEYS / "middle_certificate.pem"],
        "root_cert_files": [KEYS / "root_certificate.pem"],
        "back_url": BACK_URL,
    }
)
CERTIFICATE = (KEYS / "unionpay_certificate.pem").read_text(encoding="ascii")


def signed(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields with UnionPay's certificate and signature."""
    key = serialization.load_pem_private_key(
        (KEYS / "unionpay_test_only.pem").read_bytes(), password=None
    )
    assert isinstance(key, RSAPrivateKey)
    complete = {"version": "5.1.0", "encoding": "UTF-8", "signMethod": "01", **fields}
    complete["signPubKeyCert"] = CERTIFICATE
    text = "&".join(f"{name}={complete[name]}" for name in sorted(complete))
    digest = hashlib.sha256(text.encode()).hexdigest().encode()
    raw = key.sign(digest, PKCS1v15(), hashes.SHA256())
    return {**complete, "signature": base64.b64encode(raw).decode()}


@dataclass(frozen=True)
class Case:
    """One exchange."""

    about: str
    path: str
    asked: Mapping[str, str]
    reply: bytes
    read: Callable[[Message], object]

    def request(self) -> Request:
        """What is sent."""
        return request(SETTINGS.gateway_url + self.path, self.asked, SETTINGS.keys)

    def meaning(self) -> str:
        """What the adapter makes of the reply."""
        try:
            return repr(self.read(open_reply(self.reply, SETTINGS.keys.trust, NOW)))
        except WireError as error:
            return f"WireError({error.cause}: {error})"

    def text(self) -> str:
        """The whole file."""
        made = self.request()
        headers = "\n".join(f"{name}: {value}" for name, value in made.headers)
        reply = self.reply.decode().replace(CERTIFICATE, "<signPubKeyCert>")
        return (
            f"# {self.about}\n\n=== request\nPOST {made.url}\n{headers}\n\n"
            f"{made.body.decode()}\n\n=== reply\n{reply}\n\n=== meaning\n{self.meaning()}\n"
        )


def _submission(message: Message) -> object:
    return wire.read_submission(message, inquiry(), MER_ID, Evidence(code=message.code))


def _inquiry(message: Message) -> object:
    return wire.read_inquiry(message, inquiry(), MER_ID, Evidence(code=message.code))


def _lines(message: Message) -> object:
    archive = statement.unpack(message.fields["fileContent"], MER_ID)
    return [
        (line.kind.value, str(line.amount), line.credit, line.reference, line.line_ref)
        for line in statement.read(archive, DAY, MER_ID)
    ]


def payout(
    about: str, fields: Mapping[str, str], instrument: Instrument = CARD, reply: bytes = b""
) -> Case:
    """A payout and its answer."""
    asked = wire.payout(instruction(instrument), SETTINGS, NOW)
    return Case(about, wire.PAYOUT_PATH, asked, reply or row(signed(fields)), _submission)


def query(about: str, fields: Mapping[str, str]) -> Case:
    """A question and its answer."""
    asked = wire.query(inquiry(), SETTINGS)
    return Case(about, wire.QUERY_PATH, asked, row(signed(fields)), _inquiry)


_FILE = {
    "txnType": "76",
    "txnSubType": "01",
    "merId": MER_ID,
    "settleDate": "1102",
    "respCode": "00",
    "fileName": f"{MER_ID}_20261102.zip",
}
_SAME_DAY = {**RETURNED, 5: "1102180000"}
_CONTENT = packed(
    {
        f"INN26110288ZM_{MER_ID}": fixed(PAYOUT) + b"\r\n",
        f"INN26110288ZME_{MER_ID}": fixed(_SAME_DAY, statement.ZME_WIDTHS) + b"\r\n",
    }
)

CASES: Mapping[str, Case] = {
    "payout-taken": payout("A card: taken in, which is not paid.", taken()),
    "payout-corporate-taken": payout("A corporate account.", taken(), CORPORATE),
    "payout-accepted": payout("05 says the same in another word.", taken(respCode="05")),
    "payout-card-refused": payout("No such card: class (a).", refused("61")),
    "payout-mirrored-code": payout("Class (a) by a mirrored list: to be confirmed.", refused("68")),
    "payout-float-short": payout("Our account is short: class (d).", refused("90")),
    "payout-outside-hours": payout("Outside hours: class (d).", refused("39")),
    "payout-duplicate": payout("The number is known: look, never fail over.", refused("12")),
    "payout-unclear": payout("They cannot tell: class (b).", refused("04")),
    "payout-debited": payout("The text speaks of a debit: a doubt.", refused("74")),
    "payout-unknown-code": payout("A code no table knows.", refused("Z9")),
    "payout-wrong-amount": payout("The answer speaks of another amount.", taken(txnAmt="12346")),
    "payout-unsigned": payout(
        "A refusal that nobody signed proves nothing.", {}, reply=row(refused("61"))
    ),
    "payout-forged": payout(
        "A success that was signed as a refusal.",
        {},
        reply=row(signed(taken(respCode="61")) | {"respCode": "00"}),
    ),
    "query-paid": query("Paid, with the time of the trace.", found()),
    "query-flawed-success": query("A6 is a success too.", found(origRespCode="A6")),
    "query-under-way": query("Not decided yet.", found(origRespCode="05")),
    "query-refused": query("The issuer refused it.", found(origRespCode="62")),
    "query-60": query("Failed, they say, and ask on themselves.", found(origRespCode="60")),
    "query-absent": query("No such order, which proves nothing.", refused("34", txnType="00")),
    "query-too-often": query("Asked too often.", refused("37", txnType="00")),
    "query-another-order": query(
        "The answer is about another payee.", found(accNo="621626*********0019")
    ),
    "files": Case(
        "Settlement files: a payout, its fee, and its return on the same day.",
        "/",
        wire.settlement_file(DAY, SETTINGS, NOW),
        row(signed(_FILE | {"fileContent": _CONTENT})),
        _lines,
    ),
}


def notice() -> str:
    """A notice as it arrives, and what is made of it."""
    body = urlencode(signed(taken(accNo="621626*********0018", traceNo="123456")))
    read = read_notice(body.encode(), MER_ID, SETTINGS.keys.trust, NOW)
    shown = body.replace(urlencode({"c": CERTIFICATE})[2:], "<signPubKeyCert>")
    return f"# The order {QUERY_ID} was paid.\n\n=== notice\n{shown}\n\n=== meaning\n{read!r}\n"


def path(name: str) -> Path:
    """Where the recording of this name is."""
    return WIRE / f"{name}.txt"


def main() -> None:
    """Write every file."""
    for name, case in CASES.items():
        path(name).write_text(case.text(), encoding="utf-8")
    path("notice").write_text(notice(), encoding="utf-8")
    sys.stdout.write(f"{len(CASES) + 1} recordings\n")


if __name__ == "__main__":
    main()
