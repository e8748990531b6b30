"""Who gets mail for an address: an account, an alias's accounts, the base of a subaddress, the catch-all, postmaster.

Spec: RFC 5321 §3.9.1, §4.5.1; RFC 5233 §1.  Status: complete for recipients on this server.

The first of these that is there wins: account, alias, the same two for the address without its +detail, for postmaster
whoever stands in, the domain's catch-all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId
from mailserver.directory.addresses import base_and_detail, fold, parse
from mailserver.smtp.address import Address
from mailserver.store.tx import Read
from mailserver.store.values import Account, Domain

POSTMASTER = "postmaster"  #: also the name of the setting that says who stands in for it
MAX_STEPS = 1_000  #: addresses looked at for one alias; who nests further gets no mail


class Why(Enum):
    """Why nobody gets mail for an address."""

    ELSEWHERE = "the domain is not ours"
    INACTIVE = "the domain is switched off"
    UNKNOWN = "no such account or alias"
    DISABLED = "the account is switched off"
    ROUTED = "the local part names another address to pass the mail on to"
    LEADS_ELSEWHERE = "the alias leads to another server"
    LEADS_NOWHERE = "the alias leads to nobody"


@dataclass(frozen=True, slots=True)
class Found:
    """The accounts that get the mail, each once."""

    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class Nobody:
    """No account gets it."""

    why: Why


def resolve(tx: Read, address: Address, hostname: str) -> Found | Nobody:
    """Who gets mail for *address*; domain "" stands for the home domain of *hostname*."""
    name = address.domain or home_domain(tx, hostname)
    localpart = fold(address.localpart)
    try:
        domain = tx.domains.by_name(name)
    except NotFound:
        if name == hostname and localpart == POSTMASTER:  # RFC 5321 §4.5.1: of the host, too
            return resolve(tx, Address(localpart, ""), hostname)
        return Nobody(Why.ELSEWHERE)
    if not domain.is_active:
        return Nobody(Why.INACTIVE)
    return _resolve(tx, localpart, domain)


def receives(tx: Read, account: AccountId, address: Address, hostname: str) -> bool:
    """Whether *account* is among those who get mail for *address*, whatever becomes of the others."""
    name = address.domain or home_domain(tx, hostname)
    try:
        domain = tx.domains.by_name(name)
    except NotFound:
        return False
    first = _step(tx, fold(address.localpart), domain)
    if not isinstance(first, list):
        return isinstance(first, Account) and first.id == account
    return any(isinstance(end, Account) and end.id == account for end in _follow(tx, first))


def home_domain(tx: Read, hostname: str) -> str:
    """The domain that mail for this host itself belongs to: that of its name, or above it, or the oldest; or ""."""
    ours = {domain.name: domain for domain in tx.domains.list() if domain.is_active}
    name = hostname
    while name:
        if name in ours:
            return name
        name = name.partition(".")[2]
    return min(ours.values(), key=lambda domain: domain.id).name if ours else ""


def _resolve(tx: Read, localpart: str, domain: Domain) -> Found | Nobody:
    first = _step(tx, localpart, domain)
    if isinstance(first, Account):
        if first.is_active:
            return Found((first,))
        first = Why.DISABLED
    elif isinstance(first, list):
        ends = list(_follow(tx, first))
        if Why.ELSEWHERE in ends:
            first = Why.LEADS_ELSEWHERE
        else:
            accounts = {e.id: e for e in ends if isinstance(e, Account) and e.is_active}
            if accounts:
                return Found(tuple(sorted(accounts.values(), key=lambda account: account.id)))
            first = Why.LEADS_NOWHERE
    if localpart == POSTMASTER:
        return _stand_in(tx, domain)
    return Nobody(first)


def _step(tx: Read, localpart: str, domain: Domain) -> Account | list[str] | Why:
    """What the directory says of one address: an account, an alias's targets, or why there is neither."""
    cut = base_and_detail(localpart, domain.separators)
    for name in (localpart, cut[0]) if cut else (localpart,):
        account = tx.accounts.by_address(name, domain.name)
        if account is not None:
            return account
        targets = tx.aliases.targets(name, domain.name)
        if targets is not None:
            return targets
    if localpart == POSTMASTER:
        return Why.UNKNOWN
    if any(c in localpart for c in "%!@"):  # RFC 5321 §C; relays of old passed such mail on
        return Why.ROUTED
    return [domain.catch_all] if domain.catch_all is not None else Why.UNKNOWN


def _follow(tx: Read, targets: list[str]) -> Iterator[Account | Why]:
    """What the *targets* of an alias lead to in the end, over aliases of aliases; a circle leads nowhere."""
    waiting = [parse(target) for target in targets]
    seen = set(waiting)
    while waiting and len(seen) <= MAX_STEPS:
        at = waiting.pop()
        try:
            domain = tx.domains.by_name(at.domain)
        except NotFound:
            yield Why.ELSEWHERE
            continue
        said = _step(tx, at.localpart, domain) if domain.is_active else Why.INACTIVE
        if isinstance(said, list):
            more = [a for a in map(parse, said) if a not in seen]
            seen.update(more)
            waiting += more
        else:
            yield said


def _stand_in(tx: Read, domain: Domain) -> Found | Nobody:
    """Whoever reads postmaster's mail where nobody has that address: it is always accepted (RFC 5321 §4.5.1).

    The setting "postmaster" if its address gets mail, or else the catch-all, the oldest account of the domain, of all.
    """
    for text in (tx.settings.get(POSTMASTER), domain.catch_all):
        if text is None:
            continue
        accounts = {e.id: e for e in _follow(tx, [text]) if isinstance(e, Account) and e.is_active}
        if accounts:
            return Found(tuple(accounts.values()))
    for within in (domain.id, None):
        after = None
        while page := tx.accounts.list(within, after=after, limit=100):
            for account in page:
                if account.is_active:
                    return Found((account,))
            after = page[-1].id
    return Nobody(Why.UNKNOWN)
