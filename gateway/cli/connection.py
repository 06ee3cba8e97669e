"""Reaching a running gateway (and a sandbox's institutions): addresses, keys, refusals.

Address and key come from flags, else the environment, else the nearest sandbox. A sandbox's key is
sent to the sandbox's own address only.
"""

import functools
import ipaddress
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, Self, get_args
from urllib.parse import quote, urlsplit

import click
import httpx
import orjson

from channels.unprinted import Unprinted
from gateway.cli.output import Refusal
from gateway.sandbox import card

P = ParamSpec("P")
Role = Literal["merchant", "operator", "second"]

_KEY_OF: Mapping[Role, Callable[[card.Card], str]] = {
    "merchant": attrgetter("merchant_key"),
    "operator": attrgetter("operator_key"),
    "second": attrgetter("second_key"),
}

CONNECTION_FLAGS = ("role_given", "url", "key", "folder", "control")
"""The parameters that `connecting` adds, in the order of `locate`."""

_TIMEOUT = httpx.Timeout(60, connect=5)
# Days of institutions' work may happen before the control API answers.
_CONTROL_TIMEOUT = httpx.Timeout(600, connect=5)


class Place(Unprinted, frozen=True):
    """Which gateway to ask, and with which key."""

    hidden = frozenset({"key"})

    url: str
    key: str
    control_url: str | None
    folder: Path | None
    """The sandbox's folder, when it is a sandbox that was found."""
    accounts: Mapping[str, str]


def locate(
    role: Role, url: str | None, key: str | None, folder: Path | None, control_url: str | None
) -> Place:
    """Put together what was given and what the nearest sandbox says. Raises `Refusal`."""
    found = folder or card.nearest(Path.cwd())
    sandbox = None if found is None else card.read(found)
    if folder is not None and sandbox is None:
        raise Refusal("no_sandbox", f"there is no sandbox in {folder}; start one with `hangdao up`")
    if sandbox is not None and url not in (None, sandbox.url):
        sandbox = found = None
    if sandbox is not None:
        url = url or sandbox.url
        key = key or _KEY_OF[role](sandbox)
        control_url = control_url or sandbox.control_url
    if url is None:
        raise Refusal(
            "no_gateway",
            "no gateway is named: give --url (HANGDAO_URL), or start a sandbox with `hangdao up`",
            zh="未指定网关：请使用 --url（HANGDAO_URL），或先运行 hangdao up",
        )
    if key is None:
        raise Refusal(
            "no_key",
            f"no key is given: this command needs --key (HANGDAO_KEY) with a key of the {role}",
            zh="未提供密钥：请使用 --key（HANGDAO_KEY）",
        )
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise click.BadParameter(f"{url!r} is not http(s)://host[:port]", param_hint="--url")
    accounts = {} if sandbox is None else sandbox.accounts
    return Place(url.rstrip("/"), key, control_url, found if sandbox else None, accounts)


def connecting(
    role: Role,
) -> Callable[[Callable[Concatenate["Connect", P], None]], Callable[..., None]]:
    """Give a command the flags of a connection and, as its first argument, what opens it.

    `role` says which of a sandbox's keys it uses unless told otherwise.
    """

    def wrap(command: Callable[Concatenate["Connect", P], None]) -> Callable[..., None]:
        @click.option("--url", envvar="HANGDAO_URL", show_envvar=True, help="The gateway.")
        @click.option("--key", envvar="HANGDAO_KEY", show_envvar=True, help="An API key.")
        @click.option(
            "--dir",
            "folder",
            type=click.Path(file_okay=False, path_type=Path),
            envvar="HANGDAO_DIR",
            show_envvar=True,
            help="The sandbox's folder.",
        )
        @click.option(
            "--control", envvar="HANGDAO_CONTROL_URL", hidden=True, help="The simulators' control."
        )
        @click.option(
            "--as",
            "role_given",
            type=click.Choice(get_args(Role)),
            default=role,
            show_default=True,
            help="Which of the sandbox's keys to use; `second` is another operator's.",
        )
        @functools.wraps(command)
        def run(*arguments: Any, **named: Any) -> None:
            flags = [named.pop(name) for name in CONNECTION_FLAGS]

            def connect() -> Api:
                return Api(locate(*flags))

            command(connect, *arguments, **named)

        return run

    return wrap


