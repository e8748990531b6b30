"""Which addresses are the Internet's, and which lead into a network behind it or to this machine.

Spec: RFC 6890 §2.2 (the registries of special addresses, as IANA keeps them); RFC 4291 §2.5.5; RFC 6052 §2.1.
Status: complete.

A name of somebody else's choice may stand for an address of ours.  Who connects to such names asks here first, and then
connects to the very address that was asked about.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

_NOT_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's NAT
        "127.0.0.0/8",  # this machine
        "169.254.0.0/16",  # this link; where clouds serve their machines' secrets
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, as they were
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
)
#: what people number their own networks with
PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_UNICAST = IPv6Network("2000::/3")  # all that is handed out
_NOT_IPV6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, as it was
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # an IPv4 address behind a translator


def is_public(address: str) -> bool:
    """Whether *address*, in figures, is one of the Internet's; no other text is."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    inner = _inner(found)
    if isinstance(inner, IPv4Address):
        return not any(inner in network for network in _NOT_IPV4)
    return inner in _UNICAST and not any(inner in network for network in _NOT_IPV6)


def may_reach(address: str, allowed: Iterable[Network]) -> bool:
    """Whether *address* is the Internet's, or in one of the networks *allowed* besides."""
    if is_public(address):
        return True
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(one in network for network in allowed for one in (found, _inner(found)))


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that packets to *address* end up at, where it holds one; else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
