"""Which hosts take the mail of a destination, in which order, and what their replies mean.

Spec: RFC 5321 §4.2.1, §4.3.2, §5.1, §5.2; RFC 7505 §3, §4.1; RFC 3463 §3.  Status: complete.

Pure: answers of the DNS come in, decisions go out.  Names are lower case, without a dot at their end.
"""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

Chance = Callable[[], float]  #: dice: a number from 0 up to 1, another one each time


class Kind(Enum):
    """How a destination is reached."""

    DOMAIN = "domain"  # by the MX records of its name
    ADDRESS = "address"  # an address literal (RFC 5321 §4.1.3)
    HOST = "host"  # named by the administrator: a smarthost, a static route
    LOCAL = "local"  # our own mailboxes
    NOWHERE = "nowhere"  # the administrator wants no mail sent there


class NextHop(NamedTuple):
    """A destination's name, taken apart.

    host: a domain, an IP address or a host name, as `kind` says.
    """

    kind: Kind
    host: str
    port: int
    is_lmtp: bool = False

    @property
    def is_by_mx(self) -> bool:
        """Whether the DNS decides which host it is."""
        return self.kind is Kind.DOMAIN


class Refusal(NamedTuple):
    """Why a message cannot go out, in the words of a DSN.

    status: "5.1.2" is for good, "4.4.3" for now.
    """

    status: str
    text: str

    @property
    def is_permanent(self) -> bool:
        """Whether trying again would get the same."""
        return self.status.startswith("5")


def next_hop(destination: str, port: int) -> NextHop:
    """*destination* as the queue names it; *port* for those that do not say theirs.  Raises ValueError."""
    if destination == "local":
        return NextHop(Kind.LOCAL, "", 0)
    if destination == "reject":
        return NextHop(Kind.NOWHERE, "", 0)
    if destination.startswith(("smtp:", "lmtp:")):
        protocol, _, rest = destination.partition(":")
        host, _, own_port = rest.rpartition(":")
        return NextHop(
            Kind.HOST, host.removeprefix("[").removesuffix("]"), int(own_port), protocol == "lmtp"
        )
    if destination.startswith("["):
        return NextHop(Kind.ADDRESS, str(literal_address(destination)), port)
    return NextHop(Kind.DOMAIN, destination, port)


def literal_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """What stands in an address literal (RFC 5321 §4.1.3); raises ValueError."""
    inside = text.removeprefix("[").removesuffix("]")
    if inside.lower().startswith("ipv6:"):
        return ipaddress.IPv6Address(inside[5:])
    return ipaddress.IPv4Address(inside)


