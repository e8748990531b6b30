"""How mail leaves, as configuration and database say it."""

import asyncio
import time
from collections.abc import Callable

from mailserver.app.config import Config
from mailserver.base.errors import TryLater
from mailserver.directory.hops import password_of
from mailserver.directory.seal import load
from mailserver.jobs.reaching import ANYTHING, Unreached, reach
from mailserver.jobs.ways import NoPolicies, Policies, Terms, Ways
from mailserver.mta.nexthop import REJECT, choose
from mailserver.mta.relay import Chance, next_hop
from mailserver.mta.route import hops
from mailserver.net.callout import Callouts, Unreachable
from mailserver.net.dialer import Dialer
from mailserver.net.dns import Resolver
from mailserver.net.dns_health import Health, look
from mailserver.net.https import Https
from mailserver.net.ourselves import Ourselves
from mailserver.net.public import may_reach
from mailserver.net.smtp import OutboundConnection
from mailserver.net.smtp_tls import ClientTls
from mailserver.net.sources import Sources
from mailserver.net.sts import Policies as StsPolicies
from mailserver.servers.work import Work
from mailserver.smtp.outgoing import Login, Tls
from mailserver.store.policies import PolicyFile
from mailserver.store.report_counts import ReportCounts
from mailserver.store.tx import Read


def primaries(config: Config, work: Work, ways: Ways, chance: Chance) -> Callouts:
    """Who asks the primary servers of domains that we are the backup of; over routes, never over a smarthost."""

    async def primary(domain: str) -> OutboundConnection:
        table = await work.read(lambda tx: hops(tx, ""))
        name = choose(table, "", domain)
        if name == REJECT:
            raise Unreachable("no mail is sent to this domain from here")
        hop = next_hop(name, ways.port)
        try:
            return await reach(ways, name, hop, config.limits.queue.hosts, chance, ANYTHING)
        except Unreached as trouble:
            raise Unreachable(str(trouble)) from trouble

    return Callouts(config.limits.callout, primary)


def resolver_of(config: Config) -> Resolver:
    """Who asks the DNS for everything in a worker; to be made in the loop that uses it."""
    trust_ad = None if config.dns.trust_ad == "auto" else config.dns.trust_ad
    servers = [(server.host, server.port) for server in config.dns.servers]
    return Resolver(config.limits.dns, servers, trust_ad)


def dns_health(config: Config) -> Health:
    """How the configured resolvers are; asks them."""

    async def ask() -> Health:
        return await look(resolver_of(config))

    return asyncio.run(ask())


def web_of(config: Config, resolver: Resolver) -> Https:
    """What asks web servers."""
    return Https(resolver, config.outbound.authorities, config.outbound.web_networks)


def policies_of(config: Config, resolver: Resolver) -> StsPolicies:
    """What knows MTA-STS policies; to be made in the loop that uses it."""
    web = web_of(config, resolver)
    file = PolicyFile(config.data_dir)
    return StsPolicies(resolver, web, file, config.limits.mta_sts, time.time)


def dialer_of(config: Config) -> Dialer:
    """What makes connections to other mail servers."""
    tls = ClientTls(config.outbound.authorities)
    return Dialer(config.hostname, config.limits.outbound, tls, sources_of(config))


def sources_of(config: Config) -> Sources:
    """The addresses that mail leaves from."""
    return Sources(config.outbound.source_addresses)


def may_mail(config: Config) -> Callable[[str], bool]:
    """Whether mail may go to an address that somebody else's DNS has named."""
    networks = config.outbound.mail_networks
    return lambda address: may_reach(address, networks)


def ways_out(
    config: Config, work: Work, resolver: Resolver, policies: Policies, counts: ReportCounts
) -> Ways:
    """The ways out; to be made in the loop that uses them."""

    async def terms(destination: str) -> Terms:
        return await work.read(lambda tx: terms_of(tx, config, destination))

    return Ways(
        resolver,
        dialer_of(config),
        config.outbound.port,
        frozenset({config.hostname}),
        Ourselves(config.listeners.smtp),
        terms,
        policies if config.outbound.mta_sts else NoPolicies(),
        uses_dane=config.outbound.dane,
        count_tls=lambda outcome: counts.tls(outcome, time.time()),
        web=web_of(config, resolver),
        may_mail=may_mail(config),
    )


def terms_of(tx: Read, config: Config, destination: str) -> Terms:
    """What was set for the next hop *destination*.  Raises MailError if its password cannot be opened."""
    hop = tx.routes.hop(destination)
    if hop is None:
        return Terms()
    if not hop.login:
        return Terms(Tls(hop.tls))
    try:
        password = password_of(hop, load(config.data_dir)).decode()
    except OSError as error:
        raise TryLater(f"{error.filename}: {error.strerror}") from error
    return Terms(Tls(hop.tls), Login(hop.login, password))
