r"""Who of this process waits for news: idling clients by mailbox, and what is done for all of them together.

Spec: RFC 2177 §3; RFC 3501 §2.3.2 (\Recent).  Status: complete.
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

from mailserver.base.errors import MailError, NotFound
from mailserver.base.ids import AccountId, MailboxId, ModSeq, UidValidity
from mailserver.base.log import Log
from mailserver.imap import guests
from mailserver.imap.elsewhere import State
from mailserver.imap.session import Gone, Server, Session, news_for
from mailserver.servers.hub import Hub, Wake
from mailserver.servers.imap_observe import Observing
from mailserver.servers.work import Work
from mailserver.store.tx import Read, Write
from mailserver.store.values import Delta

PAUSE_S = 0.01  #: between two looks at a mailbox that changes all the time; the first look waits for nothing
RETRY_S = 1.0  #: after a look that failed
CLAIM_AFTER_S = 0.5  #: how long a claim on \Recent messages waits for others before it is stored
CHECK_AFTER_S = 0.1  #: how long a look at the accounts waits for further changes of the directory

News: TypeAlias = Delta | Gone


class Idler(Protocol):
    """A connection, as far as others talk to it."""

    session: Session

    def hear(self, news: News) -> None:
        """*news* of the selected mailbox, from the view's modseq on."""
        ...

    def hear_elsewhere(self, state: State) -> None:
        """*state* is how all mailboxes are now."""
        ...

    def expel(self, reason: str) -> None:
        """Say BYE as soon as no command is running."""
        ...


