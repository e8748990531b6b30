"""What a record says: from its octets to a value, for each type that mail needs.

Spec: RFC 1035 §3.3; RFC 3596 §2.2; RFC 2782; RFC 6698 §2.1; RFC 8659 §4.1.  Status: A, AAAA, CAA, CNAME, MX, NS, PTR,
SRV, TLSA, TXT.

Names come in lower case without a dot at the end; octets in them that are no letters are escaped as in zone files.
"""

import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import dns.name
from dns.rdatatype import RdataType

from mailserver.mailauth.resolver import Caa, Mx, Srv, Tlsa

Value = IPv4Address | IPv6Address | bytes | str | Mx | Tlsa | Srv | Caa

_SHORT = struct.Struct(">H")
_SRV = struct.Struct(">HHH")


def decode(kind: int, wire: bytes, at: int, size: int) -> Value:
    """The value of *kind* in the *size* octets at *at*; raises ValueError or DNSException when it is none."""
    return _DECODERS[kind](wire, at, size)


def cost(value: Value) -> int:
    """About how many octets of memory *value* takes beside the object itself."""
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, IPv4Address | IPv6Address):
        return 0
    return sum(len(part) for part in value if isinstance(part, bytes | str))


def _name(wire: bytes, at: int, size: int) -> str:
    name, used = dns.name.from_wire(wire, at)
    if used != size:
        raise ValueError("a name does not end with its record")
    return "" if name == dns.name.root else name.to_text(omit_final_dot=True).lower()


def _text(wire: bytes, at: int, size: int) -> bytes:
    """The strings of a record, nothing between them (RFC 7208 §3.3)."""
    parts, end = [], at + size
    while at < end:
        after = at + 1 + wire[at]
        parts.append(wire[at + 1 : after])
        at = after
    if at != end:
        raise ValueError("a string does not end with its record")
    return b"".join(parts)


def _mx(wire: bytes, at: int, size: int) -> Mx:
    (preference,) = _SHORT.unpack_from(wire, at)
    return Mx(preference, _name(wire, at + 2, size - 2))


def _srv(wire: bytes, at: int, size: int) -> Srv:
    priority, weight, port = _SRV.unpack_from(wire, at)
    return Srv(priority, weight, port, _name(wire, at + 6, size - 6))


def _tlsa(wire: bytes, at: int, size: int) -> Tlsa:
    if size < 3:
        raise ValueError("a TLSA record has at least three octets")
    return Tlsa(wire[at], wire[at + 1], wire[at + 2], wire[at + 3 : at + size])


def _caa(wire: bytes, at: int, size: int) -> Caa:
    tag = at + 2
    value = tag + wire[at + 1]
    if size < 2 or value > at + size:
        raise ValueError("a CAA record ends in its tag")
    return Caa(
        wire[at], wire[tag:value].decode("latin-1"), wire[value : at + size].decode("latin-1")
    )


_DECODERS: dict[int, Callable[[bytes, int, int], Value]] = {
    RdataType.A: lambda wire, at, size: IPv4Address(wire[at : at + size]),
    RdataType.AAAA: lambda wire, at, size: IPv6Address(wire[at : at + size]),
    RdataType.CAA: _caa,
    RdataType.CNAME: _name,
    RdataType.MX: _mx,
    RdataType.NS: _name,
    RdataType.PTR: _name,
    RdataType.SRV: _srv,
    RdataType.TLSA: _tlsa,
    RdataType.TXT: _text,
}
