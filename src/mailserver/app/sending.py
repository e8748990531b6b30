"""How mail leaves, as the configuration says it."""

from mailserver.app.config import Config
from mailserver.jobs.ways import Ways
from mailserver.net.dns import Resolver
from mailserver.net.ourselves import Ourselves
from mailserver.net.smtp import Dialer


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
