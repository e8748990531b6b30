"""Which addresses are this server: where it takes mail, so that it never sends it there.

Spec: RFC 5321 §5.1 (names and addresses by which we are known).  Status: complete.
"""

import errno
import ipaddress
import socket
from collections.abc import Iterable

from mailserver.net.endpoint import Endpoint


class Ourselves:
    """The places where this server listens for mail from others."""

    __slots__ = ("_places",)

    def __init__(self, listeners: Iterable[Endpoint]) -> None:
        self._places = {(one.host, one.port) for one in listeners if not one.is_unix}

    def __call__(self, address: str, port: int) -> bool:
        """Whether a connection to *address* and *port* would come to us."""
        hosts = {host for host, listening in self._places if listening == port}
        if not hosts:
            return False
        return address in hosts or ("" in hosts and _is_of_this_machine(address))


def _is_of_this_machine(address: str) -> bool:
    """Whether *address* is one of this machine's, as the system sees it now: one can only bind to one's own."""
    ip = ipaddress.ip_address(address)
    if ip.is_unspecified:
        return True
    family = socket.AF_INET6 if ip.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EINVAL, errno.EAFNOSUPPORT)
    return True
