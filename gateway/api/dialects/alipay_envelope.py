"""The outside of Alipay's messages as its gateway reads and writes them (wire-protocols.md §1.1).

Parameters come by query, by form, or by both. The signature is over all of them but `sign`, those
without a value left out, sorted by name, `k=v` joined by `&`, nothing encoded, as the bytes that
were sent, whatever their charset. A reply is `{"<node>":{...},"sign":"..."}`, the signature over
exactly the bytes of the node. An example to build a caller against:

    parameters: app_id=2021000000000001 method=m charset=utf-8 sign_type=RSA2 notify_url=(empty)
    string:     app_id=2021000000000001&charset=utf-8&method=m&sign_type=RSA2
"""

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from channels.unprinted import Unprinted
from gateway.api.dialects import rsa
from gateway.api.dialects.alipay_codes import RefusedError
from gateway.api.dialects.wire import FIELDS_MAX, RAW, Ask, Said, raw
from gateway.domain.dialect import KeySet

CHARSETS: Mapping[str, str] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "gbk": "gbk",
    "gb2312": "gbk",
    "gb18030": "gb18030",
}
ERROR_NODE = "error_response"


class Tone(Unprinted, frozen=True):
    """How a reply is said, as far as is known when it must be."""

    hidden = frozenset({"key"})

    node: str = ERROR_NODE
    charset: str = "utf-8"
    key: str | None = None
    """The private key it is signed with; None while nobody knows who asks."""
    merchant_id: str | None = None


def parameters(ask: Ask) -> dict[str, str]:
    """Every parameter, by query and form, as raw text. One that stands twice is refused: which one
    was meant would be a guess."""
    read: dict[str, str] = {}
    for part in (ask.query, ask.body.decode("utf-8", RAW) if ask.method == "POST" else ""):
        try:
            pairs = parse_qsl(
                part,
                keep_blank_values=True,
                encoding="utf-8",
                errors=RAW,
                max_num_fields=FIELDS_MAX,
            )
        except ValueError:
            raise RefusedError("isv.invalid-parameter", "参数过多或无法解析") from None
        for name, value in pairs:
            if name in read:
                raise RefusedError("isv.invalid-parameter", "同一参数不能出现两次")
            read[name] = value
    return read


def string_to_sign(given: Mapping[str, str], *, with_empty: bool = False) -> bytes:
    """The one string, as bytes."""
    kept = sorted(
        (raw(name), raw(value))
        for name, value in given.items()
        if name != "sign" and (value or with_empty)
    )
    return b"&".join(name + b"=" + value for name, value in kept)


def proven(given: Mapping[str, str], keys: tuple[KeySet, ...]) -> KeySet:
    """Whose key signed this. Raises `RefusedError` when nobody's did."""
    for name, what in (("sign_type", "signature-type"), ("sign", "signature")):
        if not given.get(name):
            raise RefusedError(f"isv.missing-{what}")
    if given["sign_type"] != "RSA2":
        raise RefusedError("isv.invalid-signature-type")
    texts = {string_to_sign(given): None}
    # One official client signs what has no value as well.
    texts[string_to_sign(given, with_empty=True)] = None
    for one in keys:
        for text in texts:
            if one.theirs is not None and rsa.verifies(one.theirs, text, given["sign"]):
                return one
    raise RefusedError("isv.invalid-signature")


def reply(tone: Tone, node: Mapping[str, str]) -> Said:
    """A reply of flat text."""
    told = _object(node).encode(tone.charset, errors="replace")
    parts = [b'{"' + tone.node.encode() + b'":' + told]
    if tone.key is not None:
        parts.append(b'"sign":"' + rsa.sign(tone.key, told).encode() + b'"')
    return Said(
        b",".join(parts) + b"}",
        node.get("sub_code") or node["code"],
        tone.merchant_id,
        content_type=f"application/json;charset={tone.charset}",
    )


def notice(biz: Mapping[str, str], common: Mapping[str, str], key: str) -> bytes:
    """A form that tells of an order: signed as its callers' software checks it, over everything but
    `sign` and `sign_type`."""
    said = {**common, "charset": "UTF-8", "biz_content": _object(biz)}
    made = {**said, "sign_type": "RSA2", "sign": rsa.sign(key, string_to_sign(said))}
    return urlencode(made).encode()


def _object(node: Mapping[str, str]) -> str:
    """Braces inside of text are escaped: some callers find a node's end by counting them."""
    members = (
        f'"{name}":'
        + json.dumps(value, ensure_ascii=False).replace("{", "\\u007b").replace("}", "\\u007d")
        for name, value in node.items()
    )
    return "{" + ",".join(members) + "}"
