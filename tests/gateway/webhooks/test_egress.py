"""The egress rules as tables and laws; no sockets."""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.webhooks.egress import Egress, EgressError, is_public

STRICT = Egress()

# IANA special-purpose address registries, and what is local or translated by its nature.
SPECIAL = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "168.63.129.16/32",
    "::/128",
    "::1/128",
    "::/96",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:2::/48",
    "2001:10::/28",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]

METADATA = ["169.254.169.254", "169.254.0.23", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"]


@pytest.mark.parametrize(
    "url",
    [
        "https://merchant.example/webhooks",
        "HTTPS://Merchant.Example/webhooks?token=a%20b&c=/d",
        "https://merchant.example:443/",
        "https://merchant.example:8443/x",
        "https://merchant.example./x",
        "https://xn--fiqs8s.example/",
        "https://93.184.216.34/x",
        "https://[2606:2800:220:1:248:1893:25c8:1946]:8443/x",
        "https://1password.example/x",
        "https://0x.example/",
    ],
)
def test_public_https_url_is_accepted(url: str) -> None:
    """Nothing is wrong with it."""
    assert STRICT.check_url(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "percent-encoded, or none at all"),
        ("merchant.example", "must begin with https://"),
        ("//merchant.example/", "must begin with https://"),
        ("https:merchant.example/", "must begin with https://"),
        ("https:///x", "must begin with https://"),
        ("ftp://merchant.example/", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("http://merchant.example/", "must begin with https://"),
        ("http://merchant.example:443/", "must begin with https://"),
        ("https://merchant.example:22/", "port 22 is not allowed"),
        ("https://merchant.example:8080/", "port 8080 is not allowed"),
        ("https://merchant.example:0/", "malformed"),
        ("https://merchant.example:/", "malformed"),
        ("https://merchant.example:+443/", "malformed"),
        ("https://merchant.example:99999/", "malformed"),
        ("https://[::1/", "malformed"),
        ("https://[127.0.0.1]/", "not an IPv6 address"),
        ("https://[::1]x/", "malformed"),
        ("https://127.0.0.1[::1]/", "malformed"),
        ("https://[::1]@", "user name or password"),
        ("https://user@merchant.example/", "user name or password"),
        ("https://user:word@merchant.example/", "user name or password"),
        ("https://merchant.example@127.0.0.1/", "user name or password"),
        ("https://@merchant.example/", "user name or password"),
        ("https://merchant.example\\@127.0.0.1/", "percent-encoded"),
        ("https://merchant.example/a b", "percent-encoded"),
        ("https://merchant.example/\r\nhost: x", "percent-encoded"),
        ("https://商户.example/", "percent-encoded"),
        ("https://\uff11\uff12\uff17.0.0.1/", "percent-encoded"),  # full-width digits
        ("https://merchant.example/#x", "fragment"),
        ("https://%6c%6fcalhost/", "malformed"),
        ("https://merchant..example/", "not a host name"),
        ("https://-merchant.example/", "not a host name"),
        ("https://" + "a" * 64 + ".example/", "not a host name"),
        ("https://merchant.example/" + "a" * 2048, "longer than 2048"),
        ("https://localhost/", "localhost is not a public host"),
        ("https://LOCALHOST.:8443/", "localhost is not a public host"),
        ("https://api.localhost/", "api.localhost is not a public host"),
        ("https://127.0.0.1/", "127.0.0.1 is not a public address"),
        ("https://0.0.0.0/", "0.0.0.0 is not a public address"),
        ("https://10.1.2.3/", "10.1.2.3 is not a public address"),
        ("https://[::]/", ":: is not a public address"),
        ("https://[::1]/", "::1 is not a public address"),
        ("https://[::ffff:127.0.0.1]/", "not a public address"),
        ("https://[::ffff:7f00:1]/", "not a public address"),
        ("https://[::ffff:93.184.216.34]/", "not a public address"),
        ("https://[::127.0.0.1]/", "not a public address"),
        ("https://[64:ff9b::7f00:1]/", "not a public address"),
        ("https://[64:ff9b::5db8:d822]/", "not a public address"),
        ("https://[2002:7f00:1::]/", "not a public address"),
        ("https://[fe80::1%25eth0]/", "malformed"),
        ("https://[1::2::3]/", "not an IPv6 address"),
        ("https://2130706433/", "nor four decimal numbers"),
        ("https://127.1/", "nor four decimal numbers"),
        ("https://0177.0.0.1/", "nor four decimal numbers"),
        ("https://0x7f.0.0.1/", "nor four decimal numbers"),
        ("https://0x7f000001/", "nor four decimal numbers"),
        ("https://017700000001/", "nor four decimal numbers"),
        ("https://127.0.0.0x1/", "nor four decimal numbers"),
        ("https://127.0.0.1.1/", "nor four decimal numbers"),
        ("https://256.0.0.1/", "nor four decimal numbers"),
    ],
)
def test_dangerous_or_broken_url_is_refused(url: str, problem: str) -> None:
    """Every trick has an answer that says what is wrong."""
    assert problem in (STRICT.check_url(url) or "accepted")


@pytest.mark.parametrize("address", METADATA)
def test_cloud_metadata_is_refused(address: str) -> None:
    """Amazon, Azure, Google, Alibaba, Tencent and Oracle hand out credentials there."""
    host = f"[{address}]" if ":" in address else address
    assert "not a public address" in (STRICT.check_url(f"https://{host}/latest") or "accepted")
    assert not STRICT.admits(address)


