"""How mail leaves this server: who is asked for hosts, who dials them, and which hosts are ourselves."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from mailserver.mailauth import resolver
from mailserver.mailauth.mta_sts import NOTHING, Found
from mailserver.mailauth.reports.tls_values import TlsOutcome
from mailserver.mta.security import Security
from mailserver.net.dns import Addresses
from mailserver.net.https import Https
from mailserver.net.smtp import Hop, OutboundConnection
from mailserver.smtp.outgoing import Login, Tls


class Resolver(resolver.Resolver, Protocol):
    """What is asked of the DNS (`net/dns.py`)."""

    async def addresses(self, host: str) -> Addresses:
        """Its IP addresses of both kinds; raises NoSuchDomain, NoData or Trouble."""


class Policies(Protocol):
    """What knows MTA-STS policies (`net/sts.py`)."""

    async def find(self, domain: str) -> Found:
        """What holds for *domain* now."""

    async def refresh(self) -> int:
        """Fetches anew what is about to run out; how many were."""


class Dialer(Protocol):
    """What makes connections (`net/smtp.py`)."""

    async def connect(self, hop: Hop, security: Security) -> OutboundConnection:
        """A connection on which MAIL may be said; raises HopError."""


class Terms(NamedTuple):
    """How an operator wants a next hop to be talked to."""

    tls: Tls = Tls.MAY
    login: Login | None = None


async def _no_terms(destination: str) -> Terms:
    return Terms()


def _nobody(address: str, port: int) -> bool:
    return False


def _anywhere(address: str) -> bool:
    return True


def _uncounted(outcome: TlsOutcome) -> None:
    return None


class NoPolicies:
    """Nobody has an MTA-STS policy."""

    async def find(self, domain: str) -> Found:
        """Nothing."""
        return NOTHING

    async def refresh(self) -> int:
        """None."""
        return 0


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways out.

    port:      of hosts that MX records name.
    own_names: host names that we are known by.
    is_own:    whether an address and port is one where we take mail ourselves.
    terms:     of a destination that the configuration names; raises MailError when they cannot be read.
    policies:  MTA-STS policies of domains.
    uses_dane: TLSA records are looked for.
    count_tls: takes how a connection went; costs no time.
    web:       makes requests to web servers; None: nobody does.
    may_mail:  whether mail may go to an address that the DNS or a recipient's address names.
    """

    resolver: Resolver
    dialer: Dialer
    port: int = 25
    own_names: frozenset[str] = frozenset()
    is_own: Callable[[str, int], bool] = _nobody
    terms: Callable[[str], Awaitable[Terms]] = _no_terms
    policies: Policies = field(default_factory=NoPolicies)
    uses_dane: bool = True
    count_tls: Callable[[TlsOutcome], None] = _uncounted
    web: Https | None = None
    may_mail: Callable[[str], bool] = _anywhere
