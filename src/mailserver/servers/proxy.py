"""PROXY protocol: a proxy in front of us says who its client is, before the first octet of the client.

Spec: the PROXY protocol, versions 1 and 2, as HAProxy publishes it (2020/03/05).  Status: complete for receivers.

Only connections from configured networks begin with a header, and they have to: whoever could choose whether to send
one could choose his address.  Nothing behind the header is read with it, so a TLS handshake may follow.
"""

import ipaddress
import re
from typing import NamedTuple, Protocol

from mailserver.base.errors import PeerError

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
FIXED = 16  #: octets of a version 2 header before the addresses
MAX_V1 = 107  #: octets of a version 1 header with its CRLF
MAX_V2 = 4_096  #: octets of a version 2 header that are read; addresses take 36 of them, the rest is ignored

_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")
_ADDRESSES = {0x11: (ipaddress.IPv4Address, 4), 0x21: (ipaddress.IPv6Address, 16)}
_OTHERS = frozenset({0x00, 0x01, 0x02, 0x10, 0x12, 0x20, 0x22, 0x30, 0x31, 0x32})


class Addresses(NamedTuple):
    """Who connected to the proxy, and where."""

    peer: str
    peer_port: int
    local: str
    local_port: int


class Header:
    """Reads a header piece by piece.

    wanted:    octets that surely belong to it and are still missing; 0: it is complete.
    addresses: None when the connection's own count: the proxy speaks for itself, or does not know better.
    """

    __slots__ = ("_data", "addresses", "wanted")

    def __init__(self) -> None:
        self._data = b""
        self.addresses: Addresses | None = None
        self.wanted = len(SIGNATURE)

    def feed(self, data: bytes) -> None:
        """At most *wanted* octets.  Raises PeerError when this is no header."""
        self._data += data
        data = self._data
        if data.startswith(SIGNATURE):
            self._version_2()
        elif data.startswith(b"PROXY "):
            self._version_1()
        elif SIGNATURE.startswith(data) or b"PROXY ".startswith(data):
            self.wanted = len(SIGNATURE) - len(data)
        else:
            raise PeerError("no PROXY header")

    def _version_1(self) -> None:
        data = self._data
        end = data.find(b"\r\n")
        if end < 0:
            if len(data) >= MAX_V1:
                raise PeerError("the PROXY header does not end")
            self.wanted = 1 if data.endswith(b"\r") else min(2, MAX_V1 - len(data))
            return
        self.wanted = 0
        words = data[:end].split(b" ")
        if words[1] == b"UNKNOWN":
            return
        try:
            _, family, peer, local, peer_port, local_port = words
            if b"%" in data[:end]:
                raise ValueError("zones mean nothing to others")
            kind = {b"TCP4": ipaddress.IPv4Address, b"TCP6": ipaddress.IPv6Address}[family]
            self.addresses = Addresses(
                str(kind(peer.decode("ascii"))),
                _port(peer_port),
                str(kind(local.decode("ascii"))),
                _port(local_port),
            )
        except (KeyError, ValueError):
            raise PeerError("the PROXY header is broken") from None

    def _version_2(self) -> None:
        data = self._data
        if len(data) < FIXED:
            self.wanted = FIXED - len(data)
            return
        version, command, kind = data[12] >> 4, data[12] & 15, data[13]
        if version != 2 or command > 1 or kind not in {*_ADDRESSES, *_OTHERS}:
            raise PeerError("the PROXY header is of no known kind")
        size = FIXED + int.from_bytes(data[14:16], "big")
        if size > MAX_V2:
            raise PeerError(f"the PROXY header is longer than {MAX_V2} octets")
        self.wanted = size - len(data)
        if self.wanted or command == 0 or kind not in _ADDRESSES:
            return
        make, width = _ADDRESSES[kind]
        if size < FIXED + 2 * width + 4:
            raise PeerError("the PROXY header has no room for its addresses")
        at = FIXED + 2 * width
        self.addresses = Addresses(
            str(make(data[FIXED : FIXED + width])),
            int.from_bytes(data[at : at + 2], "big"),
            str(make(data[FIXED + width : at])),
            int.from_bytes(data[at + 2 : at + 4], "big"),
        )


class Source(Protocol):
    """What a header is read from."""

    async def read_some(self, most: int) -> bytes:
        """At least one octet and at most *most*; b"" at the end of input."""
        ...


async def read_header(source: Source) -> Addresses | None:
    """What the header at the start of *source* says, and nothing behind it is taken.  Raises PeerError."""
    header = Header()
    while header.wanted:
        data = await source.read_some(header.wanted)
        if not data:
            raise PeerError("the connection ended in the PROXY header")
        header.feed(data)
    return header.addresses


def _port(text: bytes) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65_535:
        raise ValueError(text)
    return int(text)
