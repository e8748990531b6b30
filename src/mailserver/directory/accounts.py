"""Making and changing accounts: the checks that the command line and every later interface share.

Spec: RFC 5321 §4.1.2, §4.5.3.1.1.  Status: complete.
"""

from mailserver.base.errors import Cannot, NotFound
from mailserver.directory import time_zones
from mailserver.directory.addresses import MAX_LOCALPART, shown
from mailserver.smtp.address import Address
from mailserver.store.accounts import FIRST_MAILBOXES, AccountFields
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account, Domain

MAX_NAME = 200  #: characters


def at(tx: Read, address: Address) -> Account:
    """The account that somebody logs in to with *address*.  Raises NotFound."""
    account = tx.accounts.by_address(address.localpart, address.domain)
    if account is None:
        raise NotFound(f"no user {address}")
    if account.is_shared:
        raise NotFound(f"{address} is a shared mailbox, and no user")
    return account


def message_size(tx: Read, account: Account) -> int | None:
    """Octets of the largest message to and from *account*: its own bound, or the domain's; None: no bound."""
    if account.message_size is not None:
        return account.message_size
    return tx.domains.get(account.domain_id).message_size


def domain_of(tx: Read, address: Address) -> Domain:
    """The domain of ours that *address* can be made in.  Raises NotFound, Cannot."""
    try:
        domain = tx.domains.by_name(address.domain)
    except NotFound:
        raise NotFound(f"no domain {address.domain} here") from None
    if domain.alias_of is not None:
        raise Cannot(f"{domain.name} stands for {domain.alias_of}: make the address there")
    if domain.is_backup:
        raise Cannot(f"{domain.name} is a backup domain: its addresses are on its primary server")
    return domain


def create(
    tx: Write,
    address: Address,
    password_hash: str,
    *,
    name: str = "",
    quota: int | None = None,
) -> Account:
    """The new account with its mailboxes; *address* comes from `addresses.parse`, the hash from `hash_password`.

    Raises Cannot for an address or name that no account can have, AlreadyExists, LimitReached, NotFound.
    """
    domain = domain_of(tx, address)
    check_localpart(address.localpart, domain.separators)
    check_name(name)
    return tx.accounts.add(domain.id, address.localpart, password_hash, name=name, quota=quota)


def check_localpart(localpart: str, separators: str = "") -> None:
    """Raises Cannot, with the reason, for a local part that should not be handed out."""
    if '"' in str(Address(localpart, "x")):
        raise Cannot(
            f"{shown(localpart)} could only be written in quotes, which many programs cannot"
        )
    if len(localpart.encode()) > MAX_LOCALPART:
        raise Cannot(f"{shown(localpart)} is longer than {MAX_LOCALPART} octets")
    for c in "%!/":
        if c in localpart:
            raise Cannot(f'{shown(localpart)} has a "{c}", which relays and file systems misread')
    for c in separators:
        if c in localpart:
            raise Cannot(f'{shown(localpart)} has a "{c}", which separates details in this domain')


def check_name(name: str) -> None:
    """Raises Cannot for a person's name that would break headers or tables."""
    if len(name) > MAX_NAME:
        raise Cannot(f"a name has at most {MAX_NAME} characters")
    if not name.isprintable():
        raise Cannot("a name has no control characters or line ends")


def check(fields: AccountFields) -> None:
    """Raises Cannot, with the reason, for bounds and time zones that no account can have."""
    zone = fields.get("time_zone")
    if zone is not None:
        time_zones.check(zone)
    most = fields.get("max_mailboxes")
    if most is not None and most < len(FIRST_MAILBOXES):
        raise Cannot(
            f"every account begins with {len(FIRST_MAILBOXES)} mailboxes: it may not have fewer"
        )


def references(tx: Read, address: Address) -> list[str]:
    """What leads to *address*: aliases as "alias x@y", catch-alls as "catch-all of y"; of use before it is removed."""
    text = str(address)
    found = [f"alias {alias.address}" for alias in tx.aliases.list() if text in alias.targets]
    found += [f"catch-all of {d.name}" for d in tx.domains.list() if d.catch_all == text]
    found += [f"forward of {tx.accounts.get(a).address}" for a in tx.forwards.leading_to(text)]
    return found
