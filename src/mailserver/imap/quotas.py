"""Quota roots: what bounds the mailboxes of an account, and how full it is.

Spec: RFC 9208 §3, §5.  Status: complete; ANNOTATION-STORAGE is about annotations of messages, which there are none of.

An account is a quota root, and its address is the name of the root: users know it, and mailboxes of others that they
read have another.
"""

from typing import NamedTuple

from mailserver.base.errors import NotFound
from mailserver.base.limits import ImapLimits
from mailserver.imap import access, response, wire
from mailserver.imap.registry import State, announce
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.tx import Read
from mailserver.store.values import Account

UNIT = 1_024  #: octets in which STORAGE is told (RFC 9208 §5.1)

for _name in ("QUOTA", "QUOTA=RES-MAILBOX", "QUOTA=RES-MESSAGE", "QUOTA=RES-STORAGE"):
    announce(_name, State.ANY)


class Resource(NamedTuple):
    """How much of something there is, and how much there may be (RFC 9208 §3.1)."""

    name: str
    usage: int
    limit: int


def resources(tx: Read, account: Account, limits: ImapLimits) -> list[Resource]:
    """What is bounded in *account*; mailboxes always are, so that the list is never empty (RFC 9208 §7)."""
    out: list[Resource] = []
    if account.quota is not None:
        out.append(Resource("STORAGE", -(-account.used // UNIT), account.quota // UNIT))
    if account.max_messages is not None:
        out.append(Resource("MESSAGE", account.messages, account.max_messages))
    own = account.max_mailboxes
    most = limits.mailboxes if own is None else min(own, limits.mailboxes)
    out.append(Resource("MAILBOX", tx.mailboxes.count(account.id), most))
    return out


def root(account: Account) -> bytes:
    """The name of the account's quota root, in its wire form."""
    return wire.astring(account.address.encode("utf-8"))


def quota(tx: Read, account: Account, limits: ImapLimits) -> Response:
    """RFC 9208 §4.2.1."""
    found = resources(tx, account, limits)
    listed = " ".join(f"{r.name} {r.usage} {r.limit}" for r in found)
    return response.line(b"QUOTA %b (%b)" % (root(account), listed.encode("ascii")))


def is_admin(session: Session, tx: Read) -> bool:
    """Whether the user may see and change all quotas, as the database says now."""
    return tx.accounts.get(session.account.id).is_admin


def of_root(session: Session, tx: Read, name: bytes) -> Account:
    """The account whose quota root has this *name*.

    Raises NotFound, also where the user may not know how full it is: that takes the right to read one of its mailboxes
    (RFC 9208 §6).
    """
    localpart, _, domain = name.decode("utf-8", "replace").rpartition("@")
    account = tx.accounts.by_address(localpart, domain.lower())
    if account is not None and (
        account.id == session.account.id
        or is_admin(session, tx)
        or any(
            seen.mailbox.account == account.id and "r" in seen.rights
            for seen in access.visible(session, tx)
        )
    ):
        return account
    raise NotFound("No such quota root.")
