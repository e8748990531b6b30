"""What the store hands out: values of named fields, never rows.

Times are UTC epoch seconds, sizes are octets.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mailserver.base.ids import (
    AccountId,
    AliasId,
    AppPasswordId,
    DomainId,
    GroupId,
    MailboxId,
    MessageId,
    ModSeq,
    ThreadId,
    Uid,
    UidValidity,
)


class Domain(NamedTuple):
    """A domain we take mail for."""

    id: DomainId
    name: str  # A-label, lower case
    is_active: bool
    catch_all: str | None  # address that gets mail for unknown localparts
    quota: int | None  # of each account that has none of its own
    max_accounts: int | None
    blob_threshold: int  # bodies above this size are files
    separators: str  # characters between localpart and detail; "" = no subaddresses
    created_at: int
    alias_of: str | None = None  # its addresses are those of that domain
    has_subdomains: bool = False  # domains below it that are not ours by themselves count as it
    is_backup: bool = False  # its mail is passed on to its primary servers
    smarthost: str | None = None  # "smtp:HOST:PORT" for what its users send to others
    message_size: int | None = None  # octets of a message; None: what the server takes
    cram_md5: bool = False  # its app passwords work with CRAM-MD5, too
    max_messages: int | None = None  # of each account that has no bound of its own
    max_mailboxes: int | None = None  # the same; None: the server's bound
    dkim: str = "on"  # which of its keys sign: "on" all, "rsa", "ed25519", "off" none
    dkim_oversign: str | None = None  # header fields, "from,to,subject"; None: the usual ones
    dmarc: str = (
        "reject"  # the most that follows for mail that fails: none, tag, quarantine, reject
    )
    spf: str = ""  # what follows from a result alone: "fail=reject,softfail=quarantine"
    mta_sts: str = "none"  # the mode of its own policy: none, testing, enforce


class Account(NamedTuple):
    """Somebody who has mailboxes."""

    id: AccountId
    domain_id: DomainId
    localpart: str
    domain: str
    name: str
    quota: int | None  # in force: its own or else the domain's; None = unlimited
    own_quota: int | None
    used: int  # octets of all its messages, each counted once
    messages: int  # each counted once, in however many mailboxes it is
    is_active: bool
    created_at: int
    last_login_at: int | None
    message_size: int | None = None  # octets of a message, its own; None: the domain's
    is_shared: bool = False  # nobody's: the owner of a shared mailbox, as whom nobody logs in
    max_messages: int | None = None  # in force: its own or else the domain's; None = unlimited
    own_max_messages: int | None = None
    max_mailboxes: int | None = None  # in force; None: the server's bound alone
    own_max_mailboxes: int | None = None
    is_admin: bool = False  # may change quotas over IMAP
    time_zone: str | None = None  # "Europe/Berlin"; None: the server's

    @property
    def address(self) -> str:
        """localpart@domain."""
        return f"{self.localpart}@{self.domain}"

    def has_room(self, octets: int, messages: int = 1) -> bool:
        """Whether so many messages more of so many octets together stay within its quotas."""
        return (self.quota is None or self.used + octets <= self.quota) and (
            self.max_messages is None or self.messages + messages <= self.max_messages
        )


class Credentials(NamedTuple):
    """What a log-in is checked against."""

    account: Account
    password_hash: str
    is_active: bool  # account and domain both


class ScramRow(NamedTuple):
    """What SCRAM needs of an account (RFC 5802 §3); the keys are of its own password, None while they are not known."""

    salt: bytes
    iterations: int
    stored_key: bytes | None
    server_key: bytes | None


class AppPassword(NamedTuple):
    """A password that the server made, for one program or device."""

    id: AppPasswordId
    account: AccountId
    name: str
    has_cram_md5: bool  # it was sealed, so that CRAM-MD5 can be computed with it
    created_at: int
    last_used_at: int | None


class AppPasswordSecrets(NamedTuple):
    """What log-ins with an app password are checked against, besides its digest."""

    stored_key: bytes
    server_key: bytes
    sealed: bytes | None


class Alias(NamedTuple):
    """An address that stands for others."""

    id: AliasId
    domain_id: DomainId
    localpart: str
    domain: str
    targets: tuple[str, ...]

    @property
    def address(self) -> str:
        """localpart@domain."""
        return f"{self.localpart}@{self.domain}"


class AccountGroup(NamedTuple):
    """Accounts that are given rights together."""

    id: GroupId
    domain_id: DomainId
    name: str
    domain: str
    members: tuple[str, ...]  # addresses

    @property
    def address(self) -> str:
        """name@domain."""
        return f"{self.name}@{self.domain}"


class Grantee(NamedTuple):
    """Whom an entry of an access control list is about; neither: anyone."""

    account: AccountId | None
    group: GroupId | None


class AclEntry(NamedTuple):
    """An entry of the access control list of a mailbox (RFC 4314 §2)."""

    to: Grantee
    address: str  # of the account or group; "" for anyone
    rights: str
    is_negative: bool  # it takes these rights away


class SharedWith(NamedTuple):
    """A mailbox of somebody else, and what its list says for one account."""

    mailbox: "Mailbox"  # as that account sees it, by the name that the owner knows
    localpart: str  # of the owner
    domain: str
    is_shared: bool  # the owner is nobody
    entries: tuple[tuple[str, bool], ...]  # (rights, whether they are taken away)


class Allowed(NamedTuple):
    """Which flags may be changed: system flags by their bits, and whether keywords may."""

    bits: int
    keywords: bool


class Forward(NamedTuple):
    """Where mail for an account goes."""

    to: tuple[str, ...]  # addresses, here or elsewhere
    keeps_copy: bool  # in the account itself; always without a forward


class StaticRoute(NamedTuple):
    """Where mail to a domain elsewhere is handed over."""

    domain: str  # "example.net", ".example.net" for what is below it, "*"
    destination: str  # "smtp:HOST:PORT", "lmtp:HOST:PORT", "mx", "reject"
    created_at: int


class NextHop(NamedTuple):
    """How to talk to a next hop that a route or a smarthost names."""

    name: str  # "smtp:HOST:PORT" or "lmtp:HOST:PORT"
    tls: str  # "may", "encrypt" or "verify"
    login: str = ""  # "": none
    password: bytes = b""  # sealed


class Callout(NamedTuple):
    """What the primary server of a backup domain said of an address."""

    address: str
    is_known: bool
    reply: str
    checked_at: int


class Mailbox(NamedTuple):
    """A mailbox and its counters, as of one moment."""

    id: MailboxId
    account: AccountId
    name: str  # NFC, "/" between levels
    special_use: str | None  # "\\Drafts" (RFC 6154)
    is_selectable: bool
    uidvalidity: UidValidity
    uidnext: Uid
    recent_from: Uid  # messages from here on were shown to no session yet
    modseq: ModSeq  # HIGHESTMODSEQ (RFC 7162 §3.1.2.1)
    exists: int
    unseen: int
    deleted: int
    size: int


class Placed(NamedTuple):
    """Where a new message went."""

    uid: Uid
    message: MessageId
    thread: ThreadId
    modseq: ModSeq


class FlagRow(NamedTuple):
    """The changeable part of a message in a mailbox."""

    uid: Uid
    flags: int
    keywords: str
    modseq: ModSeq
    is_new: bool  # came into the mailbox after the modseq that was asked about


class Delta(NamedTuple):
    """What happened to a mailbox after a modseq.

    present: where it is forgotten what was expunged so long ago, all UIDs that are there, ascending; then *expunged*
             is empty.
    """

    modseq: ModSeq
    uidnext: Uid
    flags: list[FlagRow]  # ascending UIDs: changed and new messages that are still there
    expunged: list[Uid]  # ascending; only of messages that were there at that modseq
    present: Sequence[int] | None = None


class Changes(NamedTuple):
    """What one commit changed: ids only, whoever wants to know more reads again."""

    mailboxes: frozenset[tuple[AccountId, MailboxId]] = frozenset()
    accounts: frozenset[AccountId] = frozenset()  # every account something changed in
    directory: bool = False  # domains, accounts, aliases, passwords or settings
    queue: bool = False  # something will be due, or shall not be sent after all

    def __bool__(self) -> bool:
        return bool(self.mailboxes or self.accounts or self.directory or self.queue)
