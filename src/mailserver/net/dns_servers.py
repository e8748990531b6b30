"""Which resolvers there are, and in which order they are asked.

Spec: RFC 4035 §4.9.3 (whose word on DNSSEC counts); RFC 9520 §3.1.  Status: complete.

Those whose word counts come first, whatever happens: a stranger can make any resolver fail with a name that nobody
answers for, and would decide else who is asked next.  Among equals, who failed a moment ago comes last.
"""

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from mailserver.net.dns_exchange import Server

RESOLV_CONF = Path("/etc/resolv.conf")
SERVERS = 3  #: as the C library (resolv.conf(5))
_LOOK_S = 5.0  #: how often a look is taken whether the file has changed


class Servers:
    """The resolvers that are asked."""

    def __init__(
        self, servers: Sequence[tuple[str, int]], trust_ad: bool | None, system: Path, rest_s: float
    ) -> None:
        """servers: address and port of each; none: those in the file *system*, whenever it changes.

        trust_ad: whether the AD bit of answers counts; None: that of resolvers on this machine.
        rest_s:   so long a resolver that failed is asked after the others.
        """
        self._trust_ad = trust_ad
        self._rest_s = rest_s
        self._system = None if servers else _SystemServers(system)
        self._servers = [self._server(host, port) for host, port in servers[:SERVERS]]
        self._resting: dict[Server, float] = {}

    def current(self, now: float) -> list[Server]:
        """All of them, the best first; *now* on any clock that does not go back."""
        servers = self._servers
        if self._system is not None:
            servers = [self._server(host, 53) for host in self._system.read(now)]
        if self._resting:
            self._resting = {one: until for one, until in self._resting.items() if until > now}
        return sorted(servers, key=lambda one: (not one.is_trusted, one in self._resting))

    def failed(self, server: Server, now: float) -> None:
        """*server* did not answer."""
        self._resting[server] = now + self._rest_s

    def answered(self, server: Server) -> None:
        """*server* is well again."""
        self._resting.pop(server, None)

    def _server(self, host: str, port: int) -> Server:
        is_trusted = self._trust_ad
        if is_trusted is None:
            is_trusted = ipaddress.ip_address(host.partition("%")[0]).is_loopback
        return Server(host, port, is_trusted)


class _SystemServers:
    """The resolvers of the system, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._looked_at = float("-inf")
        self._hosts: list[str] = []

    def read(self, now: float) -> list[str]:
        """Their addresses; this machine's own without any (resolv.conf(5))."""
        if now - self._looked_at >= _LOOK_S:
            self._looked_at = now
            try:
                status = self._path.stat()
                stamp = (status.st_mtime_ns, status.st_ino)
                if stamp != self._stamp:
                    self._hosts = _nameservers(self._path.read_text("utf-8", "replace"))
                    self._stamp = stamp
            except OSError:
                self._hosts, self._stamp = [], None
        return self._hosts or ["127.0.0.1"]


def _nameservers(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                ipaddress.ip_address(words[1].partition("%")[0])
            except ValueError:
                continue
            found.append(words[1])
    return found[:SERVERS]
