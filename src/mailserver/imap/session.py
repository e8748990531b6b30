"""One IMAP connection, without its socket: who is logged in, which mailbox is selected, what was enabled.

Handlers read it; only conversations and `dispatch`, which run in the loop's thread, change it.

Spec: RFC 3501 §3.  Status: complete.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailserver.base.errors import NotFound, PeerError
from mailserver.base.ids import MailboxId, ModSeq, UidValidity
from mailserver.base.limits import ImapLimits, MimeLimits
from mailserver.base.log import Log
from mailserver.imap.dialect import Dialect, dialect_of
from mailserver.imap.fetching.known_flags import KnownFlags
from mailserver.imap.registry import ENABLABLE, State
from mailserver.imap.response import Response
from mailserver.imap.rooms import Rooms
from mailserver.imap.snapshots import Snapshots
from mailserver.imap.sorting.orders import Orders
from mailserver.imap.telling import highest_modseq
from mailserver.imap.threads.kins import Kins
from mailserver.imap.view import View
from mailserver.sasl.registry import Channel
from mailserver.store.tx import Read
from mailserver.store.values import Account, Delta

if TYPE_CHECKING:
    from mailserver.imap.observer import Observer


@dataclass(slots=True)
class Server:
    """What all sessions of one process share.

    has_tls:   STARTTLS can be offered.
    watchers:  the sessions that have each mailbox selected.
    watch:     called when the first of them opens it (True) and when the last of them leaves (False); from then on,
               up to then, `changed` has to be called for it.
    clock:     seconds from any moment on.
    now:       UTC epoch seconds.
    managesieve: the URL of the server where scripts are kept, "" for none.
    """

    hostname: str
    version: str
    limits: ImapLimits = field(default_factory=ImapLimits)
    mime_limits: MimeLimits = field(default_factory=MimeLimits)
    snapshots: Snapshots = field(default_factory=Snapshots)
    known_flags: KnownFlags = field(default_factory=KnownFlags)
    orders: Orders = field(default_factory=Orders)
    kins: Kins = field(default_factory=Kins)
    rooms: Rooms = field(default_factory=Rooms)
    has_tls: bool = False
    watchers: dict[MailboxId, set["Session"]] = field(default_factory=dict)
    watch: Callable[[MailboxId, bool], None] = lambda mailbox, on: None
    clock: Callable[[], float] = lambda: 0.0
    now: Callable[[], float] = lambda: 0.0
    managesieve: str = ""

    def changed(self, mailboxes: Iterable[MailboxId]) -> None:
        """Somebody committed a change in *mailboxes*: their sessions are stale from now on."""
        for mailbox in mailboxes:
            for session in self.watchers.get(mailbox, ()):
                session.is_stale = True


class Gone(NotFound):
    """The selected mailbox, or the account, was removed; the session cannot go on (RFC 2180 §3.3)."""


class Session:
    """State of one connection.

    cleartext:  passwords may come without TLS from this peer's network.
    channel:    the connection as SASL mechanisms see it; replaced by whoever knows more of it, also after STARTTLS.
    is_stale:   something changed in the selected mailbox since the view's modseq; set by whoever hears of it.
    is_compressed: DEFLATE is active (RFC 4978).
    is_over:    the connection ends once everything was sent.
    enabled:    what ENABLE, or a command that does the same, has switched on; in upper case.
    tag:        of the command that runs.
    observer:   what the client wants to hear of, once it has said so (RFC 5465).
    """

    __slots__ = (
        "_account",
        "_view",
        "channel",
        "cleartext",
        "enabled",
        "errors",
        "failures",
        "is_compressed",
        "is_over",
        "is_stale",
        "is_tls",
        "log",
        "observer",
        "server",
        "tag",
    )

    def __init__(self, server: Server, log: Log, *, is_tls: bool, cleartext: bool) -> None:
        self.server, self.log = server, log
        self.is_tls, self.cleartext = is_tls, cleartext
        self.channel = Channel(is_private=is_tls or cleartext)
        self.enabled: frozenset[str] = frozenset()
        self.tag = b""
        self.observer: Observer | None = None
        self.errors = self.failures = 0
        self.is_over = self.is_stale = self.is_compressed = False
        self._account: Account | None = None
        self._view: View | None = None

    @property
    def limits(self) -> ImapLimits:
        """The bounds on what this client may ask for."""
        return self.server.limits

    @property
    def state(self) -> State:
        """RFC 3501 §3."""
        if self._account is None:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self._view is None else State.SELECTED

    @property
    def account(self) -> Account:
        """Who is logged in.  Raises PeerError before log-in."""
        if self._account is None:
            raise PeerError("log in first")
        return self._account

    @property
    def view(self) -> View:
        """The selected mailbox as this client knows it.  Raises PeerError where none is selected."""
        if self._view is None:
            raise PeerError("no mailbox is selected")
        return self._view

    @property
    def read_only(self) -> bool:
        """The mailbox was opened with EXAMINE.  Raises PeerError where none is selected."""
        return self.view.read_only

    @property
    def selected(self) -> View | None:
        """The view, or None where no mailbox is selected."""
        return self._view

    # what the client has switched on

    @property
    def is_rev2(self) -> bool:
        """The client speaks IMAP4rev2 (RFC 9051 §6.3.1)."""
        return "IMAP4REV2" in self.enabled

    @property
    def has_condstore(self) -> bool:
        """The client is told modseqs (RFC 7162 §3.1)."""
        return "CONDSTORE" in self.enabled

    @property
    def has_qresync(self) -> bool:
        """The client hears VANISHED in place of EXPUNGE (RFC 7162 §3.2); then `has_condstore` is true too."""
        return "QRESYNC" in self.enabled

    @property
    def is_utf8(self) -> bool:
        """Mailbox names and strings are UTF-8, both ways (RFC 9051 §5.1; RFC 9755 §3)."""
        return not self.enabled.isdisjoint(("IMAP4REV2", "UTF8=ACCEPT"))

    @property
    def is_uid_only(self) -> bool:
        """There are no message numbers, only UIDs (RFC 9586 §3)."""
        return "UIDONLY" in self.enabled

    @property
    def dialect(self) -> Dialect:
        """How this client hears of messages."""
        return dialect_of(self.enabled)

    def enable(self, name: str) -> list[Response]:
        """Switch *name* on, with all that it implies; in the loop's thread.  What the client hears of it, if anything.

        Who begins to follow modseqs while a mailbox is selected learns where it stands (RFC 7162 §3.1).
        """
        had_condstore = self.has_condstore
        row = ENABLABLE[name]
        self.enabled |= {name, *row.implies}
        if self._view is None or had_condstore or not self.has_condstore:
            return []
        return [highest_modseq(self._view.synced)]

    @property
    def is_deaf(self) -> bool:
        """The client wants no news of the selected mailbox now (RFC 5465 §3.1)."""
        return self.observer is not None and self.observer.is_deaf

    # changes of state, in the loop's thread

    def log_in(self, account: Account) -> None:
        """Enter the authenticated state (RFC 3501 §3.2)."""
        self._account = account
        self.failures = 0

    def log_out(self) -> None:
        """As the connection began, but for TLS and the mechanisms (RFC 8437 §3): whatever state there is or will be."""
        self.unselect()
        channel = self.channel
        self.__init__(  # type: ignore[misc]  # a new session for the same connection
            self.server, self.log, is_tls=self.is_tls, cleartext=self.cleartext
        )
        self.channel = channel

    def select(self, view: View) -> None:
        """Enter the selected state (RFC 3501 §3.3).

        What was committed between the look at the mailbox and this call, nobody was told: so it is stale at once.
        """
        self.unselect()
        self._view, self.is_stale = view, True
        watchers = self.server.watchers
        if view.mailbox not in watchers:
            watchers[view.mailbox] = set()
            self.server.watch(view.mailbox, True)
        watchers[view.mailbox].add(self)

    def unselect(self) -> None:
        """Back to the authenticated state; harmless where no mailbox is selected."""
        if self._view is not None:
            mailbox, watchers = self._view.mailbox, self.server.watchers
            watchers[mailbox].discard(self)
            if not watchers[mailbox]:
                del watchers[mailbox]
                self.server.watch(mailbox, False)
        self._view, self.is_stale = None, False

    # news of the selected mailbox

    def news(self, tx: Read) -> Delta | None:
        """What happened in the selected mailbox since this client was told; see `news_for`."""
        view = self.view
        return news_for(tx, view.mailbox, view.uidvalidity, view.modseq)


def news_for(tx: Read, mailbox: MailboxId, uidvalidity: UidValidity, since: ModSeq) -> Delta | None:
    """What happened to *mailbox* since a modseq, None for nothing.  Raises Gone when it is no more."""
    found = tx.mailboxes.by_id(mailbox)
    if found is None or found.uidvalidity != uidvalidity or not found.is_selectable:
        raise Gone("The mailbox was deleted.")
    return tx.messages.changes(mailbox, since) if found.modseq > since else None
