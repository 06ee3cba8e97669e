"""Write the recordings under tests/wire/alipay: run `python -m tests.channels.alipay.record`.

Each file shows one exchange as it stands on the wire, made from the documented shapes of request
and reply (wire-protocols.md §1) and signed with keys that exist for tests alone, and what the
adapter makes of it. A change of any byte or meaning is a change of a file, to be read as a diff.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from channels.alipay import wire
from channels.alipay.envelope import WireError, open_reply, request
from channels.contract import Evidence, Instrument, Request
from tests.channels.alipay.platform import (
    ACCOUNT,
    AMOUNT,
    CARD,
    CORPORATE,
    LOGON,
    NOW,
    ORDER,
    SETTINGS,
    USER_ID,
    WIRE,
    compact,
    found,
    inquiry,
    instruction,
    paid,
    refused,
    signed_reply,
)

TRANSFER = "alipay_fund_trans_uni_transfer_response"
QUERY = "alipay_fund_trans_common_query_response"


@dataclass(frozen=True)
class Case:
    """One exchange."""

    about: str
    method: str
    content: Mapping[str, object]
    reply: bytes

    def request(self) -> Request:
        """What is sent."""
        return request(
            SETTINGS.gateway_url, SETTINGS.app_id, SETTINGS.keys, self.method, self.content, NOW
        )

    def meaning(self) -> str:
        """What the adapter makes of the reply."""
        try:
            node = open_reply(self.reply, self.method, SETTINGS.keys)
        except WireError as error:
            return f"WireError({error.cause}: {error})"
        if self.method == wire.TRANSFER:
            return repr(wire.read_submission(node, inquiry(), Evidence()))
        if self.method == wire.QUERY:
            return repr(wire.read_inquiry(node, inquiry(), Evidence()))
        return repr(dict(node.fields))

    def text(self) -> str:
        """The whole file."""
        signed = self.request()
        headers = "\n".join(f"{name}: {value}" for name, value in signed.headers)
        return (
            f"# {self.about}\n\n=== request\nPOST {signed.url}\n{headers}\n\n"
            f"{signed.body.decode()}\n\n=== reply\n{self.reply.decode()}\n\n"
            f"=== meaning\n{self.meaning()}\n"
        )


def transfer(about: str, instrument: Instrument, reply: bytes) -> Case:
    """A payout and its answer."""
    return Case(about, wire.TRANSFER, wire.transfer(instruction(instrument), SETTINGS), reply)


def query(about: str, fields: Mapping[str, object], channel_ref: str | None = None) -> Case:
    """A question and its answer."""
    content = wire.query(inquiry(channel_ref=channel_ref))
    return Case(about, wire.QUERY, content, signed_reply(QUERY, fields))


CASES: Mapping[str, Case] = {
    "transfer-account-success": transfer(
        "An Alipay account is paid at once.", ACCOUNT, signed_reply(TRANSFER, paid())
    ),
    "transfer-logon-id-refused": transfer(
        "The name does not belong to the logon id: class (a).",
        LOGON,
        signed_reply(TRANSFER, refused("PAYEE_USERINFO_ERROR")),
    ),
    "transfer-card-dealing": transfer(
        "A personal card: the bank has it.", CARD, signed_reply(TRANSFER, paid(status="DEALING"))
    ),
    "transfer-corporate-dealing": transfer(
        "A corporate account with its line number.",
        CORPORATE,
        signed_reply(TRANSFER, paid(status="DEALING")),
    ),
    "transfer-system-error": transfer(
        "The channel does not know: class (b).",
        ACCOUNT,
        signed_reply(TRANSFER, refused("SYSTEM_ERROR")),
    ),
    "transfer-throttled": transfer(
        "Not taken in: class (c).",
        ACCOUNT,
        signed_reply(TRANSFER, refused("RESOURCE_LIMIT_EXCEED")),
    ),
    "transfer-balance-short": transfer(
        "Our balance is short: class (d), to be confirmed.",
        ACCOUNT,
        signed_reply(TRANSFER, refused("PAYER_BALANCE_NOT_ENOUGH")),
    ),
    "transfer-unknown-code": transfer(
        "A code no table knows.", ACCOUNT, signed_reply(TRANSFER, refused("BRAND_NEW_CODE"))
    ),
    "transfer-unknown-status": transfer(
        "A state no table knows.", ACCOUNT, signed_reply(TRANSFER, paid(status="SETTLING"))
    ),
    "transfer-wrong-amount": transfer(
        "The answer speaks of another amount.",
        ACCOUNT,
        signed_reply(TRANSFER, paid(amount="123.40")),
    ),
    "transfer-signature-refused": transfer(
        "The gateway refuses our signature, in a node of its own.",
        ACCOUNT,
        signed_reply("error_response", refused("isv.invalid-signature", code="40002")),
    ),
    "transfer-unavailable": transfer(
        "The gateway cannot tell.",
        ACCOUNT,
        signed_reply(TRANSFER, refused("isp.unknow-error", code="20000")),
    ),
    "transfer-unsigned": transfer(
        "A refusal that nobody signed proves nothing.",
        ACCOUNT,
        b'{"%s":%s}' % (TRANSFER.encode(), compact(refused("PAYEE_NOT_EXIST"))),
    ),
    "transfer-forged": transfer(
        "A success with one space more than was signed.",
        ACCOUNT,
        signed_reply(TRANSFER, paid()).replace(b'"SUCCESS"', b'"SUCCESS" '),
    ),
    "query-success": query("Paid, with the fee that was taken.", found()),
    "query-by-order-id": query("Asked by the platform's number.", found(), ORDER),
    "query-returned": query("The bank sent it back (退票).", found(status="REFUND")),
    "query-failed": query(
        "The bank refused the card.",
        found(status="FAIL", error_code="PAYEE_CARD_INFO_ERROR", fail_reason="收款卡信息有误"),
    ),
    "query-waiting": query("Not decided yet.", found(status="WAIT_PAY")),
    "query-absent": query("No such order, which proves nothing.", refused("ORDER_NOT_EXIST")),
    "balance": Case(
        "What is on the account.",
        wire.BALANCE,
        {"account_type": "ACCTRANS_ACCOUNT", "alipay_user_id": USER_ID},
        signed_reply(
            "alipay_fund_account_query_response",
            {
                "code": "10000",
                "msg": "Success",
                "available_amount": "26.45",
                "freeze_amount": "0.00",
            },
        ),
    ),
    "bill-address": Case(
        "Where the statement of a day can be fetched.",
        wire.BILL_ADDRESS,
        {"bill_type": "signcustomer", "bill_date": "2026-11-01"},
        signed_reply(
            "alipay_data_dataservice_bill_downloadurl_query_response",
            {
                "code": "10000",
                "msg": "Success",
                "bill_download_url": 'https://dwbillcenter.alipay.com/down.resource?t=1&s={"}',
            },
        ),
    ),
}


def path(name: str) -> Path:
    """Where the recording of this name is."""
    return WIRE / f"{name}.txt"


def main() -> None:
    """Write every file."""
    for name, case in CASES.items():
        path(name).write_text(case.text(), encoding="utf-8")
    sys.stdout.write(f"{len(CASES)} recordings, amounts of {AMOUNT}\n")


if __name__ == "__main__":
    main()
