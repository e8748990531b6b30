"""How many connections there may be, and how much memory their unfinished input may take.

Every bound is checked when a connection comes, before it costs more than its socket.
"""

import ipaddress
from collections import Counter

from mailserver.base.errors import LimitReached
from mailserver.base.limits import ConnectionLimits
from mailserver.base.log import Log


def network_of(peer: str) -> str:
    """What counts as one address: an IPv4 address, an IPv6 /64; "" for a UNIX socket."""
    if ":" not in peer:
        return peer
    address = ipaddress.IPv6Address(peer.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64)) + "/64"


class Connections:
    """The connections of this process, counted together, by address, and before log-in."""

    __slots__ = ("_by_network", "_limits", "total", "unauthenticated")

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._by_network: Counter[str] = Counter()
        self.total = 0
        self.unauthenticated = 0

    def admit(self, peer: str, log: Log) -> "Guest":
        """Count a connection from *peer* in, with *log* as its log.  Raises LimitReached, with a text for the peer."""
        limits, network = self._limits, network_of(peer)
        if self.total >= limits.total or self.unauthenticated >= limits.unauthenticated:
            raise LimitReached("Too many connections, try again later")
        if network and self._by_network[network] >= limits.per_address:
            raise LimitReached("Too many connections from your address")
        self.total += 1
        self.unauthenticated += 1
        self._by_network[network] += 1
        return Guest(self, network, log)

    def _leave(self, network: str, was_authenticated: bool) -> None:
        self.total -= 1
        self.unauthenticated -= not was_authenticated
        self._by_network[network] -= 1
        if not self._by_network[network]:
            del self._by_network[network]


class Guest:
    """One connection that was let in; *log* has its session id on every line."""

    __slots__ = ("_connections", "_is_authenticated", "_is_gone", "_network", "log")

    def __init__(self, connections: Connections, network: str, log: Log) -> None:
        self.log = log
        self._connections = connections
        self._network = network
        self._is_authenticated = self._is_gone = False

    def authenticated(self) -> None:
        """The peer has logged in: it no longer counts as a stranger."""
        if not self._is_authenticated and not self._is_gone:
            self._is_authenticated = True
            self._connections.unauthenticated -= 1

    def unauthenticated(self) -> None:
        """The peer is a stranger again."""
        if self._is_authenticated and not self._is_gone:
            self._is_authenticated = False
            self._connections.unauthenticated += 1

    def leave(self) -> None:
        """The connection has ended; once is enough."""
        if not self._is_gone:
            self._is_gone = True
            self._connections._leave(self._network, self._is_authenticated)


class Budget:
    """Octets of memory that all connections share for input that is not finished yet."""

    __slots__ = ("size", "used")

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0

    def take(self, octets: int) -> bool:
        """Whether *octets* more were free; if so they are taken until `give`."""
        if self.used + octets > self.size:
            return False
        self.used += octets
        return True

    def take_spare(self, octets: int) -> bool:
        """The same, as long as half of all stays free for others."""
        return self.used + octets <= self.size // 2 and self.take(octets)

    def give(self, octets: int) -> None:
        """*octets* that were taken are free again."""
        self.used -= octets
