"""Who gets mail for an address: accounts here, addresses elsewhere, or nobody, with the reason.

Spec: RFC 5321 §3.9.1, §4.5.1; RFC 5233 §1; RFC 2142 §3, §4, §5.  Status: complete.

The first of these that is there wins: account, alias, the same two for the address without its +detail, for postmaster
whoever stands in, the domain's catch-all, for the role addresses postmaster.  Aliases and forwards are then followed to
their ends, each address once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId
from mailserver.directory.addresses import base_and_detail, fold, parse
from mailserver.smtp.address import Address
from mailserver.store.tx import Read
from mailserver.store.values import Account, Domain

POSTMASTER = "postmaster"  #: also the name of the setting that says who stands in for it
#: addresses that somebody should answer for (RFC 2142 §3 - §5); the last two take reports on mail and on connections
ROLES = frozenset(
    {"abuse", "hostmaster", "noc", "security", "webmaster", "dmarc-reports", "tls-reports"}
)
MAX_STEPS = 1_000  #: addresses looked at for one alias; who nests further gets no mail


class Why(Enum):
    """Why nobody gets mail for an address."""

    ELSEWHERE = "the domain is not ours"
    BACKUP = "the domain's primary servers decide"
    INACTIVE = "the domain is switched off"
    UNKNOWN = "no such account or alias"
    DISABLED = "the account is switched off"
    ROUTED = "the local part names another address to pass the mail on to"
    LEADS_NOWHERE = "the alias leads to nobody"
    SUPPRESSED = "its server said that the address does not exist"
    BOUNCES_ONLY = "a rewritten sender, which takes bounces only"
    NO_POSTING = "the sender may not send mail to this shared mailbox"
    REJECTED = "a route says that no mail goes there"


@dataclass(frozen=True, slots=True)
class Away:
    """An address on another server that gets a copy.

    by:      the address of ours that passes it on: an account's, or an alias's.
    account: whose forward it is; None for an alias.
    """

    address: Address
    by: Address
    account: AccountId | None


@dataclass(frozen=True, slots=True)
class Found:
    """Who gets the mail, each once.

    passing: accounts that have it forwarded and keep no copy.
    """

    accounts: tuple[Account, ...]
    away: tuple[Away, ...] = ()
    passing: tuple[Account, ...] = ()


@dataclass(frozen=True, slots=True)
class Nobody:
    """No account gets it."""

    why: Why


def resolve(tx: Read, address: Address, hostname: str) -> Found | Nobody:
    """Who gets mail for *address*; domain "" stands for the home domain of *hostname*."""
    name = address.domain or home_domain(tx, hostname)
    localpart = fold(address.localpart)
    domain = domain_for(tx, name)
    if domain is None:
        if name != hostname:
            return Nobody(Why.ELSEWHERE)
        if localpart != POSTMASTER and localpart not in ROLES:
            return Nobody(Why.UNKNOWN)
        return resolve(tx, Address(localpart, ""), hostname)  # RFC 5321 §4.5.1: of the host, too
    if not domain.is_active:
        return Nobody(Why.INACTIVE)
    if domain.is_backup:
        return Nobody(Why.BACKUP)
    found = _resolve(tx, localpart, domain)
    if isinstance(found, Nobody) and found.why is Why.UNKNOWN and localpart in ROLES:
        return _resolve(tx, POSTMASTER, domain)  # RFC 2142: somebody should answer for these
    return found


def receives(tx: Read, account: AccountId, address: Address, hostname: str) -> bool:
    """Whether *address* leads to *account*, alone or among others; what people forward does not count."""
    domain = domain_for(tx, address.domain or home_domain(tx, hostname))
    if domain is None or domain.is_backup:
        return False
    at, said = _step(tx, fold(address.localpart), domain)
    ends = _follow(tx, at, said, forwards=False)
    return account in ends.accounts or account in ends.off


def domain_for(tx: Read, name: str) -> Domain | None:
    """The domain of ours that decides about addresses in *name*: itself, one above it, or the one it stands for."""
    try:
        domain = tx.domains.by_name(name)
    except NotFound:
        above = tx.domains.above(name)
        if above is None:
            return None
        domain = above
    if domain.alias_of is None:
        return domain
    meant = tx.domains.by_name(domain.alias_of)
    return meant._replace(is_active=domain.is_active and meant.is_active)


def home_domain(tx: Read, hostname: str) -> str:
    """The domain that mail for this host itself belongs to: that of its name, or above it, or the oldest; or ""."""
    domains = tx.domains.list()
    ours = {d.name: d for d in domains if d.is_active and not d.is_backup}
    name = hostname
    while name:
        if name in ours:
            return name
        name = name.partition(".")[2]
    return min(ours.values(), key=lambda domain: domain.id).name if ours else ""


def _resolve(tx: Read, localpart: str, domain: Domain) -> Found | Nobody:
    at, said = _step(tx, localpart, domain)
    if isinstance(said, Why):
        why = said
    else:
        ends = _follow(tx, at, said)
        if found := ends.found():
            return found
        why = Why.DISABLED if isinstance(said, Account) else Why.LEADS_NOWHERE
    if localpart == POSTMASTER:
        return _stand_in(tx, domain)
    return Nobody(why)


_Said = Account | list[str] | Why  #: an account, what an alias stands for, or why there is neither


def _step(tx: Read, localpart: str, domain: Domain) -> tuple[Address, _Said]:
    """What the directory says of one address, and the address, without its detail, that it says it of."""
    cut = base_and_detail(localpart, domain.separators)
    for name in (localpart, cut[0]) if cut else (localpart,):
        at = Address(name, domain.name)
        account = tx.accounts.by_address(name, domain.name)
        if account is not None:
            return at, account
        targets = tx.aliases.targets(name, domain.name)
        if targets is not None:
            return at, targets
    at = Address(localpart, domain.name)
    if localpart == POSTMASTER:
        return at, Why.UNKNOWN
    if any(c in localpart for c in "%!@"):  # RFC 5321 §C; relays of old passed such mail on
        return at, Why.ROUTED
    return at, [domain.catch_all] if domain.catch_all is not None else Why.UNKNOWN


@dataclass(slots=True)
class _Ends:
    """Where the ways from an address end."""

    accounts: dict[AccountId, Account] = field(default_factory=dict)
    passing: dict[AccountId, Account] = field(default_factory=dict)  # forwarded, no copy kept
    off: dict[AccountId, Account] = field(default_factory=dict)  # switched off
    away: dict[Address, Away] = field(default_factory=dict)

    def found(self) -> Found | None:
        """Who gets the mail; None if nobody does.  Accounts that forward in a circle keep what they cannot pass on."""
        kept = self.accounts or ({} if self.away else self.passing)
        if not kept and not self.away:
            return None
        passing = self.passing if kept is not self.passing else {}
        return Found(_sorted(kept), tuple(self.away.values()), _sorted(passing))


def _sorted(accounts: dict[AccountId, Account]) -> tuple[Account, ...]:
    return tuple(sorted(accounts.values(), key=lambda account: account.id))


def _follow(tx: Read, at: Address, said: _Said, *, forwards: bool = True) -> _Ends:
    """The ends of all ways from *at*, of which the directory has *said* this; a circle leads nowhere."""
    ends = _Ends()
    waiting = [(at, said)]
    seen = {at}
    domains: dict[str, Domain | None] = {}
    while waiting and len(seen) <= MAX_STEPS:
        at, said = waiting.pop()
        further: Sequence[str] = ()
        owner: AccountId | None = None
        if isinstance(said, Account):
            if not said.is_active:
                ends.off[said.id] = said
                continue
            forward = tx.forwards.of(said.id)
            if forward.keeps_copy or not forwards:
                ends.accounts[said.id] = said
            else:
                ends.passing[said.id] = said
            if forwards:
                owner, further = said.id, forward.to
        elif isinstance(said, list):
            further = said
        for target in map(parse, further):
            if target in seen:
                continue
            seen.add(target)
            if target.domain not in domains:
                domains[target.domain] = domain_for(tx, target.domain)
            domain = domains[target.domain]
            if domain is None or domain.is_backup:
                ends.away[target] = Away(target, at, owner)
            elif domain.is_active:
                waiting.append(_step(tx, target.localpart, domain))
    return ends


def _stand_in(tx: Read, domain: Domain) -> Found | Nobody:
    """Whoever reads postmaster's mail where nobody has that address: it is always accepted (RFC 5321 §4.5.1).

    The setting "postmaster" if its address gets mail, or else the catch-all, the oldest account of the domain, of all.
    """
    for text in (tx.settings.get(POSTMASTER), domain.catch_all):
        if text is not None:
            found = _follow(tx, Address(POSTMASTER, domain.name), [text]).found()
            if found is not None:
                return found
    for within in (domain.id, None):
        after = None
        while page := tx.accounts.list(within, after=after, limit=100):
            for account in page:
                if account.is_active and not account.is_shared:
                    return Found((account,))
            after = page[-1].id
    return Nobody(Why.UNKNOWN)
