"""What a kind of channel, or a configured one, can do: told from its constants, in one wording.

Pages and commands show these rows and nobody keeps them by hand: whatever is said here is what the
gateway itself goes by.
"""

from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final

from msgspec import Struct

from channels.contract import (
    Cycle,
    Funded,
    Recallable,
    Receipted,
    ReferenceRule,
    Tariff,
    Terms,
    Traits,
)
from channels.money import Currency, Money


class Capabilities(Struct, frozen=True):
    """One kind, or one configured channel, as operators compare it with others."""

    traits: Traits
    currencies: tuple[Currency, ...]
    recall: bool
    balance: bool
    receipt: bool
    terms: Terms | None = None
    """The operator's contract; None for a kind that nobody has configured."""


def capabilities_of(
    channel: type[object], traits: Traits, currencies: frozenset[Currency], *, configured: bool
) -> Capabilities:
    """Join what is constant to what the channel's class implements."""
    terms = traits.terms if configured else None
    return Capabilities(
        traits=traits,
        currencies=(terms.currency,) if terms else tuple(sorted(currencies)),
        recall=issubclass(channel, Recallable),
        balance=issubclass(channel, Funded),
        receipt=issubclass(channel, Receipted),
        terms=terms,
    )


class Row(Struct, frozen=True):
    """One line of a table of capabilities."""

    key: str
    zh: str
    en: str
    tell: Callable[[Capabilities], str]
    by_contract: bool = False
    """Whether it is in the operator's contract, and unknown of a kind."""


def rows(*, configured: bool) -> tuple[Row, ...]:
    """The rows there are; those of a contract only where there is one."""
    return tuple(row for row in ROWS if configured or not row.by_contract)


def document(one: Capabilities) -> dict[str, object]:
    """The same for programs: plain values under the rows' keys; a contract's only if there is one.

    Durations are seconds, amounts minor units.
    """
    traits, profile, resend = one.traits, one.traits.profile, one.traits.resend
    return {
        "kind": traits.kind,
        "rails": sorted(rail.value for rail in traits.rails),
        "currencies": [currency.value for currency in one.currencies],
        "reference": {
            "alphabet": traits.reference.alphabet,
            "length_min": traits.reference.length_min,
            "length_max": traits.reference.length_max,
        },
        "resend": None if resend is None else {"s": resend.window_s, "quiet_s": resend.quiet_s},
        "acceptance_window_s": profile.acceptance_window_s,
        "inquiries": {
            "first_s": traits.inquire_first_s,
            "max_s": traits.inquire_max_s,
            "horizon_days": traits.inquire_horizon_days,
        },
        "absence_proves": profile.absence_proves,
        "statements_prove": _statements_prove(one),
        "expiry_proves": profile.expiry is not None,
        "notices": traits.notices,
        "statement": traits.statement,
        "statement_ready": _iso(traits.statement_ready),
        "recall": one.recall,
        "balance": one.balance,
        "receipt": one.receipt,
        "payee_confirms": traits.payee_confirms,
        "name_required_from_minor": traits.name_required_from_minor,
        "sends_per_s": traits.sends_per_s,
        **({} if one.terms is None else _contract(one.terms)),
    }


def _contract(terms: Terms) -> dict[str, object]:
    cycle = terms.cycle
    return {
        "amount_min_minor": terms.amount_min,
        "amount_max_minor": terms.amount_max,
        "day_cap_minor": terms.day_cap_minor,
        "inflight_max": terms.inflight_max,
        "in_doubt_max": terms.in_doubt_max,
        "fees": [_fee(one, terms.currency) for one in terms.tariffs],
        "cycle": {
            "days": cycle.days,
            "calendar": cycle.calendar,
            "cutoff": _iso(cycle.cutoff),
            "timezone": cycle.timezone,
        },
        "hours": [f"{_iso(one.opens)}-{_iso(one.closes)}" for one in terms.hours],
    }


# --- Words ---------------------------------------------------------------------------------------

NO: Final = "no"
NONE: Final = "none"
_DAY_S: Final = 86400
_CALENDARS: Final[Mapping[str, str]] = {
    "natural": "D",
    "cn_statutory": "T",
    "cn_no_makeup": "T (no make-up days)",
}


