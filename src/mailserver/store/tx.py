"""A transaction as its job sees it: the repositories, and notes on what changed."""

from pathlib import Path

from mailserver.base.ids import AccountId, MailboxId
from mailserver.base.limits import ContactLimits, ImapLimits, QueueLimits, SieveLimits
from mailserver.store.accounts import Accounts
from mailserver.store.acl import Acl
from mailserver.store.aliases import Aliases
from mailserver.store.annotations import Annotations
from mailserver.store.app_passwords import AppPasswords
from mailserver.store.applied import Applied
from mailserver.store.blobs import Blobs
from mailserver.store.callouts import Callouts
from mailserver.store.contacts import Contacts
from mailserver.store.database import Database
from mailserver.store.destinations import Destinations
from mailserver.store.dkim_keys import DkimKeys
from mailserver.store.domains import Domains
from mailserver.store.events import Events
from mailserver.store.feeding import Feeding
from mailserver.store.forwards import Forwards, Grants
from mailserver.store.groups import Groups
from mailserver.store.hold_rules import HoldRules
from mailserver.store.journal import Journal
from mailserver.store.keywords import Keywords
from mailserver.store.lists import Lists
from mailserver.store.mailboxes import Mailboxes
from mailserver.store.messages import Messages
from mailserver.store.moved import Moved
from mailserver.store.purge import Purge
from mailserver.store.queue import Queue
from mailserver.store.rate_overrides import RateOverrides
from mailserver.store.reports import Reports
from mailserver.store.routes import Routes
from mailserver.store.scram import ScramRows
from mailserver.store.scripts import Scripts
from mailserver.store.search import Search
from mailserver.store.senders import Senders
from mailserver.store.settings import Settings
from mailserver.store.sharing import Guest, SharedMessages
from mailserver.store.sieve_memory import SieveMemory
from mailserver.store.suppressions import Suppressions
from mailserver.store.tombstones import Tombstones
from mailserver.store.trusted import TrustedRows
from mailserver.store.upkeep import Upkeep
from mailserver.store.verify import Verify


class Read:
    """One moment's view of everything; good until the job returns.

    The repositories' writing methods fail here: the connection cannot change anything.
    """

    __slots__ = (
        "_journal",
        "_own",
        "_shared",
        "accounts",
        "acl",
        "aliases",
        "annotations",
        "app_passwords",
        "applied",
        "blobs",
        "callouts",
        "contacts",
        "destinations",
        "dkim_keys",
        "domains",
        "events",
        "feeding",
        "forwards",
        "grants",
        "groups",
        "hold_rules",
        "lists",
        "mailboxes",
        "messages",
        "moved",
        "purge",
        "queue",
        "rate_overrides",
        "reports",
        "routes",
        "scram",
        "scripts",
        "search",
        "senders",
        "settings",
        "sieve_memory",
        "suppressions",
        "tombstones",
        "trusted",
        "upkeep",
        "verify",
    )

    def __init__(
        self,
        db: Database,
        blob_folder: Path,
        limits: ImapLimits,
        queue: QueueLimits,
        sieve: SieveLimits,
        contacts: ContactLimits,
    ) -> None:
        self._journal = journal = Journal()
        self.settings = Settings(db, journal)
        self.upkeep = Upkeep(db)
        self.domains = Domains(db, journal)
        self.dkim_keys = DkimKeys(db, journal)
        self.aliases = Aliases(db, journal)
        self.forwards = Forwards(db, journal)
        self.scram = ScramRows(db, journal)
        self.app_passwords = AppPasswords(db, journal)
        self.applied = Applied(db, journal)
        self.grants = Grants(db, journal)
        self.routes = Routes(db, journal)
        self.callouts = Callouts(db, journal)
        self.rate_overrides = RateOverrides(db, journal)
        self.senders = Senders(db, journal)
        self.reports = Reports(db, journal)
        self.feeding = Feeding(db)
        self.search = Search(blob_folder.parent)
        self.blobs = Blobs(db, journal, blob_folder)
        keywords = Keywords(db, limits)
        self._own = Messages(db, journal, self.blobs, keywords)
        self._shared = SharedMessages(db, journal, self.blobs, keywords)
        self._shared.guests = {}
        self.messages: Messages = self._own
        self.tombstones = Tombstones(db)
        self.trusted = TrustedRows(db, journal)
        self.acl = Acl(db, journal, limits)
        self.groups = Groups(db, journal)
        self.destinations = Destinations(db, journal)
        self.suppressions = Suppressions(db, journal)
        self.hold_rules = HoldRules(db, journal)
        self.queue = Queue(db, journal, self.blobs, self.hold_rules, queue)
        self.verify = Verify(db, blob_folder)
        self.annotations = Annotations(db, journal, limits)
        self.scripts = Scripts(db, journal, sieve)
        self.sieve_memory = SieveMemory(db, journal)
        self.lists = Lists(db, journal, sieve)
        self.events = Events(db, journal, sieve)
        self.moved = Moved(db, journal)
        self.contacts = Contacts(db, journal, contacts)
        self.purge = Purge(db, journal, self.messages, self.annotations, self.contacts)
        self.mailboxes = Mailboxes(db, journal, self.messages, self.annotations, self.purge, limits)
        self.accounts = Accounts(db, journal, self.mailboxes, self.purge)

    def enter(self, mailbox: MailboxId, guest: AccountId, rights: str) -> None:
        """From now on this job reads and changes *mailbox* as *guest*, who is not its owner, within his *rights*."""
        self._shared.guests[mailbox] = Guest(guest, rights)
        self.messages = self._shared

    def leave(self) -> None:
        """For the store itself, before a job: nobody is a guest anywhere."""
        if self._shared.guests:
            self._shared.guests.clear()
            self.messages = self._own


class Write(Read):
    """The same, and writing is allowed.  All or nothing of a job is committed."""

    __slots__ = ()

    @property
    def now(self) -> int:
        """UTC epoch seconds when the transaction began."""
        return self._journal.now

    @property
    def journal(self) -> Journal:
        """For the store itself: what this job changed so far."""
        return self._journal

    def touched(self, account: AccountId, mailbox: MailboxId) -> None:
        """Announces a change in *mailbox* that the repositories do not know of."""
        self._journal.mailboxes.add((account, mailbox))

    def directory_changed(self) -> None:
        """Announces that cached domains, accounts, aliases, passwords and settings are stale."""
        self._journal.directory = True
