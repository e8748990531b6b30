"""Whom an entry of an access control list is about, as users and administrators write it.

An account by its address, a group as `group:NAME@DOMAIN`, `anyone`; with "-" in front the entry takes rights away.

Spec: RFC 4314 §2, §3.  Status: complete.
Deviates: `anyone` stands for every account of the owner's domain, and not for those of other domains (RFC 4314 §2: "the
universal identity"): they may belong to somebody else altogether.
"""

from typing import NamedTuple

from mailserver.base.errors import Cannot, NotFound
from mailserver.directory.addresses import parse, shown
from mailserver.smtp.address import Address
from mailserver.store.tx import Read
from mailserver.store.values import Account, AccountGroup, AclEntry, Grantee

ANYONE = "anyone"
GROUP = "group:"


class Identifier(NamedTuple):
    """Whom an entry is about, and whether it takes rights away."""

    to: Grantee
    is_negative: bool


def read(tx: Read, text: str) -> Identifier:
    """Whom *text* means.  Raises NotFound where there is nobody of that name, Cannot for what is no name."""
    is_negative = text.startswith("-")
    name = text[1:] if is_negative else text
    if name.lower() == ANYONE:
        return Identifier(Grantee(None, None), is_negative)
    if name.lower().startswith(GROUP):
        group = group_at(tx, parse(name[len(GROUP) :]))
        return Identifier(Grantee(None, group.id), is_negative)
    address = parse(name)
    account = tx.accounts.by_address(address.localpart, address.domain)
    if account is None or account.is_shared:
        raise NotFound(f"There is no user {address}.")
    return Identifier(Grantee(account.id, None), is_negative)


def write(entry: AclEntry) -> str:
    """The one spelling of whom *entry* is about."""
    if entry.to.account is not None:
        name = entry.address
    elif entry.to.group is not None:
        name = GROUP + entry.address
    else:
        name = ANYONE
    return f"-{name}" if entry.is_negative else name


def group_at(tx: Read, address: Address) -> AccountGroup:
    """The group with this name.  Raises NotFound."""
    group = tx.groups.by_address(address.localpart, address.domain)
    if group is None:
        raise NotFound(f"There is no group {address}.")
    return group


def member_at(tx: Read, text: str) -> Account:
    """The account that *text* names.  Raises NotFound, Cannot."""
    found = read(tx, text)
    if found.to.account is None or found.is_negative:
        raise Cannot(f"{shown(text)} is no user")
    return tx.accounts.get(found.to.account)
