r"""Mailbox names: levels parted by "/", INBOX in any case is INBOX; special uses.

Spec: RFC 9051 §5.1; RFC 5198 §2 (Net-Unicode); RFC 8474 §4 (MAILBOXID); RFC 6154 §2; RFC 8457 §3.  Status: complete.
"""

import re
import unicodedata

from mailserver.base.errors import Cannot, LimitReached
from mailserver.base.ids import MailboxId
from mailserver.base.limits import ImapLimits

SEPARATOR = "/"
INBOX = "INBOX"

#: where mailboxes of others appear in everybody's tree (RFC 2342 §5): "Other Users/bob@example.org/INBOX"
OTHERS = "Other Users"
SHARED = "Shared"

#: special uses that mailboxes are given, in lower case -> as listed
USES = {
    use.lower(): use
    for use in ("\\Archive", "\\Drafts", "\\Important", "\\Junk", "\\Sent", "\\Trash")
}

_OBJECT_ID = re.compile("F([1-9][0-9]{0,17})")


def canonical(name: str) -> str:
    """The one spelling of *name*: NFC, and INBOX at the top level in capitals (RFC 9051 §5.1)."""
    name = unicodedata.normalize("NFC", name)
    top, slash, rest = name.partition(SEPARATOR)
    return INBOX + slash + rest if top.upper() == INBOX else name


def check(name: str, limits: ImapLimits) -> None:
    """Raises Cannot for a name no mailbox can have, LimitReached for one that is too long or too deep."""
    levels = name.split(SEPARATOR)
    if not all(levels):
        raise Cannot("A mailbox name has no empty levels.")
    if not name.isascii() or not name.isprintable():
        _check_characters(name)
    if len(name.encode()) > limits.mailbox_name_size:
        raise LimitReached(f"A mailbox name has at most {limits.mailbox_name_size} octets.")
    if len(levels) > limits.mailbox_depth:
        raise LimitReached(f"A mailbox name has at most {limits.mailbox_depth} levels.")


def _check_characters(name: str) -> None:
    """Net-Unicode, and neither control characters nor ends of lines (RFC 9051 §5.1; RFC 9755 §3).

    A character that the Unicode of this Python does not know yet has no normal form that is sure to stay.
    """
    kinds = {unicodedata.category(c) for c in name}
    if not kinds.isdisjoint(("Cc", "Cs", "Zl", "Zp")):
        raise Cannot("A mailbox name has no control characters.")
    if "Cn" in kinds or "\ufeff" in name:
        raise Cannot("A mailbox name has characters of Unicode only, and no byte order mark.")


def check_own(name: str, limits: ImapLimits) -> None:
    """Like `check`, and raises Cannot for a name at which mailboxes of others appear."""
    check(name, limits)
    if name.partition(SEPARATOR)[0] in (OTHERS, SHARED):
        raise Cannot("Mailboxes of others appear under this name.")


def parents(name: str) -> list[str]:
    """'a/b/c' -> ['a', 'a/b']."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:n]) for n in range(1, len(levels))]


def object_id(mailbox: MailboxId) -> str:
    """The MAILBOXID: it stays when the mailbox is renamed, and no other ever has it (RFC 8474 §4)."""
    return f"F{mailbox}"


def mailbox_with(object_id: str) -> MailboxId | None:
    """The mailbox that has, had or will have this MAILBOXID; None for what is none."""
    found = _OBJECT_ID.fullmatch(object_id)
    return None if found is None else MailboxId(int(found[1]))
