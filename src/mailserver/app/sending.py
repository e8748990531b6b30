"""How mail leaves, as the configuration says it."""

from mailserver.app.config import Config
from mailserver.jobs.reaching import ANYTHING, Unreached, reach
from mailserver.jobs.ways import Ways
from mailserver.mta.nexthop import REJECT, choose
from mailserver.mta.relay import Chance, next_hop
from mailserver.mta.route import hops
from mailserver.net.callout import Callouts, Unreachable
from mailserver.net.dns import Resolver
from mailserver.net.ourselves import Ourselves
from mailserver.net.smtp import Dialer, OutboundConnection
from mailserver.servers.work import Work


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


def ways_out(config: Config) -> Ways:
    """The ways out; to be made in the loop that uses them."""
    trust_ad = None if config.dns.trust_ad == "auto" else config.dns.trust_ad
    return Ways(
        Resolver(
            config.limits.dns,
            [(server.host, server.port) for server in config.dns.servers],
            trust_ad,
        ),
        Dialer(config.hostname, config.limits.outbound),
        config.outbound.port,
        frozenset({config.hostname}),
        Ourselves(config.listeners.smtp),
    )
