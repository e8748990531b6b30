"""The client that a record is asked about: its address, and what macros know of it.

Spec: RFC 7208 §7.2, §7.3.  Status: complete.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

Address = IPv4Address | IPv6Address


class Client(NamedTuple):
    """Who wants to send.

    address: an IPv4 address that came in the form of an IPv6 one is an IPv4 address (RFC 7208 §5).
    number:  of the address, for comparing.
    values:  of all macros but %{d} and %{p}.
    is_utf8: the local part of the sender cannot stand in a name of the DNS (RFC 8616 §4).
    """

    address: Address
    number: int
    values: dict[str, str]
    is_utf8: bool

    def is_within(self, network: Address, bits: int) -> bool:
        """Whether the first *bits* are those of *network*."""
        if network.version != self.address.version:
            return False
        rest = self.address.max_prefixlen - bits
        return self.number >> rest == int(network) >> rest


def client_of(address: Address, sender: str, helo: str, receiver: str, now: float) -> Client:
    """What is known of a client that sends as *sender* and calls itself *helo*; *now* as UTC epoch seconds."""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or IPv6Address(int(address))  # without its zone
    local, _, domain = sender.rpartition("@")
    local = local or "postmaster"  # RFC 7208 §4.3
    if isinstance(address, IPv4Address):
        dotted, family = str(address), "in-addr"
    else:
        dotted, family = ".".join(address.exploded.replace(":", "")), "ip6"
    values = {
        "s": f"{local}@{domain}",
        "l": local,
        "o": domain,
        "i": dotted,
        "h": helo,
        "v": family,
        "c": str(address),
        "r": receiver or "unknown",
        "t": str(int(now)),
    }
    return Client(address, int(address), values, not local.isascii())
