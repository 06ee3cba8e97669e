"""Explain a signature: the string, what was left out, whether it fits, and why it does not.

Never a signing oracle. With MD5 the digest over the string *is* a signature, and where two digests
first differ would give it away letter by letter. So ours is shown only with `show_ours`, which a
rehearsal or a person with a key of its own may set; else only whether they are the same, which the
dialect's own door tells anybody as well. RSA gives nothing away: a public key checks and cannot
sign.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gateway.api.explain.difference import difference, without_secret
from gateway.api.explain.keys import Key
from gateway.api.explain.mistakes import Found, Made, search, starts
from gateway.api.explain.proof import Rsa, Shared, Way, Written, open_rsa, written
from gateway.api.explain.recipe import (
    ALIPAY_CLASSIC,
    DIALECTS,
    DROPS,
    Dialect,
    pairs_of,
    shown_of,
    text_of,
)
from gateway.api.explain.sent import Field, Sent, raw, shown
from gateway.api.explain.views import BytesView, DroppedView, ExplanationView, SaidView
from gateway.api.explain.words import DROPPED, MISTAKES, NOTES

MD5_CHARS = 32


class Question(Struct, frozen=True):
    """What is to be explained."""

    dialect: str
    sent: Sent
    keys: tuple[Key, ...]
    show_ours: bool
    their_string: bytes | None = None
    """What the caller says that it signed."""
    account: str | None = None
    rsa_only: bool = False
    removed: bool = False
    now: int | None = None
    """Unix seconds, where the time is to be looked at."""
    notice: bool | None = None
    """Whether it is a message of ours; None: as its fields suggest."""


def explain(asked: Question) -> ExplanationView:
    """Check a request's signature and say what there is to say."""
    dialect, fields = DIALECTS[asked.dialect], asked.sent.fields
    notice = asked.notice
    if notice is None:
        notice = any(one.name in dialect.notice_marks for one in fields)
    begun = starts(dialect, fields, notice=notice)
    offered = asked.sent.text("sign")
    sign = written(offered)
    algorithm = _algorithm(asked, dialect)
    verdict = _judge(asked, dialect, begun, sign, algorithm, notice=notice)
    found = verdict.found
    right = _unkeyed(begun[0]) if algorithm in dialect.rsa else begun[0]
    base = found.way if found is not None and not found.made else right
    theirs_text = _their_string(asked, right, found)
    string = shown_of(base.recipe, base.fields)
    flaws = [Made(code) for code in _flaws(dialect, sign, offered)]
    verifies = found is not None and not found.made and not verdict.extra and not flaws
    mistakes = [*verdict.extra, *(found.made if found else ()), *flaws]
    notes = _notes(asked, dialect, begun, found, algorithm)
    ours = _ours(asked, base, verdict, verifies=verifies)
    if ours is None and algorithm == "MD5" and offered and not verifies:
        notes.append(Made("ours_hidden"))
    return {
        "dialect": asked.dialect,
        "account": asked.account,
        "algorithm": algorithm,
        "verifies": verifies,
        "key": found.key.name if found else None,
        "signed": [shown(name) for name, _ in pairs_of(base.recipe, base.fields)],
        "dropped": _dropped(base, fields),
        "string": shown(string),
        "bytes": _bytes(base),
        "ours": ours,
        "theirs": verdict.theirs or (shown(offered) if offered else None),
        "their_string": theirs_text,
        "difference": None if theirs_text is None else difference(shown(string), theirs_text),
        "mistakes": [_said(one, MISTAKES) for one in mistakes],
        "alike": list(found.alike) if found else [],
        "notes": [_said(one, NOTES) for one in notes],
    }


class _Verdict(Struct, frozen=True):
    """What became of the signature."""

    found: Found | None
    proof: Shared | Rsa | None
    extra: tuple[Made, ...] = ()
    """Mistakes that are not about the string."""
    theirs: str | None = None
    """The digest inside an RSA signature."""


# --- Judging -----------------------------------------------------------------------------------


