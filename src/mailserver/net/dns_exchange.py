"""One question to one resolver: over UDP, over TCP when the answer is too long for it.

Spec: RFC 1035 §4.2; RFC 7766 §5; RFC 6891 §6.2.5, §7; RFC 6840 §5.7 (the AD bit in a question); RFC 5452 §4, §9.2
(what an answer has to match); RFC 8914 §4 (what is wrong with an answer that is withheld).  Status: complete.
"""

import asyncio
from typing import NamedTuple, cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
from dns.rdatatype import RdataType

from mailserver.net.dns_message import Answer, read

PAYLOAD = 1_232  #: octets of a UDP answer that pass every network in one piece


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
    query = dns.message.make_query(name, kind, use_edns=0, payload=PAYLOAD)
    query.flags |= dns.flags.CD if is_unchecked else dns.flags.AD
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _ask(server, query, most)
            if answer.code in (dns.rcode.FORMERR, dns.rcode.NOTIMP):  # it knows no EDNS
                query.use_edns(False)
                answer = await _ask(server, query, most)
    except TimeoutError:
        raise NoAnswer(f"{server.host} did not answer within {timeout_s:g} s") from None
    except (OSError, EOFError) as error:
        raise NoAnswer(f"{server.host}: {error}") from error
    if answer.code == dns.rcode.SERVFAIL:
        why = next((BOGUS[reason] for reason in answer.reasons if reason in BOGUS), "")
        text = f"{server.host} says SERVFAIL{why and ': ' + why}"
        raise Withheld(text, is_bogus=bool(why))
    if answer.code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise NoAnswer(f"{server.host} says {dns.rcode.to_text(dns.rcode.Rcode.make(answer.code))}")
    return answer


async def _ask(server: Server, query: dns.message.Message, most: int) -> Answer:
    answer = await _over_udp(server, query, most)
    return await _over_tcp(server, query, most) if answer.is_truncated else answer


class _Datagrams(asyncio.DatagramProtocol):
    """Waits for the one datagram that answers *query*; all others are somebody's attempt (RFC 5452 §9.2)."""

    def __init__(self, query: dns.message.Message, most: int) -> None:
        self._query = query
        self._most = most
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """The socket is connected: only the resolver's own address gets through."""
        if not self.answer.done():
            answer = read(data, self._query, self._most)
            if answer is not None:
                self.answer.set_result(answer)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there."""
        if not self.answer.done():
            self.answer.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self.answer.cancel()


async def _over_udp(server: Server, query: dns.message.Message, most: int) -> Answer:
    """A socket for each question, so that its port is one more thing to guess (RFC 5452 §9.2)."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(query, most), remote_addr=(server.host, server.port)
    )
    try:
        transport.sendto(query.to_wire())
        return await protocol.answer
    finally:
        transport.close()


async def _over_tcp(server: Server, query: dns.message.Message, most: int) -> Answer:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        wire = query.to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = read(await reader.readexactly(size), query, most)
    finally:
        cast(asyncio.Transport, writer.transport).abort()
    if answer is None or answer.is_truncated:
        raise NoAnswer(f"{server.host} answered over TCP with something else")
    return answer
