"""Filters in front of this server: in which header fields they say what they found, and whose fields count.

Spec: RFC 5235 §4.  Status: complete.
"""

import ipaddress
from dataclasses import dataclass

from mailserver.sieve.scores import Scores

NOTHING = Scores()


@dataclass(frozen=True, slots=True)
class Upstream:
    """networks: the machines whose fields count; () all of them."""

    scores: Scores = NOTHING
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def of(self, client: str) -> Scores:
        """The fields that count in mail from *client*, "" for one whose address is not known."""
        if not self.networks:
            return self.scores
        if not client:
            return NOTHING
        address = ipaddress.ip_address(client.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return self.scores if any(address in network for network in self.networks) else NOTHING


NOBODY = Upstream()