class Watch:
    """One process's sessions and what they wait for.  In the loop's thread only.

    A commit makes one read for all idlers of a mailbox; what is committed while it runs is read together afterwards.
    """

    def __init__(self, server: Server, hub: Hub, work: Work) -> None:
        self._server, self._hub, self._work = server, hub, work
        self._idlers: dict[MailboxId, dict[Session, Idler]] = {}
        self._wakes: dict[MailboxId, Wake] = {}
        self._reading: set[MailboxId] = set()
        self._live: dict[Idler, AccountId] = {}
        self._claim_timer: asyncio.TimerHandle | None = None
        self._checks_accounts = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = Log("imap")
        self._observing = Observing(hub, work, self._start)
        server.watch = self._watch
        hub.watch_directory(self._directory_changed)

    # connections

    def log_in(self, connection: Idler, account: AccountId) -> None:
        """From now on the connection ends when its *account* does."""
        self._live[connection] = account

    def leave(self, connection: Idler) -> None:
        """The connection has ended, or its log-in."""
        self._live.pop(connection, None)
        self._observing.leave(connection)

    def wait(self, connection: Idler, *, is_idle: bool = True) -> None:
        """*connection* hears news of its mailbox from now on, and of others if it has asked for that.

        is_idle: the client has said IDLE; otherwise it hears of its mailbox only if it has asked for that.
        """
        session = connection.session
        if session.observer is not None:
            self._observing.wait(connection)
            if session.is_deaf or not (is_idle or session.observer.is_pushed):
                return
        view = session.selected
        if view is not None:
            self._idlers.setdefault(view.mailbox, {})[connection.session] = connection
            if connection.session.is_stale:
                self._read_for(view.mailbox)

    def stop_waiting(self, connection: Idler) -> None:
        """*connection* does something else now."""
        if connection.session.observer is not None:
            self._observing.stop_waiting(connection)
        view = connection.session.selected
        if view is not None and (idlers := self._idlers.get(view.mailbox)) is not None:
            idlers.pop(connection.session, None)
            if not idlers:
                del self._idlers[view.mailbox]

    # changes

    def _watch(self, mailbox: MailboxId, on: bool) -> None:
        if on:
            self._wakes[mailbox] = partial(self._changed, mailbox)
            self._hub.watch(mailbox, self._wakes[mailbox])
        else:
            self._hub.unwatch(mailbox, self._wakes.pop(mailbox))

    def _changed(self, mailbox: MailboxId) -> None:
        self._server.changed((mailbox,))
        if mailbox in self._idlers:
            self._read_for(mailbox)

    def _read_for(self, mailbox: MailboxId) -> None:
        if mailbox not in self._reading:
            self._reading.add(mailbox)
            self._start(self._tell(mailbox))

    async def _tell(self, mailbox: MailboxId) -> None:
        try:
            while stale := [s for s in self._idlers.get(mailbox, ()) if s.is_stale]:
                groups: dict[_Group, list[Session]] = {}
                for session in stale:
                    session.is_stale = False
                    groups.setdefault(_group(session), []).append(session)
                uidvalidity = stale[0].view.uidvalidity
                asking = [(group, sessions[0]) for group, sessions in groups.items()]
                found = await self._work.read(partial(_news, mailbox, uidvalidity, asking))
                for group, sessions in groups.items():
                    self._hand_out(mailbox, group.since, sessions, found[group])
                await asyncio.sleep(PAUSE_S)
        except MailError as error:
            self._log.warning("cannot read what changed", mailbox=mailbox, reason=str(error))
            for session in stale:
                session.is_stale = True
            asyncio.get_running_loop().call_later(RETRY_S, self._read_for, mailbox)
        finally:
            self._reading.discard(mailbox)

    def _hand_out(
        self, mailbox: MailboxId, since: ModSeq, sessions: list[Session], news: News | None
    ) -> None:
        idlers = self._idlers.get(mailbox, {})
        for session in sessions:
            idler, view = idlers.get(session), session.selected
            if view is None or view.mailbox != mailbox or news is None:
                continue
            if idler is not None and view.modseq == since:
                idler.hear(news)
            else:
                session.is_stale = True

    # claims on \Recent

    def store_claims(self) -> None:
        r"""See to it that the store learns which messages were given out as \Recent."""
        if self._claim_timer is None and self._server.snapshots.unstored:
            loop = asyncio.get_running_loop()
            self._claim_timer = loop.call_later(CLAIM_AFTER_S, self._store_claims_now)

    def _store_claims_now(self) -> None:
        self._claim_timer = None
        self._start(self._store_claims())

    async def _store_claims(self) -> None:
        mailboxes, self._server.snapshots.unstored = self._server.snapshots.unstored, set()
        try:
            await self._work.write(partial(_claim, mailboxes), is_pure=True)
        except MailError as error:
            self._log.warning("cannot store who saw what first", reason=str(error))

    # accounts

    def _directory_changed(self) -> None:
        if self._live and not self._checks_accounts:
            self._checks_accounts = True
            self._start(self._check_accounts())

    async def _check_accounts(self) -> None:
        await asyncio.sleep(CHECK_AFTER_S)
        self._checks_accounts = False
        accounts = set(self._live.values())
        try:
            gone = await self._work.read(partial(_inactive, accounts))
        except MailError as error:
            self._log.warning("cannot look whether accounts are still there", reason=str(error))
            return
        for connection, account in list(self._live.items()):
            if account in gone:
                connection.expel("The account was disabled")

    def _start(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(job)
        self._tasks.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("bug", error=error)


class _Group(NamedTuple):
    """Sessions that hear the same: all of the owner, or all of one guest, whose \\Seen is his own."""

    since: ModSeq
    guest: AccountId | None


def _group(session: Session) -> _Group:
    view = session.view
    return _Group(view.modseq, session.account.id if view.is_guest else None)


def _news(
    mailbox: MailboxId, uidvalidity: UidValidity, asking: list[tuple[_Group, Session]], tx: Read
) -> dict[_Group, News | None]:
    found: dict[_Group, News | None] = {}
    for group, session in sorted(asking, key=_owner_first):
        try:
            if group.guest is not None:  # from here on *tx* sees the mailbox as this guest does
                guests.enter(session, tx, mailbox)
            found[group] = news_for(tx, mailbox, uidvalidity, group.since)
        except Gone as gone:
            found[group] = gone
    return found


def _owner_first(asking: tuple[_Group, Session]) -> bool:
    return asking[0].guest is not None


def _claim(mailboxes: set[MailboxId], tx: Write) -> None:
    for mailbox in mailboxes:
        if tx.mailboxes.by_id(mailbox) is not None:
            tx.mailboxes.claim_recent(mailbox)


def _inactive(accounts: set[AccountId], tx: Read) -> set[AccountId]:
    gone = set()
    for account in accounts:
        try:
            found = tx.accounts.get(account)
        except NotFound:
            gone.add(account)
        else:
            if not found.is_active or not tx.domains.get(found.domain_id).is_active:
                gone.add(account)
    return gone
