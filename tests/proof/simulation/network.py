"""The network between gateways and institutions, both ways; it loses, delays and repeats.

`Wire` takes the place of `channels.transport.Transport` and keeps its promises: one request a call,
`NotSent` only if nothing left, everything after that `Unknown`. Notices go the other way, to
whichever replica answers.

Assumed, as TLS over TCP gives it: nothing repeats a request whose reply the sender has had.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from contextvars import Context
from urllib.parse import urlsplit

from channels.contract import Evidence, NotSent, NotSentCause, Unknown, UnknownCause
from channels.transport import REPLY_BYTES_MAX, Headers, Reply, unanswered
from simulators.kernel import Answer, Cut, Request
from tests.proof.simulation.dice import Dice
from tests.proof.simulation.institutions import Institution
from tests.proof.simulation.loop import Process, SeededLoop
from tests.proof.simulation.plan import Plan
from tests.proof.simulation.story import Story

CONNECT_TIMEOUT_S = 5.0
TOTAL_TIMEOUT_S = 20.0
_REFERENCE = re.compile(
    rb'out_biz_no%22%3A%22([\w-]+)|"out_bill_no":"([\w-]+)"|out-bill-no/([\w-]+)', re.ASCII
)

_ORDER = re.compile(rb"order_id%22%3A%22(\w+)", re.ASCII)

Result = Reply | NotSent | Unknown
Checked = Callable[[Process, str, str, str], None]
"""Process, account, reference and digest of a submission that is about to leave."""


class Network:
    """All lines of one run."""

    def __init__(self, loop: SeededLoop, plan: Plan, story: Story) -> None:
        """Begin quiet."""
        self.loop = loop
        self.plan = plan
        self.story = story
        self.dice = Dice(plan.seed, "network")
        self._leg = self.dice.stream("leg")
        self.institutions: dict[str, Institution] = {}
        """By host."""
        self.is_disturbed = True
        self.under_way: dict[str, int] = {}
        """Reference → submissions that have left and not arrived, or wait to leave."""
        self.about: Callable[[str, str], int] = lambda _account, _reference: 0
        self.ours: Callable[[str, str], str] = lambda _account, _order: ""
        self.check: Checked = lambda *_: None
        self.too_old: Callable[[str, str], bool] = lambda _account, _digest: False
        """Whether an account refuses a submission of this digest for its age."""
        self.last_replies: dict[str, Reply] = {}

    def reference_of(self, account: str, asked: bytes) -> str:
        """Our number, for a question that names only the institution's."""
        named = _ORDER.search(asked)
        return self.ours(account, named[1].decode()) if named else ""

    def strikes(self, kind: str, who: str, about: int, reference: str) -> bool:
        """Whether a kind of fault hits here and now."""
        if not self.is_disturbed:
            return False
        rate = self.plan.faults.get(kind)
        if rate is None or self.dice.next(f"{kind}/{about}/{who}") >= rate:
            return False
        self.story.fault(kind, who, about, reference)
        return True

    def leg(self, who: str, about: int) -> float:
        """Seconds one way."""
        if self.strikes("net_slow", who, about, ""):
            return self._leg() * 5
        return 0.002 + self._leg() * 0.06

    def expect(self, reference: str, change: int) -> None:
        """Count submissions that may still arrive."""
        self.under_way[reference] = self.under_way.get(reference, 0) + change


class Wire:
    """One channel's way out of one process."""

    def __init__(self, network: Network, process: Process, account: str) -> None:
        """Opens nothing."""
        self._net = network
        self._process = process
        self._account = account
        self._closed = False

    async def post(self, url: str, headers: Headers, body: bytes) -> Result:
        """As `Transport.post`."""
        return await self._once("POST", url, headers, body)

    async def get(
        self, url: str, headers: Headers, *, max_bytes: int = REPLY_BYTES_MAX
    ) -> Reply | Unknown:
        """As `Transport.get`."""
        return unanswered(await self._once("GET", url, headers, b""))

    async def aclose(self) -> None:
        """As `Transport.aclose`."""
        self._closed = True

    def cut(self) -> None:
        """From outside: nothing of this process leaves any more."""
        self._closed = True

    async def _once(self, method: str, url: str, headers: Headers, body: bytes) -> Result:
        if self._closed:
            return NotSent(NotSentCause.PREPARE, "the channel is closed")
        call = _Call(self._net, self._process, self._account, method, url, headers, body)
        return await call.result()