def _algorithm(asked: Question, dialect: Dialect) -> str:
    """As the request names it."""
    named = asked.sent.text(dialect.sign_type).strip().upper()
    if named in dialect.rsa:
        return named
    return "MD5" if dialect.md5 and named in {"", "MD5"} else (named[:20] or "RSA2")


def _judge(
    asked: Question,
    dialect: Dialect,
    begun: Sequence[Way],
    sign: Written,
    algorithm: str,
    *,
    notice: bool,
) -> _Verdict:
    if not sign.text:
        return _Verdict(None, None, (Made("sign_missing"),))
    extra: list[Made] = []
    if algorithm != "MD5" and algorithm not in dialect.rsa:
        extra.append(Made("algorithm_unknown", dialect.sign_type))
    is_md5 = algorithm == "MD5"
    if is_md5 and asked.rsa_only and not notice:
        extra.append(Made("md5_not_taken"))
    looks_rsa = not sign.is_hex and len(sign.decoded) >= 64
    if looks_rsa == is_md5 and (looks_rsa or len(sign.text) == MD5_CHARS):
        extra.append(Made("algorithm_other", dialect.sign_type))
    if looks_rsa:
        return _judge_rsa(asked, dialect, begun, sign, algorithm, extra, notice=notice)
    secrets = tuple(one for one in asked.keys if one.secret is not None)
    if not secrets:
        return _Verdict(None, None, (*extra, *_shapeless(sign, is_md5), Made("key_kind")))
    proof = Shared(secrets, sign.text)
    found = _exactly(begun, proof) or search(begun, proof)
    if found is None:
        extra += [*_shapeless(sign, is_md5), Made("wrong_key")]
    return _Verdict(found, proof, tuple(extra))


def _judge_rsa(
    asked: Question,
    dialect: Dialect,
    begun: Sequence[Way],
    sign: Written,
    algorithm: str,
    extra: list[Made],
    *,
    notice: bool,
) -> _Verdict:
    if all(one.public is None for one in asked.keys):
        return _Verdict(None, None, (*extra, Made("key_kind")))
    opened = open_rsa(asked.keys, sign.decoded)
    if opened is None:
        return _Verdict(None, None, (*extra, Made("wrong_key_rsa")))
    wanted = dialect.rsa.get(algorithm, "SHA-256")
    if opened.hash != wanted:
        extra.append(Made("algorithm_rsa_hash", dialect.sign_type))
    if asked.account is not None and (opened.key.holder == "platform") != notice:
        extra.append(Made("other_side"))
    proof, ways = Rsa(opened), [_unkeyed(way) for way in begun]
    found = _exactly(ways, proof) or search(ways, proof)
    if found is None:
        extra.append(Made("value_changed"))
    theirs = f"{opened.hash} {opened.digest.hex()}"
    return _Verdict(found, proof, tuple(extra), theirs)


def _unkeyed(way: Way) -> Way:
    """RSA signs the string alone."""
    if way.recipe.tail == "none":
        return way
    return replace(way, recipe=replace(way.recipe, tail="none"))


def _exactly(begun: Sequence[Way], proof: Shared | Rsa) -> Found | None:
    """The right way, if it was taken; what holds an object has none."""
    for way in begun:
        if any(one.kind == "nested" for one in way.fields):
            continue
        key = proof.finds(way)
        if key is not None:
            return Found(way, key, ())
    return None


def _shapeless(sign: Written, is_md5: bool) -> list[Made]:
    if is_md5:
        return [] if sign.is_hex and len(sign.text) == MD5_CHARS else [Made("sign_length")]
    return [Made("sign_length" if sign.decoded else "sign_not_base64")]


def _flaws(dialect: Dialect, sign: Written, offered: str) -> Iterable[str]:
    """What is wrong with how the signature is written, where its readers mind."""
    forgiven = dialect.forgives.get("hex" if sign.is_hex else "base64", frozenset())
    yield from (one for one in sign.flaws if one not in forgiven)
    if sign.is_hex and dialect.hex_case == "lower" and offered.strip() != sign.text:
        yield "hex_case"


# --- Saying ------------------------------------------------------------------------------------