def reaching(
    role: Role,
) -> Callable[[Callable[Concatenate["Api", P], None]], Callable[..., None]]:
    """As `connecting`, but the command gets the API itself, already open."""

    def wrap(command: Callable[Concatenate["Api", P], None]) -> Callable[..., None]:
        @connecting(role)
        @functools.wraps(command)
        def run(connect: Connect, *arguments: Any, **named: Any) -> None:
            with connect() as api:
                command(api, *arguments, **named)

        return run

    return wrap


class Api:
    """The gateway's HTTP API; everything but success is raised as `Refusal`."""

    def __init__(self, place: Place) -> None:
        """Connects at the first call."""
        self.place = place
        self._http = httpx.Client(
            base_url=place.url,
            headers={"Authorization": f"Bearer {place.key}"},
            timeout=_TIMEOUT,
            trust_env=not _is_loopback(place.url),
        )

    def __enter__(self) -> Self:
        """Use it as a context."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, path: str, /, **query: Any) -> Any:
        """Read something; filters without a value are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return self.call("GET", path, params=given).json()

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Do something."""
        if body is None:
            return self.call("POST", path).json()
        return self.call("POST", path, json=body).json()

    def delete(self, path: str) -> Any:
        """Take something away."""
        return self.call("DELETE", path).json()

    def call(self, method: str, path: str, **rest: Any) -> httpx.Response:
        """One call. Raises `Refusal` with what the problem document says."""
        response = _exchange(self._http, method, path, **rest)
        if response.is_error:
            raise _problem(response)
        return response

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Ask the simulated institutions. Raises `Refusal`, also where there are none."""
        url = self.place.control_url
        if url is None:
            raise Refusal(
                "no_institutions",
                "there are no simulated institutions here: this works in a sandbox only",
                zh="此处没有机构模拟器：该命令只在沙箱中可用",
            )
        with httpx.Client(base_url=url, timeout=_CONTROL_TIMEOUT, trust_env=False) as http:
            response = _exchange(http, method, f"/_sim/{path}", json=body)
        if response.is_error:
            detail = _detail(response, "error")
            raise Refusal("institutions_refused", detail, zh=f"机构模拟器拒绝：{detail}")
        return response.json()

    def payout_id(self, named: str) -> str:
        """The id of a payout that is named by its id or by its merchant's own number."""
        if named.startswith("po_"):
            return named
        found = self.get("/v1/payouts", merchant_ref=named, limit=2)["data"]
        if not found:
            raise Refusal("payout_not_found", f"there is no payout {named!r}", zh="代付单不存在")
        if len(found) > 1:
            raise Refusal(
                "payout_ambiguous", f"several merchants have a payout {named!r}; give its id"
            )
        return str(found[0]["id"])


Connect = Callable[[], Api]
"""Opens the API; raises `Refusal` where it is not said which one."""


def path_of(part: str) -> str:
    """A path's parameter, whatever is in it."""
    return quote(part, safe="")


def _exchange(http: httpx.Client, method: str, path: str, **rest: Any) -> httpx.Response:
    if rest.get("json", path) is None:
        del rest["json"]
    try:
        return http.request(method, path, **rest)
    except httpx.ConnectError:
        raise Refusal(
            "unreachable",
            f"nothing answers at {http.base_url}; is the gateway running (`hangdao up`)?",
            zh=f"{http.base_url} 无应答，网关是否已启动？",
            sent=False,
        ) from None
    except httpx.HTTPError as error:
        raise Refusal(
            "no_answer",
            f"{http.base_url} did not answer ({type(error).__name__}); it may have done it or not",
            zh=f"{http.base_url} 没有返回应答，请求可能已执行",
            sent=True,
        ) from None


_TOLD = ("status", "param", "retryable", "request_id", "errors")


def _problem(response: httpx.Response) -> Refusal:
    """What an RFC 9457 document says; anything else is not our gateway talking."""
    try:
        found = response.json()
    except (orjson.JSONDecodeError, ValueError):
        found = None
    if not isinstance(found, dict) or "code" not in found:
        return Refusal("not_a_gateway", f"{response.url} answers {response.status_code} oddly")
    rest = {key: found[key] for key in _TOLD if key in found}
    detail = str(found.get("detail", found["code"]))
    return Refusal(str(found["code"]), detail, zh=str(found.get("detail_zh", "")), **rest)


def _detail(response: httpx.Response, key: str) -> str:
    try:
        return str(response.json()[key])
    except (ValueError, LookupError, TypeError):
        return f"{response.url} answers {response.status_code}"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
