"""What the engines ask the DNS, and how it answers: the port that a real resolver fills.

Spec: RFC 1035 §3.3; RFC 2308 §2; RFC 4035 §4.3; RFC 6698 §2.1; RFC 8659 §4.1.  Status: complete.

Names are A-labels without a dot at the end, in any case.  A question ends in an `Answer` with at least one value, or in
a `LookupFailed`: `NoSuchDomain` and `NoData` are answers too, after `Trouble` it may be asked again later.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class LookupFailed(Exception):
    """No records; the text is for people.

    is_authentic: a trusted resolver found it proved that there are none.
    ttl:          seconds for which there are none; 0: it may be asked again at once.
    """

    def __init__(self, text: str, *, is_authentic: bool = False, ttl: int = 0) -> None:
        super().__init__(text)
        self.is_authentic = is_authentic
        self.ttl = ttl


class NoSuchDomain(LookupFailed):
    """The name does not exist, nor anything below it (NXDOMAIN)."""


class NoData(LookupFailed):
    """The name exists and has no records of this type."""


class Trouble(LookupFailed):
    """Nobody knows for now: no resolver answered, or none could find out (SERVFAIL)."""


class Bogus(Trouble):
    """There is an answer, and its signatures are wrong: somebody may be lying (RFC 4035 §4.3)."""


class Answer(NamedTuple, Generic[T]):
    """Records of one name and type, in the order of the answer; at least one.

    is_authentic: a trusted resolver found all of them signed, aliases on the way included.
    ttl:          seconds that the answer still holds.
    """

    values: tuple[T, ...]
    is_authentic: bool
    ttl: int


class Mx(NamedTuple):
    """A mail host (RFC 1035 §3.3.9).  host: "" for a null MX (RFC 7505 §3)."""

    preference: int
    host: str


class Tlsa(NamedTuple):
    """What a certificate must match (RFC 6698 §2.1); the numbers are as they came, known or not."""

    usage: int
    selector: int
    matching: int
    data: bytes


class Srv(NamedTuple):
    """Where a service is (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


class Caa(NamedTuple):
    """Who may issue certificates (RFC 8659 §4.1)."""

    flags: int
    tag: str
    value: str


class Resolver(Protocol):
    """Answers questions; each raises LookupFailed when there is nothing to return."""

    async def txt(self, name: str) -> Answer[bytes]:
        """Each value is one record, its strings put together without anything between them."""

    async def a(self, name: str) -> Answer[IPv4Address]:
        """IPv4 addresses."""

    async def aaaa(self, name: str) -> Answer[IPv6Address]:
        """IPv6 addresses."""

    async def mx(self, name: str) -> Answer[Mx]:
        """Mail hosts, the most preferred first."""

    async def ptr(self, address: IPv4Address | IPv6Address) -> Answer[str]:
        """Names of an address; the question is asked below in-addr.arpa or ip6.arpa."""

    async def tlsa(self, name: str) -> Answer[Tlsa]:
        """Of a whole name, as `_25._tcp.mail.example.org`."""

    async def cname(self, name: str) -> Answer[str]:
        """What *name* itself is an alias of; not followed further."""

    async def srv(self, name: str) -> Answer[Srv]:
        """Of a whole name, as `_imaps._tcp.example.org`."""

    async def caa(self, name: str) -> Answer[Caa]:
        """Of this name only; whoever needs the closest one climbs."""

    async def ns(self, name: str) -> Answer[str]:
        """Name servers."""