def _their_string(asked: Question, right: Way, found: Found | None) -> str | None:
    if asked.their_string is not None:
        text = asked.their_string.decode("utf-8", "surrogateescape")
        secrets = [one.secret for one in asked.keys if one.secret is not None]
        hidden = without_secret(
            text, right.recipe.tail, text_of(right.recipe, right.fields), secrets
        )
        return shown(hidden)
    if found is not None and found.made:
        return shown(shown_of(found.way.recipe, found.way.fields))
    return None


def _ours(asked: Question, base: Way, verdict: _Verdict, *, verifies: bool) -> str | None:
    """Our digest, where it may be shown: see the top."""
    if isinstance(verdict.proof, Rsa):
        made = verdict.proof.digest_of(base)
        return None if made is None else f"{verdict.proof.opened.hash} {made.hex()}"
    secrets = [one for one in asked.keys if one.secret is not None]
    if not secrets or not (asked.show_ours or verifies):
        return None
    key = verdict.found.key if verdict.found is not None else secrets[0]
    made_text = Shared((key,), "").made(base, key)
    if made_text is None or any(one.kind == "nested" for one in base.fields):
        return None
    return made_text if DIALECTS[asked.dialect].hex_case == "lower" else made_text.upper()


def _dropped(base: Way, fields: Sequence[Field]) -> list[DroppedView]:
    found: list[DroppedView] = []
    used = {one.name for one in base.fields}
    for one in fields:
        why = _why_dropped(base, one, is_used=one.name in used)
        if why is not None:
            en, zh = DROPPED[why]
            found.append({"name": shown(one.name), "why": why, "en": en, "zh": zh})
    return found


def _why_dropped(base: Way, one: Field, *, is_used: bool) -> str | None:
    if one.name in base.recipe.left_out:
        return "never"
    if one.kind in {"array", "null", "nested"}:
        return one.kind
    if DROPS[base.recipe.dropped](one):
        return "blank" if one.text else "empty"
    return None if is_used else "unknown"


def _bytes(base: Way) -> list[BytesView]:
    return [
        {"name": shown(name), "text": shown(value), "hex": raw(value).hex(" ")}
        for name, value in pairs_of(base.recipe, base.fields)
        if not value.isascii()
    ]


def _notes(
    asked: Question,
    dialect: Dialect,
    begun: Sequence[Way],
    found: Found | None,
    algorithm: str,
) -> list[Made]:
    notes = [Made("repeated", shown(name)) for name in asked.sent.repeated]
    if found is not None:
        if not found.key.newest:
            notes.append(Made("older_key"))
        if not found.made and dialect.known is not None and len(begun) > 1:
            whole = len(found.way.fields) == len(begun[0].fields)
            notes.append(Made(f"unknown_fields_{'signed' if whole else 'unsigned'}"))
        if not found.made and found.way.recipe is ALIPAY_CLASSIC:
            notes.append(Made("classic"))
    if asked.removed:
        notes.append(Made("account_removed"))
    notes += _key_notes(asked, algorithm)
    stamp = asked.sent.text("timestamp").strip()
    if asked.dialect == "epay":
        if len(stamp) != 10 or not stamp.isascii() or not stamp.isdigit():
            notes.append(Made("time_form", "timestamp"))
        elif asked.now is not None and abs(int(stamp) - asked.now) > 300:
            notes.append(Made("time_window", "timestamp"))
    return notes


def _key_notes(asked: Question, algorithm: str) -> Iterable[Made]:
    for key in asked.keys:
        if asked.account is not None:
            return
        if key.secret is not None and key.secret != key.secret.strip():
            yield Made("key_blanks")
        if key.label is not None and key.label != key.form:
            yield Made("key_label")
        if algorithm == "MD5":
            continue
        if key.form == "PKCS#1 private" and asked.dialect == "epay":
            yield Made("key_form_pkcs1")
        if key.form == "PKCS#8 private" and asked.dialect == "alipay":
            yield Made("key_form_pkcs8")
        if key.form == "PKCS#1 public":
            yield Made("key_form_public_pkcs1")


def _said(one: Made, words: Mapping[str, tuple[str, str]]) -> SaidView:
    en, zh = words[one.code]
    return {"code": one.code, "field": shown(one.field), "en": en, "zh": zh}
