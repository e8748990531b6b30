"""Connections that leave from an address of the operator's choice."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mailserver.base.limits import OutboundLimits
from mailserver.mta.security import OPPORTUNISTIC
from mailserver.net.dialer import Dialer
from mailserver.net.smtp import Hop
from mailserver.net.sources import NoSource, Sources
from mailserver.smtp.outgoing import HopError
from misbehaving import NextHop

ABSENT = "192.0.2.1"  #: no machine has it


@pytest.mark.parametrize(
    ("sources", "address", "source"),
    [
        ([], "198.51.100.1", ""),
        (["192.0.2.1"], "198.51.100.1", "192.0.2.1"),
        (["192.0.2.1"], "2001:db8::1", ""),
        (["192.0.2.1", "2001:db8::9"], "2001:db8::1", "2001:db8::9"),
        (["2001:db8::9"], "fe80::1%eth0", "2001:db8::9"),
        # this machine is reached from itself, whatever leaves it
        (["192.0.2.1", "2001:db8::9"], "127.0.0.1", ""),
        (["192.0.2.1", "2001:db8::9"], "::1", ""),
        (["127.0.0.2"], "127.0.0.1", "127.0.0.2"),
    ],
)
def test_which_source(sources: list[str], address: str, source: str) -> None:
    assert Sources(sources).towards(address) == source


def leave(hop: NextHop, *sources: str, is_lmtp: bool = False) -> str:
    """The address that a connection to *hop* has come from, as we see it and as the server does."""

    async def go() -> str:
        dialer = Dialer("client.example", OutboundLimits(quit_s=0.5), sources=Sources(sources))
        place = Hop("hop.example", hop.address, hop.port, is_lmtp=is_lmtp)
        connection = await dialer.connect(place, OPPORTUNISTIC)
        ours = connection.our_address
        connection.close()
        await asyncio.sleep(0.02)
        return ours

    return asyncio.run(go())


@contextmanager
def watched(address: str = "127.0.0.1", *, is_lmtp: bool = False) -> Iterator[NextHop]:
    with NextHop(address=address, is_lmtp=is_lmtp) as hop:
        yield hop


def test_it_leaves_from_there() -> None:
    with watched() as hop:
        assert leave(hop, "127.0.0.2", "2001:db8::9") == "127.0.0.2"
        assert leave(hop) == "127.0.0.1"
        assert hop.peers == ["127.0.0.2", "127.0.0.1"]


def test_ipv6() -> None:
    with watched("::1") as hop:
        assert leave(hop, "::1", "127.0.0.2") == "::1"


def test_lmtp_is_a_matter_between_neighbours() -> None:
    with watched(is_lmtp=True) as hop:
        assert leave(hop, "127.0.0.2", is_lmtp=True) == "127.0.0.1"


def test_many_connections_from_one_port_range() -> None:
    """A port is chosen for each pair of addresses, not taken from the address for good."""
    with watched() as one, watched("127.0.0.3") as other:
        assert {leave(hop, "127.0.0.2") for hop in (one, other) * 3} == {"127.0.0.2"}


def test_an_address_that_is_not_there() -> None:
    with watched("127.0.0.3") as hop:

        async def go() -> HopError:
            dialer = Dialer("client.example", OutboundLimits(), sources=Far([ABSENT]))
            with pytest.raises(HopError) as caught:
                await dialer.connect(Hop("hop.example", hop.address, hop.port), OPPORTUNISTIC)
            return caught.value

        answer = asyncio.run(go()).answer
        assert (answer.reply.code, answer.reply.status) == (451, "4.3.5")
        assert answer.reply.text == (
            "Mail cannot leave from its source address 192.0.2.1: this machine has no such address"
        )
        assert not hop.connections


class Far(Sources):
    """Loopback stands for what is far away."""

    def towards(self, address: str) -> str:
        return ABSENT


def test_which_are_absent() -> None:
    assert Sources(["127.0.0.2"]).absent() == []
    assert Sources([ABSENT]).absent() == ["192.0.2.1: this machine has no such address"]


def test_nothing_is_left_open() -> None:
    """Of a connection that nobody takes, and of one that is given up."""

    async def go() -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                await Sources(["127.0.0.2"]).connect("127.0.0.1", port)
        with pytest.raises(NoSource):
            await Far([ABSENT]).connect("127.0.0.1", port)

    asyncio.run(go())  # an open socket is a ResourceWarning, which fails a test
