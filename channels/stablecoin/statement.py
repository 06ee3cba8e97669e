"""Circle Mint has no statement; what there is instead are lists, and this reads their pages.

Pure. Source: wire-protocols.md §5.1: newest first, filtered by destination and time, paged by id.
A list is used for one thing: to look, when a reply was lost, for payouts that could be ours. None
means `Absent`, which proves nothing by itself. Some mean `Unknown`: destination and amount are not
proof, and nothing in a payout repeats our key; their ids are kept for a person to see.
"""

from datetime import timedelta
from urllib.parse import urlencode

from msgspec import Struct

from channels.contract import Absent, Evidence, Inquiry, Unknown, UnknownCause
from channels.stablecoin import wire
from channels.stablecoin.fields import WireError, parse
from channels.stablecoin.settings import StablecoinSettings
from channels.stablecoin.wire import Standing

PAGE_SIZE = 50
PAGES_MAX = 40
SKEW = timedelta(minutes=10)
"""How far their clock and ours may differ."""


class Search(Struct, frozen=True):
    """What is looked for, and how far the look has come."""

    asked: Inquiry
    settings: StablecoinSettings
    seen: tuple[str, ...] = ()
    """Every id so far, in the list's own order."""
    alike: tuple[Standing, ...] = ()

    def target(self) -> str:
        """Path and query of the next page.

        From before the first send: a question may be about the last of several sends, and only the
        time of that one is known.
        """
        settings = self.settings
        since = self.asked.sent_at - timedelta(seconds=settings.resend_window_s) - SKEW
        query = {
            "destination": wire.destination(self.asked.instrument, settings)[1],
            "from": since.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "pageSize": str(PAGE_SIZE),
        }
        if self.seen:
            query["pageAfter"] = self.seen[-1]
        return f"{wire.PATHS[self.asked.instrument.rail]}?{urlencode(query)}"

    def with_page(self, body: bytes) -> tuple["Search", bool]:
        """Take a page in; and whether it was the last. Raises `WireError`.

        A payout that cannot be read, or a page that repeats itself, ends the look: what could not
        be seen must not count as absent.
        """
        found = parse(body).get("data")
        if not isinstance(found, list):
            raise WireError("data")
        page = [wire.read_standing(one) for one in found]
        ids = (*self.seen, *(one.id for one in page))
        if len(set(ids)) != len(ids):
            raise WireError("the pages overlap")
        ours = wire.destination(self.asked.instrument, self.settings)
        if any(one.destination != ours for one in page):
            raise WireError("the list does not heed its filter")
        # An amount that cannot be read may be ours as well as not.
        alike = [one for one in page if one.amount is None or one.amount == self.asked.amount]
        further = Search(self.asked, self.settings, ids, (*self.alike, *alike))
        return further, len(page) < PAGE_SIZE

    def verdict(self) -> Absent | Unknown:
        """What a complete look says."""
        if not self.alike:
            return Absent(Evidence(message=f"none of {len(self.seen)} payouts could be this one"))
        ids = " ".join(one.id for one in self.alike[:10])
        message = f"{len(self.alike)} payouts could be this one: {ids}"
        return Unknown(UnknownCause.CHANNEL_UNSURE, Evidence(message=message))
