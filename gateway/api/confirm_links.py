"""Addresses of the pages on which payees confirm: signed, unguessable, naming nobody. Pure.

A link is of a payout and not of an attempt: it can be handed out before a channel was asked, which
callers who read it only from the first answer need, and it stays right when another attempt
follows. `api.confirm_pages` shows what is behind it; whose money it is WeChat alone decides.
"""

import base64
import hmac
import re

from channels.contract import PayeeAction, Rail, WechatWallet
from channels.unprinted import Unprinted
from gateway.domain.payout import Payout, PayoutId
from gateway.engine.gateway import Gateway

PATH = "/c/"
_TOKEN = re.compile(r"(po_[A-Za-z0-9]{1,60})\.([A-Za-z0-9_-]{22})", re.ASCII)
_PURPOSE = b"hangdao confirm page\n"
"""Keeps signatures apart from everything else that is made with the same secret."""
_MAC_BYTES = 16


class ConfirmLinks(Unprinted, frozen=True):
    """Makes and reads the addresses; the same for every process of an installation."""

    hidden = frozenset({"secret"})

    base: str
    """Under which payees reach the gateway, without a slash at the end."""
    secret: bytes

    def url(self, payout_id: PayoutId) -> str:
        """The page of a payout."""
        return f"{self.base}{PATH}{payout_id}.{self._mac(payout_id)}"

    def payout_of(self, token: str) -> PayoutId | None:
        """Whose page it is; None for whatever we have not signed."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        payout_id = PayoutId(match[1])
        return payout_id if hmac.compare_digest(self._mac(payout_id), match[2]) else None

    def early(self, gateway: Gateway, payout: Payout) -> str | None:
        """For a payout that was just taken in: its page, if its payee will have to confirm."""
        if payout.state.is_final or not any(
            isinstance(one, WechatWallet) for one in payout.instruments
        ):
            return None
        confirms = any(
            channel.traits.payee_confirms and Rail.WECHAT in channel.traits.rails
            for channel in gateway.channels.values()
        )
        return self.url(payout.id) if confirms else None

    def _mac(self, payout_id: PayoutId) -> str:
        made = hmac.digest(self.secret, _PURPOSE + payout_id.encode(), "sha256")[:_MAC_BYTES]
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def where_to_confirm(
    links: ConfirmLinks | None, payout_id: PayoutId, action: PayeeAction
) -> str | None:
    """The address that the payee opens: the channel's own, or our page around WeChat's."""
    if action.kind == "open_link":
        return action.package_info
    return links.url(payout_id) if links is not None and is_openable(action) else None


def is_openable(action: PayeeAction) -> bool:
    """Whether we know all that WeChat's own page is opened with."""
    return action.kind == "wechat_confirm" and bool(action.app_id and action.mch_id)
