"""A bounded memory of what was asked and answered, safe to show to anyone.

Names, payees, keys and signatures are masked on the way in, so no later reader can leak them. The
journal is for people and tests; books and orders never depend on it.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import datetime
from urllib.parse import unquote_plus

from simulators.kernel import Answer, Cut, Push, Request, Row

_EXCERPT = 2000
_SECRET_NAMES = (
    *("identity", "name", "cert_no", "user_name", "openid", "sign", "sign_data", "token"),
    *("apiv3_key", "ciphertext", "package_info", "encrypt_certificate", "signature", "nonce_str"),
    *("accNo", "customerInfo", "encryptedInfo", "signPubKeyCert", "fileContent"),
    *("id_card_number", "account_no", "other_account", "account", "jumpurl", "destination"),
    *("accountNo", "accountName", "channelResData"),
)
_JSON_FIELD = re.compile(
    r'("(?:' + "|".join(_SECRET_NAMES) + r')"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE
)
_FORM_FIELD = re.compile(r"(^|[?&])((?:" + "|".join(_SECRET_NAMES) + r")=)[^&]*", re.IGNORECASE)
_DESTINATION = re.compile(r'(\\?"destination\\?"\s*:\s*)\{[^{}]*\}')
"""A beneficiary's registered id, whose name `id` alone is that of everything else as well; in a
message within a message its quotes are escaped."""
_CARD_TOLD = re.compile(r"(卡号:)\d+")
"""Some institutions write the card into their error texts."""
_XML_FIELD = re.compile(r"(<(?:\w+:)?(?:Nm|Id|IBAN)>)[^<]+(?=</)")
"""Names and account numbers of ISO 20022 messages."""
_HIDDEN = "***"


def masked(text: str) -> str:
    """The text with the values of secret fields starred out."""
    text = _DESTINATION.sub(rf"\1{_HIDDEN}", text)
    text = _XML_FIELD.sub(rf"\1{_HIDDEN}", text)
    hidden = _FORM_FIELD.sub(rf"\1\2{_HIDDEN}", _JSON_FIELD.sub(rf'\1"{_HIDDEN}"', text))
    return _CARD_TOLD.sub(rf"\1{_HIDDEN}", hidden)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    number: int
    at: str
    simulator: str
    direction: str
    """`in` for a request, `out` for a push."""
    op: str
    account: str
    reference: str
    method: str
    path: str
    asked: str
    status: int | None
    """None: no reply, or the connection was reset."""
    answered: str
    cut: str
    delay_s: float
    faults: tuple[str, ...]
    attempt: int = 1


@dataclass(slots=True)
class Journal:
    """The newest entries, oldest first."""

    limit: int = 2000
    _entries: deque[Entry] = field(default_factory=deque)
    _count: int = 0

    def note_request(self, simulator: str, request: Request, answer: Answer, at: datetime) -> None:
        """Remember a request and what the simulator decided to answer."""
        reply = answer.reply if answer.cut is Cut.NONE else None
        self._keep(
            Entry(
                number=self._count + 1,
                at=at.isoformat(),
                simulator=simulator,
                direction="in",
                op=answer.op,
                account=answer.account,
                reference=answer.reference,
                method=request.method,
                path=request.path,
                asked=_excerpt(request.query.encode() + b"&" + request.body),
                status=reply.status if reply else None,
                answered=_excerpt(answer.reply.body if answer.reply else b""),
                cut=answer.cut.value,
                delay_s=answer.delay_s,
                faults=answer.faults,
            )
        )

    def note_push(self, simulator: str, push: Push, status: int | None, at: datetime) -> None:
        """Remember a notice and how it was received."""
        self._keep(
            Entry(
                number=self._count + 1,
                at=at.isoformat(),
                simulator=simulator,
                direction="out",
                op=push.op,
                account=push.account,
                reference=push.reference,
                method="POST",
                path=masked(push.url),
                asked=_excerpt(push.body),
                status=status,
                answered="",
                cut=Cut.NONE.value,
                delay_s=0.0,
                faults=(),
                attempt=push.attempt,
            )
        )

    def rows(self, *, after: int = 0, limit: int = 200, reference: str | None = None) -> list[Row]:
        """Entries with a number beyond `after`, oldest first."""
        found = (
            e
            for e in self._entries
            if e.number > after and (reference is None or e.reference == reference)
        )
        return [asdict(entry) for entry, _ in zip(found, range(limit), strict=False)]

    def clear(self) -> None:
        """Forget everything; numbers go on counting."""
        self._entries.clear()

    def _keep(self, entry: Entry) -> None:
        self._count = entry.number
        self._entries.append(entry)
        if len(self._entries) > self.limit:
            self._entries.popleft()


def _excerpt(raw: bytes) -> str:
    """Masked text of a body; bytes that are no text are only counted."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return f"<{len(raw)} bytes>"
    # Masked before cutting to size: half a secret at the cut would match no pattern.
    return masked(unquote_plus(masked(text)))[:_EXCERPT]
