r"""The counters of a mailbox that STATUS tells.

Spec: RFC 3501 §6.3.10; RFC 8438 §3 (SIZE); RFC 7889 §3 (APPENDLIMIT).  Status: complete.
"""

from collections.abc import Callable, Sequence

from mailserver.base.limits import ImapLimits
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, announce
from mailserver.store.tx import Read
from mailserver.store.values import Mailbox

announce("STATUS=SIZE", State.ANY)


def _recent(tx: Read, mailbox: Mailbox, limits: ImapLimits) -> int:
    """Messages that no session was given as recent yet (RFC 3501 §2.3.2)."""
    if mailbox.recent_from >= mailbox.uidnext:
        return 0
    if mailbox.recent_from == 1:
        return mailbox.exists
    rows = tx.messages.rows(mailbox.id, [(mailbox.recent_from, mailbox.uidnext)], "uid")
    return sum(1 for _ in rows)


ITEMS: dict[str, Callable[[Read, Mailbox, ImapLimits], int]] = {
    "MESSAGES": lambda tx, mailbox, limits: mailbox.exists,
    "RECENT": _recent,
    "UIDNEXT": lambda tx, mailbox, limits: mailbox.uidnext,
    "UIDVALIDITY": lambda tx, mailbox, limits: mailbox.uidvalidity,
    "UNSEEN": lambda tx, mailbox, limits: mailbox.unseen,
    "SIZE": lambda tx, mailbox, limits: mailbox.size,
    "APPENDLIMIT": lambda tx, mailbox, limits: limits.append_size,
}


def parse_items(p: Parser) -> tuple[str, ...]:
    """ "(" status-att *(SP status-att) ")", each once (RFC 3501 §9)."""
    names = dict.fromkeys(p.group(Parser.word))
    for name in names:
        if name not in ITEMS:
            raise p.error(f"unknown status item {name}")
    return tuple(names)


def values(
    tx: Read, mailbox: Mailbox, items: Sequence[str], limits: ImapLimits
) -> list[tuple[str, int]]:
    """(item, number) in the order asked for."""
    return [(item, ITEMS[item](tx, mailbox, limits)) for item in items]
