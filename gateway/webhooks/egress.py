"""Where a webhook may go: rules over URLs and addresses, no I/O.

A merchant chooses the URL, so this process must not become its hands inside our network: https,
two ports, no credentials, no spelling of an address that parsers read differently, and nothing but
globally reachable addresses. `resolve` asks `admits` again for the very address it connects to, so
a name that points elsewhere later gains nothing. The installation's allow-list is the only way out.
"""

import re
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from msgspec import Struct
from yarl import URL

PORTS = frozenset({443, 8443})
URL_LENGTH_MAX = 2048
KNOWN_MAX = 1024
"""URLs that need not be read again."""

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

# RFC 3986, section 2: what a URL may consist of. Blanks, backslashes and non-ASCII letters are
# where parsers disagree about which part is the host.
_URL = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
_SHAPE = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?]+)(?:[/?].*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# WHATWG URL, section 3.5: a host whose last label is a number is an IPv4 address, in any base.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# IANA IPv6 Global Unicast allocations (RFC 4291, section 2.4). All the rest is mapped, translated,
# local, multicast or reserved: ::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48, fc00::/7, fe80::/10 ...
_GLOBAL_UNICAST = IPv6Network("2000::/3")

# What the standard library's `is_global` lets pass in some of its versions (IANA special-purpose
# registries), or what is routed globally on paper and leads to the host's own cloud.
_NOT_PUBLIC: tuple[_Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments, RFC 6890
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    IPv4Network("168.63.129.16/32"),  # Azure's host: metadata and certificates of the machine
    IPv6Network("2001::/23"),  # IETF protocol assignments, Teredo and ORCHID among them
    IPv6Network("2001:db8::/32"),  # documentation, RFC 3849
    IPv6Network("2002::/16"),  # 6to4: an IPv4 address in disguise, RFC 3056
    IPv6Network("3fff::/20"),  # documentation, RFC 9637
)


class EgressError(OSError):
    """The guard refused, and nothing was sent. The text may be shown to the merchant.

    An `OSError`, because only that passes through the HTTP library's connector unharmed.
    """


class Destination(Struct, frozen=True):
    """A URL that passed the rules that need no look-up."""

    url: URL
    listed: bool
    """The allow-list names this very host and port: it may be at any address."""


class Egress:
    """The rules of one installation. Immutable."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        """`allow`: `host:port` (any scheme, any address) or CIDR (those addresses, any port).

        A CIDR lifts the rules about scheme and port only for URLs that spell the address out.
        Raises `ValueError` naming an entry that is neither.
        """
        listed: set[tuple[str, int]] = set()
        networks: list[_Network] = []
        for entry in allow:
            if "/" in entry:
                networks.append(_network(entry))
            else:
                listed.add(_host_and_port(entry))
        self._listed = frozenset(listed)
        self._networks = tuple(networks)
        self._known: dict[str, Destination] = {}
        """Read before, and admitted: the rules do not change."""

    def admits(self, address: str) -> bool:
        """Whether a connection may be opened to this address (text form, never a name)."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return is_public(parsed) or self._is_near(parsed)

    def check_url(self, url: str) -> str | None:
        """Say what is wrong with a URL, looking nothing up; None when it may be registered."""
        try:
            self.destination(url)
        except EgressError as problem:
            return str(problem)
        return None

    def destination(self, url: str) -> Destination:
        """Read a URL; raises `EgressError` when nothing may be sent there."""
        known = self._known.get(url)
        if known is None:
            known = self._read(url)
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[url] = known
        return known

    def _read(self, url: str) -> Destination:
        parsed, host, port = _parsed(url)
        if (host, port) in self._listed:
            return Destination(parsed, listed=True)
        address = _literal(host)
        near = address is not None and self._is_near(address)
        if parsed.scheme != "https" and not near:
            raise EgressError("the URL must begin with https://")
        if port not in PORTS and not near:
            raise EgressError(f"port {port} is not allowed; use 443 or 8443")
        if address is not None and not near and not is_public(address):
            raise EgressError(f"{address} is not a public address")
        if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
            raise EgressError(f"{host} is not a public host")
        return Destination(parsed, listed=False)

    def _is_near(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def is_public(address: _Address) -> bool:
    """Whether an address is reachable from everywhere, and leads nowhere special."""
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def _parsed(url: str) -> tuple[URL, str, int]:
    """Split so strictly that the parser which will connect cannot see another host or port."""
    if len(url) > URL_LENGTH_MAX:
        raise EgressError(f"the URL is longer than {URL_LENGTH_MAX} characters")
    if "#" in url:
        raise EgressError("the URL must not have a fragment (#)")
    if not _URL.fullmatch(url):
        raise EgressError("the URL has characters that must be percent-encoded, or none at all")
    shape = _SHAPE.fullmatch(url)
    if shape is None:
        raise EgressError("the URL must begin with https:// and name a host")
    if "@" in shape["authority"]:
        raise EgressError("the URL must not hold a user name or password")
    authority = _AUTHORITY.fullmatch(shape["authority"])
    if authority is None:
        raise EgressError("the host or the port in the URL is malformed")
    port = int(authority["port"] or (443 if shape["scheme"].lower() == "https" else 80))
    if not 0 < port < 65536:
        raise EgressError("the host or the port in the URL is malformed")
    host = _host(authority["host"])
    return URL(url, encoded=True), host, port


def _host(text: str) -> str:
    """Bring a host into the one form in which it is compared; raises `EgressError`."""
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError as error:
            raise EgressError(f"{text} is not an IPv6 address") from error
    host = text.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressError(f"{text} is not a host name")
    if _NUMBER.fullmatch(labels[-1]) and _literal(host) is None:
        # Decimal, octal, hexadecimal and shortened addresses: the resolver would read them.
        raise EgressError(f"{text} is neither a host name nor four decimal numbers")
    return host


def _literal(host: str) -> _Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _network(entry: str) -> _Network:
    try:
        return ip_network(entry)
    except ValueError as error:
        raise ValueError(f"{entry!r} in the egress allow-list: {error}") from error


def _host_and_port(entry: str) -> tuple[str, int]:
    authority = _AUTHORITY.fullmatch(entry)
    if authority is None or authority["port"] is None or not 0 < int(authority["port"]) < 65536:
        raise ValueError(f"{entry!r} in the egress allow-list is neither host:port nor a CIDR")
    try:
        return _host(authority["host"]), int(authority["port"])
    except EgressError as error:
        raise ValueError(f"{entry!r} in the egress allow-list: {error}") from error
