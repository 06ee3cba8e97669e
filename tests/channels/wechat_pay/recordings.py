"""Recorded exchanges under `tests/wire/wechat_pay`: what is recorded, how it reads, how it is made.

A recording holds the bytes of each request and reply and, last, the outcome. Made anew with
`python -m tests.channels.wechat_pay.recordings`; a change is reviewed as a diff.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from channels.contract import ChannelError, Notice, NoticeRefused
from channels.transport import Reply
from channels.wechat_pay.channel import WechatPayChannel
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.far import Far, Heard, far
from tests.channels.wechat_pay.platform import NOW, RECORDINGS

OURS = ("authorization", "accept", "user-agent", "wechatpay-serial", "content-type")
"""The request headers that the adapter sets; the rest is the HTTP library's."""
DAY = date(2026, 3, 2)
HOST = "https://api.mch.weixin.qq.com"

Action = Callable[[WechatPayChannel], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Case:
    """One exchange, or several, that are worth keeping to the byte."""

    title: str
    action: Action
    answers: tuple[Reply, ...]
    certificate: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A request or reply: its first line, headers and body."""

    start: str
    headers: Mapping[str, str]
    body: bytes

    def written(self) -> bytes:
        """Write it readably: HTTP without its protocol version, lines ended by LF."""
        head = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        return f"{self.start}\n{head}\n".encode() + self.body + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> "Message":
        """Read what `written` wrote."""
        head, _, body = raw.partition(b"\n\n")
        start, *lines = head.decode().split("\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return cls(start, headers, body.removesuffix(b"\n"))


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything of a case as it stands in its file."""

    title: str
    requests: tuple[Message, ...]
    replies: tuple[Message, ...]
    outcome: str

    def written(self) -> bytes:
        """Write the file."""
        parts = [self.title.encode() + b"\n"]
        for asked, said in zip(self.requests, self.replies, strict=True):
            parts += [b"--- request\n", asked.written(), b"--- reply\n", said.written()]
        return b"".join([*parts, b"--- outcome\n", self.outcome.encode(), b"\n"])

    @classmethod
    def read(cls, file: Path) -> "Recording":
        """Read the file."""
        title, *sections = file.read_bytes().split(b"--- ")
        found: dict[str, list[bytes]] = {"request": [], "reply": [], "outcome": []}
        for section in sections:
            name, _, content = section.partition(b"\n")
            found[name.decode()].append(content)
        return cls(
            title.decode().strip(),
            tuple(map(Message.parse, found["request"])),
            tuple(map(Message.parse, found["reply"])),
            found["outcome"][0].decode().strip(),
        )


def reply_of(message: Message) -> Reply:
    """What the far side shall say."""
    return Reply(int(message.start), message.headers, message.body)


def request_of(heard: Heard) -> Message:
    """What the far side heard, as far as it is ours."""
    headers = {name: heard.headers[name] for name in OURS if name in heard.headers}
    return Message(f"{heard.method} {heard.target}", headers, heard.body)


async def perform(case: Case, answers: tuple[Reply, ...]) -> tuple[tuple[Message, ...], str]:
    """Run a case against a far side that gives these answers; requests heard and outcome shown."""
    certified = {
        "public_key_file": None,
        "public_key_id": None,
        "platform_certificates": [platform.KEYS / "platform_certificate.pem"],
    }
    changes: dict[str, Any] = dict(certified) if case.certificate else {}
    async with far(**changes) as side:
        side.will(*answers)
        outcome = await _told(case, side)
        return tuple(map(request_of, side.heard)), outcome


async def _told(case: Case, side: Far) -> str:
    try:
        return repr(await case.action(side.channel))
    except ChannelError as error:
        return repr(error)


async def submit(channel: WechatPayChannel) -> object:
    """Pay 12.34 yuan."""
    return await channel.send(channel.prepare(platform.instruction(), NOW))


async def submit_named(channel: WechatPayChannel) -> object:
    """Pay 2000.00 yuan with the payee's name."""
    named = platform.instruction(fen=200_000, name=platform.NAME)
    return await channel.send(channel.prepare(named, NOW))


async def inquire(channel: WechatPayChannel) -> object:
    """Ask about it."""
    return await channel.inquire(platform.inquiry())


async def inquire_legacy(channel: WechatPayChannel) -> object:
    """Ask about a line of a batch."""
    return await channel.inquire(platform.inquiry(reference="B202412/D0001"))


async def recall(channel: WechatPayChannel) -> object:
    """Cancel it."""
    return await channel.recall(platform.inquiry())


async def balance(channel: WechatPayChannel) -> object:
    """Read the balance."""
    return await channel.balance()


async def statement(channel: WechatPayChannel) -> object:
    """Read the bill of a day."""
    return [line async for line in channel.statement(DAY)]


def _error(status: int, code: str, message: str) -> tuple[Reply, ...]:
    return (platform.reply(status, {"code": code, "message": message}),)


def _certified(status: int, message: object) -> Reply:
    body = platform.encoded(message)
    headers = platform.proof(body, key=platform.CERTIFIED, serial=platform.CERTIFICATE_SERIAL)
    return Reply(status, {"content-type": "application/json", **headers}, body)


BILL = "\n".join(
    [
        platform.HEADER,
        platform.payout_row(1, memo="含,逗号"),
        platform.row(
            *("2026-03-02 10:05:00", "T1", "F2", "商家转账", "扣除交易手续费", "支出"),
            *("0.10", "987.56", f"{platform.MCHID}API", "", "PO1"),
        ),
        platform.row(
            *("2026-03-02 11:00:00", "C9", "F3", "充值", "充值", "收入"),
            *("500.00", "1487.56", "", "", ""),
        ),
        platform.SUMMARY,
        platform.row("3", "1", "500.00", "2", "12.44"),
        "",
    ]
).encode()
_UNSIGNED = Reply(502, {"content-type": "text/html"}, b"<html>502 Bad Gateway</html>")
_ANNOUNCED = platform.reply(200, platform.announcement(BILL, HOST))
_PLAIN = Reply(200, {"content-type": "text/plain"}, BILL)

CASES: Mapping[str, Case] = {
    "submit-wait-user-confirm": Case(
        "A submission is taken and waits for the payee.",
        submit,
        (platform.reply(200, platform.taken()),),
    ),
    "submit-named-certificate-mode": Case(
        "A submission with a sealed name, in platform-certificate mode.",
        submit_named,
        (_certified(200, platform.taken(state="PROCESSING", package_info=None)),),
        certificate=True,
    ),
    "submit-fail": Case(
        "A repeated submission meets a payout that has failed.",
        submit,
        (
            platform.reply(
                200,
                platform.taken(state="FAIL", fail_reason="NAME_NOT_CORRECT", package_info=None),
            ),
        ),
    ),
    "submit-param-error": Case(
        "Refused for a parameter: believed only after an inquiry.",
        submit,
        _error(400, "PARAM_ERROR", "需传入转账场景报备信息"),
    ),
    "submit-not-enough": Case(
        "Refused for want of money: believed only after an inquiry.",
        submit,
        _error(403, "NOT_ENOUGH", "商户运营账户资金不足，请充值后原单重试"),
    ),
    "submit-number-exists": Case(
        "The number is known with other parameters: unknown.",
        submit,
        _error(400, "INVALID_REQUEST", "单号已存在但信息不一致，请查单后比较确认"),
    ),
    "submit-system-error": Case(
        "The platform does not know itself: unknown.",
        submit,
        _error(500, "SYSTEM_ERROR", "系统异常，请稍后重试"),
    ),
    "submit-frequency-limited": Case(
        "Throttled: not taken in, the same bytes may be sent again.",
        submit,
        _error(429, "FREQUENCY_LIMITED", "频率超限，请降低频率后原单重试"),
    ),
    "submit-unknown-code": Case(
        "A code no table knows: unknown.",
        submit,
        _error(400, "BRAND_NEW_CODE", "全新的错误"),
    ),
    "submit-unsigned": Case(
        "A proxy answers in the platform's place: unknown.", submit, (_UNSIGNED,)
    ),
    "inquire-success": Case(
        "Paid, everything matches.", inquire, (platform.reply(200, platform.bill()),)
    ),
    "inquire-fail": Case(
        "The payee did not confirm within 24 hours.",
        inquire,
        (platform.reply(200, platform.bill(state="FAIL", fail_reason="OVERDUE_CLOSE")),),
    ),
    "inquire-wrong-amount": Case(
        "Paid, but another amount: unknown.",
        inquire,
        (platform.reply(200, platform.bill(transfer_amount=1243)),),
    ),
    "inquire-unknown-state": Case(
        "A state no table knows: unknown.",
        inquire,
        (platform.reply(200, platform.bill(state="CANCELED")),),
    ),
    "inquire-not-found": Case(
        "No such number: absent, which proves nothing by itself.",
        inquire,
        _error(404, "NOT_FOUND", "记录不存在"),
    ),
    "inquire-legacy-detail": Case(
        "A line of a batch of the closed product.",
        inquire_legacy,
        (platform.reply(200, platform.detail()),),
    ),
    "recall": Case(
        "A cancellation is taken; the inquiry after it tells the state.",
        recall,
        (
            platform.reply(
                200,
                {
                    "out_bill_no": platform.REFERENCE,
                    "transfer_bill_no": platform.BILL_NO,
                    "state": "CANCELING",
                    "update_time": "2026-03-02T10:05:00+08:00",
                },
            ),
            platform.reply(200, platform.bill(state="CANCELLED")),
        ),
    ),
    "balance": Case(
        "The balance in fen.",
        balance,
        (platform.reply(200, {"available_amount": 123_456, "pending_amount": 0}),),
    ),
    "balance-not-permitted": Case(
        "A direct merchant may not be allowed to read it.",
        balance,
        _error(403, "NO_AUTH", "商户号没有该接口权限"),
    ),
    "statement": Case("A day's bill, announced and fetched.", statement, (_ANNOUNCED, _PLAIN)),
    "statement-not-ready": Case(
        "The bill is not made yet.", statement, _error(400, "STATEMENT_CREATING", "账单生成中")
    ),
}


@dataclass(frozen=True, slots=True)
class Pushed:
    """A notice as the platform pushes it."""

    title: str
    signature: str | None
    """Replaces the true signature."""


PUSHED: Mapping[str, Pushed] = {
    "notice-bill-finished": Pushed("A payout has come to its end.", None),
    "notice-probe": Pushed(
        "A probe that must be refused.", "WECHATPAY/SIGNTEST/ZGVhZGJlZWZkZWFkYmVlZg=="
    ),
}


def pushed(case: Pushed) -> Message:
    """The push of a case."""
    body = platform.notice_body()
    headers = {"content-type": "application/json", **platform.proof(body)}
    if case.signature is not None:
        headers["wechatpay-signature"] = case.signature
    return Message("POST /notices/wechat-main", headers, body)


def answer_to(answer: Notice | NoticeRefused) -> Message:
    """The gateway's reply to a push."""
    headers = {"content-type": answer.reply.content_type}
    return Message(str(answer.reply.status), headers, answer.reply.body)


async def record() -> None:
    """Write every recording anew."""
    for name, case in CASES.items():
        requests, outcome = await perform(case, case.answers)
        replies = tuple(Message(str(a.status), a.headers, a.body) for a in case.answers)
        recording = Recording(case.title, requests, replies, outcome)
        (RECORDINGS / f"{name}.txt").write_bytes(recording.written())
    async with far() as side:
        for name, push in PUSHED.items():
            message = pushed(push)
            answer = side.channel.read_notice(message.headers, message.body, NOW)
            recording = Recording(push.title, (message,), (answer_to(answer),), repr(answer))
            (RECORDINGS / f"{name}.txt").write_bytes(recording.written())


def unsealed(message: Message) -> Message:
    """The same request without what no two signings share: a sealed name and its signature."""
    if b'"user_name"' not in message.body:
        return message
    head, _, rest = message.body.partition(b'"user_name":"')
    body = head + rest.partition(b'",')[2].partition(b'"}')[2]
    unsigned = message.headers["authorization"].partition("signature=")[0]
    return replace(message, headers={**message.headers, "authorization": unsigned}, body=body)


if __name__ == "__main__":
    asyncio.run(record())
