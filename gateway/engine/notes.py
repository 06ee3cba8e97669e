"""What operators should know about channels' contracts that keeps nothing from going on."""

from collections.abc import Mapping
from datetime import datetime

from channels.contract import Channel
from gateway.domain.pricing import priced
from gateway.engine.gateway import Gateway
from gateway.engine.standby import Note


def unpriced_names(channels: Mapping[str, Channel], now: datetime) -> list[str]:
    """Channels without a fee in force: they take no payouts."""
    return [
        name
        for name, channel in channels.items()
        if priced(channel.traits.terms).fee_at(now) is None
    ]


def unpriced(gateway: Gateway) -> list[Note]:
    """Says which channels are out for want of a fee."""
    names = ", ".join(unpriced_names(gateway.channels, gateway.clock.now()))
    if not names:
        return []
    return [
        Note(
            "channel_no_fee",
            f"no fee is in force for {names}: without a price no payout goes there; set terms.fee "
            "(`{}` if it is free)",
            f"渠道 {names} 未配置生效的手续费，无法比价，不会出款；请设置 terms.fee（免费填 {{}}）",
        )
    ]