class _Call:
    """One request from its first byte to its end."""

    def __init__(
        self,
        net: Network,
        process: Process,
        account: str,
        method: str,
        url: str,
        headers: Headers,
        body: bytes,
    ) -> None:
        where = urlsplit(url)
        self._net = net
        self._process = process
        self._account = account
        self._url, self._headers = url, headers
        self._institution = net.institutions[where.netloc]
        target = where.path + (f"?{where.query}" if where.query else "")
        named = _REFERENCE.search(body) or _REFERENCE.search(target.encode())
        self.reference = next((g.decode() for g in named.groups() if g), "") if named else ""
        told = {name.lower(): value for name, value in headers}
        lowered = {"host": where.netloc, "accept": "*/*", "user-agent": "sim", **told}
        self.request = Request(method, target, lowered, body)
        self.is_submission = method == "POST" and (
            b"uni.transfer" in body or "uni.transfer" in target or "/transfer-bills" in target
        )
        self.reference = self.reference or net.reference_of(account, target.encode() + body)
        self.about = net.about(account, self.reference) if self.reference else 0
        self._signed = ""
        self._context: Context = process.context.copy()
        self._future: asyncio.Future[Result] = net.loop.create_future()

    async def result(self) -> Result:
        """Send, and wait for what comes of it."""
        net, who = self._net, self._account
        if self._strikes("refused"):
            await asyncio.sleep(net.leg(who, self.about))
            return NotSent(NotSentCause.REFUSED)
        if self._strikes("connect_timeout"):
            await asyncio.sleep(CONNECT_TIMEOUT_S)
            return NotSent(NotSentCause.CONNECT_TIMEOUT)
        if self.is_submission:
            self._signed = _digest(
                self._institution.kind, self._url, self._headers, self.request.body
            )
            net.check(self._process, who, self.reference, self._signed)
        net.story.tell(self._process.name, self.about, f"→ {self._named()}")
        self._depart()
        timer = net.loop.call_later(
            TOTAL_TIMEOUT_S,
            self._resolve,
            Unknown(UnknownCause.TIMEOUT, Evidence(message="timeout")),
            context=self._context,
        )
        try:
            result = await self._future
        finally:
            timer.cancel()
        net.story.tell(self._process.name, self.about, f"← {self._named()}: {_said(result)}")
        return result

    def _depart(self) -> None:
        net = self._net
        leg = net.leg(self._account, self.about)
        if self._strikes("request_lost"):
            return
        if self._strikes("reset_before"):
            self._answer_in(leg, _reset())
            return
        if self._strikes("request_late"):
            leg = TOTAL_TIMEOUT_S + net.dice.next("late") * 600
        if self.is_submission:
            net.expect(self.reference, 1)
        if self._strikes("request_twice"):
            net.loop.after(leg, self._arrive, False)
            if self.is_submission:
                net.expect(self.reference, 1)
            leg += net.dice.next("twice") * 8
        net.loop.after(leg, self._arrive, True)

    def _arrive(self, answers: bool) -> None:
        """The institution executes it; with `answers` the reply is on its way back."""
        net = self._net
        if self.is_submission:
            net.expect(self.reference, -1)
            if net.too_old(self._account, self._signed):
                net.story.tell(self._institution.kind, self.about, f"{self._named()} is too old")
                if answers:
                    self._answer_in(net.leg(self._account, self.about), _reset())
                return
        answer = self._institution.handle(self.request)
        said = "" if answer.reply is None else f"{answer.reply.status}"
        net.story.tell(self._institution.kind, self.about, f"{self._named()} executed: {said}")
        if answers:
            self._reply(answer)

    def _reply(self, answer: Answer) -> None:
        net = self._net
        back = net.leg(self._account, self.about) + answer.delay_s
        if answer.reply is None or answer.cut is not Cut.NONE or self._strikes("reset_after"):
            self._answer_in(back, _reset())
            return
        if self._strikes("reply_lost"):
            return
        if self._strikes("reply_late"):
            back += net.dice.next("reply_late") * 40
        raw = answer.reply
        headers: Mapping[str, str] = {name.lower(): value for name, value in raw.headers}
        reply = Reply(raw.status, headers, raw.body)
        last = net.last_replies.get(self._account)
        net.last_replies[self._account] = reply
        if last is not None and self._strikes("reply_crossed"):
            reply = last
        self._answer_in(back, reply)

    def _answer_in(self, seconds: float, result: Result) -> None:
        self._net.loop.call_later(seconds, self._resolve, result, context=self._context)

    def _resolve(self, result: Result) -> None:
        if not self._future.done():
            self._future.set_result(result)

    def _strikes(self, kind: str) -> bool:
        return self._net.strikes(kind, self._account, self.about, self.reference)

    def _named(self) -> str:
        what = "submit" if self.is_submission else self.request.path.rsplit("/", 1)[-1][:40]
        return f"{self._account} {what} {self.reference}"


def _reset() -> Unknown:
    return Unknown(UnknownCause.CONNECTION_LOST, Evidence(message="reset"))


def _said(result: Result) -> str:
    match result:
        case Reply(status=status):
            return str(status)
        case NotSent(cause=cause) | Unknown(cause=cause):
            return cause.value


def _digest(kind: str, url: str, headers: Headers, body: bytes) -> str:
    """What was hashed when it was armed; each adapter documents its own layout."""
    if kind == "wechat_pay":
        head = "".join(f"{name}: {value}\n" for name, value in headers)
        return hashlib.sha256(f"{url}\n{head}\n".encode() + body).hexdigest()
    lines = "\n".join((url, *(f"{name}: {value}" for name, value in headers)))
    return hashlib.sha256(f"{lines}\n\n".encode() + body).hexdigest()
