"""One question to one resolver: over UDP, over TCP when the answer is too long for it.

Spec: RFC 1035 §4.2; RFC 7766 §5; RFC 6891 §6.2.5, §7; RFC 6840 §5.7 (the AD bit in a question); RFC 5452 §4, §9.2
(what an answer has to match); RFC 8914 §4 (what is wrong with an answer that is withheld).  Status: complete.
"""

import asyncio
import os
import socket
from typing import NamedTuple, cast

import dns.flags
import dns.name
import dns.rcode
from dns.rdatatype import RdataType

from mailserver.net.dns_message import Answer, Query, ask, read
from mailserver.net.trouble import said

PAYLOAD = 1_232  #: octets of a UDP answer that pass every network in one piece
_LARGEST = 65_535  #: octets of a datagram


class Server(NamedTuple):
    """A resolver.  is_trusted: its word that DNSSEC vouches for an answer counts."""

    host: str
    port: int
    is_trusted: bool


class NoAnswer(Exception):
    """This resolver did not help; the text says how."""


class Withheld(NoAnswer):
    """The resolver is there, and has no answer (SERVFAIL).

    is_bogus: it says that signatures are wrong.
    """

    def __init__(self, text: str, *, is_bogus: bool) -> None:
        super().__init__(text)
        self.is_bogus = is_bogus


#: extended errors of a validation that went wrong (RFC 8914 §4.7-§4.13)
BOGUS = {
    6: "its signatures are wrong",
    7: "its signatures have expired",
    8: "its signatures are not valid yet",
    9: "the key that its zone should have is missing",
    10: "its signatures are missing",
    11: "its zone's key is none",
    12: "the proof that it does not exist is missing",
}


async def exchange(
    server: Server,
    name: dns.name.Name,
    kind: RdataType,
    timeout_s: float,
    most: int,
    *,
    is_unchecked: bool = False,
) -> Answer:
    """The resolver's answer, NOERROR or NXDOMAIN, with at most *most* records.  Raises NoAnswer.

    is_unchecked: whatever it has is wanted, with wrong signatures, too (the CD bit, RFC 4035 §3.2.2).
    """
    flags = dns.flags.CD if is_unchecked else dns.flags.AD
    number = int.from_bytes(os.urandom(2), "big")
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _ask(server, ask(number, name, kind, flags, PAYLOAD), most)
            if answer.code in (dns.rcode.FORMERR, dns.rcode.NOTIMP):  # it knows no EDNS
                answer = await _ask(server, ask(number, name, kind, flags, None), most)
    except TimeoutError:
        raise NoAnswer(f"{server.host} did not answer within {timeout_s:g} s") from None
    except (OSError, EOFError) as error:
        raise NoAnswer(f"{server.host}: {said(error)}") from error
    if answer.code == dns.rcode.SERVFAIL:
        why = next((BOGUS[reason] for reason in answer.reasons if reason in BOGUS), "")
        text = f"{server.host} says SERVFAIL{why and ': ' + why}"
        raise Withheld(text, is_bogus=bool(why))
    if answer.code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise NoAnswer(f"{server.host} says {dns.rcode.to_text(dns.rcode.Rcode.make(answer.code))}")
    return answer


async def _ask(server: Server, query: Query, most: int) -> Answer:
    answer = await _over_udp(server, query, most)
    return await _over_tcp(server, query, most) if answer.is_truncated else answer


async def _over_udp(server: Server, query: Query, most: int) -> Answer:
    """A socket for each question, so that its port is one more thing to guess (RFC 5452 §9.2)."""
    loop = asyncio.get_running_loop()
    heard: asyncio.Future[Answer] = loop.create_future()

    def hear() -> None:
        """One datagram; the socket is connected, so only the resolver's own address gets through."""
        try:
            answer = read(udp.recv(_LARGEST), query, most)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:  # nobody listens there
            if not heard.done():
                heard.set_exception(error)
            return
        if answer is not None and not heard.done():
            heard.set_result(answer)

    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as udp:
        udp.connect((server.host, server.port))
        udp.send(query.wire)
        loop.add_reader(udp, hear)
        try:
            return await heard  # all that is no answer is somebody's attempt, and is waited past
        finally:
            loop.remove_reader(udp)


async def _over_tcp(server: Server, query: Query, most: int) -> Answer:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(len(query.wire).to_bytes(2, "big") + query.wire)
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = read(await reader.readexactly(size), query, most)
    finally:
        cast(asyncio.Transport, writer.transport).abort()
    if answer is None or answer.is_truncated:
        raise NoAnswer(f"{server.host} answered over TCP with something else")
    return answer
