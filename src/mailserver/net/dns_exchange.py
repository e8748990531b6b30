"""One question to one resolver: over UDP, over TCP when the answer is too long for it.

Spec: RFC 1035 §4.2; RFC 7766 §5; RFC 6891 §6.2.5, §7; RFC 6840 §5.7 (the AD bit in a question); RFC 5452 §4, §9.2
(what an answer has to match).  Status: complete.
"""

import asyncio
from typing import NamedTuple, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

PAYLOAD = 1_232  #: octets of a UDP answer that pass every network in one piece
ANSWER = 65_535  #: octets of an answer over TCP


class Server(NamedTuple):
    """A resolver.  is_trusted: its word that DNSSEC vouches for an answer counts."""

    host: str
    port: int
    is_trusted: bool


class NoAnswer(Exception):
    """This resolver did not help; the text says how."""


async def exchange(
    server: Server, name: dns.name.Name, kind: dns.rdatatype.RdataType, timeout_s: float
) -> dns.message.Message:
    """The resolver's answer: NOERROR or NXDOMAIN.  Raises NoAnswer."""
    query = dns.message.make_query(name, kind, use_edns=0, payload=PAYLOAD)
    query.flags |= dns.flags.AD
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _ask(server, query)
            if answer.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP):  # it knows no EDNS
                query.use_edns(False)
                answer = await _ask(server, query)
    except TimeoutError:
        raise NoAnswer(f"{server.host} did not answer within {timeout_s:g} s") from None
    except (OSError, EOFError) as error:
        raise NoAnswer(f"{server.host}: {error}") from error
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise NoAnswer(f"{server.host} says {dns.rcode.to_text(answer.rcode())}")
    return answer


async def _ask(server: Server, query: dns.message.Message) -> dns.message.Message:
    answer = await _over_udp(server, query)
    if answer.flags & dns.flags.TC:
        return await _over_tcp(server, query)
    return answer


class _Datagrams(asyncio.DatagramProtocol):
    """Waits for the one datagram that answers *query*; all others are somebody's attempt (RFC 5452 §9.2)."""

    def __init__(self, query: dns.message.Message) -> None:
        self._query = query
        self.answer: asyncio.Future[dns.message.Message] = (
            asyncio.get_running_loop().create_future()
        )

    def datagram_received(self, data: bytes, addr: object) -> None:
        """The socket is connected: only the resolver's own address gets through."""
        answer = _parsed(data)
        if answer is not None and self._query.is_response(answer) and not self.answer.done():
            self.answer.set_result(answer)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there."""
        if not self.answer.done():
            self.answer.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self.answer.cancel()


async def _over_udp(server: Server, query: dns.message.Message) -> dns.message.Message:
    """A socket for each question, so that its port is one more thing to guess (RFC 5452 §9.2)."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(query), remote_addr=(server.host, server.port)
    )
    try:
        transport.sendto(query.to_wire())
        return await protocol.answer
    finally:
        transport.close()


async def _over_tcp(server: Server, query: dns.message.Message) -> dns.message.Message:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        wire = query.to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = _parsed(await reader.readexactly(size))
    finally:
        cast(asyncio.Transport, writer.transport).abort()
    if answer is None or not query.is_response(answer):
        raise NoAnswer(f"{server.host} answered over TCP with something else")
    return answer


def _parsed(wire: bytes) -> dns.message.Message | None:
    """The message in *wire*; None when there is none in it."""
    try:
        return dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, IndexError, KeyError):
        return None
