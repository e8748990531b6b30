"""What LIST can be asked to tell of each name beside the name itself.

Spec: RFC 5258 §3.2; RFC 5819 §2 (LIST-STATUS); RFC 8440 §3 (LIST-MYRIGHTS); RFC 9590 §3 (LIST-METADATA).
Status: complete.

An option is a function of its arguments; what it gives looks at all names at once and then answers for each of them, so
that a list of 10,000 takes one question to the store and not 10,000.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from mailserver.imap import metadata, response, statuses
from mailserver.imap.listing import Entry
from mailserver.imap.parser import Parser
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.imap.statuses import Statuses
from mailserver.store.tx import Read

#: what to send after the LIST response of an entry whose name reads like this on the wire
Telling: TypeAlias = Callable[[Entry, bytes], Iterable[Response]]
#: looks at all entries
Asked: TypeAlias = Callable[[Session, Read, Sequence[Entry]], Telling]


def _status(p: Parser) -> Asked:
    """SP "(" status-att... ")"; for each mailbox that can be selected and read (RFC 5819 §2)."""
    items = statuses.parse_items(p.sp())

    def asked(session: Session, tx: Read, entries: Sequence[Entry]) -> Telling:
        found = Statuses(tx, items, session.limits)

        def tell(entry: Entry, name: bytes) -> Iterable[Response]:
            if entry.seen and entry.seen.mailbox.is_selectable and "r" in entry.seen.rights:
                yield response.status(name, found.of(entry.seen.mailbox))

        return tell

    return asked


def _my_rights(p: Parser) -> Asked:
    """MYRIGHTS of each mailbox that is there and is not told only for those below it (RFC 8440 §3, §4)."""

    def asked(session: Session, tx: Read, entries: Sequence[Entry]) -> Telling:
        def tell(entry: Entry, name: bytes) -> Iterable[Response]:
            is_above = entry.child_info and "\\Subscribed" not in entry.attributes
            if entry.seen and not is_above:
                yield response.my_rights(name, entry.seen.rights)

        return tell

    return asked


def _metadata(p: Parser) -> Asked:
    """SP entry or SP "(" entry... ")"; for each mailbox whose annotations the user may see (RFC 9590 §3)."""
    wanted = p.group(metadata.entry) if p.sp().peek(b"(") else [metadata.entry(p)]

    def asked(session: Session, tx: Read, entries: Sequence[Entry]) -> Telling:
        mailboxes = [entry.seen.mailbox for entry in entries if entry.seen]
        values_of = metadata.everywhere(session, tx, mailboxes, wanted)

        def tell(entry: Entry, name: bytes) -> Iterable[Response]:
            if entry.seen and metadata.READING & set(entry.seen.rights):
                yield metadata.told(name, values_of(entry.seen.mailbox))

        return tell

    return asked


#: return options that bring responses of their own: name -> reads its arguments
RETURNS: dict[str, Callable[[Parser], Asked]] = {
    "METADATA": _metadata,
    "MYRIGHTS": _my_rights,
    "STATUS": _status,
}
