"""One Circle Mint account as a channel: the only file of this adapter that awaits.

It joins the pure parts to the transport. There is no look-up by our key: what became of a payout
whose id we never heard is asked by sending the very same request again, which the institution
answers with the original (wire-protocols.md §5.3). That is the engine's to do, armed and bounded
(`Resend.answers`); an inquiry here only looks, and can never make a payout that was not there.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from msgspec.structs import replace

from channels.contract import (
    Absent,
    Balance,
    ChannelError,
    Evidence,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    NotSent,
    NotSentCause,
    Outcome,
    Prepared,
    Problem,
    Request,
    Resend,
    StatementLine,
    Terms,
    Traits,
    Unknown,
    UnknownCause,
)
from channels.money import Currency
from channels.shell import Shell
from channels.stablecoin import notice, signing, wire
from channels.stablecoin.check import REFERENCE, problems
from channels.stablecoin.fields import WireError, money_of, parse
from channels.stablecoin.profile import PROFILE
from channels.stablecoin.quote import Quote, exposed, quotes_of
from channels.stablecoin.settings import StablecoinSettings
from channels.stablecoin.statement import PAGES_MAX, Search
from channels.transport import Headers, Reply, Transport, read

CERTIFICATE_BYTES_MAX = 1 << 16

Clock = Callable[[], datetime]


def build(
    name: str, settings: StablecoinSettings, terms: Terms, clock: Clock
) -> "StablecoinChannel":
    """Make the channel; opens nothing. `clock` dates balances and quotes.

    ValueError for terms in anything but USD or EUR, for a balance that is named as another
    currency and is not, and for a certificate that has expired.
    """
    if terms.currency not in {Currency.USD, Currency.EUR}:
        raise ValueError(f"channel {name}: Circle Mint pays out USD and EUR, not {terms.currency}")
    if settings.source_currency == terms.currency:
        raise ValueError(f"channel {name}: source_currency is what payouts are in: leave it out")
    if any(one.not_valid_after_utc <= clock() for one in settings.certificates):
        raise ValueError(f"channel {name}: sns_certificate_files: a certificate has expired")
    return StablecoinChannel(name, settings, terms, clock)


class StablecoinChannel(Shell):
    """A Mint account, reached with one API key."""

    def __init__(self, name: str, settings: StablecoinSettings, terms: Terms, clock: Clock) -> None:
        super().__init__(
            name, traits_of(settings, exposed(terms, settings)), Transport.of(settings)
        )
        self._settings = settings
        self._clock = clock
        self._errands = notice.Errands()
        self._quotes = quotes_of(settings)
        self._watch: asyncio.Task[None] | None = None

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """Everything that would make this account refuse the instruction for ever."""
        return problems(instruction, self._settings, self._traits)

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Build the request: nothing in it depends on `now`, so that it can be repeated."""
        body = wire.payout(instruction, self._settings)
        url = self._settings.base_url + wire.PATHS[instruction.instrument.rail]
        headers: Headers = (
            *self._headers(),
            ("Content-Type", "application/json"),
            # For their support alone: nothing can be looked up by it.
            ("X-Request-Id", signing.idempotency_key(instruction.reference)),
        )
        return Request(url, headers, body).prepared(instruction, now)

    async def send(self, prepared: Prepared) -> Outcome:
        """Send exactly these bytes, at most once; not at all at a rate that cannot be trusted."""
        if self._quotes is not None:
            objection = self._quotes.objection(self._clock())
            if objection is not None:
                self._watch_rates()
                return NotSent(NotSentCause.PREPARE, objection)
        asked = Inquiry.about(prepared)
        answer = await self._transport.post(prepared.url, prepared.headers, prepared.body)
        if isinstance(answer, Reply):
            return wire.read_submission(answer, asked, self._settings)
        return answer

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Ask by their id; without one, look through the list for what could be ours."""
        outcome, _ = await asyncio.gather(self._question(inquiry), self._run_errands())
        return outcome

    async def _question(self, inquiry: Inquiry) -> Outcome | Absent:
        if inquiry.channel_ref is None:
            return await self._look(inquiry)
        path = wire.PATHS[inquiry.instrument.rail]
        answer = await self._ask(f"{path}/{inquiry.channel_ref}")
        if isinstance(answer, Unknown):
            return answer
        return wire.read_inquiry(answer, inquiry, self._settings)

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Verify and read; at most notes what is to be fetched with the next inquiry."""
        return notice.read_notice(self._settings, self._errands, headers, body, now)

    def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Raise: there is none (`Traits.statement`)."""
        raise ChannelError(f"Circle Mint has no statement of {day}, nor of any other day")

    async def balance(self) -> Balance:
        """What is available now, in the currency that the account holds."""
        currency = self._settings.source_currency or self._traits.terms.currency
        at = self._clock()
        answer = await self._ask("/v1/businessAccount/balances")
        if isinstance(answer, Unknown) or answer.status != 200:
            raise ChannelError("balance: no answer")
        try:
            found = parse(answer.body).get("data")
        except WireError as error:
            raise ChannelError("balance: no readable answer") from error
        listed = found.get("available") if isinstance(found, dict) else None
        for one in listed if isinstance(listed, list) else []:
            money = money_of(one)
            if money is not None and money.currency == currency:
                return Balance(money, at)
        raise ChannelError(f"balance: nothing is said of {currency}")

    async def aclose(self) -> None:
        """Let go of connections and of the watch over rates."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        await super().aclose()

    async def _look(self, inquiry: Inquiry) -> Outcome | Absent:
        search = Search(inquiry, self._settings)
        for _ in range(PAGES_MAX):
            answer = await self._ask(search.target())
            if isinstance(answer, Unknown):
                return answer
            if answer.status != 200:
                refused = wire.read_inquiry(answer, inquiry, self._settings)
                # "No such list" says nothing about payouts.
                return refused if isinstance(refused, Unknown) else _unreadable(answer, "list")
            try:
                search, is_last = search.with_page(answer.body)
            except WireError as error:
                return _unreadable(answer, str(error))
            if is_last:
                return search.verdict()
        return Unknown(UnknownCause.CHANNEL_UNSURE, Evidence(message="the list is too long"))

    async def _ask(self, target: str) -> Reply | Unknown:
        url = self._settings.base_url + target
        return await read(lambda: self._transport.get(url, self._headers()))

    def _headers(self) -> Headers:
        return (
            ("Authorization", f"Bearer {self._settings.bearer}"),
            ("Accept", "application/json"),
            ("User-Agent", "hangdao"),
        )

    # --- What notices want fetched ------------------------------------------------------------

    async def _run_errands(self) -> None:
        """Fetch one wanted certificate and confirm one subscription; SNS asks for more again.

        Beside a question and not before it: who is slow here must not hold up news of money.
        """
        errands = self._errands
        if errands.wanted:
            url = errands.wanted.pop()
            answer = await self._transport.get(url, (), max_bytes=CERTIFICATE_BYTES_MAX)
            if isinstance(answer, Reply) and answer.status == 200:
                with contextlib.suppress(signing.KeyMaterialError):
                    errands.certificates[url] = signing.load_certificate(answer.body)
        if errands.to_confirm:
            token, url = errands.to_confirm.popitem()
            answer = await self._transport.get(url, ())
            if isinstance(answer, Reply) and answer.status == 200:
                errands.confirmed.add(token)

    # --- The rate -----------------------------------------------------------------------------

    def _watch_rates(self) -> None:
        """Begin to follow the rate; it goes on until the channel is closed."""
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._follow_rates())

    async def _follow_rates(self) -> None:
        while True:
            await self.refresh_quote()
            await asyncio.sleep(self._settings.quote_refresh_s)

    async def refresh_quote(self) -> None:
        """Ask for the rate once; whatever is not a plain positive rate is no quote."""
        if self._quotes is None:
            return
        pair = f"{self._traits.terms.currency}-{self._settings.source_currency}"
        answer = await self._ask(f"/v1/exchange/rates/{pair}")
        if isinstance(answer, Unknown) or answer.status != 200:
            return
        try:
            found = parse(answer.body).get("data")
            fields = found if isinstance(found, dict) else {}
            rate = Decimal(str(fields.get("buy")))
            made_at = datetime.fromisoformat(str(fields.get("createDate")))
        except (WireError, InvalidOperation, ValueError):
            return
        if rate.is_finite() and rate > 0 and made_at.tzinfo is not None:
            self._quotes.keep(Quote(rate, min(made_at, self._clock())))


def _unreadable(reply: Reply, message: str) -> Unknown:
    return Unknown(UnknownCause.UNREADABLE, reply.evidence(message=message))


def traits_of(settings: StablecoinSettings, terms: Terms) -> Traits:
    """What the protocol promises, with the operator\'s terms."""
    window_s = settings.resend_window_s
    return Traits(
        kind="stablecoin",
        rails=frozenset(settings.rails),
        terms=terms,
        reference=REFERENCE,
        resend=Resend(window_s, settings.resend_quiet_s, answers=True) if window_s else None,
        inquire_first_s=settings.inquire_first_s,
        inquire_max_s=settings.inquire_max_s,
        inquire_horizon_days=None,
        sends_per_s=None,
        name_required_from_minor=None,
        notices=bool(settings.sns_topic_arns or settings.notice_keys),
        statement=False,
        statement_ready=None,
        payee_confirms=False,
        profile=replace(PROFILE, refusal_lag_s=settings.refusal_lag_s),
    )
