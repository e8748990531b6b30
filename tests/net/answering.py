"""A resolver of a test's own, which says what the test wants it to."""

import socket
import threading
from collections.abc import Callable

import dns.message
import dns.rrset

Answering = Callable[[dns.message.Message, bool], bytes | list[bytes] | None]


class FakeResolver:
    """Answers over UDP and TCP with what *answering* makes of a question; questions: how many there were."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._tcp.getsockname()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(self.address)
        self.questions = 0

    def __enter__(self) -> "FakeResolver":
        for target in (self._over_udp, self._over_tcp):
            threading.Thread(target=target, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._udp.close()
        self._tcp.close()

    def _over_udp(self) -> None:
        while True:
            try:
                wire, peer = self._udp.recvfrom(4096)
                self.questions += 1
                said = self._answering(dns.message.from_wire(wire), False)
                for answer in said if isinstance(said, list) else [said] if said else []:
                    self._udp.sendto(answer, peer)
            except OSError:
                return

    def _over_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
                with connection:
                    wire = connection.recv(4096)[2:]
                    said = self._answering(dns.message.from_wire(wire), True)
                    assert isinstance(said, bytes)
                    connection.sendall(len(said).to_bytes(2, "big") + said)
            except OSError:
                return


def good(query: dns.message.Message, *records: str, ttl: int = 60) -> dns.message.Message:
    """An answer with these MX records."""
    answer = dns.message.make_response(query)
    if records:
        name = query.question[0].name
        answer.answer.append(dns.rrset.from_text(name, ttl, "IN", "MX", *records))
    return answer


def answer_well(query: dns.message.Message, _is_tcp: bool) -> bytes:
    return good(query, "10 mx.example.").to_wire()
