"""Which address of this machine a connection to another mail server comes from, where the operator says so.

Spec: RFC 7208 §2.4 (others judge a client by its address).  Status: complete.

    sock = await Sources(["192.0.2.25", "2001:db8::25"]).connect("198.51.100.1", 25)    # raises OSError, NoSource
"""

import errno
import socket
from collections.abc import Iterable
from contextlib import closing, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

#: linux/in.h: the port is chosen by connect, so that one address has a full range of ports for each host it talks to
_BIND_ADDRESS_NO_PORT = 24
#: what binding says of an address that is not this machine's, or not yet: IPv6 addresses are tried out at first
_ABSENT = (errno.EADDRNOTAVAIL, errno.EINVAL, errno.EAFNOSUPPORT)


class NoSource(OSError):
    """The source address cannot be used; the text says which, and why."""


class Sources:
    """At most one address of each kind.  Where there is none of a kind, the system chooses."""

    __slots__ = ("_by_version",)

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self._by_version = {one.version: one for one in map(ip_address, addresses)}

    def towards(self, address: str) -> str:
        """The source of connections to *address*; "" where the system chooses.

        What is on this machine is reached from it: a loopback address is no way out, nor one from elsewhere a way in.
        """
        try:
            host = ip_address(address.partition("%")[0])
        except ValueError:  # the system says what is wrong with it
            return ""
        source = self._by_version.get(host.version)
        if source is None or (host.is_loopback and not source.is_loopback):
            return ""
        return str(source)

    async def connect(self, address: str, port: int) -> socket.socket | None:
        """A socket that is connected from its source; None where the system is to choose.  Raises OSError, NoSource."""
        import asyncio  # whoever only checks a configuration needs no loop

        source = self.towards(address)
        if not source:
            return None
        sock = _bound(source)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def absent(self) -> list[str]:
        """Those that cannot be used now, each with the reason."""
        found = []
        for source in self._by_version.values():
            try:
                _bound(str(source)).close()
            except NoSource as error:
                found.append(str(error))
        return found

    @property
    def addresses(self) -> list[IPv4Address | IPv6Address]:
        """All of them."""
        return list(self._by_version.values())


def _bound(source: str) -> socket.socket:
    """A socket that will connect from *source*.  Raises NoSource."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise NoSource(f"{source}: {error.strerror}") from error
    with suppress(OSError):  # systems without it manage with fewer connections
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    try:
        sock.bind((source, 0))
    except OSError as error:
        with closing(sock):
            why = "this machine has no such address" if error.errno in _ABSENT else error.strerror
            raise NoSource(f"{source}: {why}") from error
    return sock
