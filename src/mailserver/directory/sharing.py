"""Groups, shared mailboxes and lists of rights as an administrator makes them: the checks that every interface shares.

A shared mailbox is an account that nobody logs in as: it has an address, a quota, and INBOX, which is the mailbox.

Spec: RFC 4314 §2; RFC 2342 §5.  Status: complete.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mailserver.base.errors import Cannot, NotFound
from mailserver.base.ids import AccountId
from mailserver.directory import accounts, identifiers, rights
from mailserver.directory.addresses import parse, shown
from mailserver.smtp.address import Address
from mailserver.store.names import INBOX, OTHERS, SEPARATOR, SHARED, canonical
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account, AccountGroup, AclEntry, Mailbox

#: with one of these a user's filters may file into a mailbox
_FILING = frozenset("ip")

#: what --for gives: reading, marking, filing, posting; not managing
FIRST_RIGHTS = "lrswipte"


class Shared(NamedTuple):
    """A mailbox with a list.  name: as administrators write it, ADDRESS or ADDRESS/NAME."""

    name: str
    entries: tuple[AclEntry, ...]


def add_group(tx: Write, address: Address, members: Sequence[Account]) -> AccountGroup:
    """The group with *members*, besides those it had; made where there was none.  Raises Cannot, NotFound."""
    group = tx.groups.by_address(address.localpart, address.domain)
    if group is None:
        domain = accounts.domain_of(tx, address)
        accounts.check_localpart(address.localpart)
        group = tx.groups.add(domain.id, address.localpart)
    tx.groups.join(group.id, [member.id for member in members])
    return tx.groups.get(group.id)


def leave_group(tx: Write, address: Address, members: Sequence[Account]) -> AccountGroup:
    """The group without *members*.  Raises NotFound for who is none."""
    group = identifiers.group_at(tx, address)
    for member in members:
        if not tx.groups.leave(group.id, member.id):
            raise NotFound(f"{member.address} is no member of {address}")
    return tx.groups.get(group.id)


def create(
    tx: Write,
    address: Address,
    *,
    name: str = "",
    quota: int | None = None,
    to: Sequence[str] = (),
    is_open: bool = True,
) -> Account:
    """The new owner of a shared mailbox, which each identifier of *to* may use.

    is_open: everybody may send mail to it, also from other servers.

    Raises Cannot, AlreadyExists, LimitReached, NotFound.
    """
    domain = accounts.domain_of(tx, address)
    accounts.check_localpart(address.localpart, domain.separators)
    accounts.check_name(name)
    made = tx.accounts.add(domain.id, address.localpart, "", name=name, quota=quota, is_shared=True)
    inbox = tx.mailboxes.get(made.id, INBOX)
    if is_open:
        change(tx, inbox, identifiers.ANYONE, "p")
    for identifier in to:
        change(tx, inbox, identifier, f"+{FIRST_RIGHTS}")
    return made


def at(tx: Read, address: Address) -> Account:
    """The owner of the shared mailbox with *address*.  Raises NotFound."""
    found = tx.accounts.by_address(address.localpart, address.domain)
    if found is None or not found.is_shared:
        raise NotFound(f"no shared mailbox {address}")
    return found


def mailbox_at(tx: Read, text: str) -> Mailbox:
    """The mailbox that ADDRESS or ADDRESS/NAME means: INBOX, or the one of that name.  Raises NotFound, Cannot."""
    owner, slash, name = text.partition("/")
    address = parse(owner)
    account = tx.accounts.by_address(address.localpart, address.domain)
    if account is None:
        raise NotFound(f"no user and no shared mailbox {address}")
    if account.is_shared or not slash:
        name = f"{INBOX}/{name}" if name else INBOX
    mailbox = tx.mailboxes.find(account.id, canonical(name))
    if mailbox is None:
        raise NotFound(f"{address} has no mailbox {shown(name)}")
    return mailbox


class Place(NamedTuple):
    """Where a mailbox is, or would be.  name: as its *account* knows it."""

    account: AccountId
    name: str


def elsewhere(tx: Read, own: Account, name: str) -> Place | None:
    """Where *name*, which is not one of *own*, is; None where nobody has such mailboxes (RFC 2342 §5).

    `Other Users/ADDRESS/NAME` is another user's; `Shared/NAME`, or `Shared/NAME@DOMAIN` in other domains, is nobody's.
    """
    root, _, rest = name.partition(SEPARATOR)
    first, _, below = rest.partition(SEPARATOR)
    localpart, at, domain = first.rpartition("@")
    if root == SHARED and not at:
        localpart, domain = first, own.domain
    elif root == SHARED and domain == own.domain:
        return None  # it has a shorter name
    owner = tx.accounts.by_address(localpart, domain)
    if owner is None or owner.is_shared != (root == SHARED) or owner.id == own.id:
        return None
    if root == SHARED:
        return Place(owner.id, f"{INBOX}/{below}" if below else INBOX)
    return Place(owner.id, canonical(below)) if below else None


def takes_mail_of(tx: Read, own: Account, name: str) -> Mailbox | None:
    """The mailbox of somebody else that *own* means by *name*, if he may put mail into it (`takes_mail`)."""
    if name.partition(SEPARATOR)[0] not in (OTHERS, SHARED):
        return None
    place = elsewhere(tx, own, name)
    found = None if place is None else tx.mailboxes.find(place.account, place.name)
    if found is None:
        return None
    return found if takes_mail(tx, own, found) else None


def takes_mail(tx: Read, own: Account, mailbox: Mailbox) -> bool:
    """Whether *own* may put mail into *mailbox*, which is not his: he may insert or post there (RFC 4314 §2.1)."""
    have = rights.effective(rights.Entry(*row) for row in tx.acl.of(mailbox.id, own.id))
    return mailbox.is_selectable and bool(_FILING & set(have))


def taking_mail_of(tx: Read, own: Account) -> Iterator[tuple[str, Mailbox]]:
    """The mailboxes of others that *own* may put mail into, by the names that he knows them by (RFC 5490 §3.1)."""
    for one in tx.acl.shared_with(own.id):
        have = rights.effective(rights.Entry(*row) for row in one.entries)
        if one.mailbox.is_selectable and _FILING & set(have):
            name = known_as(
                own, one.localpart, one.domain, one.mailbox.name, is_shared=one.is_shared
            )
            yield name, one.mailbox


def known_as(own: Account, localpart: str, domain: str, name: str, *, is_shared: bool) -> str:
    """How *own* knows the mailbox *name* of localpart@domain; the reverse of `elsewhere`."""
    if not is_shared:
        return f"{OTHERS}/{localpart}@{domain}/{name}"
    owner = localpart if domain == own.domain else f"{localpart}@{domain}"
    return f"{SHARED}/{owner}{name.removeprefix(INBOX)}"


def name_of(tx: Read, mailbox: Mailbox) -> str:
    """ADDRESS or ADDRESS/NAME."""
    owner = tx.accounts.get(mailbox.account)
    name = mailbox.name
    if owner.is_shared:
        name = name.removeprefix(INBOX).removeprefix("/")
    elif name == INBOX:
        name = ""
    return f"{owner.address}/{name}" if name else owner.address


def change(tx: Write, mailbox: Mailbox, identifier: str, modification: str) -> None:
    """Gives *identifier* rights: "letters", "+letters", "-letters", "" for none (RFC 4314 §3.1).

    Raises Cannot for the owner, NotFound, LimitReached; PeerError for unknown rights.
    """
    to = identifiers.read(tx, identifier)
    if to.to.account == mailbox.account:
        raise Cannot("The owner of a mailbox always has all rights to it.")
    was = tx.acl.rights_in(mailbox.id, to.to, is_negative=to.is_negative)
    now = rights.modified(was, modification)
    if now:
        tx.acl.set(mailbox.account, mailbox.id, to.to, now, is_negative=to.is_negative)
    else:
        tx.acl.remove(mailbox.account, mailbox.id, to.to, is_negative=to.is_negative)


def listed(tx: Read, address: Address | None) -> list[Shared]:
    """The mailboxes of *address*, or of everybody, that have a list.  Raises NotFound."""
    owner = None
    if address is not None:
        account = tx.accounts.by_address(address.localpart, address.domain)
        if account is None:
            raise NotFound(f"no user and no shared mailbox {address}")
        owner = account.id
    found = []
    for mailbox in tx.acl.mailboxes(owner):
        box = tx.mailboxes.by_id(mailbox)
        if box is not None:
            found.append(Shared(name_of(tx, box), tuple(tx.acl.entries(mailbox))))
    return sorted(found)
