"""PROXY headers: read, believed from proxies only, bounded; what follows them is untouched."""

import asyncio
import contextlib
import ipaddress
import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.base.limits import ConnectionLimits, Limits
from mailserver.net.tls import ServerTls
from mailserver.servers.proxy import MAX_V2, SIGNATURE, Addresses, Header, read_header
from servers.site import HOST, Site, Wire, greeted, running, send, until, unverified

V4 = Addresses("203.0.113.9", 56324, "192.0.2.1", 25)
V6 = Addresses("2001:db8::9", 1, "2001:db8::1", 65535)
PORTS = st.integers(0, 65_535)
IPV4 = st.ip_addresses(v=4).map(str)
IPV6 = st.ip_addresses(v=6).map(str)
ADDRESSES = st.one_of(
    st.builds(Addresses, IPV4, PORTS, IPV4, PORTS), st.builds(Addresses, IPV6, PORTS, IPV6, PORTS)
)


def version_1(said: Addresses) -> bytes:
    family = "TCP6" if ":" in said.peer else "TCP4"
    return (
        f"PROXY {family} {said.peer} {said.local} {said.peer_port} {said.local_port}\r\n".encode()
    )


def version_2(said: Addresses, more: bytes = b"", command: int = 0x21) -> bytes:
    body = ipaddress.ip_address(said.peer).packed + ipaddress.ip_address(said.local).packed
    body += said.peer_port.to_bytes(2, "big") + said.local_port.to_bytes(2, "big") + more
    family = 0x21 if ":" in said.peer else 0x11
    return SIGNATURE + bytes([command, family]) + len(body).to_bytes(2, "big") + body


class Wired:
    """A source that gives at most *chop* octets at once."""

    def __init__(self, data: bytes, chop: int = 1_000) -> None:
        self.data, self.chop = data, chop

    async def read_some(self, most: int) -> bytes:
        assert most > 0
        size = min(most, self.chop)
        data, self.data = self.data[:size], self.data[size:]
        return data


def read(data: bytes, chop: int = 1_000) -> tuple[Addresses | None, bytes]:
    source = Wired(data, chop)
    return asyncio.run(read_header(source)), source.data


@given(ADDRESSES, st.integers(1, 20), st.binary(max_size=30), st.binary(max_size=30))
def test_what_a_proxy_says_is_heard_and_nothing_behind_it_taken(
    said: Addresses, chop: int, extra: bytes, rest: bytes
) -> None:
    for header in (version_1(said), version_2(said), version_2(said, extra)):
        assert read(header + rest, chop) == (said, rest)
    assert read(version_2(said, command=0x20) + rest, chop) == (None, rest)


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff:f::f ffff:f::f 65535 65535\r\n",
        SIGNATURE + b"\x20\x00\x00\x00",
        SIGNATURE + b"\x21\x00\x00\x03abc",
        SIGNATURE + b"\x20\x11\x00\x00",
        SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216),
        SIGNATURE + b"\x21\x12\x00\x0c" + bytes(12),
    ],
)
def test_a_proxy_that_names_nobody(header: bytes) -> None:
    assert read(header + b"NOOP") == (None, b"NOOP")


GARBAGE = [
    b"EHLO client.example\r\n",
    b"PROXY",
    b"PROXY\r\n",
    b"PROXY  TCP4 203.0.113.9 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2\n" + b"x" * 200,
    b"PROXY TCP4 203.0.113.9 192.0.2.1 01 2\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1 65536\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2 3\r\n",
    b"PROXY TCP4 203.0.113.09 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 2001:db8::1 192.0.2.1 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2\r\n",
    b"PROXY TCP5 203.0.113.9 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 \xb2.0.0.1 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
    SIGNATURE + b"\x11\x11\x00\x0c" + bytes(12),
    SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),
    SIGNATURE + b"\x21\x41\x00\x0c" + bytes(12),
    SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11),
    SIGNATURE + b"\x21\x21\x00\x0c" + bytes(12),
    SIGNATURE + b"\x21\x11\xff\xff" + bytes(65_535),
    SIGNATURE + b"\x21\x11\x00\x0c" + bytes(5),
    SIGNATURE[:-1] + b"\x0b" + bytes(20),
    b"",
]


@pytest.mark.parametrize("wire", GARBAGE)
@pytest.mark.parametrize("chop", [1, 1_000])
def test_what_is_no_header_is_refused(wire: bytes, chop: int) -> None:
    with pytest.raises(PeerError):
        read(wire, chop)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=100).map(lambda data: SIGNATURE + data),
        st.binary(max_size=100).map(lambda data: b"PROXY TCP4 " + data),
    )
)
def test_garbage_ends_within_bounds(wire: bytes) -> None:
    header, at = Header(), 0
    try:
        while header.wanted and at < len(wire):
            piece = wire[at : at + header.wanted]
            header.feed(piece)
            at += len(piece)
    except PeerError:
        return
    assert at <= MAX_V2


# -- over sockets


