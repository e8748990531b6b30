"""Annotations as an account's scripts see them.

Spec: RFC 5490 §3.3, §4.1; RFC 5464 §3, §6.2.1; RFC 6154 §4.  Status: complete.
"""

from collections.abc import Callable

from mailserver.base.ids import AccountId
from mailserver.store.annotations import SERVER
from mailserver.store.names import canonical
from mailserver.store.tx import Read

ADMIN = "/shared/admin"
SPECIAL_USE = "/private/specialuse"


def annotations(tx: Read, account: AccountId) -> Callable[[str, str], str | None]:
    """(mailbox, "" for the server; entry) -> its value, as *account* would see it in its own mailboxes."""

    def value(mailbox: str, entry: str) -> str | None:
        at = SERVER
        if mailbox:
            found = tx.mailboxes.find(account, canonical(mailbox))
            if found is None:
                return None
            if entry == SPECIAL_USE:
                return found.special_use or None
            at = found.id
        elif entry == ADMIN:
            return f"mailto:postmaster@{tx.accounts.get(account).domain}"
        known = tx.annotations.below(account, at, entry, 0).get(entry)
        return None if known is None else known.decode(errors="replace")

    return value
