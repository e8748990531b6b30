"""How to talk to next hops that routes and smarthosts name: TLS, and a log-in whose password is sealed.

Status: complete.
"""

from mailserver.base.errors import Cannot
from mailserver.directory.seal import Seal
from mailserver.store.values import NextHop

TLS = (
    "may",
    "encrypt",
    "verify",
)  #: as it comes; always; always, with a certificate for the host's name
MAX_LOGIN = 255  #: octets of a log-in name, and of a password (RFC 4616 §2)


def next_hop(name: str, tls: str, login: str, password: str, seal: Seal) -> NextHop:
    """What is kept of a next hop.  Raises Cannot for a log-in that no server could be told, or told in clear."""
    if not login and password:
        raise Cannot("a password needs a log-in name")
    for text in (login, password):
        if len(text.encode()) > MAX_LOGIN or not text.isprintable():
            raise Cannot(f"log-in and password: printable, at most {MAX_LOGIN} octets")
    if login and not password:
        raise Cannot("a log-in needs a password")
    if login and tls == "may":
        raise Cannot("a password goes over TLS only: say encrypt or verify")
    sealed = seal.close(password.encode(), _about(name)) if login else b""
    return NextHop(name, tls, login, sealed)


def password_of(hop: NextHop, seal: Seal) -> bytes:
    """The password for *hop*.  Raises Corrupt if the seal's key is not the one it was sealed with."""
    return seal.open(hop.password, _about(hop.name))


def _about(name: str) -> str:
    return f"next hop {name}"
