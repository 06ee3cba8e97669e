"""Reading one gateway request: parameters, signature, encryption, and the gateway's own refusals.

Source: open platform documentation, "公共请求参数" and "公共错误码". Parameters may come by query,
by form, or by both (the official SDKs send the common ones by query, biz_content by form).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from simulators.alipay.errors import GatewayRefusedError
from simulators.alipay.signing import decrypt, is_signed, sign_content
from simulators.clock import BEIJING
from simulators.kernel import Request

CHARSETS = {"utf-8": "utf-8", "gbk": "gbk", "gb2312": "gbk"}
_MANDATORY = ("method", "app_id", "sign_type", "sign", "timestamp", "version", "charset")
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Application:
    """What the gateway must know of a caller."""

    account: str
    app_id: str
    key: RSAPublicKey
    aes_key: str | None = None
    certificate_serial: str | None = None
    root_serial: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose sender is proven."""

    application: Application
    method: str
    charset: str
    biz: Mapping[str, object]
    is_encrypted: bool = False


def read_parameters(request: Request) -> tuple[dict[str, str], str]:
    """Parameters of query and form, and the Python name of their charset.

    Raises GatewayRefusedError for an unknown charset, for bytes that do not fit it, and for a
    parameter given twice (which one was signed would be a guess).
    """
    raw = [request.query]
    if request.method == "POST":
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _FORM:
            raise GatewayRefusedError("isv.invalid-content-type")
        raw.append(request.body.decode("latin-1"))
    named = [value for name, value in _pairs(raw, "latin-1") if name == "charset"]
    charset = CHARSETS.get(named[0].lower() if named else "utf-8")
    if charset is None:
        raise GatewayRefusedError("isv.invalid-charset")
    parameters: dict[str, str] = {}
    try:
        for name, value in _pairs(raw, charset):
            if name in parameters:
                raise GatewayRefusedError("isv.invalid-parameter", message=f"参数重复：{name}")
            parameters[name] = value
    except UnicodeDecodeError:
        raise GatewayRefusedError("isv.invalid-charset") from None
    return parameters, charset


def read_call(
    request: Request,
    applications: Mapping[str, Application],
    methods: frozenset[str],
    now: datetime,
    tolerance_s: float | None,
) -> Call:
    """Prove the sender and open the content. Raises GatewayRefusedError."""
    parameters, charset = read_parameters(request)
    method = parameters.get("method", "")
    named = method if method in methods else ""
    for name in _MANDATORY:
        if not parameters.get(name):
            what = "signature-type" if name == "sign_type" else name.replace("_", "-")
            what = "signature" if name == "sign" else what
            raise GatewayRefusedError(f"isv.missing-{what}", named)
    application = applications.get(parameters["app_id"])
    if application is None:
        raise GatewayRefusedError("isv.invalid-app-id", named)
    if parameters["sign_type"] != "RSA2":
        raise GatewayRefusedError("isv.invalid-signature-type", named)
    content = sign_content(parameters).encode(charset)
    if not is_signed(application.key, content, parameters["sign"]):
        raise GatewayRefusedError("isv.invalid-signature", named)
    if not named:
        raise GatewayRefusedError("isv.invalid-method")
    _check_common(parameters, application, named, now, tolerance_s)
    return _open(parameters, application, method, charset)


def _check_common(
    parameters: Mapping[str, str],
    application: Application,
    method: str,
    now: datetime,
    tolerance_s: float | None,
) -> None:
    if parameters.get("format", "json").lower() != "json":
        raise GatewayRefusedError("isv.invalid-format", method)
    if parameters["version"] != "1.0":
        raise GatewayRefusedError("isv.invalid-version", method)
    if application.certificate_serial is not None:
        expected = {
            "app_cert_sn": application.certificate_serial,
            "alipay_root_cert_sn": application.root_serial,
        }
        for name, serial in expected.items():
            if parameters.get(name) != serial:
                raise GatewayRefusedError(f"isv.invalid-{name.replace('_', '-')}", method)
    try:
        said = datetime.strptime(parameters["timestamp"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the zone follows
    except ValueError:
        raise GatewayRefusedError("isv.invalid-timestamp", method) from None
    skew_s = abs((now - said.replace(tzinfo=BEIJING)).total_seconds())
    if tolerance_s is not None and skew_s > tolerance_s:
        raise GatewayRefusedError("isv.invalid-timestamp", method)


def _open(
    parameters: Mapping[str, str], application: Application, method: str, charset: str
) -> Call:
    text = parameters.get("biz_content", "")
    if not text:
        raise GatewayRefusedError("isv.missing-biz-content", method)
    is_encrypted = bool(parameters.get("encrypt_type"))
    if is_encrypted:
        if parameters["encrypt_type"] != "AES" or application.aes_key is None:
            raise GatewayRefusedError("isv.invalid-encrypt", method)
        try:
            text = decrypt(application.aes_key, text, charset)
        except ValueError:
            raise GatewayRefusedError("isv.invalid-encrypt", method) from None
    try:
        biz = json.loads(text, object_pairs_hook=_no_twins)
    except ValueError:
        raise GatewayRefusedError(
            "isv.invalid-parameter", method, "biz_content不是合法的JSON"
        ) from None
    if not isinstance(biz, dict):
        raise GatewayRefusedError("isv.invalid-parameter", method, "biz_content不是JSON对象")
    return Call(application, method, charset, biz, is_encrypted)


def _pairs(raw: list[str], charset: str) -> list[tuple[str, str]]:
    return [
        pair
        for text in raw
        for pair in parse_qsl(text, keep_blank_values=True, encoding=charset, errors="strict")
    ]


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a JSON key stands twice")
    return read
