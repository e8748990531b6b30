"""Who in this process wants to know about changes: sessions by mailbox or account, caches by directory, whoever sends.

A call says only that something changed; whoever is called reads again by modseq, so calls may be merged and repeated.
"""

from collections.abc import Callable

from mailserver.base.ids import AccountId, MailboxId
from mailserver.net.interests import Interests, Row
from mailserver.store.values import Changes

Wake = Callable[[], None]


class Hub:
    """The watchers of one event loop.  Not for other threads.

    row: where other workers see what is watched here.
    """

    __slots__ = ("_accounts", "_directory", "_mailboxes", "_queue", "_row")

    def __init__(self, row: Row | None = None) -> None:
        self._row = row or Interests(1).row(0)
        self._mailboxes: dict[MailboxId, dict[Wake, None]] = {}
        self._accounts: dict[AccountId, dict[Wake, None]] = {}
        self._directory: dict[Wake, None] = {}
        self._queue: dict[Wake, None] = {}

    def watch(self, mailbox: MailboxId, wake: Wake) -> None:
        """Call *wake* after every commit that touched *mailbox*, until `unwatch`."""
        watchers = self._mailboxes.get(mailbox)
        if watchers is None:
            watchers = self._mailboxes[mailbox] = {}
            self._row.mailbox(mailbox, wanted=True)
        watchers[wake] = None

    def unwatch(self, mailbox: MailboxId, wake: Wake) -> None:
        """Call *wake* no more; nothing happens if it was not watching."""
        watchers = self._mailboxes.get(mailbox)
        if watchers is not None:
            watchers.pop(wake, None)
            if not watchers:
                del self._mailboxes[mailbox]
                self._row.mailbox(mailbox, wanted=False)

    def watch_account(self, account: AccountId, wake: Wake) -> None:
        """Call *wake* after every commit that changed anything in *account*, until `unwatch_account`."""
        watchers = self._accounts.get(account)
        if watchers is None:
            watchers = self._accounts[account] = {}
            self._row.account(account, wanted=True)
        watchers[wake] = None

    def unwatch_account(self, account: AccountId, wake: Wake) -> None:
        """Call *wake* no more; nothing happens if it was not watching."""
        watchers = self._accounts.get(account)
        if watchers is not None:
            watchers.pop(wake, None)
            if not watchers:
                del self._accounts[account]
                self._row.account(account, wanted=False)

    def watch_directory(self, wake: Wake) -> None:
        """Call *wake* after changes to domains, accounts, aliases, passwords, settings, until `unwatch_directory`."""
        self._directory[wake] = None

    def unwatch_directory(self, wake: Wake) -> None:
        """Call *wake* no more."""
        self._directory.pop(wake, None)

    def watch_queue(self, wake: Wake) -> None:
        """Call *wake* whenever there may be something new to send, until `unwatch_queue`."""
        if wake not in self._queue:
            self._queue[wake] = None
            self._row.queue(wanted=True)

    def unwatch_queue(self, wake: Wake) -> None:
        """Call *wake* no more."""
        if wake in self._queue:
            del self._queue[wake]
            self._row.queue(wanted=False)

    def changed(self, changes: Changes) -> None:
        """Tell everyone whom *changes* concern."""
        if changes.directory:
            for wake in list(self._directory):
                wake()
        if changes.queue:
            for wake in list(self._queue):
                wake()
        if self._accounts:
            for account in changes.accounts:
                for wake in list(self._accounts.get(account, ())):
                    wake()
        for _, mailbox in changes.mailboxes:
            for wake in list(self._mailboxes.get(mailbox, ())):
                wake()