def _yes(told: bool) -> str:
    return "yes" if told else NO


def _span(seconds: int) -> str:
    """`90 s`, `5 min`, `24 h`, `30 d`: the largest unit that says it exactly."""
    for size, unit, least in ((_DAY_S, "d", 2), (3600, "h", 1), (60, "min", 2)):
        if seconds % size == 0 and seconds >= least * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _iso(at: time | None) -> str | None:
    return None if at is None else at.isoformat("minutes" if not at.second else "seconds")


def _money(minor: int, currency: Currency) -> str:
    return f"{Money(minor, currency)} {currency}"


def _percent(ppm: int) -> str:
    return f"{(Decimal(ppm) / 10_000).normalize():f} %"


def _reference(rule: ReferenceRule) -> str:
    left, shown = set(rule.alphabet), []
    for name, letters in (("0-9", digits), ("a-z", ascii_lowercase), ("A-Z", ascii_uppercase)):
        if left.issuperset(letters):
            left.difference_update(letters)
            shown.append(name)
    length = f"{rule.length_min} to {rule.length_max}"
    if rule.length_min == rule.length_max:
        length = str(rule.length_max)
    return " ".join([length, "of", *shown, *sorted(left)])


def _resend(one: Capabilities) -> str:
    resend = one.traits.resend
    if resend is None:
        return "never sent again"
    return f"same number for {_span(resend.window_s)}, {_span(resend.quiet_s)} apart"


def _inquiries(one: Capabilities) -> str:
    traits = one.traits
    days = traits.inquire_horizon_days
    horizon = "" if days is None else f", for {days} days"
    return (
        f"after {_span(traits.inquire_first_s)}, then up to {_span(traits.inquire_max_s)}{horizon}"
    )


def _statements_prove(one: Capabilities) -> bool:
    profile = one.traits.profile
    known = profile.acceptance_window_s is not None
    return one.traits.statement and profile.finality is not None and known


def _window(one: Capabilities) -> str:
    seconds = one.traits.profile.acceptance_window_s
    return "none published" if seconds is None else _span(seconds)


def _absence(one: Capabilities) -> str:
    profile = one.traits.profile
    if not profile.absence_proves or profile.acceptance_window_s is None:
        return NO
    waits = (profile.acceptance_window_s, profile.dwell_s, profile.visibility_lag_s, profile.skew_s)
    return f"yes, after {_span(sum(waits))}"


def _missing(one: Capabilities) -> str:
    finality = one.traits.profile.finality
    if finality is None or not _statements_prove(one):
        return NO
    return f"yes, with {finality.grace_days} more day" + ("s" if finality.grace_days > 1 else "")


def _expiry(one: Capabilities) -> str:
    expiry = one.traits.profile.expiry
    return NO if expiry is None else f"yes, as {expiry.nodes_min} nodes say"


def _statement(one: Capabilities) -> str:
    if not one.traits.statement:
        return NONE
    ready = _iso(one.traits.statement_ready)
    return "daily" if ready is None else f"daily, next day from {ready}"


def _name(one: Capabilities) -> str:
    least = one.traits.name_required_from_minor
    return NO if least is None else f"from {_money(least, one.traits.terms.currency)}"


def _pace(one: Capabilities) -> str:
    return (
        "no limit of its own" if one.traits.sends_per_s is None else f"{one.traits.sends_per_s}/s"
    )


def _fee(tariff: Tariff, currency: Currency) -> str:
    """One tariff in words, e.g. `0.50 CNY + 0.1 %, at least 1.00 CNY`."""
    unit = " payouts" if tariff.basis == "payouts" else ""
    told = _price(tariff.flat_minor, tariff.rate_ppm, currency)
    if tariff.tiers:
        told = "; ".join(
            _price(tier.flat_minor, tier.rate_ppm, currency)
            + f" from {tier.floor if unit else _money(tier.floor, currency)}{unit}"
            for tier in tariff.tiers
        )
    if tariff.min_minor:
        told += f", at least {_money(tariff.min_minor, currency)}"
    if tariff.max_minor is not None:
        told += f", at most {_money(tariff.max_minor, currency)}"
    if tariff.surcharge_ppm:
        told += f", surcharge {_percent(tariff.surcharge_ppm)}"
    if tariff.mode == "deducted":
        told += ", kept back from the amount"
    if tariff.commitment is not None:
        least = tariff.commitment.least
        told += f", {least} payouts" if unit else f", {_money(least, currency)}"
        told += " a month promised"
    return told if tariff.start_on == date.min else f"{told} (from {tariff.start_on})"


