"""What a notice about mail is about: its kind, the message, the recipients; and who asked for one.

Spec: RFC 3461 §4, §5.2; RFC 3464 §2.3.3.  Status: complete.
Deviates: RFC 3461 §5.2: postmaster is not written to when mail with a null return path fails, or every forged sender
would fill his mailbox; the log and the queue's history have it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a notice says of its recipients; the words of the Action field (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"  # to a server that sends no notices
    EXPANDED = "expanded"  # to several others, from whom no notice of success will come


@dataclass(frozen=True, slots=True)
class Original:
    """The message that a notice is about.

    trace:      our name for it, as in Received and the reply to its sender.
    sender:     its return path; "" for the null one.
    notices_to: who gets notices; None: the sender; "": nobody.  An owner of a forward is no stranger to it, the sender
                would be: he gets nothing then.
    ret, envid: as asked for with MAIL, *envid* without its xtext (RFC 3461 §4.3, §4.4).
    arrived_at: UTC epoch seconds.
    needs_tls:  REQUIRETLS was asked for (RFC 8689 §2).
    """

    trace: str
    sender: str
    arrived_at: int
    notices_to: str | None = None
    ret: str = ""
    envid: str = ""
    message_id: str = ""
    subject: str = ""
    needs_tls: bool = False

    @property
    def reader(self) -> str:
        """Who gets a notice about it; "": nobody, as its return path is null (RFC 3461 §5.2) or nobody is to."""
        if not self.sender:
            return ""
        return self.sender if self.notices_to is None else self.notices_to


class Recipient(NamedTuple):
    """One recipient of the original, and what became of it.

    original: as asked for with RCPT, "rfc822;bob@example.com", without its xtext (RFC 3461 §4.2); notify: §4.1.
    status:  "5.1.1"; "" if nothing is known.
    code, reply: of the other server, or of ours where no other was reached: 0 and a text.  "\\n" between lines.
    host:    the other server, by name or as an address literal; "" if none was involved.
    at:      UTC epoch seconds of the last attempt; None if there was none.
    retry_until: UTC epoch seconds; of a delay only.
    """

    address: str
    original: str = ""
    notify: str = ""
    status: str = ""
    code: int = 0
    reply: str = ""
    host: str = ""
    at: int | None = None
    retry_until: int | None = None


class Returned(NamedTuple):
    """What comes back of the original: its beginning, header included, or all of it."""

    data: bytes
    is_whole: bool


#: the word of NOTIFY that asks for it (RFC 3461 §4.1)
_ASKED_FOR = {
    Kind.FAILED: "FAILURE",
    Kind.DELAYED: "DELAY",
    Kind.DELIVERED: "SUCCESS",
    Kind.RELAYED: "SUCCESS",
    Kind.EXPANDED: "SUCCESS",
}
_UNLESS_SAID = ("FAILURE", "DELAY")  # without NOTIFY (RFC 3461 §5.2.3 (c), §5.2.5 (b), §5.2.6 (c))


def is_wanted(kind: Kind, notify: str) -> bool:
    """Whether a recipient's NOTIFY asks for such a notice; "" if there was none."""
    words = notify.upper().split(",") if notify else _UNLESS_SAID
    return _ASKED_FOR[kind] in words


def wants_whole(kind: Kind, original: Original, size: int, most: int) -> bool:
    """Whether a message of *size* octets comes back in full (RFC 3461 §6.2; RFC 6522 §3; RFC 8689 §5)."""
    if kind is not Kind.FAILED or original.needs_tls:
        return False
    return original.ret.upper() != "HDRS" and size <= most
