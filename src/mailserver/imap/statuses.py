r"""What STATUS tells of a mailbox, also for LIST.

Spec: RFC 3501 §6.3.10; RFC 9051 §6.3.11 (SIZE, DELETED); RFC 8438 §3; RFC 9208 §4.1.4 (DELETED-STORAGE);
RFC 7162 §3.1.7 (HIGHESTMODSEQ); RFC 8474 §4.3 (MAILBOXID); RFC 7889 §3 (APPENDLIMIT).  Status: complete.
"""

from collections.abc import Callable, Sequence

from mailserver.base.ids import AccountId
from mailserver.base.limits import ImapLimits
from mailserver.directory.accounts import message_size
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, announce
from mailserver.store.names import object_id
from mailserver.store.tx import Read
from mailserver.store.values import Account, Mailbox

announce("STATUS=SIZE", State.ANY)


def append_limit(tx: Read, account: Account, limits: ImapLimits) -> int:
    """Octets of the largest message that may be appended to mailboxes of *account* (RFC 7889 §3)."""
    own = message_size(tx, account)
    return limits.append_size if own is None else min(own, limits.append_size)


class Statuses:
    """Tells of many mailboxes in one transaction what is asked for."""

    __slots__ = ("_items", "_limits", "_of_account", "_tx")

    def __init__(self, tx: Read, items: Sequence[str], limits: ImapLimits) -> None:
        self._tx, self._items, self._limits = tx, items, limits
        self._of_account: dict[AccountId, int] = {}

    def of(self, mailbox: Mailbox) -> list[tuple[str, str]]:
        """(item, value) in the order asked for."""
        return [(item, ITEMS[item](self, mailbox)) for item in self._items]

    def recent(self, mailbox: Mailbox) -> str:
        """Messages that no session was given as recent yet (RFC 3501 §2.3.2)."""
        if mailbox.recent_from >= mailbox.uidnext:
            return "0"
        if mailbox.recent_from == 1:
            return str(mailbox.exists)
        span = (mailbox.recent_from, mailbox.uidnext)
        return str(sum(1 for _ in self._tx.messages.rows(mailbox.id, [span], "uid")))

    def deleted_storage(self, mailbox: Mailbox) -> str:
        """Octets that EXPUNGE would give back: of messages that are in no other mailbox (RFC 9208 §4.1.4)."""
        return str(self._tx.messages.reclaimable(mailbox.id) if mailbox.deleted else 0)

    def append_limit(self, mailbox: Mailbox) -> str:
        """What the account that it belongs to takes."""
        owner = mailbox.account
        if owner not in self._of_account:
            account = self._tx.accounts.get(owner)
            self._of_account[owner] = append_limit(self._tx, account, self._limits)
        return str(self._of_account[owner])


ITEMS: dict[str, Callable[[Statuses, Mailbox], str]] = {
    "MESSAGES": lambda s, mailbox: str(mailbox.exists),
    "RECENT": Statuses.recent,
    "UIDNEXT": lambda s, mailbox: str(mailbox.uidnext),
    "UIDVALIDITY": lambda s, mailbox: str(mailbox.uidvalidity),
    "UNSEEN": lambda s, mailbox: str(mailbox.unseen),
    "SIZE": lambda s, mailbox: str(mailbox.size),
    "DELETED": lambda s, mailbox: str(mailbox.deleted),
    "DELETED-STORAGE": Statuses.deleted_storage,
    "HIGHESTMODSEQ": lambda s, mailbox: str(mailbox.modseq),
    "MAILBOXID": lambda s, mailbox: f"({object_id(mailbox.id)})",
    "APPENDLIMIT": Statuses.append_limit,
}


def parse_items(p: Parser) -> tuple[str, ...]:
    """ "(" status-att *(SP status-att) ")", each once (RFC 3501 §9)."""
    names = dict.fromkeys(p.group(Parser.word))
    for name in names:
        if name not in ITEMS:
            raise p.error(f"unknown status item {name}")
    return tuple(names)
