"""Making aliases: no circles, no addresses that nobody could write.

Spec: RFC 5321 §3.9.1.  Status: complete.
"""

from collections.abc import Sequence

from mailserver.base.errors import Cannot
from mailserver.directory.accounts import check_localpart, domain_of
from mailserver.directory.addresses import parse
from mailserver.smtp.address import Address
from mailserver.store.tx import Read, Write
from mailserver.store.values import Alias

MAX_TARGETS = 500  #: of one alias; more people are a mailing list


def create(tx: Write, address: Address, targets: Sequence[Address]) -> Alias:
    """The new alias; all addresses come from `addresses.parse`.

    Raises Cannot for no, too many or circular targets, AlreadyExists, NotFound.
    """
    domain = domain_of(tx, address)
    check_localpart(address.localpart)
    if not targets:
        raise Cannot("an alias needs a target")
    if len(targets) > MAX_TARGETS:
        raise Cannot(f"an alias has at most {MAX_TARGETS} targets")
    circle = circle_of(tx, address, targets)
    if circle:
        raise Cannot(f"{address} would lead to itself: {' -> '.join(map(str, circle))}")
    return tx.aliases.add(domain.id, address.localpart, [str(target) for target in targets])


def circle_of(tx: Read, address: Address, targets: Sequence[Address]) -> list[Address]:
    """The way from *address* over *targets* back to itself; empty if there is none."""
    waiting = [[address, target] for target in targets]
    seen: set[Address] = set()
    while waiting:
        way = waiting.pop()
        at = way[-1]
        if at == address:
            return way
        if at in seen:
            continue
        seen.add(at)
        further = tx.aliases.targets(at.localpart, at.domain) or []
        waiting += [[*way, parse(target)] for target in further]
    return []


def missing(tx: Read, targets: Sequence[Address]) -> list[Address]:
    """Those of *targets* in our domains that nobody has; about others nobody here knows."""
    ours = {domain.name for domain in tx.domains.list()}
    return [
        target
        for target in targets
        if target.domain in ours
        and tx.accounts.by_address(target.localpart, target.domain) is None
        and tx.aliases.targets(target.localpart, target.domain) is None
    ]
