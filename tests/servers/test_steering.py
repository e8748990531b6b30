"""Which of several workers gets a connection."""

import asyncio
import socket
from contextlib import ExitStack

import pytest

from mailserver.servers.steering import Steering


class Address:
    """One address with a socket for each of three workers."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        port = 0
        for _ in range(3):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(("127.0.0.1", port))
            port = sock.getsockname()[1]
            sock.setblocking(False)
            self.sockets.append(sock)
        for sock in self.sockets:
            sock.listen(100)
        self.name = ("127.0.0.1", port)

    def shares(self, connections: int = 60) -> list[int]:
        """How many of so many connections each worker gets."""
        with ExitStack() as opened:
            for _ in range(connections):
                opened.enter_context(socket.create_connection(self.name))
            return [self._accept(sock) for sock in self.sockets]

    def _accept(self, sock: socket.socket) -> int:
        count = 0
        while True:
            try:
                sock.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def address():
    made = Address()
    yield made
    made.close()


def test_the_kernel_spreads_until_somebody_asks(address):
    steering = Steering(16, 1)
    steering.add("smtp", address.sockets[1])
    assert all(address.shares())
    steering.look(0.0)
    assert address.shares() == [0, 60, 0]


def test_whoever_leads_next_gets_them(address):
    for number in (2, 0):
        steering = Steering(16, number)
        steering.add("smtp", address.sockets[number])
        steering.look(0.0)
        assert address.shares()[number] == 60


def test_enough_of_a_kind_is_enough(address):
    other = Address()
    try:
        steering = Steering(4, 0)
        steering.add("smtp", address.sockets[0])
        steering.add("imap", other.sockets[0])
        steering.look(0.0)
        for _ in range(4):
            steering.came("smtp")
        assert all(address.shares())
        assert other.shares() == [60, 0, 0]
        steering.left("smtp")
        steering.look(0.0)
        assert all(address.shares())  # three are more than half of four
        steering.left("smtp")
        steering.look(0.0)
        assert address.shares() == [60, 0, 0]
    finally:
        other.close()


def test_who_is_busy_takes_no_more_than_others(address):
    steering = Steering(16, 0)
    steering.add("smtp", address.sockets[0])
    for busy, is_alone in ((0.7, True), (0.8, False), (0.6, False), (0.4, True), (0.6, True)):
        steering.look(busy)
        assert (address.shares() == [60, 0, 0]) is is_alone, busy


def test_only_the_leader_asks_and_nobody_who_has_stopped(address):
    async def main() -> None:
        leads = False
        steering = Steering(16, 0)
        steering.add("smtp", address.sockets[0])
        steering.start(lambda: leads)
        await asyncio.sleep(0.4)
        assert all(address.shares())
        leads = True
        await asyncio.sleep(0.4)
        assert address.shares() == [60, 0, 0]
        await steering.stop()
        assert all(address.shares())

    asyncio.run(main())


def test_nothing_is_asked_for_a_unix_socket_or_without_a_number(address, tmp_path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        sock.listen()
        steering = Steering(16, 0)
        steering.add("lmtp", sock)
        steering.look(0.0)

    async def main() -> None:
        steering = Steering(0, 0)
        steering.add("smtp", address.sockets[0])
        steering.start(lambda: True)
        await asyncio.sleep(0.4)
        await steering.stop()
        assert all(address.shares())

    asyncio.run(main())


def test_a_kernel_that_cannot_do_it_goes_on_spreading(address, monkeypatch):
    with socket.socket() as alone:  # SO_REUSEPORT was not asked for
        alone.bind(("127.0.0.1", 0))
        alone.listen()
        steering = Steering(16, 1)
        steering.add("smtp", address.sockets[1])
        steering.add("smtp", alone)
        steering.look(0.0)
        assert all(address.shares())  # not by halves, either
        steering.came("smtp")
        steering.left("smtp")
