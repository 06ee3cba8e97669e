"""What a site refuses before it asks its channel: limits, types, repeated numbers, balance.

Source: wire-protocols.md §6 and dialects.md §2.1; the order is the stock site's.
"""

from __future__ import annotations

from datetime import datetime

from simulators.epay import errors
from simulators.epay.charges import Charges
from simulators.epay.errors import RefusedError
from simulators.epay.orders import Table
from simulators.epay.settings import Merchant, Settings
from simulators.epay.signing import Float
from simulators.epay.submission import Submission


def way_of(
    merchant: Merchant,
    asked: Submission,
    out_biz_no: str,
    now: datetime,
    *,
    table: Table,
    charges: Charges,
    available_minor: int | None,
) -> str:
    """`channel` or `queue`: how the transfer will be paid. Raises RefusedError.

    `available_minor` bounds what the merchant seems to hold (fault short_balance).
    """
    settings = charges.settings
    _check_limits(merchant, asked, now, table, settings)
    if asked.type not in ("alipay", "wxpay", "bank", "qqpay"):
        raise RefusedError(errors.BAD_TYPE)
    way: str = getattr(settings.ways, asked.type)
    if way == "off":
        raise RefusedError(errors.TYPE_OFF)
    if settings.era != "old" and table.taken(merchant.account, out_biz_no):
        raise RefusedError(errors.TAKEN_NUMBER)
    if not merchant.settles:
        raise RefusedError(errors.ABNORMAL)
    free = charges.available_minor(merchant.account, now)
    if available_minor is not None:
        free = min(free, available_minor)
    if asked.amount_minor + settings.fee(asked.amount_minor) > free:
        raise RefusedError(errors.SHORT)
    return way


def _check_limits(
    merchant: Merchant, asked: Submission, now: datetime, table: Table, settings: Settings
) -> None:
    least, most = settings.min_fen, settings.max_fen
    if asked.amount_minor < least:
        raise RefusedError(f"单笔最小代付金额限制为{Float(least)}元")
    if most and asked.amount_minor > most:
        raise RefusedError(f"单笔最大代付金额限制为{Float(most)}元")
    paid = table.paid_today(merchant.account, asked.type, asked.payee, now)
    if settings.payee_day_max and paid >= settings.payee_day_max:
        raise RefusedError(errors.PAYEE_DAY_LIMIT)
