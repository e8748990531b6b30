"""iprev: whether an address has a name that leads back to it.

Spec: RFC 8601 §2.7.3, §3.  Status: complete.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Literal, NamedTuple

from mailserver.mailauth.resolver import LookupFailed, Resolver, Trouble
from mailserver.mailauth.spf.result import said


class IprevResult(NamedTuple):
    """What the names of a client are worth.

    reason: for people, on one line.
    name:   that leads back to the address, in lower case; "" unless the result is "pass".
    """

    result: Literal["pass", "fail", "temperror", "permerror"]
    reason: str
    name: str = ""


async def iprev(
    resolver: Resolver, ip: IPv4Address | IPv6Address, *, most: int = 10
) -> IprevResult:
    """Whether one of the first *most* names of *ip* has *ip* among its addresses."""
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or IPv6Address(int(ip))  # without its zone
    try:
        names = (await resolver.ptr(ip)).values[:most]
    except Trouble as error:
        return _result("temperror", f"the names of {ip} cannot be had: {error}")
    except LookupFailed:
        return _result("permerror", f"{ip} has no name")
    trouble = ""
    for name in names:
        try:
            found = await (resolver.a(name) if ip.version == 4 else resolver.aaaa(name))
        except Trouble as error:
            trouble = str(error)
        except LookupFailed:
            continue
        else:
            if ip in found.values:
                return _result("pass", f"{ip} is {name}", name.lower())
    if trouble:
        return _result("temperror", f"the names of {ip} cannot be checked: {trouble}")
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return _result("fail", f"{ip} calls itself {shown}, which does not lead back to it")


def _result(
    result: Literal["pass", "fail", "temperror", "permerror"], reason: str, name: str = ""
) -> IprevResult:
    return IprevResult(result, said(reason), name)
