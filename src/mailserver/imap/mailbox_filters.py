"""Which mailboxes a command is about, in words: "selected", "personal", subtrees, names.

Spec: RFC 5465 §6, §8 (filter-mailboxes); RFC 7377 §2.2, §4; RFC 4314 §4.  Status: complete.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from mailserver.base.errors import MailError
from mailserver.base.ids import MailboxId
from mailserver.imap import access
from mailserver.imap.parser import Parser
from mailserver.imap.session import Session
from mailserver.store.names import OTHERS, SEPARATOR, SHARED
from mailserver.store.tx import Read
from mailserver.store.values import Mailbox

_ELSEWHERE: Final = (OTHERS + SEPARATOR, SHARED + SEPARATOR)

#: words that stand alone, and words that are followed by names
ALONE: Final = frozenset({"SELECTED", "INBOXES", "PERSONAL", "SUBSCRIBED"})
WITH_NAMES: Final = frozenset({"SUBTREE", "SUBTREE-ONE", "MAILBOXES"})


class Filter(NamedTuple):
    """One filter, its word in upper case.  names: as the store keeps them."""

    word: str
    names: tuple[str, ...] = ()


class Found(NamedTuple):
    """A mailbox that a filter means.  name: as the client knows it."""

    name: str
    mailbox: Mailbox


def parse_filter(p: Parser) -> Filter:
    """filter-mailboxes (RFC 5465 §8; RFC 7377 §4): one mailbox, or several in parentheses, behind a word."""
    word = p.word()
    if word in ALONE:
        return Filter(word)
    if word not in WITH_NAMES:
        raise p.error("unknown kind of mailboxes")
    p.sp()
    names = p.group(Parser.mailbox) if p.peek(b"(") else [p.mailbox()]
    return Filter(word, tuple(names))


def resolve(session: Session, tx: Read, filters: Iterable[Filter]) -> list[Found]:
    r"""The selectable mailboxes that *filters* mean and the user may read, each once, in the order of their names.

    What he may not read, or may not know of, is passed over in silence, as what does not exist is (RFC 7377 §5): he
    needs "r", and "l" too for what he has not named (§2.2).  "selected" finds nothing here: see `has_selected`.
    """
    found: dict[MailboxId, Found] = {}
    visible: Sequence[access.Visible] | None = None
    for word, names in filters:
        if word == "SELECTED":
            continue
        if word in ("MAILBOXES", "SUBTREE", "SUBTREE-ONE"):
            for name in names:
                try:
                    mailbox = access.find(session, tx, name, "r")
                except MailError:
                    continue
                found.setdefault(mailbox.id, Found(name, mailbox))
        if word == "MAILBOXES":
            continue
        if visible is None:
            visible = access.visible(session, tx)
        wanted = _test(session, tx, word, names)
        for one in visible:
            if one.mailbox.is_selectable and "r" in one.rights and wanted(one.name):
                found.setdefault(one.mailbox.id, Found(one.name, one.mailbox))
    return sorted(found.values(), key=lambda one: one.name)


def has_selected(filters: Iterable[Filter]) -> bool:
    """ "selected" is among them."""
    return any(one.word == "SELECTED" for one in filters)


def _test(session: Session, tx: Read, word: str, names: Sequence[str]) -> Callable[[str], bool]:
    """Whether a mailbox of that name, which the user may look up, is meant."""
    if word in ("PERSONAL", "INBOXES"):  # mail can be filed into any of them (RFC 5465 §6.3)
        return lambda name: not name.startswith(_ELSEWHERE)
    if word == "SUBSCRIBED":
        subscribed = frozenset(tx.mailboxes.subscriptions(session.account.id))
        return lambda name: name in subscribed
    tops = tuple(name + SEPARATOR for name in names)
    if word == "SUBTREE":
        return lambda name: name.startswith(tops)
    parents = frozenset(names)
    return lambda name: name.rpartition(SEPARATOR)[0] in parents
