"""Who may send mail to a shared mailbox: the right "p".

A user has the rights that the list gives him; for everybody else, also on other servers, there is what it gives to
`anyone`.  Bounces always come in: whoever writes in the name of a shared mailbox hears of what went wrong.

Spec: RFC 4314 §2.1 (p).  Status: complete.
"""

from dataclasses import replace

from mailserver.base.ids import AccountId, MailboxId
from mailserver.directory.resolve import Why
from mailserver.directory.rights import Entry, effective
from mailserver.mta.route import NoRoute, Route, Target
from mailserver.store.tx import Read


def is_restricted(found: Route | NoRoute) -> bool:
    """Whether somebody may have to be asked for the right."""
    return isinstance(found, Route) and any(target.is_shared for target in found.targets)


def permitted(tx: Read, found: Route, account: AccountId | None) -> Route | NoRoute:
    """*found* without the shared mailboxes that *account*, None for a stranger, may not send to."""

    def takes(target: Target) -> bool:
        return not target.is_shared or may_post(tx, account, target.mailbox)

    kept = tuple(filter(takes, found.targets))
    if not kept and not found.remotes:
        return NoRoute(Why.NO_POSTING)
    return replace(found, targets=kept)


def may_post(tx: Read, account: AccountId | None, mailbox: MailboxId) -> bool:
    """Whether *account*, None for a stranger, may send mail into *mailbox*."""
    rows = tx.acl.for_anyone(mailbox)
    if account is not None:
        rows += tx.acl.of(mailbox, account)
    return "p" in effective(Entry(*row) for row in rows)
