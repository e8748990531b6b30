"""A question as it goes to a resolver, and what the answer holds, as far as mail needs it, read in bounded time.

Spec: RFC 1035 §4.1; RFC 2181 §8 (times to live); RFC 2308 §5; RFC 6891 §6.1.2, §6.1.3; RFC 8914 §2 (why there is
none).  Status: complete.

dnspython's own parser makes a wire form of every record to tell it from the others: an answer of 17,000 octets can keep
it busy for seconds.  Here only records that were asked for are looked at, so many of them and no more; names are its.
Its questions cost as much as all else of a look-up.
"""

import struct
from typing import NamedTuple

import dns.exception
import dns.name
from dns.rdataclass import IN
from dns.rdatatype import RdataType

from mailserver.net.dns_records import Value, decode

RECORDS = 1_000  #: of all sections together, beyond which an answer is not read
CHAIN = 16  #: aliases one after the other

_HEADER = struct.Struct(">HHHHHH")
_FIXED = struct.Struct(">HHIH")
_IS_RESPONSE, _OPCODE, _TRUNCATED, _AUTHENTIC = 0x8000, 0x7800, 0x0200, 0x0020
_WANTS_RECURSION = 0x0100
_LONGEST_TTL = 0x7FFFFFFF
_EXTENDED_ERROR = 15  #: the number of that EDNS option
_REASONS = 10  #: of them that are looked at


class Query(NamedTuple):
    """A question: its number, which the answer has to repeat, what is asked, and its octets."""

    number: int
    name: dns.name.Name
    kind: RdataType
    wire: bytes


class Answer(NamedTuple):
    """A response to a question.

    code:          as in dns.rcode.
    is_truncated:  there is more over TCP; nothing else of it counts then.
    is_authentic:  the AD bit.
    values:        of each record, in the order of the answer.
    last:          the name that the aliases lead to.
    ttl:           of the records with the aliases before them, or of their absence; None: nobody says.
    reasons:       what the resolver says of the answer, as numbers (RFC 8914 §4).
    """

    code: int
    is_truncated: bool
    is_authentic: bool
    values: tuple[Value, ...]
    last: dns.name.Name
    ttl: int | None
    reasons: tuple[int, ...] = ()


class _Record(NamedTuple):
    """One record, not looked at yet: offsets of its owner and its data."""

    owner: int
    kind: int
    group: int
    ttl: int
    data: int
    size: int


def ask(
    number: int, name: dns.name.Name, kind: RdataType, flags: int, payload: int | None
) -> Query:
    """The question for records of *kind*, with *flags* beside RD.

    payload: octets of a UDP answer that may come; None: without EDNS.
    """
    head = _HEADER.pack(number, flags | _WANTS_RECURSION, 1, 0, 0, 0 if payload is None else 1)
    labels = b"".join(bytes((len(label),)) + label for label in name.labels)
    edns = b"" if payload is None else b"\0" + _FIXED.pack(RdataType.OPT, payload, 0, 0)
    return Query(number, name, kind, head + labels + struct.pack(">HH", kind, IN) + edns)


def read(wire: bytes, query: Query, most: int) -> Answer | None:
    """The answer in *wire*; None when it is none to *query* (RFC 5452 §9.2), or no message.

    most: records that are looked at.
    """
    try:
        return _read(wire, query, most)
    except (struct.error, IndexError, ValueError, dns.exception.DNSException):
        return None


