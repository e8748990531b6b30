"""Making aliases and forwards: no circles, no addresses that nobody could write.

Spec: RFC 5321 §3.9.1.  Status: complete.
"""

from collections.abc import Sequence

from mailserver.base.errors import Cannot
from mailserver.directory.accounts import check_localpart, domain_of
from mailserver.directory.addresses import parse
from mailserver.directory.resolve import domain_for
from mailserver.smtp.address import Address
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account, Alias

MAX_TARGETS = 500  #: of one alias; more people are a mailing list
MAX_FORWARDS = 10  #: addresses that one user's mail goes to


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


def forward(tx: Write, account: Account, to: Sequence[Address], *, keeps_copy: bool) -> None:
    """Mail for *account* goes to all of *to* from now on; the addresses come from `addresses.parse`.

    Raises Cannot for too many or circular ones.
    """
    if len(to) > MAX_FORWARDS:
        raise Cannot(f"mail of one user is forwarded to at most {MAX_FORWARDS} addresses")
    circle = circle_of(tx, parse(account.address), to)
    if circle:
        raise Cannot(f"the forward would lead to itself: {' -> '.join(map(str, circle))}")
    tx.forwards.set(account.id, [str(address) for address in to], keeps_copy=keeps_copy)


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
        further: Sequence[str] = tx.aliases.targets(at.localpart, at.domain) or ()
        if account := tx.accounts.by_address(at.localpart, at.domain):
            further = tx.forwards.of(account.id).to
        waiting += [[*way, parse(target)] for target in further]
    return []


def missing(tx: Read, targets: Sequence[Address]) -> list[Address]:
    """Those of *targets* in our domains that nobody has; about others nobody here knows."""
    return [
        target
        for target in targets
        if (domain := domain_for(tx, target.domain)) is not None
        and not domain.is_backup
        and tx.accounts.by_address(target.localpart, domain.name) is None
        and tx.aliases.targets(target.localpart, domain.name) is None
    ]


def outside(tx: Read, targets: Sequence[Address]) -> list[Address]:
    """Those of *targets* that are on other servers."""
    found = []
    for target in targets:
        domain = domain_for(tx, target.domain)
        if domain is None or domain.is_backup:
            found.append(target)
    return found