def _price(flat: int, ppm: int, currency: Currency) -> str:
    parts = [_money(flat, currency)] if flat else []
    parts += [_percent(ppm)] if ppm else []
    return " + ".join(parts) or "free"


def _fees(one: Capabilities) -> str:
    terms = one.traits.terms
    told = "; ".join(_fee(tariff, terms.currency) for tariff in terms.tariffs)
    return told or "none in force: takes no payouts"


def _cycle(one: Capabilities) -> str:
    cycle: Cycle = one.traits.terms.cycle
    told = f"{_CALENDARS[cycle.calendar]}+{cycle.days}"
    if cycle.days and cycle.cutoff != Cycle().cutoff:
        told += f", sent before {_iso(cycle.cutoff)} {cycle.timezone}"
    return told


def _hours(one: Capabilities) -> str:
    terms = one.traits.terms
    spans = ", ".join(f"{_iso(window.opens)}-{_iso(window.closes)}" for window in terms.hours)
    return f"{spans} {terms.cycle.timezone}" if spans else "always"


def _amounts(one: Capabilities) -> str:
    terms = one.traits.terms
    return (
        f"{Money(terms.amount_min, terms.currency)} to {_money(terms.amount_max, terms.currency)}"
    )


def _day_cap(one: Capabilities) -> str:
    terms = one.traits.terms
    return NONE if terms.day_cap_minor is None else _money(terms.day_cap_minor, terms.currency)


def _load(one: Capabilities) -> str:
    terms = one.traits.terms
    return f"{terms.inflight_max} under way, {terms.in_doubt_max} in doubt"


def _escalate(one: Capabilities) -> str:
    return _span(one.traits.profile.escalate_after_s)


ROWS: Final[tuple[Row, ...]] = (
    Row("kind", "类型", "kind", lambda one: one.traits.kind),
    Row("rails", "收款方式", "rails", lambda one: ", ".join(sorted(one.traits.rails))),
    Row("currencies", "币种", "currencies", lambda one: ", ".join(one.currencies)),
    Row("amounts", "单笔限额", "amounts", _amounts, by_contract=True),
    Row("day_cap", "日限额", "day cap", _day_cap, by_contract=True),
    Row("load", "并发上限", "at once, at most", _load, by_contract=True),
    Row("fees", "手续费", "fees", _fees, by_contract=True),
    Row("cycle", "到账周期", "arrival", _cycle, by_contract=True),
    Row("hours", "开放时间", "hours", _hours, by_contract=True),
    Row("reference", "参考号规则", "reference", lambda one: _reference(one.traits.reference)),
    Row("resend", "幂等重发", "idempotency", _resend),
    Row("acceptance_window", "受理窗口", "acceptance window", _window),
    Row("inquiries", "查询节奏", "inquiries", _inquiries),
    Row("absence_proves", "查无此单可证未付（C5）", '"not found" proves (C5)', _absence),
    Row(
        "statements_prove",
        "账单无此单可证未付（C6）",
        "absence from statements proves (C6)",
        _missing,
    ),
    Row("expiry_proves", "过期可证未付（C4）", "expiry proves (C4)", _expiry),
    Row("escalate", "存疑转人工", "a person looks after", _escalate),
    Row("notices", "异步通知", "notices", lambda one: _yes(one.traits.notices)),
    Row("statement", "对账单", "statement", _statement),
    Row("recall", "撤销", "recall", lambda one: _yes(one.recall)),
    Row("balance", "余额查询", "balance", lambda one: _yes(one.balance)),
    Row("receipt", "电子回单", "receipt", lambda one: _yes(one.receipt)),
    Row(
        "payee_confirms",
        "需收款人确认",
        "payee confirms",
        lambda one: _yes(one.traits.payee_confirms),
    ),
    Row("name_required", "必填姓名", "name required", _name),
    Row("sends_per_s", "发送限速", "send limit", _pace),
)
"""Every row, in the order in which people compare channels."""