def _read(wire: bytes, query: Query, most: int) -> Answer | None:
    number, flags, *counts = _HEADER.unpack_from(wire)
    if (
        number != query.number
        or not flags & _IS_RESPONSE
        or flags & _OPCODE
        or sum(counts) > RECORDS
    ):
        return None
    at = _HEADER.size
    if counts[0] == 1:
        name, used = dns.name.from_wire(wire, at)
        at += used
        if (name, *struct.unpack_from(">HH", wire, at)) != (query.name, query.kind, IN):
            return None
        at += 4
    elif counts[0] or not flags & 0xF:  # only an error may leave the question out
        return None
    code = flags & 0xF
    if flags & _TRUNCATED:
        return Answer(code, True, False, (), query.name, None)
    sections: list[list[_Record]] = []
    for count in counts[1:]:
        records = []
        for _ in range(count):
            record = _record(wire, at)
            records.append(record)
            at = record.data + record.size
        sections.append(records)
    answers, authority, additional = sections
    edns = next((r for r in additional if r.kind == RdataType.OPT), None)
    if edns is not None:
        code |= (edns.ttl >> 24) << 4
    values, last, ttl = _follow(wire, query.name, query.kind, answers[: most + CHAIN])
    soas = [r for r in authority if r.kind == RdataType.SOA and r.group == IN and not values]
    absences = [_absence(wire, soa) for soa in soas]
    holds = min([ttl, *absences]) if values or absences else None
    is_authentic = bool(flags & _AUTHENTIC)
    reasons = () if edns is None else _reasons(wire, edns)
    return Answer(code, False, is_authentic, values[:most], last, holds, reasons)


def _record(wire: bytes, at: int) -> _Record:
    """The record that begins at *at*; raises IndexError or struct.error if it does not end in *wire*."""
    fixed = _skip(wire, at)
    kind, group, ttl, size = _FIXED.unpack_from(wire, fixed)
    data = fixed + _FIXED.size
    if data + size > len(wire):
        raise IndexError
    return _Record(at, kind, group, ttl, data, size)


def _skip(wire: bytes, at: int) -> int:
    """Where the name at *at* ends."""
    while size := wire[at]:
        if size >= 0xC0:
            return at + 2
        at += 1 + size
    return at + 1


def _follow(
    wire: bytes, name: dns.name.Name, kind: int, records: list[_Record]
) -> tuple[tuple[Value, ...], dns.name.Name, int]:
    """The values of *kind* at the end of the aliases that begin at *name*; that end; the shortest time to live."""
    aliases: dict[dns.name.Name, tuple[dns.name.Name, int]] = {}
    found: dict[dns.name.Name, list[tuple[Value, int]]] = {}
    for record in records:
        if record.group != IN or record.kind not in (kind, RdataType.CNAME):
            continue
        owner, _ = dns.name.from_wire(wire, record.owner)
        ttl = record.ttl if record.ttl <= _LONGEST_TTL else 0
        if record.kind != kind:
            aliases.setdefault(owner, (dns.name.from_wire(wire, record.data)[0], ttl))
        else:
            value = decode(kind, wire, record.data, record.size)
            found.setdefault(owner, []).append((value, ttl))
    shortest = _LONGEST_TTL
    for _ in range(CHAIN):
        if name in found or name not in aliases:
            break
        name, ttl = aliases[name]
        shortest = min(shortest, ttl)
    values = found.get(name, [])
    return tuple(value for value, _ in values), name, min([shortest, *(ttl for _, ttl in values)])


def _reasons(wire: bytes, edns: _Record) -> tuple[int, ...]:
    """The numbers of the extended errors in *edns* (RFC 8914 §2)."""
    found: list[int] = []
    at, end = edns.data, edns.data + edns.size
    while at + 4 <= end and len(found) < _REASONS:
        option, size = struct.unpack_from(">HH", wire, at)
        at += 4
        if option == _EXTENDED_ERROR and 2 <= size <= end - at:
            found.append(int.from_bytes(wire[at : at + 2], "big"))
        at += size
    return tuple(found)


def _absence(wire: bytes, soa: _Record) -> int:
    """How long the absence that *soa* tells of holds (RFC 2308 §5)."""
    end = _skip(wire, _skip(wire, soa.data))
    minimum: int = struct.unpack_from(">5I", wire, end)[4]
    return min(soa.ttl, minimum)
