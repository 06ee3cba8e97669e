"""Write the recordings under tests/wire/epay: run `python -m tests.channels.epay.record`.

Each file shows one exchange as it stands on the wire, made from the documented shapes of request
and reply (wire-protocols.md §6) and signed with keys that exist for tests alone, and what the
adapter makes of it. A change of any byte or meaning is a change of a file, to be read as a diff.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from channels.contract import Evidence, Instrument, Request
from channels.epay import wire
from channels.epay.envelope import WireError, open_reply, request
from channels.epay.settings import EpaySettings
from tests.channels.epay.platform import (
    ACCOUNT,
    CARD,
    MD5_KEY,
    NOW,
    PID,
    REFERENCE,
    SETTINGS,
    WALLET,
    WIRE,
    failed,
    found,
    inquiry,
    instruction,
    refused,
    settings,
    signed,
    taken,
    thrown,
)

MD5_SETTINGS = settings(sign_type="MD5", md5_key=MD5_KEY, private_key_file=None)
NUMBERS = {"biz_no": REFERENCE, "out_biz_no": REFERENCE}
LINK = "https://pay.example.com/paypage/wxtrans.php?type=transfer&id=7"


@dataclass(frozen=True)
class Case:
    """One exchange."""

    about: str
    action: str
    fields: Mapping[str, str]
    reply: bytes
    by: EpaySettings = field(default=SETTINGS)

    def request(self) -> Request:
        """What is sent."""
        return request("https://pay.example.com", self.action, PID, self.by.keys, self.fields, NOW)

    def meaning(self) -> str:
        """What the adapter makes of the reply."""
        try:
            answer = open_reply(self.reply, self.by.keys, NOW)
        except WireError as error:
            return f"WireError({error.cause}: {error})"
        if self.action == wire.SUBMIT:
            return repr(wire.read_submission(answer, inquiry(), Evidence(), self.by.refusals))
        if self.action == wire.QUERY:
            return repr(wire.read_inquiry(answer, inquiry(), Evidence(), self.by.absences))
        if self.action == wire.BALANCE:
            return repr(wire.read_balance(answer))
        return repr(wire.receipt_address(answer, "https://pay.example.com", ()))

    def text(self) -> str:
        """The whole file."""
        made = self.request()
        headers = "\n".join(f"{name}: {value}" for name, value in made.headers)
        return (
            f"# {self.about}\n\n=== request\nPOST {made.url}\n{headers}\n\n"
            f"{made.body.decode()}\n\n=== reply\n{self.reply.decode()}\n\n"
            f"=== meaning\n{self.meaning()}\n"
        )


def submit(about: str, reply: bytes, instrument: Instrument = ACCOUNT) -> Case:
    """A payout and its answer."""
    return Case(about, wire.SUBMIT, wire.submission(instruction(instrument)), reply)


def query(about: str, reply: bytes, channel_ref: str | None = None) -> Case:
    """A question and its answer."""
    return Case(about, wire.QUERY, wire.query(inquiry(channel_ref)), reply)


CASES: Mapping[str, Case] = {
    "submit-paid": submit("An Alipay account is paid at once.", signed(taken())),
    "submit-card": submit(
        "A bank card is under way.", signed(taken(status=0, msg="提交成功！转账处理中。")), CARD
    ),
    "submit-wechat": submit(
        "A WeChat payee has to open a page.", signed(taken(status=0, jumpurl=LINK)), WALLET
    ),
    "submit-queued": submit(
        "It waits for the administrator.", signed(taken(status=3, orderid=None))
    ),
    "submit-md5": Case(
        "An MD5 merchant is answered with RSA.",
        wire.SUBMIT,
        wire.submission(instruction(ACCOUNT)),
        signed(taken()),
        MD5_SETTINGS,
    ),
    "submit-number-exists": submit(
        "Hazard 1: no failure; the order must be looked up.",
        signed(refused("该交易号已存在，请更换交易号")),
    ),
    "submit-channel-error": submit(
        "Hazard 2: it names the order, so the channel behind the site was asked.",
        signed(refused("[SYSTEM_ERROR]系统繁忙", **NUMBERS)),
    ),
    "submit-below-minimum": submit(
        "Class (a): checked before.", signed(refused("单笔最小代付金额限制为200元"))
    ),
    "submit-balance-short": submit(
        "Class (d): to be confirmed.", signed(refused("需支付金额大于可转账余额"))
    ),
    "submit-other-text": submit("A text no table knows.", signed(refused("系统维护，请稍后"))),
    "submit-unsigned": submit(
        "A refusal that nobody signed proves nothing.", thrown("MD5签名校验失败", -3)
    ),
    "submit-forged": submit(
        "A success that was changed on the way.",
        signed(taken(status=0)).replace(b'"status":0', b'"status":1'),
    ),
    "query-paid": query("Paid, with what was charged on top.", signed(found())),
    "query-by-their-number": query(
        "Hazard 3: asked by the site's own number.",
        signed(found(biz_no="2026110209300112345")),
        "2026110209300112345",
    ),
    "query-changing": query(
        "The status changes with this reply, which names no amount.",
        signed({k: v for k, v in found().items() if k != "amount"}),
    ),
    "query-failed": query("Failed: the cost is the bare amount (hazard 5).", signed(failed())),
    "query-taken-back": query(
        "Failed after it had been paid: a return.", signed(failed(paydate="2026-11-02 09:30:01"))
    ),
    "query-queued": query(
        "Hazard 5: alive in the administrator's queue.",
        signed(refused("支付通道不存在", **NUMBERS, cost_money="124.19")),
    ),
    "query-absent": query(
        "No row, thrown and unsigned, which proves nothing.", thrown("转账交易号不存在")
    ),
    "balance": Case(
        "What may be paid out, and the rate.",
        wire.BALANCE,
        {},
        signed({"code": 0, "available_money": "88.80", "transfer_rate": "0.6"}),
    ),
    "proof": Case(
        "Where the receipt lies.",
        wire.PROOF,
        wire.query(inquiry()),
        signed({"code": 0, "msg": "电子回单生成成功！", "download_url": "/upload/bill/7.pdf"}),
    ),
}


def path(name: str) -> Path:
    """Where the recording of this name is."""
    return WIRE / f"{name}.txt"


def main() -> None:
    """Write every file."""
    for name, case in CASES.items():
        path(name).write_text(case.text(), encoding="utf-8")
    sys.stdout.write(f"{len(CASES)} recordings\n")


if __name__ == "__main__":
    main()
