"""Write the recordings under tests/wire/jeepay: run `python -m tests.channels.jeepay.record`.

Each file shows one exchange as it stands on the wire, made from the documented shapes (dialects.md
§1) and signed with a secret that exists for tests alone, and what the adapter makes of it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from channels.contract import Instrument
from channels.jeepay import wire
from channels.jeepay.answers import Reader
from channels.jeepay.channel import HEADERS
from tests.channels.jeepay.gateway import (
    CARD,
    LOGON,
    NOW,
    REFERENCE,
    WALLET,
    channel,
    envelope,
    inquiry,
    instruction,
    order,
    refusal,
    reply,
    settings,
    signature,
    taken,
)

WIRE = Path(__file__).parents[2] / "wire" / "jeepay"
SETTINGS = settings()
WECHAT: Mapping[str, object] = {
    "ifCode": "wxpay",
    "entryType": "WX_CASH",
    "accountNo": WALLET.openid,
    "accountName": WALLET.name,
}
CONFIRM = '{"appId":"wx1","mchId":"1900000000","package":"ABBQO+x"}'


@dataclass(frozen=True)
class Case:
    """One exchange, or one notice."""

    about: str
    path: str
    instrument: Instrument
    said: bytes

    def asked(self) -> bytes:
        """The body of the request; empty for a notice."""
        if self.path == wire.SUBMIT:
            return wire.submission(SETTINGS, instruction(self.instrument), NOW)
        return wire.query(SETTINGS, REFERENCE, NOW) if self.path else b""

    def meaning(self) -> str:
        """What the adapter makes of it."""
        reader, asked = Reader(SETTINGS), inquiry(self.instrument)
        if self.path == wire.SUBMIT:
            return repr(reader.submitted(reply(self.said), asked, NOW))
        if self.path == wire.QUERY:
            return repr(reader.inquired(reply(self.said), asked, NOW))
        return repr(channel().read_notice({}, self.said, NOW))

    def text(self) -> str:
        """The whole file."""
        about = f"# {self.about}\n\n"
        if not self.path:
            return f"{about}=== notice\n{self.said.decode()}\n\n=== meaning\n{self.meaning()}\n"
        headers = "\n".join(f"{name}: {value}" for name, value in HEADERS)
        return (
            f"{about}=== request\nPOST {SETTINGS.base_url}{self.path}\n{headers}\n\n"
            f"{self.asked().decode()}\n\n=== reply\n{self.said.decode()}\n\n"
            f"=== meaning\n{self.meaning()}\n"
        )


def submit(about: str, instrument: Instrument, said: bytes) -> Case:
    """A payout and its answer."""
    return Case(about, wire.SUBMIT, instrument, said)


def query(about: str, said: bytes, instrument: Instrument = LOGON) -> Case:
    """A question and its answer."""
    return Case(about, wire.QUERY, instrument, said)


def _told() -> bytes:
    fields = order(reqTime=1793583002000)
    return urlencode({**fields, "sign": signature(fields)}).encode()


CASES: Mapping[str, Case] = {
    "submit-alipay-paid": submit("Alipay paid before the answer.", LOGON, envelope(taken())),
    "submit-wechat-confirm": submit(
        "A WeChat payee must confirm.",
        WALLET,
        envelope(
            taken(accountNo=WALLET.openid, accountName=WALLET.name, state=1, channelResData=CONFIRM)
        ),
    ),
    "submit-card-processing": submit(
        "A bank interface has it.", CARD, envelope(taken(accountNo=CARD.number, state=1))
    ),
    "submit-created": submit("SYS_ERROR: paid or not.", LOGON, envelope(taken(state=0))),
    "submit-payee-refused": submit(
        "Alipay's own word about a payee: believed after a look.",
        LOGON,
        envelope(taken(state=3, errCode="PAYEE_NOT_EXIST", errMsg="收款账号不存在")),
    ),
    "submit-failed-in-doubt": submit(
        "A failure that Jeepay did not understand.",
        LOGON,
        envelope(taken(state=3, errCode="SYSTEM_ERROR", errMsg="系统繁忙")),
    ),
    "submit-exists": submit(
        "The number exists: unsigned, and no refusal.",
        LOGON,
        refusal(9999, f"商户订单[{REFERENCE}]已存在"),
    ),
    "submit-fields-refused": submit(
        "The fields are refused: unsigned, needs looks.",
        LOGON,
        refusal(11, "参数有误[转账备注信息不能为空]"),
    ),
    "submit-unsigned": submit("A success that nobody signed.", LOGON, envelope(taken(), sign=None)),
    "query-paid": query("Paid, with its time.", envelope(order())),
    "query-wechat-refused": query(
        "WeChat's state and reason.",
        envelope(order(**WECHAT, state=3, errCode="FAIL", errMsg="ACCOUNT_FROZEN")),
        WALLET,
    ),
    "query-wrong-amount": query("About another amount.", envelope(order(amount=12344))),
    "query-unknown-state": query("A state no table knows.", envelope(order(state=9))),
    "query-not-found": query("Unsigned, so it is no absence.", refusal(9999, "订单不存在")),
    "notice-paid": Case("A notice names the order.", "", LOGON, _told()),
    "notice-forged": Case("One digit changed.", "", LOGON, _told().replace(b"state=2", b"state=3")),
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