@pytest.fixture
def proxied(tmp_path: Path, tls: ServerTls):
    limits = Limits(connections=ConnectionLimits(proxy_header_s=0.5, per_address=2))
    with running(tmp_path, tls, limits, proxies=("127.0.0.0/8",)) as site:
        yield site


def introduced(site: Site, header: bytes, port: str = "smtp") -> Wire:
    wire = site.connect(port)
    wire.say(header)
    return wire


@pytest.mark.parametrize("header", [version_1(V4), version_2(V4), version_2(V4, b"\x04\x00\x01x")])
@pytest.mark.parametrize("pipelined", [False, True])
def test_the_client_behind_the_proxy_is_the_peer(
    proxied: Site, header: bytes, pipelined: bool
) -> None:
    with introduced(proxied, header + (b"EHLO c.example\r\n" if pipelined else b"")) as wire:
        assert wire.hear().startswith("220 ")
        if not pipelined:
            wire.say(b"EHLO c.example\r\n")
        assert wire.hear().startswith("250-")
        assert send(wire, "alice@example.test").startswith("250")
    (stored,) = proxied.messages("alice@example.test")
    assert b"Received: from c.example ([203.0.113.9])\r\n" in stored


def test_tls_follows_the_header(proxied: Site) -> None:
    wire = introduced(proxied, version_2(V6), "submissions")
    wire.tls()
    assert wire.hear().startswith("220 ")
    wire.close()
    header = version_1(V4)
    with socket.create_connection(("127.0.0.1", proxied.ports["submissions"])) as plain:
        for i in range(len(header)):  # octet by octet, then the handshake in the same breath
            plain.sendall(header[i : i + 1])
        with unverified().wrap_socket(plain, server_hostname=HOST) as secured:
            assert secured.recv(4) == b"220 "


def test_limits_count_the_clients_not_the_proxy(proxied: Site) -> None:
    one, two = (introduced(proxied, version_1(V4)) for _ in range(2))
    with one, two:
        assert one.hear().startswith("220 ")
        assert two.hear().startswith("220 ")
        with introduced(proxied, version_1(V4)) as three:
            assert three.hear().startswith("421 4.3.2")
        with introduced(proxied, version_1(V6)) as other:
            assert other.hear().startswith("220 ")


def test_a_password_in_clear_text_is_for_the_clients_network(proxied: Site) -> None:
    """127.0.0.0/8 may log in without TLS here; a client behind the proxy is not from there."""
    with introduced(proxied, version_1(V4), "submission") as wire:
        wire.hear()
        assert "AUTH" not in wire.ask(b"EHLO c.example\r\n")
    with introduced(proxied, b"PROXY UNKNOWN\r\n", "submission") as wire:
        wire.hear()
        assert "AUTH" in wire.ask(b"EHLO c.example\r\n")


@pytest.mark.parametrize("port", ["smtp", "submissions"])
@pytest.mark.parametrize("wire", [g for g in GARBAGE if len(g) > 12])
def test_without_a_header_a_proxy_is_not_heard(proxied: Site, port: str, wire: bytes) -> None:
    with introduced(proxied, wire, port) as client, contextlib.suppress(ConnectionError):
        assert client.socket.recv(100) == b""
    until(lambda: not proxied.reception._arriving)


@pytest.mark.parametrize("port", ["smtp", "submissions"])
def test_a_proxy_that_says_nothing_is_not_waited_for_long(proxied: Site, port: str) -> None:
    began = time.monotonic()
    with proxied.connect(port) as wire, contextlib.suppress(ConnectionError):
        assert wire.socket.recv(100) == b""
    assert 0.3 < time.monotonic() - began < 5


def test_others_are_not_affected(tmp_path: Path, tls: ServerTls) -> None:
    with running(tmp_path, tls, proxies=("10.0.0.0/8",)) as site:
        with greeted(site) as wire:
            assert send(wire, "alice@example.test").startswith("250")
        with introduced(site, version_1(V4)) as wire:
            assert wire.hear().startswith("220 ")
            assert wire.hear() == "500 5.5.1 No such command"


def test_a_stop_does_not_wait_for_headers(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(connections=ConnectionLimits(proxy_header_s=60))
    with running(tmp_path, tls, limits, proxies=("127.0.0.0/8",)) as site:
        one, other = site.connect(), site.connect("submissions")
        until(lambda: len(site.reception._arriving) == 2)
        began = time.monotonic()
        site.stop()
        assert time.monotonic() - began < 5
        one.close()
        other.close()


def test_proxies_do_not_fill_the_server_with_silence(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(connections=ConnectionLimits(proxy_header_s=60, unauthenticated=2))
    with running(tmp_path, tls, limits, proxies=("127.0.0.0/8",)) as site:
        silent = [site.connect(), site.connect("submissions")]
        until(lambda: len(site.reception._arriving) == 2)
        with site.connect() as third, contextlib.suppress(ConnectionError):
            assert third.socket.recv(100) == b""
        silent[0].say(version_1(V4))
        assert silent[0].hear().startswith("220 ")
        with introduced(site, version_1(V6)) as wire:
            assert wire.hear().startswith("220 ")
        for wire in silent:
            wire.close()
