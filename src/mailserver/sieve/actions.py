"""What a script asks for: values that whoever delivers the message carries out.

Spec: RFC 5228 §4; the RFC of each extension.  Status: complete for the extensions of `extensions/`.
"""

from dataclasses import dataclass
from typing import TypeAlias

from mailserver.sieve.edited import Edited
from mailserver.sieve.mailto import Mailto


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """line: of the command, 0 for what nobody wrote.    edited: the message as it is then, None: as it came."""

    line: int = 0
    edited: Edited | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep(_Asked):
    r"""Into the default mailbox (RFC 5228 §4.3).

    flags: IMAP flags and keywords as written, None: as the delivery has them.      is_implicit: nobody wrote it.
    """

    flags: tuple[str, ...] | None = None
    is_implicit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInto(_Asked):
    r"""Into the mailbox with this name (RFC 5228 §4.1).

    creates:      make it where it is not there (RFC 5490 §3.2).
    special_use:  "\\Junk": the mailbox with this use comes first (RFC 8579 §4).
    mailbox_id:   the mailbox with this id comes first (RFC 9042 §3).
    """

    mailbox: str
    flags: tuple[str, ...] | None = None
    creates: bool = False
    special_use: str = ""
    mailbox_id: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """Where it says that the message goes: what is equal is one copy."""
        return self.mailbox, self.special_use, self.mailbox_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect(_Asked):
    """To another address (RFC 5228 §4.2).  keeps: `:copy` was said, here the message stays as it would have."""

    address: str
    keeps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard(_Asked):
    """Silently away (RFC 5228 §4.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(_Asked):
    """Refused with a reason (RFC 5429).  at_smtp: in the SMTP reply wherever that is possible (`ereject`)."""

    reason: str
    at_smtp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacation(_Asked):
    """An answer that tells of an absence (RFC 5230), if none was sent to this sender within *seconds*.

    handle: names this answer in what is remembered.     addresses: also the user's, as To and Cc may name them.
    is_mime: *reason* is a MIME entity with its header.  subject, sender: "" where the script says nothing.
    carbon: where a copy of the answer goes (RFC 8580), None: nowhere.
    """

    reason: str
    seconds: int
    handle: str
    subject: str = ""
    sender: str = ""
    addresses: tuple[str, ...] = ()
    is_mime: bool = False
    carbon: FileInto | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify(_Asked):
    """Somebody is told of the message (RFC 5435).

    mail:       the message that tells him.      message: its subject instead of the URI's, None: nothing was said.
    sender:     as whom, "" where the script says nothing.      importance: 1 is high, 3 low.
    carbon:     where a copy goes (RFC 8580), None: nowhere.
    """

    mail: Mailto
    message: str | None = None
    sender: str = ""
    importance: int = 2
    carbon: FileInto | None = None

    @property
    def told(self) -> tuple[str, ...]:
        """Who gets it."""
        return (*self.mail.to, *self.mail.cc)


Action: TypeAlias = Keep | FileInto | Redirect | Discard | Reject | Vacation | Notify