@pytest.mark.parametrize("network", SPECIAL)
def test_ends_of_every_special_network_are_not_public(network: str) -> None:
    """First and last address, where an off-by-one would show."""
    block = ip_network(network)
    assert not is_public(block[0])
    assert not is_public(block[-1])


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.216.34", "168.63.129.15", "192.0.1.0", "2606:4700::1111", "2a00::1"],
)
def test_ordinary_address_is_public(address: str) -> None:
    """The guard does not refuse the Internet."""
    assert is_public(ip_address(address))


def spelled(address: IPv4Address) -> list[str]:
    """Spell an address in the ways the C library's resolver understands."""
    value, parts = int(address), address.packed
    return [
        str(address),
        str(value),
        f"0{value:o}",
        hex(value),
        ".".join(f"0{part:o}" for part in parts),
        ".".join(hex(part) for part in parts),
        f"{parts[0]}.{value & 0xFFFFFF}",
        f"[::ffff:{address}]",
        f"[64:ff9b::{address}]",
        f"[2002:{parts[0]:02x}{parts[1]:02x}:{parts[2]:02x}{parts[3]:02x}::1]",
    ]


@st.composite
def inside(draw: st.DrawFn) -> IPv4Address:
    """Draw an address of a special network."""
    blocks = [IPv4Network(network) for network in SPECIAL if ":" not in network]
    block = draw(st.sampled_from(blocks))
    return block[draw(st.integers(0, block.num_addresses - 1))]


@given(inside())
def test_no_spelling_of_a_special_address_passes(address: IPv4Address) -> None:
    """However a non-public IPv4 address is written, it is refused."""
    accepted = [host for host in spelled(address) if STRICT.check_url(f"https://{host}/") is None]
    assert accepted == []


@given(st.ip_addresses(v=6))
def test_only_global_unicast_is_ever_admitted(address: IPv6Address) -> None:
    """Whatever the registries add outside of it stays refused."""
    assert not STRICT.admits(str(address)) or address in IPv6Network("2000::/3")


@given(st.text() | st.text(alphabet="htps:/@[].%#?0127xaf:\\", max_size=40).map("https://".__add__))
def test_any_text_gets_a_verdict(text: str) -> None:
    """Registration never fails with anything but a sentence."""
    problem = STRICT.check_url(text)
    assert problem is None or problem.strip()


@given(
    st.sampled_from(["", "user@", "@", "[", "127.0.0.1:443@"]),
    st.sampled_from(["merchant.example", "93.184.216.34", "[2606:4700::1111]", "[::1]", "0x7f.1"]),
    st.sampled_from(["", ":", ":443", ":8443", ":0443", ":80", "@x", "]", "."]),
    st.sampled_from(["", "/", "?a=b", "/@x:1/", "//x", "?@x", "/:8443"]),
)
def test_what_is_checked_is_what_is_connected_to(
    before: str, host: str, after: str, rest: str
) -> None:
    """The library that connects reads the same host and port out of every accepted URL."""
    url = f"https://{before}{host}{after}{rest}"
    if STRICT.check_url(url) is None:
        parsed = STRICT.destination(url).url
        assert parsed.scheme == "https"
        assert parsed.raw_user is None
        assert parsed.port in {443, 8443}
        assert parsed.raw_host is not None
        assert parsed.raw_host.removesuffix(".") == host.strip("[]")


@pytest.mark.parametrize("address", ["merchant.example", "", "127.1", "2130706433", "::1%lo"])
def test_what_is_not_a_public_address_is_not_admitted(address: str) -> None:
    """The last gate takes canonical addresses only."""
    assert not STRICT.admits(address)


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("localhost:9000", "http://localhost:9000/hook"),
        ("LOCALHOST.:9000", "http://localhost:9000/hook"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000/hook"),
        ("[::1]:9000", "http://[0:0::1]:9000/hook"),
        ("hooks.corp:8080", "http://hooks.corp:8080/hook"),
        ("127.0.0.0/8", "http://127.0.0.1:9000/hook"),
        ("fd00::/8", "http://[fd00::5]:81/hook"),
    ],
)
def test_allow_list_lets_a_development_server_in(entry: str, url: str) -> None:
    """Refused without the entry, accepted with it."""
    assert STRICT.check_url(url) is not None
    assert Egress([entry]).check_url(url) is None


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("localhost:9000", "http://localhost:9001/"),
        ("localhost:9000", "http://api.localhost:9000/"),
        ("localhost:9000", "http://127.0.0.1:9000/"),
        ("localhost:9000", "http://x@localhost:9000/"),
        ("127.0.0.0/8", "http://localhost:9000/"),
        ("127.0.0.0/8", "https://localhost/"),
        ("127.0.0.0/8", "http://hooks.corp/"),
        ("127.0.0.0/8", "https://10.0.0.1/"),
        ("127.0.0.0/8", "https://[::ffff:127.0.0.1]/"),
        ("127.0.0.0/8", "https://2130706433/"),
    ],
)
def test_allow_list_lets_nothing_else_in(entry: str, url: str) -> None:
    """An entry means what it says, not its neighbours or other spellings."""
    assert Egress([entry]).check_url(url) is not None


def test_destination_of_a_refused_url_raises() -> None:
    """Whoever sends cannot overlook the verdict."""
    with pytest.raises(EgressError, match="must begin with https://"):
        STRICT.destination("http://merchant.example/")


@pytest.mark.parametrize(
    "entry",
    ["localhost", "127.0.0.1", "host:", "host:0", "host:65536", "a b:80", "10.0.0.1/8", "x/8", ""],
)
def test_unclear_allow_list_entry_stops_the_start(entry: str) -> None:
    """The message names the entry."""
    with pytest.raises(ValueError, match="in the egress allow-list") as refused:
        Egress([entry])
    assert repr(entry) in str(refused.value)
