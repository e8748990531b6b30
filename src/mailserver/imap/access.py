r"""Which mailbox a client means by a name, and what the user may do with it: the one way from names to mailboxes.

Every command goes through here, so that none can forget to ask.  Own mailboxes have the names they have; those of
others are `Other Users/ADDRESS/NAME`; a mailbox that belongs to nobody is `Shared/NAME`, or `Shared/NAME@DOMAIN` where
the domain is not the user's own.

A mailbox that is not the user's is *entered* (`tx.enter`): what the transaction then reads of it has the user's own
\Seen, and the store refuses whatever the rights do not cover, even where a command has not asked.

Spec: RFC 4314 §2, §4, §6; RFC 2342 §5.  Status: complete.
"""

from operator import attrgetter
from typing import NamedTuple

from mailserver.base.errors import MailError, NotAllowed, NoTarget, NotFound
from mailserver.base.ids import MailboxId
from mailserver.directory.rights import ALL, Entry, effective
from mailserver.directory.sharing import Place, elsewhere, known_as
from mailserver.imap.session import Session
from mailserver.store.names import OTHERS, SEPARATOR, SHARED, parents
from mailserver.store.tx import Read
from mailserver.store.values import Account, Mailbox, SharedWith

_ELSEWHERE = (OTHERS + SEPARATOR, SHARED + SEPARATOR)

#: who has one of these may know that the mailbox is there (RFC 4314 §4, MYRIGHTS)
TELLING = "lrikxa"


#: with one of these a mailbox is open for writing (RFC 4314 §5.2); "s" is not among them: \\Seen is each guest's own
CHANGING = frozenset("iewt")


class Visible(NamedTuple):
    """A mailbox that the user may look up.  name: as the client knows it."""

    name: str
    mailbox: Mailbox
    rights: str


def find(session: Session, tx: Read, name: str, needs: str = "") -> Mailbox:
    r"""The mailbox that the client knows as *name*; the user has all the rights in *needs*.

    Raises NotFound, also for a \Noselect name and where the user may not know of it; NotAllowed for a missing right.
    """
    found = named(session, tx, name, needs)
    if not found.is_selectable:
        raise _no_such()
    return found


def target(session: Session, tx: Read, name: str, needs: str = "i") -> Mailbox:
    """The mailbox to put messages into; like `find`, but raises NoTarget where the user could create it."""
    try:
        return find(session, tx, name, needs)
    except NotFound as error:
        try:
            place(session, tx, name)
        except NotAllowed:
            raise error from None
        raise NoTarget(str(error)) from None


def named(session: Session, tx: Read, name: str, needs: str = "") -> Mailbox:
    r"""Like `find`, and \Noselect names too."""
    if not name.startswith(_ELSEWHERE):
        found = tx.mailboxes.find(session.account.id, name)
        if found is None:
            raise _no_such()
        return found
    at = elsewhere(tx, session.account, name)
    found = tx.mailboxes.find(at.account, at.name) if at is not None else None
    if found is None:
        raise _no_such()
    have = rights(session, tx, found)
    if not set(TELLING) & set(have) and not (needs and set(needs) <= set(have)):
        raise _no_such()
    _require(have, needs)
    return _entered(session, tx, found, have)


def place(session: Session, tx: Read, name: str) -> Place:
    """Where a new mailbox *name* would be made; the user may make it there (RFC 4314 §4, CREATE).

    Raises NotAllowed, whether or not there is something above.  That *name* is free is not checked.
    """
    if not name.startswith(_ELSEWHERE):
        return Place(session.account.id, name)
    at = elsewhere(tx, session.account, name.removesuffix(SEPARATOR))
    if at is not None:
        for above in reversed(parents(at.name)):
            parent = tx.mailboxes.find(at.account, above)
            if parent is not None:
                if "k" in rights(session, tx, parent):
                    return at
                break
    raise NotAllowed("You may not create a mailbox there.")


def check(session: Session, tx: Read, mailbox: MailboxId, needs: str) -> None:
    """The user has all the rights in *needs* to a mailbox that he has open.  Raises NotAllowed, NotFound."""
    view = session.selected
    if view is not None and view.mailbox == mailbox and not view.is_guest:
        return
    found = tx.mailboxes.by_id(mailbox)
    if found is None:
        raise _no_such()
    have = rights(session, tx, found)
    for right in needs:
        if right not in have:
            raise _lacking(right)


def rights(session: Session, tx: Read, mailbox: Mailbox) -> str:
    """What the user may do with *mailbox*, in the order of `rights.ALL`."""
    account = session.account.id
    if mailbox.account == account:
        return ALL
    return effective(Entry(*row) for row in tx.acl.of(mailbox.id, account))


def tells_uids(session: Session, tx: Read, mailbox: Mailbox) -> bool:
    """Whether the user may hear where in *mailbox* his messages went (RFC 4315 §3: not if he cannot select it)."""
    return "r" in rights(session, tx, mailbox)


def visible(session: Session, tx: Read) -> list[Visible]:
    r"""All mailboxes that the user may look up, the \Noselect ones too, sorted by name."""
    account = session.account
    own = [Visible(mailbox.name, mailbox, ALL) for mailbox in tx.mailboxes.all(account.id)]
    others = []
    for shared in tx.acl.shared_with(account.id):
        have = effective(Entry(*row) for row in shared.entries)
        if "l" in have:
            tx.enter(shared.mailbox.id, account.id, have)
            others.append(Visible(_name_for(account, shared), shared.mailbox, have))
    return sorted(own + others, key=attrgetter("name")) if others else own


def client_name(session: Session, tx: Read, mailbox: Mailbox) -> str:
    """The name by which the client knows *mailbox*."""
    if mailbox.account == session.account.id:
        return mailbox.name
    owner = tx.accounts.get(mailbox.account)
    return known_as(
        session.account, owner.localpart, owner.domain, mailbox.name, is_shared=owner.is_shared
    )


def roots(session: Session, tx: Read) -> tuple[bool, bool]:
    """Whether mailboxes of other users, and shared ones, can be seen (RFC 2342 §5)."""
    seen = {
        shared.is_shared
        for shared in tx.acl.shared_with(session.account.id)
        if "l" in effective(Entry(*row) for row in shared.entries)
    }
    return False in seen, True in seen


def _name_for(account: Account, shared: SharedWith) -> str:
    return known_as(
        account, shared.localpart, shared.domain, shared.mailbox.name, is_shared=shared.is_shared
    )


def _entered(session: Session, tx: Read, mailbox: Mailbox, have: str) -> Mailbox:
    """*mailbox*, which is somebody else's, as the user sees it."""
    tx.enter(mailbox.id, session.account.id, have)
    return mailbox._replace(unseen=tx.messages.unseen_count(mailbox))


def _require(have: str, needs: str) -> None:
    """Raises NotAllowed for the first right that is missing; NotFound where not even looking up is allowed."""
    for right in needs:
        if right not in have:
            if "l" not in have:
                raise _no_such()
            raise _lacking(right)


def _lacking(right: str) -> MailError:
    return NotAllowed(f'You lack the right "{right}" to this mailbox.')


def _no_such() -> MailError:
    return NotFound("No such mailbox.")