def is_address(host: str) -> bool:
    """Whether *host* is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


# -- the answers of the DNS

NULL_MX = Refusal("5.1.10", "the domain takes no mail")  # RFC 7505 §4.1
NO_DOMAIN = Refusal("5.1.2", "there is no such domain")
NO_SERVER = Refusal("5.1.2", "the domain has no mail server")
NO_HOST = Refusal("5.4.4", "none of the domain's mail servers has an address")
REJECTED = Refusal("5.7.1", "no mail goes there from this server")
LOOP = Refusal("5.4.6", "mail for this domain leads back to this server, which does not take it")


def forbidden(address: str) -> Refusal:
    """The only address there is leads nowhere on the Internet, and the operator sends no mail into such networks."""
    return Refusal("5.4.4", f"the mail server's address {address} is not one that mail can go to")


def dns_trouble(why: str) -> Refusal:
    """Nothing can be said now (RFC 5321 §5.1)."""
    return Refusal("4.4.3", f"the domain's mail servers could not be looked up: {why}")


def exchangers(
    domain: str, records: Iterable[tuple[int, str]], own: frozenset[str], chance: Chance
) -> list[str] | Refusal:
    """The hosts to try, best first; LOOP if that would be us.

    records: preference and host of each MX; none at all: the domain is its own (RFC 5321 §5.1).
    own:     names that we are known by.  Where one of them stands, it and all that come after it are left out.
    chance:  throws dice among equals.
    """
    found = [(preference, host.rstrip(".").lower()) for preference, host in records]
    if not found:
        return LOOP if domain in own else [domain]
    if any(not host for _, host in found):
        return NULL_MX  # beside others it is an error (RFC 7505 §3), and still says that no mail is wanted
    ours = [preference for preference, host in found if host in own]
    if ours:
        found = [(preference, host) for preference, host in found if preference < min(ours)]
        if not found:
            return LOOP
    ordered = sorted(found, key=lambda record: (record[0], chance()))
    return list(dict.fromkeys(host for _, host in ordered))


def in_turn(addresses: Sequence[str]) -> list[str]:
    """IPv6 and IPv4 by turns, each in the order given, so that one broken network costs one attempt (RFC 5321 §5.2)."""
    six = [address for address in addresses if ":" in address]
    four = [address for address in addresses if ":" not in address]
    turns: list[str] = []
    for n in range(max(len(six), len(four))):
        turns += six[n : n + 1] + four[n : n + 1]
    return turns


def most_of_one(hosts: int, most: int) -> int:
    """Addresses tried of each of *hosts* hosts when *most* may be tried in all, so that two hosts get their chance."""
    return most if hosts < 2 else max(1, most // 2)


# -- the replies of a next hop


class Verdict(NamedTuple):
    """What became of a recipient.

    status:       as the next hop said it, or as its code implies.
    is_elsewhere: the trouble is that host's own; another host of the destination may take the message now.
    is_crowded:   the destination wants less from us.
    """

    state: str  # "delivered", "deferred", "failed"
    status: str
    is_elsewhere: bool = False
    is_crowded: bool = False


@lru_cache(maxsize=1_024)
def judge(stage: str, code: int, status: str, *, is_ours: bool = False) -> Verdict:
    """What the reply *code* with the enhanced *status* ("" if none) means for a recipient.

    stage:   the command it answered, as smtp.outgoing.Stage names it; with "end" a 2yz is success.  Codes count by
             their first digit (RFC 5321 §4.3.2).
    is_ours: no reply came; these are our words for it.  After the end of the data the message may have been taken then,
             so no other host gets it in the same attempt (RFC 5321 §4.5.3.2.6, §6.1).
    """
    status = _status(code, status)
    if is_ours:
        state = "failed" if code >= 500 else "deferred"
        return Verdict(state, status, is_elsewhere=stage != "end")
    if 200 <= code < 300 and stage == "end":
        return Verdict("delivered", status)
    if code >= 500:
        # A host that greets with 5yz, or fails before any mail is named, speaks for itself and not for the domain.
        return Verdict("failed", status, is_elsewhere=stage in _BEFORE_MAIL)
    is_crowded = code == 421 or (status.startswith("4.7.") and stage in (*_BEFORE_MAIL, "mail"))
    return Verdict("deferred", status, _is_of_the_host(stage, code, status), is_crowded)


_BEFORE_MAIL = ("connect", "greeting", "ehlo", "starttls", "auth", "rset")


def _is_of_the_host(stage: str, code: int, status: str) -> bool:
    """Whether a 4yz tells of the host's own condition, not of the recipient or of what the server thinks of us."""
    if stage in _BEFORE_MAIL or code == 421:
        return True
    if status.startswith(("4.3.", "4.4.")):
        return True
    if status != "4.0.0":
        return False
    return code == 452 or (code == 451 and stage in ("data", "end"))


def _status(code: int, status: str) -> str:
    """*status* with the class its code has; x.0.0 where none was said (RFC 3463 §3.1)."""
    kind = code // 100 if 200 <= code < 600 else 4
    kind = 4 if kind == 3 else kind
    if not status:
        return f"{kind}.0.0"
    return f"{kind}.{status.partition('.')[2]}" if status[0] != str(kind) else status


#: said by the next hop of a recipient: nobody will ever read mail to that address (RFC 3463 §3.2; RFC 7505 §4.1).
#: Not 5.1.2: a domain that is not there today may be a mistake of its owner that he mends.
_SUPPRESSING = ("5.1.1", "5.1.6", "5.1.10")


def is_suppressing(stage: str, status: str) -> bool:
    """Whether further mail for an address is refused at once after it failed with *status*.

    Only what was said of the recipient itself counts, or of the domain by the DNS.
    """
    return stage in ("rcpt", "dns") and status in _SUPPRESSING
