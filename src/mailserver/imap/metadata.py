"""Annotations as clients see them: names of entries, who may, and entries whose values are worked out.

Spec: RFC 5464 §3, §5; RFC 6154 §4 (/private/specialuse); RFC 6785 §2.3.1.  Status: complete.

What is /private belongs to the user who set it, also in mailboxes of others.  What is /shared belongs to the mailbox;
whoever has the right "w" there changes it; for the script that runs as the owner, "a" as well.  Shared annotations of
the server are changed by nobody.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from mailserver.base.errors import NotAllowed, NotFound
from mailserver.base.ids import AccountId, MailboxId
from mailserver.imap import access, names, response, wire
from mailserver.imap.errors import Code
from mailserver.imap.parser import Parser
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.annotations import SERVER, SHARED
from mailserver.store.events import SCRIPT
from mailserver.store.tx import Read
from mailserver.store.values import Mailbox

_ENTRY: Final = re.compile(r"/(?:private|shared)(?:/[!-$&-)+-.0-~ ]+)*")
_VENDOR_PARTS: Final = 4  # /shared/vendor/TOKEN/NAME (RFC 5464 §3.2)
READING: Final = frozenset("rswip")  # any of them will do (RFC 5464 §3.3)
SPECIAL_USE: Final = "/private/specialuse"
ADMIN: Final = "/shared/admin"


def entry(p: Parser) -> str:
    """The name of an entry to look for, in lower case (RFC 5464 §3.2): /private and /shared alone are for DEPTH."""
    name = p.astring().decode("ascii", "replace").lower()
    if not _ENTRY.fullmatch(name) or len(name) > p.limits.annotation_name_size:
        raise p.error("no name of an entry")
    return name


def new_entry(p: Parser) -> str:
    """The name of an entry that can have a value."""
    name = entry(p)
    parts = name.split("/")[1:]
    if len(parts) < 2 or (parts[1] == "vendor" and len(parts) < _VENDOR_PARTS):
        raise p.error("the name of an entry has more parts")
    return name


def place(session: Session, tx: Read, name: str, *, changes: Iterable[str] = ()) -> Mailbox | None:
    """The mailbox, None for the server, whose annotations the user may see, and *changes* of which he may make.

    Raises NotFound, NotAllowed.
    """
    shared = [changed for changed in changes if changed.startswith(SHARED)]
    if not name:
        if shared:
            raise NotAllowed("Nobody changes shared annotations of the server.")
        return None
    found = access.named(session, tx, name)
    have = access.rights(session, tx, found)
    if "l" not in have:
        raise NotFound("No such mailbox.")
    runs = any(changed == SCRIPT for changed in shared)  # what runs as the owner (RFC 6785 §6)
    if not READING & set(have) or (shared and "w" not in have) or (runs and "a" not in have):
        raise NotAllowed("You lack the right to this annotation.")
    return found


def payer(session: Session, mailbox: Mailbox | None, name: str) -> AccountId:
    """The account that the entry *name* belongs to."""
    is_shared = mailbox is not None and name.startswith((SHARED, SHARED.rstrip("/")))
    return mailbox.account if mailbox is not None and is_shared else session.account.id


def values(
    session: Session, tx: Read, mailbox: Mailbox | None, name: str, depth: int | None
) -> dict[str, bytes]:
    """Value by entry: of *name*, and of what is at most *depth* levels below; None: everything below."""
    at = mailbox.id if mailbox is not None else SERVER
    found = tx.annotations.below(payer(session, mailbox, name), at, name, depth)
    for computed, value in _computed(session, mailbox).items():
        levels = computed.count("/") - name.count("/")
        is_below = computed.startswith(name + "/") and (depth is None or levels <= depth)
        if computed == name or is_below:
            found[computed] = value
    return dict(sorted(found.items()))


def _computed(session: Session, mailbox: Mailbox | None) -> Mapping[str, bytes]:
    if mailbox is None:  # mail for postmaster always reaches somebody who can help
        return {ADMIN: f"mailto:postmaster@{session.account.domain}".encode()}
    if mailbox.account == session.account.id and mailbox.special_use:
        return {SPECIAL_USE: mailbox.special_use.encode("ascii")}
    return {}


def everywhere(
    session: Session, tx: Read, mailboxes: Iterable[Mailbox], entries: Iterable[str]
) -> Callable[[Mailbox], dict[str, bytes | None]]:
    """What gives the values of *entries* for each of *mailboxes*, after one look at each account they belong to."""
    asked = list(dict.fromkeys(entries))
    owners = {mailbox.account for mailbox in mailboxes} | {session.account.id}
    known: dict[AccountId, Mapping[tuple[MailboxId, str], bytes]] = {
        owner: tx.annotations.everywhere(owner, asked) for owner in owners
    }

    def of(mailbox: Mailbox) -> dict[str, bytes | None]:
        computed = _computed(session, mailbox)
        return {
            name: computed.get(name) or known[payer(session, mailbox, name)].get((mailbox.id, name))
            for name in asked
        }

    return of


def told(name: bytes, found: Mapping[str, bytes | None]) -> Response:
    """METADATA with values (RFC 5464 §4.4.1); *name* of the mailbox in its wire form."""
    pairs = b" ".join(wire.astring(e.encode("ascii")) + b" " + _value(v) for e, v in found.items())
    return response.line(b"METADATA %b (%b)" % (name, pairs))


def changed(session: Session, mailbox: str, entries: Iterable[str]) -> Response:
    """METADATA without values: what somebody else has changed (RFC 5464 §4.4.2)."""
    listed = b" ".join(wire.astring(e.encode("ascii")) for e in entries)
    return response.line(
        b"METADATA %b %b" % (names.encode(mailbox, is_utf8=session.is_utf8), listed)
    )


def _value(value: bytes | None) -> bytes:
    """nstring, or literal8 where a NUL makes it no string (RFC 5464 §5)."""
    if value is not None and b"\0" in value:
        return b"~" + wire.literal(value)
    return wire.nstring(value)


def too_large(most: int) -> Code:
    """RFC 5464 §4.3."""
    return Code(f"METADATA MAXSIZE {most}", "The value is too large")


def too_many(text: str) -> Code:
    """RFC 5464 §4.3."""
    return Code("METADATA TOOMANY", text)
