"""What is checked: the sender of a message, and the name that a client gives itself.

Spec: RFC 7208 §2.3, §2.4.  Status: complete.
"""

from mailserver.base.limits import SpfLimits
from mailserver.mailauth.resolver import Resolver
from mailserver.mailauth.spf.check import check_host
from mailserver.mailauth.spf.client import Address
from mailserver.mailauth.spf.result import SpfResult


async def check_sender(
    resolver: Resolver,
    ip: Address,
    sender: str,
    helo: str,
    *,
    limits: SpfLimits,
    receiver: str,
    now: float,
) -> SpfResult:
    """MAIL FROM: the domain of *sender*, or for the null sender "" that of *helo* (RFC 7208 §2.4)."""
    sender = sender or f"postmaster@{helo}"
    domain = sender.rpartition("@")[2]
    return await check_host(
        resolver, ip, domain, sender, helo, limits=limits, receiver=receiver, now=now
    )


async def check_helo(
    resolver: Resolver, ip: Address, helo: str, *, limits: SpfLimits, receiver: str, now: float
) -> SpfResult:
    """HELO: the name that the client gave; "none" for an address or a single word (RFC 7208 §2.3)."""
    sender = f"postmaster@{helo}"
    return await check_host(
        resolver,
        ip,
        helo,
        sender,
        helo,
        limits=limits,
        receiver=receiver,
        now=now,
        identity="helo",
    )
