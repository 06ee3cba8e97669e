"""Statements of an Epay site: there are none, and none is made up.

Payouts are reconciled by asking for each order and by the difference of balances
(wire-protocols.md §6).
"""

from datetime import date

from channels.contract import ChannelError


def no_statement(day: date) -> ChannelError:
    """The error for whoever asks for a day."""
    return ChannelError(f"statement of {day}: an Epay site issues none · 易支付站点不提供对账单")
