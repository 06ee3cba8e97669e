"""The gateway's own signatures: its webhooks (Standard Webhooks) and signed requests to its API.

Both are HMAC-SHA256 over a text of several parts, so one table of mistakes serves each. Here, too,
our signature is one that counts, and is shown only with `show_ours`.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from gateway.api.explain.difference import difference
from gateway.api.explain.keys import Key
from gateway.api.explain.sent import Sent, UnreadableError, shown
from gateway.api.explain.views import ExplanationView, SaidView
from gateway.api.explain.words import MISTAKES, NOTES

NATIVES = ("webhook", "native")

SECRET_PREFIX = "whsec_"  # noqa: S105 - announces a secret, is none
_BODY_SHOWN_MAX = 400


class _Parts(Struct, frozen=True):
    """What is signed, in parts."""

    message: Sent
    secret: str
    """As it is handed out."""

    def header(self, name: str) -> str:
        return self.message.headers.get(name, "")


class _Try(Struct, frozen=True):
    """One text and one key, and the mistake that they stand for."""

    code: str
    text: bytes
    key: bytes


def explain_native(
    kind: str,
    message: Sent,
    keys: Sequence[Key],
    *,
    show_ours: bool,
    account: str | None = None,
) -> ExplanationView:
    """Check a whole HTTP message, `kind` one of `NATIVES`; UnreadableError without its headers."""
    rules = _RULES[kind]
    missing = [name for name in rules.headers if not message.headers.get(name)]
    if missing:
        listed = ", ".join(missing)
        raise UnreadableError(
            f"give the whole HTTP message with its headers: {listed} missing",
            f"请提供包含请求头的完整 HTTP 报文：缺少 {listed}",
        )
    offered = rules.offered(message)
    mistakes: list[str] = []
    found: tuple[Key, _Try] | None = None
    for key in keys:
        for one in rules.tries(_Parts(message, key.secret or "")):
            if any(_is_same(rules.written(_mac(one)), given) for given in offered):
                found = (key, one)
                break
            how = _other_form(rules.written, one, offered)
            if how is not None:
                found = (key, one)
                mistakes.append(how)
                break
        if found is not None:
            break
    if found is None:
        mistakes.append("wrong_key")
    elif found[1].code:
        mistakes.insert(0, found[1].code)
    return _view(kind, message, keys, found, mistakes, account=account, show_ours=show_ours)


def _view(
    kind: str,
    message: Sent,
    keys: Sequence[Key],
    found: tuple[Key, _Try] | None,
    mistakes: Sequence[str],
    *,
    account: str | None,
    show_ours: bool,
) -> ExplanationView:
    rules = _RULES[kind]
    key = found[0] if found is not None else keys[0]
    right = next(rules.tries(_Parts(message, key.secret or "")))
    verifies = not mistakes
    string = _shown(right.text)
    theirs = _shown(found[1].text) if found is not None and found[1].text != right.text else None
    notes = [] if key.newest or found is None else ["older_key"]
    if not show_ours and not verifies:
        notes.append("ours_hidden")
    return {
        "dialect": kind,
        "account": account,
        "algorithm": "HMAC-SHA256",
        "verifies": verifies,
        "key": found[0].name if found is not None else None,
        "signed": list(rules.signed),
        "dropped": [],
        "string": string,
        "bytes": [],
        "ours": rules.written(_mac(right)) if show_ours or verifies else None,
        "theirs": shown(message.headers.get(rules.headers[-1], "")),
        "their_string": theirs,
        "difference": None if theirs is None else difference(string, theirs),
        "mistakes": [_said(code, MISTAKES) for code in mistakes],
        "alike": [],
        "notes": [_said(code, NOTES) for code in notes],
    }


def _said(code: str, words: Mapping[str, tuple[str, str]]) -> SaidView:
    en, zh = words[code]
    return {"code": code, "field": "", "en": en, "zh": zh}


def _shown(text: bytes) -> str:
    """Line ends are part of it, so they are shown."""
    plain = text.decode("utf-8", "backslashreplace").replace("\r", "\\r").replace("\n", "\\n\n")
    return plain if len(plain) <= _BODY_SHOWN_MAX else f"{plain[:_BODY_SHOWN_MAX]}…"


def _mac(one: _Try) -> bytes:
    return hmac.digest(one.key, one.text, "sha256")


def _is_same(made: str, given: str) -> bool:
    return hmac.compare_digest(made.encode(), given.encode("utf-8", "replace"))


def _other_form(written: Callable[[bytes], str], one: _Try, offered: Sequence[str]) -> str | None:
    """The right digest in a form that its readers do not know."""
    mac = _mac(one)
    bare = written(mac)[len("v1,") :]
    others = (mac.hex(), mac.hex().upper(), base64.b64encode(mac).decode())
    for given in offered:
        text = given.removeprefix("v1,").removeprefix("v1=").removeprefix("sha256=")
        if _is_same(bare, text):
            return "version_missing"
        if any(_is_same(form, text) for form in others):
            return "hex_and_base64"
    return None


# --- Webhooks: Standard Webhooks, "Signature scheme" ------------------------------------------


def _webhook_tries(parts: _Parts) -> Iterator[_Try]:
    id_, stamp, body = (
        parts.header("webhook-id"),
        parts.header("webhook-timestamp"),
        parts.message.body,
    )
    head = f"{id_}.{stamp}.".encode()
    key = _decoded(parts.secret.removeprefix(SECRET_PREFIX))
    yield _Try("", head + body, key)
    for other in _bodies(body):
        yield _Try("body_line_end", head + other, key)
    for other in _rewritten(body):
        yield _Try("body_rewritten", head + other, key)
    yield _Try("secret_not_decoded", head + body, parts.secret.removeprefix(SECRET_PREFIX).encode())
    yield _Try("secret_prefix", head + body, parts.secret.encode())
    for text in (body, f"{stamp}.".encode() + body, f"{id_}.".encode() + body):
        yield _Try("part_missing", text, key)
    for joint in ("", "\n", ":", "|"):
        yield _Try("separator", joint.join((id_, stamp, "")).encode() + body, key)
    yield _Try("time_unit", f"{id_}.{stamp}000.".encode() + body, key)


# --- Signed requests: gateway.api.auth ---------------------------------------------------------


def _native_tries(parts: _Parts) -> Iterator[_Try]:
    method, target, body = parts.message.method, parts.message.target, parts.message.body
    stamp, nonce = parts.header("hangdao-timestamp"), parts.header("hangdao-nonce")
    split = urlsplit(target)
    path = f"{split.path}?{split.query}" if split.query else split.path
    key = _decoded(parts.secret)

    def text(*said: str, joint: str = "\n") -> bytes:
        return joint.join(said).encode("utf-8", "surrogateescape")

    digest = hashlib.sha256(body).hexdigest()
    yield _Try("", text(method, path, stamp, nonce, digest), key)
    for other in _bodies(body):
        hashed = hashlib.sha256(other).hexdigest()
        yield _Try("body_line_end", text(method, path, stamp, nonce, hashed), key)
    for other in _rewritten(body):
        hashed = hashlib.sha256(other).hexdigest()
        yield _Try("body_rewritten", text(method, path, stamp, nonce, hashed), key)
    plain = body.decode("utf-8", "surrogateescape")
    yield _Try("body_not_hashed", text(method, path, stamp, nonce, plain), key)
    yield _Try("body_not_hashed", text(method, path, stamp, nonce, ""), key)
    yield _Try("query_left_out", text(method, split.path, stamp, nonce, digest), key)
    host = parts.header("host")
    for scheme in ("https", "http"):
        whole = text(method, f"{scheme}://{host}{path}", stamp, nonce, digest)
        yield _Try("whole_address", whole, key)
    yield _Try("method_case", text(method.lower(), path, stamp, nonce, digest), key)
    yield _Try(
        "secret_not_decoded", text(method, path, stamp, nonce, digest), parts.secret.encode()
    )
    yield _Try("time_unit", text(method, path, f"{stamp}000", nonce, digest), key)
    yield _Try("part_missing", text(method, path, stamp, digest), key)
    yield _Try("part_missing", text(method, path, nonce, digest), key)
    for joint in ("", "\r\n", "&", "."):
        yield _Try("separator", text(method, path, stamp, nonce, digest, joint=joint), key)
    yield _Try("separator", text(method, path, stamp, nonce, digest, ""), key)


def _bodies(body: bytes) -> Iterator[bytes]:
    stripped = body.strip()
    yield from (one for one in (stripped, stripped + b"\n", stripped + b"\r\n") if one != body)


def _rewritten(body: bytes) -> Iterator[bytes]:
    """The same JSON as other libraries write it."""
    try:
        read = json.loads(body)
        for is_sorted in (False, True):
            for is_ascii in (False, True):
                for separators in ((",", ":"), (", ", ": ")):
                    yield json.dumps(
                        read, ensure_ascii=is_ascii, sort_keys=is_sorted, separators=separators
                    ).encode()
    except (ValueError, RecursionError):
        return


def _decoded(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableError(
            "the secret is no base64: give it as it was handed out",
            "密钥不是 base64：请使用创建时显示的原文",
        ) from None


class _Rules(Struct, frozen=True):
    """One of our own signatures."""

    headers: tuple[str, ...]
    """What must be there, the signature last."""
    signed: tuple[str, ...]
    """The parts, for people."""
    offered: Callable[[Sent], list[str]]
    tries: Callable[[_Parts], Iterator[_Try]]
    """The right way first."""
    written: Callable[[bytes], str]


_RULES: Mapping[str, _Rules] = {
    "webhook": _Rules(
        headers=("webhook-id", "webhook-timestamp", "webhook-signature"),
        signed=("webhook-id", "webhook-timestamp", "body"),
        offered=lambda message: message.headers["webhook-signature"].split(),
        tries=_webhook_tries,
        written=lambda mac: "v1," + base64.b64encode(mac).decode(),
    ),
    "native": _Rules(
        headers=("hangdao-timestamp", "hangdao-nonce", "hangdao-signature"),
        signed=("method", "path and query", "timestamp", "nonce", "SHA-256 of the body"),
        offered=lambda message: [message.headers["hangdao-signature"].strip()],
        tries=_native_tries,
        written=lambda mac: "v1=" + mac.hex(),
    ),
}
