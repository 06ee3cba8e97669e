"""The mistakes that callers make: each is a change of one cell, tried alone and then in twos."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from gateway.api.explain.keys import Key
from gateway.api.explain.proof import Rsa, Shared, Way
from gateway.api.explain.recipe import Dialect
from gateway.api.explain.sent import Field

WORK_MAX = 60_000
"""Signed fields looked at in all: what a search may cost."""

_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,8})?", re.ASCII)


class Made(Struct, frozen=True):
    """A mistake that was made; `field` where it is about one."""

    code: str
    field: str = ""


class Found(Struct, frozen=True):
    """The way in which the signature was made."""

    way: Way
    key: Key
    made: tuple[Made, ...]
    alike: tuple[str, ...] = ()
    """Other mistakes that would give the same signature here."""


Variation = tuple[Made, Way]
Vary = Callable[[Way], Iterable[Variation]]


def _recipe(code: str, **cells: object) -> Vary:
    def vary(way: Way) -> Iterable[Variation]:
        changed = replace(way.recipe, **cells)
        if changed != way.recipe:
            yield Made(code), replace(way, recipe=changed)

    return vary


def _cells(code: str, **cells: object) -> Vary:
    def vary(way: Way) -> Iterable[Variation]:
        changed = replace(way, **cells)
        if changed != way:
            yield Made(code), changed

    return vary


def _left_out(code: str, name: str, *, signed: bool) -> Vary:
    """`signed`: the mistake was to sign this field, else not to."""

    def vary(way: Way) -> Iterable[Variation]:
        before = way.recipe.left_out
        left_out = before - {name} if signed else before | {name}
        if left_out != before and any(one.name == name for one in way.fields):
            recipe = replace(way.recipe, left_out=left_out)
            yield Made(code, name), replace(way, recipe=recipe)

    return vary


def _without_one(way: Way) -> Iterable[Variation]:
    """A field that is sent and was not signed."""
    for place, one in enumerate(way.fields):
        if one.name not in way.recipe.left_out:
            rest = (*way.fields[:place], *way.fields[place + 1 :])
            yield Made("field_left_out", one.name), replace(way, fields=rest)


def _numbers(way: Way) -> Iterable[Variation]:
    """A number that was signed in another form than it was sent in: 1.0 for 1, 1 for 1.00."""
    for place, one in enumerate(way.fields):
        if one.kind not in {"text", "number"} or not _NUMBER.fullmatch(one.text):
            continue
        whole, _, part = one.text.partition(".")
        short = f"{whole}.{part.rstrip('0')}".rstrip(".")
        for form in dict.fromkeys((short, f"{short}.0", f"{whole}.{part:0<2}")):
            if form != one.text and not ("." in short and form == f"{short}.0"):
                changed = replace(one, text=form, wire=form)
                fields = (*way.fields[:place], changed, *way.fields[place + 1 :])
                yield Made("number_form", one.name), replace(way, fields=fields)


def _nested(way: Way) -> Iterable[Variation]:
    """An object inside JSON, which has no agreed text."""
    if any(one.kind == "nested" for one in way.fields):
        for writing in ("raw", "compact JSON"):
            recipe = replace(way.recipe, writing=writing)
            yield Made("nested_signed"), replace(way, recipe=recipe)
        rest = tuple(one for one in way.fields if one.kind != "nested")
        yield Made("nested_left_out"), replace(way, fields=rest)


_EITHER: Sequence[Vary] = (
    _recipe("order_case_sensitive", order="names"),
    _recipe("order_any_case", order="pairs, any case"),
    _recipe("order_names_any_case", order="names, any case"),
    _recipe("order_whole_pairs", order="pairs"),
    _recipe("order_as_sent", order="as sent"),
    _recipe("order_reversed", order="reversed"),
    _recipe("empty_kept", dropped="null"),
    _recipe("empty_kept", dropped="null", writing="null"),
    _recipe("blank_kept", dropped="empty"),
    _recipe("blank_dropped", dropped="blank"),
    _recipe("zero_dropped", dropped="falsy"),
    _recipe("value_encoded", writing="wire"),
    _recipe("value_encoded", writing="quoted"),
    _recipe("value_encoded", writing="quoted, plus"),
    _recipe("value_encoded", writing="quoted, lower"),
    _recipe("value_encoded", writing="quoted, plus, lower"),
    _recipe("value_sent_encoded_twice", writing="unquoted"),
    _recipe("plus_lost", writing="plus for blank"),
    _recipe("plus_as_blank", writing="blank for plus"),
    _recipe("value_trimmed", writing="trimmed"),
    _recipe("html_escaped", writing="escaped HTML"),
    _recipe("html_unescaped", writing="unescaped HTML"),
    _recipe("ascii_escapes", writing="ASCII escapes"),
    _recipe("slash_escapes", writing="slash escapes"),
    _recipe("boolean_form", writing="PHP"),
    _recipe("boolean_form", writing="Python"),
    _recipe("trailing_ampersand", trailing=True),
    _recipe("charset_gbk", charset="gbk"),
    _recipe("charset_utf8", charset="utf-8"),
    _left_out("sign_type_signed", "sign_type", signed=True),
    _left_out("sign_type_left_out", "sign_type", signed=False),
    _left_out("sign_type_left_out", "signType", signed=False),
    _numbers,
    _nested,
    _without_one,
)

_SHARED: Sequence[Vary] = (
    _recipe("tail_key", tail="key"),
    _recipe("tail_bare", tail="bare"),
    _recipe("tail_key_no_ampersand", tail="key, no &"),
    _recipe("tail_ampersand_bare", tail="& bare"),
    _recipe("tail_before", tail="before"),
    _recipe("tail_around", tail="around"),
    _recipe("tail_none", tail="none"),
    _cells("secret_line_end", secret="line end"),  # noqa: S106 - names a mistake
    _cells("secret_line_end", secret="Windows line end"),  # noqa: S106 - names a mistake
    _cells("secret_blanks", secret="blank behind"),  # noqa: S106 - names a mistake
    _cells("secret_blanks", secret="blank before"),  # noqa: S106 - names a mistake
    _cells("secret_blanks", secret="stripped"),  # noqa: S106 - names a mistake
    _cells("secret_case", secret="upper"),  # noqa: S106 - names a mistake
    _cells("secret_case", secret="lower"),  # noqa: S106 - names a mistake
    _cells("secret_missing", secret="none"),  # noqa: S106 - names a mistake
    _cells("digest_base64", digest="MD5 in base64"),
    _cells("digest_sha1", digest="SHA-1"),
    _cells("digest_sha256", digest="SHA-256"),
    _cells("digest_hmac", digest="HMAC-MD5"),
    _cells("digest_hmac", digest="HMAC-SHA256"),
)

_RSA: Sequence[Vary] = (_cells("digest_twice", twice=True),)


def starts(dialect: Dialect, fields: Sequence[Field], *, notice: bool) -> list[Way]:
    """Every way that is right: over all fields, or over those that the protocol has."""
    recipes = dialect.notice if notice else dialect.request
    ways = [Way(recipe, tuple(fields)) for recipe in recipes]
    if dialect.known is not None:
        known = tuple(one for one in fields if one.name in dialect.known)
        if len(known) < len(fields):
            ways += [Way(recipe, known) for recipe in recipes]
    return ways


def search(begun: Sequence[Way], proof: Shared | Rsa) -> Found | None:
    """The one mistake that explains the signature, else two; None when none do."""
    table = (*_EITHER, *(_SHARED if isinstance(proof, Shared) else _RSA))
    cost = max(len(begun[0].fields), 1)
    tries = WORK_MAX // cost
    singles: list[Found] = []
    for (made, way), key in islice(_tried(_alone(begun, table), proof), tries):
        if key is not None:
            singles.append(Found(way, key, made))
    if singles:
        first = singles[0]
        codes = dict.fromkeys(one.made[0].code for one in singles)
        return replace(first, alike=tuple(code for code in codes if code != first.made[0].code))
    for (made, way), key in islice(_tried(_in_twos(begun[:1], table), proof), tries):
        if key is not None:
            return Found(way, key, made)
    return None


Tried = tuple[tuple[tuple[Made, ...], Way], Key | None]


def _tried(ways: Iterable[tuple[tuple[Made, ...], Way]], proof: Shared | Rsa) -> Iterator[Tried]:
    for one in ways:
        yield one, proof.finds(one[1])


def _alone(begun: Sequence[Way], table: Sequence[Vary]) -> Iterator[tuple[tuple[Made, ...], Way]]:
    for way in begun:
        for vary in table:
            for made, changed in vary(way):
                yield (made,), changed


def _in_twos(begun: Sequence[Way], table: Sequence[Vary]) -> Iterator[tuple[tuple[Made, ...], Way]]:
    for way in begun:
        for place, vary in enumerate(table):
            for made, changed in vary(way):
                for other in table[place + 1 :]:
                    for also, both in other(changed):
                        if also.code != made.code:
                            yield (made, also), both
