"""What every handler of a connection is given: the server it belongs to."""

import asyncio
import ipaddress
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mailserver.base.limits import Limits, OverloadLimits
from mailserver.base.rate_limits import RatesLimits
from mailserver.directory.auth import Verified
from mailserver.mailauth.reports.values import Seen
from mailserver.mailauth.resolver import Resolver
from mailserver.mta.failure_reports import Failure
from mailserver.mta.rates import Rates
from mailserver.net.tls import ServerTls, identities
from mailserver.sasl.registry import Channel
from mailserver.servers.backup import Asks
from mailserver.servers.guard import Guard
from mailserver.servers.handover import Handover
from mailserver.servers.hub import Hub
from mailserver.servers.limits import Budget, Guest
from mailserver.servers.load import Load
from mailserver.servers.mechanisms import Offer
from mailserver.servers.names import Names
from mailserver.servers.stream import Stream
from mailserver.servers.upstream import NOBODY, Upstream
from mailserver.servers.work import Work
from mailserver.store.trace_values import Trace

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Context:
    """One worker process, as handlers see it.

    hostname:       the name in banners, EHLO answers and Received fields.
    cleartext_from: networks from which log-in is offered without TLS.
    hides_clients:  Received fields of submitted mail do not tell where the user was.
    lmtp_from:      networks that may deliver over LMTP, beside UNIX sockets.
    proxies:        networks whose connections begin with a PROXY header.
    spool:          folder for bodies of incoming messages that are too large for memory.
    memory:         octets that unfinished input of all connections may take.
    stopping:       set once the server is to stop.  Every stream's `wake` is called then, so `ready` returns False:
                    between commands say goodbye (421, * BYE) and return; in a transaction finish it first.
    now:            UTC epoch seconds.
    smarthost:      takes all mail that leaves and has no better way, as "smtp:HOST:PORT"; "": none does.
    resolver:       asks the DNS; None: nobody does.
    primaries:      asks the primary servers of domains that we are the backup of; None: nobody does.
    verified:       passwords that were right a moment ago; for `servers.login.authenticate`.
    load:           whether newcomers are served at all.
    guard:          counts failed log-ins; its `rates` count everything else that is limited by the hour.
    offer:          which mechanisms the accounts can use.
    seals:          folder with the key of what is sealed.
    name:           a name for a transaction that no other has.
    handover:       gives mail that leaves to the queue's runner, if he is in this process.
    keep_trace:     takes what became of a transaction, for `mailserver explain`; costs no time.
    upstream:       spam and virus filters in front of this server.
    tell_failure:   takes what there is to tell of a message that failed DMARC; costs no time.
    managesieve:    the URL of the server where scripts are kept, "" where none is.
    count_mail:     takes what was seen of a message whose domain asks for reports, and when; costs no time.
    """

    hostname: str
    limits: Limits
    work: Work
    tls: ServerTls
    cleartext_from: tuple[Network, ...]
    spool: Path
    hub: Hub
    memory: Budget
    stopping: asyncio.Event
    now: Callable[[], float]
    hides_clients: bool = False
    lmtp_from: tuple[Network, ...] = ()
    proxies: tuple[Network, ...] = ()
    smarthost: str = ""
    primaries: Asks | None = None
    resolver: Resolver | None = None
    verified: Verified = field(default_factory=lambda: Verified(secrets.token_bytes(32)))
    offer: Offer = field(default_factory=Offer)
    seals: Path = Path()
    keep_trace: Callable[[Trace], None] = lambda trace: None
    count_mail: Callable[[Seen, float], None] = lambda seen, at: None
    tell_failure: Callable[[Failure], None] = lambda failure: None
    upstream: Upstream = NOBODY
    managesieve: str = ""
    load: Load = field(default_factory=lambda: Load(OverloadLimits(), Budget(1), lambda: 0))
    name: Callable[[], str] = field(default_factory=Names)
    handover: Handover = field(default_factory=Handover)
    guard: Guard = field(default_factory=lambda: Guard(Rates(RatesLimits()), time.time))

    def __post_init__(self) -> None:
        """What is cached here of the directory is dropped when it changes."""
        self.hub.watch_directory(self.verified.clear)
        self.hub.watch_directory(self.offer.changed)

    def may_log_in(self, stream: Stream) -> bool:
        """Whether a password may be asked for on *stream*: TLS, a UNIX socket, or a network that needs none."""
        if stream.is_tls or not stream.peer:
            return True
        return within(stream.peer, self.cleartext_from)

    def channel(self, stream: Stream) -> Channel:
        """*stream* as mechanisms see it; to be asked for again once it has TLS."""
        tls = stream.tls if stream.is_tls else None
        return Channel(
            is_private=self.may_log_in(stream),
            hostname=self.hostname,
            bindings=self.tls.bindings(tls) if tls is not None else {},
            identities=identities(tls) if tls is not None else (),
            has_scram=self.offer.has_scram,
            has_cram_md5=self.offer.has_cram_md5,
            nonce=lambda: secrets.token_urlsafe(18),
        )


def within(peer: str, networks: tuple[Network, ...]) -> bool:
    """Whether the IP address *peer* is in one of *networks*; a UNIX socket's "" is in none."""
    if not peer or not networks:
        return False
    address = _address(peer)
    return any(address in network for network in networks)


@lru_cache(maxsize=1024)  # each connection asks for its peer several times
def _address(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Of an IPv4 address in IPv6 form, the IPv4 address.  Raises ValueError for what is no IP address."""
    address = ipaddress.ip_address(peer.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


#: a protocol: owns one connection until it ends; TLS from the first octet on has been done already.
#: Call guest.authenticated() after a log-in.
Handler = Callable[[Stream, Context, Guest], Coroutine[Any, Any, None]]
