r"""Sessions that have somebody else's mailbox selected: each transaction looks first whether they still may.

Whatever a command does, its transactions go through here: with the right "r" gone the connection ends (RFC 4314 §5.1.1;
as RFC 2180 §3.3 does for a mailbox that is deleted), other rights count as they are at that moment, and messages are
read with the guest's own \Seen.

Spec: RFC 4314 §4, §5.1.1.  Status: complete.
"""

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

from mailserver.base.ids import MailboxId
from mailserver.imap import access
from mailserver.imap.conversation import Effect, Read, Send, SendAndRead, Write
from mailserver.imap.session import Gone, Session
from mailserver.imap.telling import flag_names
from mailserver.imap.view import View
from mailserver.store.tx import Read as ReadTx

T = TypeVar("T")
#: what runs a transaction
Act: TypeAlias = Read | SendAndRead | Write

LOST = "You may no longer read this mailbox."


def as_guest(session: Session, talk: Generator[Effect, Any, T]) -> Generator[Effect, Any, T]:
    """*talk*, of a session that may be a guest in its mailbox.  Raises Gone once it may not read it any more."""
    value: Any = None
    error: Exception | None = None
    try:
        while True:
            try:
                effect = talk.send(value) if error is None else talk.throw(error)
            except StopIteration as stop:
                end: T = stop.value
                return end
            value = error = None
            view = session.selected
            try:
                if view is None or not view.is_guest or not isinstance(effect, Act):
                    value = yield effect
                else:
                    value = yield from _entered(session, view, effect)
            except Exception as caught:
                error = caught
    finally:
        talk.close()


def _entered(session: Session, view: View, effect: Act) -> Generator[Effect, Any, Any]:
    rights, value = yield replace(effect, job=partial(_enter, session, view, effect.job))
    if session.selected is view and rights != view.rights:
        view.rights = rights
        yield Send(flag_names(view.keywords.values(), view.settable))
    return value


def _enter(session: Session, view: View, job: Any, tx: ReadTx) -> tuple[str, Any]:
    """In the transaction's thread: the rights as they are, and what *job* returns."""
    rights = enter(session, tx, view.mailbox)
    return rights, job(tx)


def enter(session: Session, tx: ReadTx, mailbox: MailboxId) -> str:
    """The rights that the user has to somebody else's mailbox, into which *tx* lets him.  Raises Gone without "r"."""
    found = tx.mailboxes.by_id(mailbox)
    if found is None:
        raise Gone("The mailbox was deleted.")
    rights = access.rights(session, tx, found)
    if "r" not in rights:
        raise Gone(LOST)
    tx.enter(mailbox, session.account.id, rights)
    return rights
